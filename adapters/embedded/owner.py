"""One owner of a server's folder at a time, and who that is."""

from __future__ import annotations

import fcntl
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

import psutil

from domain.errors import UnavailableError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

_FILE = "owner"  # line 1: process id and its start time, for a pid is used again; line 2, once it answers: the address


@contextmanager
def owned(folder: Path, name: str, *, mode: int = 0o755) -> Iterator[tuple[Path, Callable[[str], None]]]:
    """Own `folder` (made when missing); yields its real path, and what to call with the address once the server answers.

    The lock is the kernel's (flock): it goes with its process, however that ends. UnavailableError: somebody else owns it.
    """
    try:
        folder.mkdir(mode=mode, parents=True, exist_ok=True)
        handle = os.open(folder / _FILE, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise UnavailableError(
            f"{name} cannot keep its data in {folder}: {error.strerror}. Run as the owner of that folder, or choose another.",
        ) from error
    with os.fdopen(handle, "r+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = file.readline().split()
            raise UnavailableError(
                f"{name} in {folder} is in use by process {holder[0] if holder else 'unknown'}. "
                "Stop that process first, or choose another directory.",
            ) from None

        def write(address: str = "") -> None:
            file.seek(0)
            file.truncate()
            file.write(f"{os.getpid()} {psutil.Process().create_time()}\n{address}")
            file.flush()

        write()
        try:
            yield folder.resolve(), write
        finally:
            file.seek(0)
            file.truncate()


def url_of_running(folder: Path) -> str | None:
    """The address of the server that a living process owns in `folder`; None when there is none, or not yet."""
    try:
        who, address = (folder / _FILE).read_text().split("\n", 1)
        pid, started = who.split()
        alive = psutil.Process(int(pid)).create_time() == float(started)
    except (OSError, ValueError, psutil.Error):
        return None
    return address if alive and address else None
