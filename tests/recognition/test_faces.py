import threading

import cv2
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from domain.errors import CorruptError, InvalidError, UnavailableError
from recognition.faces import FaceEngine, unit
from recognition.geometry import align
from recognition.models import SFACE, YUNET
from recognition.packs import InsightFacePack


def cosine(one, other):
    return float(np.dot(one, other) / np.linalg.norm(one) / np.linalg.norm(other))


def as_row(face):
    """A face as cv2.FaceRecognizerSF wants it."""
    return np.array([*face.box, *face.landmarks.ravel(), face.score], np.float32)


def centre(face):
    return np.array([face.box[0] + face.box[2] / 2, face.box[1] + face.box[3] / 2])


def test_the_group_photograph_has_six_faces_from_left_to_right(engine, t1):
    faces = engine.detect(t1)
    assert len(faces) == 6
    assert [face.box[0] for face in faces] == sorted(face.box[0] for face in faces)
    for face in faces:
        assert face.embedding.shape == (128,)
        assert face.embedding.dtype == np.float32
        assert np.linalg.norm(face.embedding) == pytest.approx(1.0, abs=1e-5)
        assert face.landmarks.shape == (5, 2)
        assert 0.7 <= face.score <= 1.0
        x, y, width, height = face.box
        assert ((face.landmarks > (x, y)) & (face.landmarks < (x + width, y + height))).all()


def test_the_same_frame_gives_the_same_faces_bit_for_bit(engine, t1):
    one, other = engine.detect(t1), engine.detect(t1)
    assert [face.box for face in one] == [face.box for face in other]
    assert all((a.embedding == b.embedding).all() for a, b in zip(one, other, strict=True))


def test_the_vectors_are_those_of_opencvs_own_recogniser(engine, models_dir, t1):
    reference = cv2.FaceRecognizerSF.create(str(models_dir / SFACE.file), "")
    for face in engine.detect(t1):
        aligned = reference.alignCrop(t1, as_row(face))
        assert cosine(reference.feature(aligned).ravel(), face.embedding) > 0.999
        difference = np.abs(aligned.astype(int) - align(t1, face.landmarks).astype(int))
        assert difference.mean() < 0.05


@pytest.mark.parametrize("change", ["re-encoded", "halved", "darkened", "turned by 15 degrees"])
def test_the_same_face_in_another_picture_is_nearer_than_any_other_person(engine, t1, change):
    # given
    known = engine.detect(t1)
    height, width = t1.shape[:2]
    turn = cv2.getRotationMatrix2D((width / 2, height / 2), 15, 1.0)
    match change:
        case "re-encoded":
            picture = cv2.imdecode(
                cv2.imencode(".jpg", t1, [cv2.IMWRITE_JPEG_QUALITY, 40])[1], cv2.IMREAD_COLOR
            )
        case "halved":
            picture = cv2.resize(t1, (width // 2, height // 2), interpolation=cv2.INTER_AREA)
        case "darkened":
            picture = (t1 * 0.5).astype(np.uint8)
        case _:
            picture = cv2.warpAffine(t1, turn, (width, height))
    # when
    probes = engine.detect(picture)
    # then
    assert len(probes) >= 5
    for probe in probes:
        likeness = sorted((cosine(probe.embedding, face.embedding) for face in known), reverse=True)
        assert likeness[0] > 0.363 > likeness[1]


def test_strangers_in_one_photograph_stay_below_the_threshold(engine, t1):
    vectors = np.array([face.embedding for face in engine.detect(t1)])
    assert (vectors @ vectors.T)[~np.eye(6, dtype=bool)].max() < 0.363


def test_a_large_photograph_is_scaled_down_and_its_boxes_scaled_back(engine, t1):
    small = engine.detect(t1)
    large = engine.detect(cv2.resize(t1, None, fx=2.5, fy=2.5, interpolation=cv2.INTER_CUBIC))
    assert len(large) == 6
    for one, other in zip(small, large, strict=True):
        assert np.abs(centre(other) / 2.5 - centre(one)).max() < 10
        assert cosine(one.embedding, other.embedding) > 0.8


def test_a_close_up_that_fills_a_large_picture_is_one_face(engine, t1):
    for face in engine.detect(t1):
        x, y, width, height = (round(side) for side in face.box)
        close = t1[max(0, y - height // 5) : y + height * 6 // 5, max(0, x - width // 5) : x + width * 6 // 5]
        scale = 1600 / max(close.shape[:2])
        found = engine.detect(cv2.resize(close, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC))
        assert len(found) == 1
        assert cosine(found[0].embedding, face.embedding) > 0.6


def test_a_box_at_the_edge_stays_inside_the_frame(engine, t1):
    first = engine.detect(t1)[0]
    cut = np.ascontiguousarray(t1[:, round(first.box[0] + first.box[2] * 0.25) :])
    height, width = cut.shape[:2]
    for face in engine.detect(cut):
        x, y, w, h = face.box
        assert x >= 0
        assert y >= 0
        assert x + w <= width + 1e-3
        assert y + h <= height + 1e-3


@pytest.mark.parametrize("shape", [(480, 640, 3), (1, 1, 3), (1, 4000, 3), (4000, 1, 3), (5000, 5000, 3)])
def test_a_picture_without_anybody_has_no_faces(engine, shape):
    assert engine.detect(np.zeros(shape, np.uint8)) == []


@pytest.mark.parametrize(
    "frame",
    [
        np.zeros((0, 0, 3), np.uint8),
        np.zeros((480, 640), np.uint8),
        np.zeros((480, 640, 4), np.uint8),
        np.zeros((480, 640, 3), np.float32),
    ],
    ids=["empty", "grey", "four channels", "floats"],
)
def test_what_is_no_picture_is_refused(engine, frame):
    with pytest.raises(InvalidError, match="height x width x 3"):
        engine.detect(frame)


def test_a_slice_of_a_larger_picture_is_a_picture(engine, t1):
    assert len(engine.detect(t1[:, 600:])) == 3


def test_threads_that_share_an_engine_do_not_disturb_each_other(engine, t1):
    # given
    half = cv2.resize(t1, None, fx=0.5, fy=0.5)
    counts = []
    # when
    threads = [
        threading.Thread(target=lambda picture=picture: counts.append(len(engine.detect(picture))))
        for picture in (t1, half, np.zeros((100, 100, 3), np.uint8)) * 2
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    # then
    assert sorted(counts) == [0, 0, 6, 6, 6, 6]


def test_an_engine_does_not_start_with_a_wrong_model_file(models_dir, tmp_path):
    wrong = tmp_path / YUNET.file
    wrong.write_bytes(b"not a model")
    with pytest.raises(CorruptError, match="expected"):
        FaceEngine(wrong, models_dir / SFACE.file)


def test_the_engine_names_the_digests_it_runs_on(engine):
    assert (engine.detector.name, engine.detector.sha256) == ("yunet", YUNET.sha256)
    assert (engine.embedder.name, engine.embedder.sha256) == ("sface", SFACE.sha256)


@pytest.mark.parametrize("vector", [np.zeros(128, np.float32), np.full(128, np.nan, np.float32)])
def test_a_vector_without_a_direction_is_refused(vector):
    with pytest.raises(CorruptError):
        unit(vector)


def routable_yunet(source, target):
    """YuNet rewritten to the nine outputs and the scale of an SCRFD, which is what InsightFace takes for a detector.

    It gives score, left-top-right-bottom distance and landmarks of one anchor; SCRFD has two: each row is doubled, the
    second one with score 0.
    """
    graph_model = onnx.load(source)
    graph = graph_model.graph
    # InsightFace feeds (x - 127.5) / 128 in RGB; YuNet wants 0..255 in BGR.
    for node in graph.node:
        for index, name in enumerate(node.input):
            if name == "input":
                node.input[index] = "bgr"
    constants = {
        "c128": np.float32(128),
        "c127": np.float32(127.5),
        "zero": np.float32(0),
        "half": np.float32(0.5),
        "flip": np.array([2, 1, 0], np.int64),
        "pair": np.array([-1, 1], np.int64),
        "fours": np.array([-1, 4], np.int64),
        "tens": np.array([-1, 10], np.int64),
    }
    graph.initializer.extend(
        onnx.numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()
    )
    before = [
        helper.make_node("Mul", ["input", "c128"], ["scaled"]),
        helper.make_node("Add", ["scaled", "c127"], ["rgb"]),
        helper.make_node("Gather", ["rgb", "flip"], ["bgr"], axis=1),
    ]
    after, outputs = [], {"score": [], "box": [], "kps": []}
    for stride in (8, 16, 32):

        def make(op, inputs, name, stride=stride, **attributes):
            after.append(helper.make_node(op, inputs, [f"{name}_{stride}"], **attributes))

        make("Mul", [f"cls_{stride}", f"obj_{stride}"], "product")
        make("Sqrt", [f"product_{stride}"], "root")
        make("Reshape", [f"root_{stride}", "pair"], "flat")
        make("Mul", [f"flat_{stride}", "zero"], "none")
        make("Concat", [f"flat_{stride}", f"none_{stride}"], "two", axis=1)
        make("Reshape", [f"two_{stride}", "pair"], "score")
        after.append(
            helper.make_node(
                "Split", [f"bbox_{stride}"], [f"xy_{stride}", f"log_{stride}"], axis=2, split=[2, 2]
            )
        )
        make("Exp", [f"log_{stride}"], "wh")
        make("Mul", [f"wh_{stride}", "half"], "hw")
        make("Sub", [f"hw_{stride}", f"xy_{stride}"], "lt")
        make("Add", [f"hw_{stride}", f"xy_{stride}"], "rb")
        make("Concat", [f"lt_{stride}", f"rb_{stride}", f"lt_{stride}", f"rb_{stride}"], "boxes", axis=2)
        make("Reshape", [f"boxes_{stride}", "fours"], "box")
        make("Concat", [f"kps_{stride}", f"kps_{stride}"], "points", axis=2)
        make("Reshape", [f"points_{stride}", "tens"], "tenfold")
        for kind, name in (("score", "score"), ("box", "box"), ("kps", "tenfold")):
            width = {"score": 1, "box": 4, "kps": 10}[kind]
            outputs[kind].append(
                helper.make_tensor_value_info(f"{name}_{stride}", TensorProto.FLOAT, [None, width])
            )
    nodes = [*before, *graph.node, *after]
    del graph.node[:], graph.output[:]
    graph.node.extend(nodes)
    graph.output.extend([*outputs["score"], *outputs["box"], *outputs["kps"]])
    onnx.save(graph_model, target)


def test_a_pack_on_disk_gives_the_same_faces_through_insightface(models_dir, tmp_path, t1):
    # given
    (tmp_path / "packs" / "ours").mkdir(parents=True)
    routable_yunet(models_dir / YUNET.file, tmp_path / "packs" / "ours" / "det.onnx")
    (tmp_path / "packs" / "ours" / "rec.onnx").write_bytes((models_dir / SFACE.file).read_bytes())
    # when
    pack = InsightFacePack("ours", tmp_path / "packs")
    found = pack.detect(t1)
    # then: InsightFace looks at 640 x 640, and so must the engine it is compared with
    ours = FaceEngine(models_dir / YUNET.file, models_dir / SFACE.file, long_side=640).detect(t1)
    assert (pack.detector.name, pack.embedder.name) == ("ours/det", "ours/rec")
    assert pack.embedder.sha256 == SFACE.sha256
    assert len(found) == 6
    for one, other in zip(ours, found, strict=True):
        assert np.abs(one.landmarks - other.landmarks).max() < 1
        assert cosine(one.embedding, other.embedding) > 0.99


def test_a_pack_that_is_not_there_is_not_downloaded(tmp_path):
    with pytest.raises(UnavailableError, match="buffalo_l"):
        InsightFacePack("buffalo_l", tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_pack_without_a_detector_is_refused(models_dir, tmp_path):
    (tmp_path / "half").mkdir()
    (tmp_path / "half" / "rec.onnx").write_bytes((models_dir / SFACE.file).read_bytes())
    with pytest.raises(UnavailableError, match="finds faces"):
        InsightFacePack("half", tmp_path)
