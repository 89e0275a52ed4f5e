"""A file that one thread writes and many answers send, also while it still grows. It has no name: it is gone with the process."""

import asyncio
import io
import os
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from pathlib import Path
from tempfile import mkstemp
from typing import TYPE_CHECKING

from domain.errors import UnavailableError

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

CHUNK = 1 << 16
"""Bytes that are written, read and sent at once."""


class Spool:
    """`file` can be written and sought. `grew` is set, and another takes its place, whenever more of it can be read."""

    def __init__(self, folder: Path, room: Callable[[int], None]) -> None:
        """room: told how many bytes come, before they do; OSError if there is none for them. UnavailableError without a folder."""
        self._loop = asyncio.get_running_loop()
        self.grew = asyncio.Event()
        self.size = 0
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor, name = mkstemp(dir=folder)
            Path(name).unlink()
        except OSError as error:
            raise UnavailableError(f"no report can be written in {folder}: {error.strerror}") from error
        self.file = io.BufferedRandom(_Told(descriptor, room, self._written), CHUNK)

    def close(self) -> None:
        """Nobody needs it; who is still sending it has a descriptor of their own."""
        with suppress(OSError):  # what is not written yet does not matter any more
            self.file.close()

    def flush(self) -> None:
        """Write what is in the buffer. UnavailableError if the disk does not take it."""
        try:
            self.file.flush()
        except OSError as error:
            raise UnavailableError(f"the report cannot be written: {error.strerror}") from error

    def opened(self) -> int:
        """A descriptor to read from, to be closed by the caller."""
        return os.dup(self.file.fileno())

    def _written(self, size: int) -> None:
        self.size = max(self.size, size)
        self._loop.call_soon_threadsafe(self.stir)

    def stir(self) -> None:
        """Let whoever follows it look again."""
        self.grew.set()
        self.grew = asyncio.Event()


class _Told(io.FileIO):
    """The file below the buffer: says what comes, and up to where the file goes."""

    def __init__(self, descriptor: int, room: Callable[[int], None], written: Callable[[int], None]) -> None:
        super().__init__(descriptor, "w+b")
        self._room = room
        self._written = written

    def write(self, content: "ReadableBuffer", /) -> int:
        self._room(memoryview(content).nbytes)
        count = super().write(content)
        self._written(self.tell())
        return count


async def following(spool: Spool, descriptor: int, done: Callable[[], bool]) -> AsyncIterator[bytes]:
    """What is in the file and what is still added to it, until `done`."""
    at = 0
    while True:
        last, grew = done(), spool.grew
        while chunk := await asyncio.to_thread(os.pread, descriptor, CHUNK, at):
            yield chunk
            at += len(chunk)
        if last:
            return
        await grew.wait()
