"""Frames out of an image, a folder or a video: what an engine looks at, with everything an observation must say of it."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from domain.errors import InvalidError
from recognition import images, videos
from recognition.errors import UnreadableError

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from pathlib import Path

    from recognition.images import Image


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """One picture. `native_id` is "<sha256 of the file>/<index of the frame in it>": the same file gives the same ids.

    offset: time after the first frame, 0 for an image. modified_at: when the file was last written, in UTC, for callers
    that know no better time of capture.
    """

    image: Image = field(repr=False)
    native_id: str
    sha256: str
    offset: timedelta
    path: Path
    modified_at: datetime


def frames(
    source: Path, *, every: float = 1.0, unreadable: Callable[[UnreadableError], object] | None = None
) -> Generator[Frame]:
    """The frames of an image file, of a video sampled every `every` seconds (0: all), or of the files of a folder.

    A folder is read in the order of the file names, without its sub-folders and hidden files; a file in it that cannot
    be read is given to `unreadable` and the rest go on. Without `unreadable`, and for a single file, UnreadableError is
    raised; a cut-off video gives the frames that are there first. One frame is in memory at a time.
    InvalidError: `every` is negative or not a number. Close the generator (or exhaust it) to release the file.
    """
    if not (math.isfinite(every) and every >= 0):
        raise InvalidError(
            f"one frame every {every} seconds cannot be taken: 0 or a positive number is expected"
        )
    return _folder_frames(source, every, unreadable) if source.is_dir() else _file_frames(source, every)


def _folder_frames(
    folder: Path, every: float, unreadable: Callable[[UnreadableError], object] | None
) -> Generator[Frame]:
    try:
        paths = sorted(
            path for path in folder.iterdir() if not path.name.startswith(".") and not path.is_dir()
        )
    except OSError as error:
        raise UnreadableError(folder, f"the folder cannot be listed: {error.strerror}") from error
    for path in paths:
        try:
            yield from _file_frames(path, every)
        except UnreadableError as error:
            if unreadable is None:
                raise
            unreadable(error)


def _file_frames(path: Path, every: float) -> Generator[Frame]:
    try:
        if not path.is_file():
            raise UnreadableError(
                path, "it is not a regular file" if path.exists() else "there is no such file"
            )
        stat = path.stat()
        modified_at = datetime.fromtimestamp(stat.st_mtime, UTC)
        if stat.st_size == 0:
            raise UnreadableError(path, "it is empty")
        match path.suffix.lower():
            case suffix if suffix in images.SUFFIXES:
                yield _image_frame(path, stat.st_size, modified_at)
            case suffix if suffix in videos.SUFFIXES:
                yield from _video_frames(path, every, modified_at)
            case suffix:
                known = " ".join(sorted(images.SUFFIXES | videos.SUFFIXES))
                raise UnreadableError(path, f"{suffix or 'no extension'} is none of {known}")
    except OSError as error:
        raise UnreadableError(path, error.strerror or str(error)) from error


def _image_frame(path: Path, size: int, modified_at: datetime) -> Frame:
    if size > images.MAX_BYTES:
        raise UnreadableError(path, f"{size} bytes are more than the {images.MAX_BYTES} allowed for an image")
    content = path.read_bytes()
    sha256 = hashlib.sha256(content).hexdigest()
    return Frame(
        image=images.read_image(path, content),
        native_id=f"{sha256}/0",
        sha256=sha256,
        offset=timedelta(0),
        path=path,
        modified_at=modified_at,
    )


def _video_frames(path: Path, every: float, modified_at: datetime) -> Generator[Frame]:
    with path.open("rb") as file:
        if not videos.is_video(file.read(videos.HEAD)):
            raise UnreadableError(path, "its content is no video container we read, whatever its name says")
        file.seek(0)
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    for index, offset, image in videos.sample(path, every):
        yield Frame(
            image=image,
            native_id=f"{sha256}/{index}",
            sha256=sha256,
            offset=offset,
            path=path,
            modified_at=modified_at,
        )
