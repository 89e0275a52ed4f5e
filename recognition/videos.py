"""Video files: opening one within limits and sampling pictures from it."""

from __future__ import annotations

import math
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING

import cv2
import numpy as np

from recognition.errors import UnreadableError
from recognition.images import Image, require_pixels

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SUFFIXES = frozenset({".avi", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".ts", ".webm"})
HEAD = 512
"""How many first bytes `is_video` wants to see."""

_FALLBACK_RATE = 25.0
_SLACK = timedelta(microseconds=500)
_LOST = 0.05


def is_video(head: bytes) -> bool:
    """Whether the first bytes are those of a container we read: ISO media, AVI, Matroska, MPEG program or transport stream.

    The decoder is never left to guess: it would follow a playlist, whatever its name, to other files and addresses.
    """
    return (
        head[4:8] in (b"ftyp", b"moov", b"mdat", b"free", b"wide", b"skip")
        or (head[:4] == b"RIFF" and head[8:12] == b"AVI ")
        or head.startswith((b"\x1a\x45\xdf\xa3", b"\x00\x00\x01\xba", b"\x00\x00\x01\xb3"))
        or (head[:1] == b"G" and head[188:189] == b"G" and head[376:377] == b"G")
    )


def sample(path: Path, every: float) -> Iterator[tuple[int, timedelta, Image]]:
    """Index, offset and picture of the first frame at or after each multiple of `every` seconds; 0 gives all frames.

    The index counts the frames of the stream, so a frame has the same one however densely it is sampled. The offset is
    the stream's timestamp less that of its first frame. One picture is in memory at a time.
    UnreadableError: it does not open, is too large, or ends well before its header says.
    """
    with _opened(path) as capture:
        declared = capture.get(cv2.CAP_PROP_FRAME_COUNT)
        grabbed, due = 0, timedelta(0)
        for index, offset in enumerate(_offsets(capture)):
            grabbed = index + 1
            if offset + _SLACK < due:
                continue
            decoded, picture = capture.retrieve()
            if not decoded or picture is None:
                raise UnreadableError(path, f"frame {index} does not decode")
            yield index, offset, np.asarray(picture, np.uint8)
            due = _next_due(offset, every)
        if grabbed == 0:
            raise UnreadableError(path, "it holds no frame that decodes")
        if declared - grabbed > max(1.0, _LOST * declared):
            raise UnreadableError(
                path, f"it is cut off: {grabbed} of the {declared:.0f} frames it declares are there"
            )


def _next_due(offset: timedelta, every: float) -> timedelta:
    if not every:
        return timedelta(0)
    return timedelta(seconds=every * (math.floor((offset + _SLACK).total_seconds() / every) + 1))


def _offsets(capture: cv2.VideoCapture) -> Iterator[timedelta]:
    """Grab frame after frame: each one's time after the first; by the frame rate where the timestamps stand still."""
    step = 1000.0 / (capture.get(cv2.CAP_PROP_FPS) or _FALLBACK_RATE)
    first: float | None = None
    last = 0.0
    while capture.grab():
        now = capture.get(cv2.CAP_PROP_POS_MSEC)
        if first is None:
            first, last = now, now
        else:
            last = now if now > last else last + step
        yield timedelta(milliseconds=last - first)


@contextmanager
def _opened(path: Path) -> Iterator[cv2.VideoCapture]:
    # FFmpeg by name and an absolute path: other back ends read "%03d" in a name as a pattern, and "http:" as an address.
    capture = cv2.VideoCapture(str(path.absolute()), cv2.CAP_FFMPEG)
    try:
        if not capture.isOpened():
            raise UnreadableError(path, "it is truncated or malformed: no video stream opens")
        width, height = capture.get(cv2.CAP_PROP_FRAME_WIDTH), capture.get(cv2.CAP_PROP_FRAME_HEIGHT)
        require_pixels(path, int(width), int(height))
        yield capture
    finally:
        capture.release()
