"""From a source of frames to observations on the bus, without ever blocking the event loop."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass, replace
from time import perf_counter
from typing import TYPE_CHECKING

from domain.errors import InvalidError
from domain.observation import FaceObservation, GateRef, ObservationPublisher, observation_id
from recognition.frames import Frame, frames

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence
    from datetime import datetime
    from pathlib import Path

    from recognition.errors import UnreadableError
    from recognition.faces import Face, FaceFinder


@dataclass(frozen=True, slots=True)
class Summary:
    """What came of a source so far: frames looked at, faces published, files that could not be read and why."""

    frames: int = 0
    faces: int = 0
    unreadable: tuple[tuple[Path, str], ...] = ()


@dataclass(frozen=True, slots=True)
class _Seen:
    frame: Frame
    faces: Sequence[Face]
    latency_ms: float


def _ignore(_: Summary) -> None:
    pass


async def observe(
    source: Path,
    gate: GateRef,
    engine: FaceFinder,
    publisher: ObservationPublisher,
    *,
    started_at: datetime | None = None,
    every: float = 1.0,
    report: Callable[[Summary], object] = _ignore,
) -> Summary:
    """Publish one observation for each face in each frame of `source` (see `frames`), in the order of the frames.

    started_at: when the first frame of each file was taken, with a time zone; None: when the file was last modified.
    report: called on the loop after every frame with the sums so far.
    The same source at the same gate gives the same ids, so a repeat is seen as such. Decoding and inference run in a worker
    thread. At most one frame is being recognised while the faces of the one before it are published: a slow bus slows the
    reading down. When cancelled, the frame in hand is finished, nothing more is published and the file is closed.
    UnreadableError: a single file that cannot be read (in a folder it is counted instead). Errors of the publisher surface.
    """
    if started_at is not None and started_at.tzinfo is None:
        raise InvalidError("started_at has no time zone")
    unreadable: list[UnreadableError] = []
    stream = frames(source, every=every, unreadable=unreadable.append)
    summary = Summary()
    step = _recognise_next(stream, engine)
    try:
        while (seen := await asyncio.shield(step)) is not None:
            step = _recognise_next(stream, engine)
            observations = _observations(seen, gate, engine, started_at or seen.frame.modified_at)
            for observation in observations:
                await publisher.publish(observation)
            summary = replace(summary, frames=summary.frames + 1, faces=summary.faces + len(observations))
            summary = replace(summary, unreadable=_reasons(unreadable))
            report(summary)
    finally:
        await _finish(step)
        await asyncio.to_thread(stream.close)
    return replace(summary, unreadable=_reasons(unreadable))


def _recognise_next(stream: Generator[Frame], engine: FaceFinder) -> asyncio.Task[_Seen | None]:
    return asyncio.create_task(asyncio.to_thread(_recognise, stream, engine))


def _recognise(stream: Generator[Frame], engine: FaceFinder) -> _Seen | None:
    """The next frame with its faces, timed; None at the end. Runs in a worker thread."""
    frame = next(stream, None)
    if frame is None:
        return None
    began = perf_counter()
    faces = engine.detect(frame.image)
    return _Seen(frame, faces, latency_ms=(perf_counter() - began) * 1000)


def _observations(
    seen: _Seen, gate: GateRef, engine: FaceFinder, started_at: datetime
) -> list[FaceObservation]:
    return [
        FaceObservation(
            id=observation_id(gate, f"{seen.frame.native_id}/{index}"),
            at=gate,
            captured_at=started_at + seen.frame.offset,
            box=face.box,
            score=face.score,
            embedding=face.embedding.astype("<f4").tobytes(),
            detector=engine.detector,
            embedder=engine.embedder,
            frame_sha256=seen.frame.sha256,
            latency_ms=seen.latency_ms,
        )
        for index, face in enumerate(seen.faces)
    ]


def _reasons(unreadable: Sequence[UnreadableError]) -> tuple[tuple[Path, str], ...]:
    return tuple((error.path, error.reason) for error in unreadable)


async def _finish(step: asyncio.Task[_Seen | None]) -> None:
    """Wait for a step that a thread is in: a thread cannot be stopped, and the file must not be closed under it.

    Its error, if it has one, comes second to the one that is being raised.
    """
    while not step.done():
        with suppress(asyncio.CancelledError):
            await asyncio.wait({step})
    if not step.cancelled():
        step.exception()
