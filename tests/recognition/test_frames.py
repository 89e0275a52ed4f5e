import hashlib
import math
import struct
import zlib
from datetime import UTC, datetime, timedelta
from types import GeneratorType

import cv2
import numpy as np
import pytest

from domain.errors import InvalidError
from recognition.errors import UnreadableError
from recognition.frames import frames
from recognition.images import image_size

REASONS = {
    "truncated.jpg": "truncated or malformed",
    "text.jpg": "no JPEG, PNG, WebP or BMP",
    "empty.png": "empty",
    "notes.txt": r"\.txt is none of",
    "noextension": "no extension is none of",
    "image.mp4": "no video container",
    "playlist.mp4": "no video container",
    "video.jpg": "no JPEG, PNG, WebP or BMP",
    "headless.mp4": "truncated or malformed",
}


@pytest.fixture
def picture():
    return np.random.default_rng(7).integers(0, 256, (120, 160, 3), np.uint8)


@pytest.fixture
def bad_files(tmp_path, picture, write_image, write_video):
    """A folder of files that are not what they should be."""
    folder = tmp_path / "bad"
    folder.mkdir()
    whole = write_image(tmp_path / "whole.jpg", picture).read_bytes()
    video = write_video(tmp_path / "whole.mp4", picture, frames=20, rate=10).read_bytes()
    (folder / "truncated.jpg").write_bytes(whole[: len(whole) // 2])
    (folder / "text.jpg").write_text("this is not a picture")
    (folder / "empty.png").touch()
    (folder / "notes.txt").write_text("notes")
    (folder / "noextension").write_bytes(whole)
    (folder / "image.mp4").write_bytes(whole)
    (folder / "playlist.mp4").write_text("#EXTM3U\n#EXTINF:1,\nfile:///etc/hostname\n#EXT-X-ENDLIST\n")
    (folder / "video.jpg").write_bytes(video)
    (folder / "headless.mp4").write_bytes(video[: len(video) // 2])
    return folder


def png_header(width, height):
    """A PNG that declares a size and has next to nothing in it."""

    def chunk(kind, body):
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(b"\0" * 1000)) + chunk(b"IEND", b"")


def test_an_image_is_one_frame_with_the_digest_of_its_file(tmp_path, picture, write_image):
    path = write_image(tmp_path / "gate.png", picture)
    (frame,) = frames(path)
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    assert (frame.image == picture).all()
    assert (frame.sha256, frame.native_id) == (sha256, f"{sha256}/0")
    assert (frame.offset, frame.path) == (timedelta(0), path)
    assert frame.modified_at == datetime.fromtimestamp(path.stat().st_mtime, UTC)


@pytest.mark.parametrize("name", ["润锦苑 东门.jpg", "ö ß 😀.PNG", "100%d.bmp", "-rf.webp", "http:x.jpeg"])
def test_any_file_name_works_for_an_image(tmp_path, picture, write_image, name):
    (frame,) = frames(write_image(tmp_path / name, picture))
    assert frame.image.shape == (120, 160, 3)


@pytest.mark.parametrize("name", ["润锦苑 东门.mp4", "cam%03d.mp4", "http:x.mp4"])
def test_any_file_name_works_for_a_video(tmp_path, picture, write_video, name):
    path = write_video(tmp_path / "plain.mp4", picture, frames=10, rate=10).rename(tmp_path / name)
    assert len(list(frames(path, every=0))) == 10


def test_a_grey_image_comes_out_with_three_channels(tmp_path, picture, write_image):
    (frame,) = frames(write_image(tmp_path / "grey.png", picture[:, :, 0]))
    assert frame.image.shape == (120, 160, 3)


@pytest.mark.parametrize("name", REASONS)
def test_a_file_that_cannot_be_read_is_refused_with_its_name_and_the_reason(bad_files, name):
    with pytest.raises(UnreadableError, match=REASONS[name]) as refused:
        list(frames(bad_files / name))
    assert isinstance(refused.value, InvalidError)
    assert refused.value.path == bad_files / name
    assert name in str(refused.value)


def test_a_file_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(UnreadableError, match="no such file"):
        list(frames(tmp_path / "nowhere.jpg"))


def test_bad_files_in_a_folder_are_reported_and_do_not_stop_the_others(bad_files, picture, write_image):
    # given
    write_image(bad_files / "a first.png", picture)
    write_image(bad_files / "z last.png", picture)
    write_image(bad_files / ".hidden.png", picture)
    (bad_files / "folder.png").mkdir()
    refused = []
    # when
    read = list(frames(bad_files, unreadable=refused.append))
    # then
    assert [frame.path.name for frame in read] == ["a first.png", "z last.png"]
    assert sorted(error.path.name for error in refused) == sorted(REASONS)


def test_without_a_place_to_report_to_a_bad_file_in_a_folder_is_raised(bad_files):
    with pytest.raises(UnreadableError):
        list(frames(bad_files))


def test_an_empty_folder_has_no_frames(tmp_path):
    assert list(frames(tmp_path)) == []


@pytest.mark.parametrize(
    ("every", "indices"), [(0, range(30)), (0.5, [0, 5, 10, 15, 20, 25]), (1, [0, 10, 20]), (99, [0])]
)
def test_a_video_is_sampled_by_its_own_timestamps(tmp_path, picture, write_video, every, indices):
    path = write_video(tmp_path / "gate.mp4", picture, frames=30, rate=10)
    read = list(frames(path, every=every))
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    assert [frame.native_id for frame in read] == [f"{sha256}/{index}" for index in indices]
    for frame, index in zip(read, indices, strict=True):
        assert frame.offset.total_seconds() == pytest.approx(index / 10, abs=0.01)


def test_a_rate_that_does_not_divide_the_second_does_not_drift(tmp_path, picture, write_video):
    path = write_video(tmp_path / "gate.mp4", picture, frames=70, rate=7)
    seconds = [frame.offset.total_seconds() for frame in frames(path, every=1.0)]
    assert len(seconds) == 10
    assert all(0 <= second - whole < 1 / 7 + 0.01 for whole, second in enumerate(seconds))


def test_a_cut_off_video_gives_the_frames_that_are_there_and_then_says_so(tmp_path, picture):
    # given
    whole = tmp_path / "whole.avi"
    writer = cv2.VideoWriter(str(whole), cv2.VideoWriter_fourcc(*"MJPG"), 10, (160, 120))
    for _ in range(30):
        writer.write(picture)
    writer.release()
    cut = tmp_path / "cut.avi"
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    # when
    read = []
    with pytest.raises(UnreadableError, match="cut off"):
        read.extend(frame.offset for frame in frames(cut, every=0))
    # then
    assert len(list(frames(whole, every=0))) == 30
    assert sum(1 for _ in _until_refused(frames(cut, every=0))) > 5


def _until_refused(stream):
    try:
        yield from stream
    except UnreadableError:
        return


@pytest.mark.parametrize("every", [-1.0, math.nan, math.inf])
def test_an_interval_that_is_none_is_refused_before_anything_is_read(tmp_path, every):
    with pytest.raises(InvalidError, match="positive number"):
        frames(tmp_path / "nowhere.jpg", every=every)


def test_a_small_file_that_declares_a_huge_image_is_refused_without_being_decoded(tmp_path):
    path = tmp_path / "bomb.png"
    path.write_bytes(png_header(60_000, 60_000))
    with pytest.raises(UnreadableError, match="60000 x 60000 pixels are more than"):
        list(frames(path))


def test_frames_are_made_one_at_a_time_and_the_file_is_released_when_closed(tmp_path, picture, write_video):
    stream = frames(write_video(tmp_path / "gate.mp4", picture, frames=30, rate=10), every=0)
    assert isinstance(stream, GeneratorType)
    next(stream)
    stream.close()
    assert list(stream) == []


@pytest.mark.parametrize(
    ("suffix", "options"),
    [
        (".jpg", []),
        (".jpg", [cv2.IMWRITE_JPEG_PROGRESSIVE, 1]),
        (".png", []),
        (".bmp", []),
        (".webp", [cv2.IMWRITE_WEBP_QUALITY, 80]),
        (".webp", [cv2.IMWRITE_WEBP_QUALITY, 101]),
    ],
)
def test_the_header_says_the_size_of_the_picture(suffix, options):
    encoded = cv2.imencode(suffix, np.zeros((123, 457, 3), np.uint8), options)[1].tobytes()
    assert image_size(encoded) == (457, 123)


def test_any_cut_of_a_header_gives_no_size_or_the_right_one(picture):
    for suffix in (".jpg", ".png", ".bmp", ".webp"):
        encoded = cv2.imencode(suffix, picture)[1].tobytes()
        for length in range(min(700, len(encoded))):
            assert image_size(encoded[:length]) in (None, (160, 120))
