"""The evidence store: files under the names of their SHA-256, in a folder that several machines may share. A file never changes."""

import asyncio
import hashlib
import os
import tempfile
from collections.abc import AsyncIterable, AsyncIterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from adapters.files import digest, sync
from domain.errors import CorruptError, InvalidError, NotFoundError, UnavailableError
from domain.observation import require_sha256

LARGEST = 256 << 20
"""Bytes of the largest file: some minutes of video."""
CHUNK = 1 << 18


@dataclass(frozen=True, slots=True)
class Kept:
    """A file in the store. `repeated`: it was there already."""

    sha256: str
    size: int
    repeated: bool


class EvidenceStore:
    """Files below `folder`, in a folder for each first two digits. What is being written lies in `folder`/incoming.

    Beside a file stands who sent it: whoever knows no more than its digest has not had the bytes.
    """

    def __init__(self, folder: Path, largest: int = LARGEST) -> None:
        self.folder = folder
        self.largest = largest

    async def put(self, chunks: AsyncIterable[bytes], by: str) -> Kept:
        """Keep what `chunks` bring from the person `by`, on the disk when it returns; the same again is kept once.

        InvalidError if it is empty or larger than is kept; UnavailableError if the disk is full or cannot be written.
        """
        file, draft = await asyncio.to_thread(self._begin)
        try:
            hashed, size = hashlib.sha256(), 0
            with file:
                async for chunk in chunks:
                    size += len(chunk)
                    if size > self.largest:
                        raise InvalidError(f"evidence has at most {self.largest} bytes; this has more")
                    hashed.update(chunk)
                    await asyncio.to_thread(file.write, chunk)
                if not size:
                    raise InvalidError("evidence is empty: send the bytes of a picture, a film or a document")
                await asyncio.to_thread(_flush, file)
            sha256 = hashed.hexdigest()
            return Kept(sha256, size, await asyncio.to_thread(self._keep, draft, sha256, by))
        except OSError as error:
            raise self._unusable(error) from error
        finally:
            with suppress(OSError):
                draft.unlink(missing_ok=True)

    def sent(self, sha256: str, by: str) -> bool:
        """Whether the person `by` has sent these bytes."""
        return self._sender(sha256, by).exists()

    def path(self, sha256: str) -> Path | None:
        """Where the file is; None if it is not in the store."""
        path = self._place(sha256)
        return path if path.is_file() else None

    async def checked(self, sha256: str) -> Path:
        """The file, after its digest was compared: NotFoundError, CorruptError, UnavailableError."""
        path = self.path(sha256)
        if path is None:
            raise NotFoundError(f"evidence {sha256} is not in the store")
        try:
            found = await asyncio.to_thread(digest, path)
        except OSError as error:
            raise self._unusable(error) from error
        if found != sha256:
            raise CorruptError(f"evidence {sha256} was altered: {path} has the digest {found}")
        return path

    def _place(self, sha256: str) -> Path:
        return self.folder / require_sha256(sha256, "the evidence's SHA-256")[:2] / sha256

    def _sender(self, sha256: str, by: str) -> Path:
        return self._place(sha256).with_suffix(".by") / hashlib.sha256(by.encode()).hexdigest()

    def _begin(self) -> tuple[IO[bytes], Path]:
        try:
            incoming = self.folder / "incoming"
            incoming.mkdir(parents=True, exist_ok=True, mode=0o700)
            handle, name = tempfile.mkstemp(dir=incoming)  # readable by its owner only
        except OSError as error:
            raise self._unusable(error) from error
        return os.fdopen(handle, "wb"), Path(name)

    def _keep(self, draft: Path, sha256: str, by: str) -> bool:
        """Give `draft` its name; whether a whole file has it already. One that was damaged is replaced."""
        place, sender = self._place(sha256), self._sender(sha256, by)
        sender.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        sender.touch(mode=0o600)
        sync(sender.parent)
        if place.is_file() and digest(place) == sha256:
            return True
        draft.rename(place)
        sync(place.parent)
        sync(self.folder)
        return False

    def _unusable(self, error: OSError) -> UnavailableError:
        return UnavailableError(
            f"the evidence store {self.folder} cannot be used: {error.strerror}; is there room, and is the folder ours?"
        )


async def content(path: Path) -> AsyncIterator[bytes]:
    """The bytes of a file, piece by piece."""
    with await asyncio.to_thread(path.open, "rb") as file:
        while chunk := await asyncio.to_thread(file.read, CHUNK):
            yield chunk


def _flush(file: IO[bytes]) -> None:
    file.flush()
    os.fsync(file.fileno())
