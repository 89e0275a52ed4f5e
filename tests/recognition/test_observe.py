import asyncio
import threading
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from time import sleep

import numpy as np
import pytest

from domain.errors import InvalidError, UnavailableError
from domain.observation import GateRef, ModelUse, observation_id
from recognition.errors import UnreadableError
from recognition.faces import Face
from recognition.models import SFACE, YUNET
from recognition.observe import Summary, observe

GATE = GateRef("runjinyuan", "main")
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


@dataclass
class Published:
    """A publisher that remembers; `fail_after` publications it finds the bus gone."""

    observations: list = field(default_factory=list)
    fail_after: int = 1_000_000

    async def publish(self, observation):
        if len(self.observations) >= self.fail_after:
            raise UnavailableError("the bus cannot be reached")
        await asyncio.sleep(0)
        self.observations.append(observation)


class StubEngine:
    """An engine that finds one face in every frame, after `seconds` of blocking work."""

    detector = ModelUse("stub", "a" * 64)
    embedder = ModelUse("stub", "b" * 64)

    def __init__(self, seconds=0.0):
        self.seconds = seconds
        self.calls = 0
        self.began = threading.Semaphore(0)
        self.threads = set()

    def detect(self, frame):
        self.calls += 1
        self.began.release()
        self.threads.add(threading.current_thread())
        sleep(self.seconds)
        vector = np.zeros(128, np.float32)
        vector[0] = 1
        return [
            Face(
                box=(0.0, 0.0, 8.0, 8.0), landmarks=np.zeros((5, 2), np.float32), score=0.9, embedding=vector
            )
        ]


@pytest.fixture
def ten_images(tmp_path, write_image):
    folder = tmp_path / "ten"
    folder.mkdir()
    for index in range(10):
        write_image(folder / f"{index}.png", np.full((16, 16, 3), index, np.uint8))
    return folder


async def test_every_face_in_a_photograph_becomes_an_observation(engine, tmp_path, t1, write_image):
    # given
    path = write_image(tmp_path / "group.png", t1)
    bus = Published()
    # when
    summary = await observe(path, GATE, engine, bus, started_at=NOON)
    # then
    faces = engine.detect(t1)
    assert summary == Summary(frames=1, faces=6)
    assert len(bus.observations) == 6
    for index, (seen, face) in enumerate(zip(bus.observations, faces, strict=True)):
        assert seen.id == observation_id(GATE, f"{seen.frame_sha256}/0/{index}")
        assert (seen.at, seen.captured_at, seen.box, seen.score) == (GATE, NOON, face.box, face.score)
        assert (np.frombuffer(seen.embedding, "<f4") == face.embedding).all()
        assert seen.detector == ModelUse("yunet", YUNET.sha256)
        assert seen.embedder == ModelUse("sface", SFACE.sha256)
        assert seen.latency_ms > 0


async def test_the_faces_of_a_video_carry_the_time_they_were_seen_at(engine, tmp_path, t1, write_video):
    # given: the group is there in every other frame, five frames a second
    path = write_video(tmp_path / "group.mp4", t1, frames=8, rate=5)
    bus = Published()
    # when
    summary = await observe(path, GATE, engine, bus, started_at=NOON, every=0.2)
    # then
    assert (summary.frames, summary.faces) == (8, 24)
    times = sorted({seen.captured_at for seen in bus.observations})
    assert times == [NOON + timedelta(milliseconds=400 * index) for index in range(4)]


async def test_the_same_source_twice_gives_the_same_ids(engine, tmp_path, t1, write_image):
    path = write_image(tmp_path / "group.jpg", t1)
    first, second, elsewhere = Published(), Published(), Published()
    await observe(path, GATE, engine, first, started_at=NOON)
    await observe(
        path.rename(tmp_path / "renamed.jpg"), GATE, engine, second, started_at=NOON + timedelta(days=1)
    )
    await observe(
        tmp_path / "renamed.jpg", GateRef("runjinyuan", "east-1"), engine, elsewhere, started_at=NOON
    )
    ids, again, others = ({seen.id for seen in bus.observations} for bus in (first, second, elsewhere))
    assert len(ids) == 6
    assert ids == again
    assert not ids & others


async def test_a_folder_is_observed_whole_and_its_bad_files_are_counted(ten_images):
    # given
    (ten_images / "3.png").write_bytes((ten_images / "3.png").read_bytes()[:40])
    (ten_images / "7.png").write_bytes(b"")
    (ten_images / "last.txt").write_text("notes")
    bus, seen = Published(), []
    # when
    summary = await observe(ten_images, GATE, StubEngine(), bus, started_at=NOON, report=seen.append)
    # then
    assert (summary.frames, summary.faces) == (8, 8)
    assert [path.name for path, _ in summary.unreadable] == ["3.png", "7.png", "last.txt"]
    assert [step.frames for step in seen] == list(range(1, 9))
    assert len(bus.observations) == 8


async def test_a_single_bad_file_is_an_error(tmp_path):
    path = tmp_path / "bad.jpg"
    path.write_text("not a picture")
    with pytest.raises(UnreadableError, match=r"bad\.jpg"):
        await observe(path, GATE, StubEngine(), Published(), started_at=NOON)


async def test_without_a_start_the_time_of_the_file_is_taken(ten_images):
    bus = Published()
    await observe(ten_images, GATE, StubEngine(), bus)
    written = [datetime.fromtimestamp(path.stat().st_mtime, UTC) for path in sorted(ten_images.iterdir())]
    assert [seen.captured_at for seen in bus.observations] == written


async def test_a_start_without_a_time_zone_is_refused(ten_images):
    with pytest.raises(InvalidError, match="time zone"):
        await observe(ten_images, GATE, StubEngine(), Published(), started_at=datetime(2026, 3, 1))  # noqa: DTZ001


async def test_the_loop_keeps_running_while_faces_are_found(ten_images):
    # given
    stub, ticks, done = StubEngine(seconds=0.03), 0, asyncio.Event()

    async def tick():
        nonlocal ticks
        while not done.is_set():
            ticks += 1
            await asyncio.sleep(0.001)

    ticker = asyncio.create_task(tick())
    # when
    await observe(ten_images, GATE, stub, Published(), started_at=NOON)
    done.set()
    await ticker
    # then: several ticks for every frame, where a blocked loop would have had about one
    assert ticks > 3 * stub.calls
    assert threading.main_thread() not in stub.threads


async def test_when_the_bus_fails_the_error_surfaces_and_the_rest_is_not_read(ten_images):
    stub, bus = StubEngine(), Published(fail_after=3)
    with pytest.raises(UnavailableError, match="bus cannot be reached"):
        await observe(ten_images, GATE, stub, bus, started_at=NOON)
    assert len(bus.observations) == 3
    assert stub.calls <= 5


async def test_a_bus_that_stands_still_holds_the_reading_up(ten_images):
    # given
    class Still:
        async def publish(self, observation):
            await asyncio.Event().wait()

    stub = StubEngine()
    # when
    task = asyncio.create_task(observe(ten_images, GATE, stub, Still(), started_at=NOON))
    for _ in range(2):
        await asyncio.to_thread(stub.began.acquire)
    await asyncio.sleep(0.02)
    # then: one frame waits to be published, one is ready behind it
    assert stub.calls == 2
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_cancelling_finishes_the_frame_in_hand_and_nothing_after_it(ten_images):
    # given
    stub, bus = StubEngine(seconds=0.05), Published()
    task = asyncio.create_task(observe(ten_images, GATE, stub, bus, started_at=NOON))
    await asyncio.to_thread(stub.began.acquire)
    # when
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    # then
    calls = stub.calls
    await asyncio.sleep(0.1)
    assert stub.calls == calls == 1
    assert bus.observations == []


async def test_cancelling_twice_waits_for_the_frame_in_hand_all_the_same(ten_images):
    stub = StubEngine(seconds=0.05)
    task = asyncio.create_task(observe(ten_images, GATE, stub, Published(), started_at=NOON))
    await asyncio.to_thread(stub.began.acquire)
    task.cancel()
    await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert stub.calls == 1


async def test_an_error_of_the_engine_surfaces(ten_images):
    class Broken(StubEngine):
        def detect(self, frame):
            raise UnavailableError("no memory left")

    with pytest.raises(UnavailableError, match="no memory"):
        await observe(ten_images, GATE, Broken(), Published(), started_at=NOON)
