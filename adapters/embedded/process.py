"""Start, await and stop one server process: what PostgreSQL and NATS have in common."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys
import time
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from domain.errors import UnavailableError

if TYPE_CHECKING:
    import signal
    from collections.abc import AsyncIterator, Awaitable, Callable

    Probe = Callable[[], Awaitable[str | None]]

_POLL = 0.01  # seconds
_LOG_LINES = 15  # as many as an error message quotes


@dataclass(frozen=True)
class Program:
    """What to run. `stop` holds the signals that end it, gentlest first, each with the seconds it is given."""

    name: str
    setting: str  # the setting that names a server of one's own instead
    command: tuple[str, ...]
    folder: Path
    log: Path
    stop: tuple[tuple[signal.Signals, float], ...]


@dataclass(frozen=True)
class Server:
    """A server that answers at `url`."""

    url: str
    pid: int
    log: Path


@asynccontextmanager
async def serving(program: Program, probe: Probe, seconds: float) -> AsyncIterator[Server]:
    """Run `program` until the context ends. `probe` gives its address as soon as it answers, within `seconds`.

    UnavailableError, with the end of its log, when it ends or stays silent instead; nothing is left running then.
    """
    child = launch(program)
    try:
        yield Server(await _answer(program, child, probe, seconds), child.pid, program.log)
    finally:
        await to_the_end(lambda: _end(child, program))


async def run(program: Program, seconds: float) -> None:
    """Run `program` to its end; UnavailableError, with the end of its log, when it fails or takes longer than `seconds`."""
    child = launch(program)
    try:
        await asyncio.to_thread(child.wait, seconds)
        if child.returncode != 0:
            raise _failure(program, child, "failed")
    except subprocess.TimeoutExpired:
        raise _failure(program, child, "failed") from None
    finally:
        await to_the_end(lambda: _end(child, program))


def launch(program: Program) -> subprocess.Popen[bytes]:
    """Start it in a session of its own, so that a terminal's Ctrl-C reaches us and not the server below us.

    Forked on the calling thread, not on a pool's: `tied` ends the child when the thread that forked it ends.
    """
    # What libpq and a shell's locale would add must not decide how a server runs.
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PG", "LC_"))}
    if program.log.exists():
        program.log.replace(program.log.with_suffix(".previous.log"))
    log = os.open(program.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        return subprocess.Popen(  # noqa: S603 - no shell, and nothing in the command comes from outside
            program.command,
            cwd=program.folder,
            env=environment | {"LC_ALL": "C"},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    except OSError as error:
        otherwise = f"Or set {program.setting} to a server of your own."
        raise UnavailableError(f"{program.name} cannot be started: {error}. {otherwise}") from error
    finally:
        os.close(log)


async def _answer(program: Program, child: subprocess.Popen[bytes], probe: Probe, seconds: float) -> str:
    deadline = time.monotonic() + seconds
    while True:
        if child.poll() is not None or time.monotonic() > deadline:
            raise _failure(program, child, "did not start")
        if (url := await probe()) is not None:
            return url
        await asyncio.sleep(_POLL)


def _failure(program: Program, child: subprocess.Popen[bytes], verb: str) -> UnavailableError:
    code = child.poll()
    how = "no answer in time" if code is None else f"exit code {code}"
    lines = program.log.read_text(errors="replace").splitlines()[-_LOG_LINES:]
    return UnavailableError(
        f"{program.name} {verb} ({how}). Mend what its log says, or set {program.setting} to a server of your own. "
        f"The end of {program.log}:\n" + "\n".join(f"    {line}" for line in lines or ["(empty)"]),
    )


def _end(child: subprocess.Popen[bytes], program: Program) -> None:
    if child.poll() is None:
        stop(psutil.Process(child.pid), program.stop)
    child.poll()  # takes its exit code: no zombie is left


def stop(process: psutil.Process, steps: tuple[tuple[signal.Signals, float], ...]) -> None:
    """Send each signal and wait its seconds, until the process is gone. Blocks; a process that is gone is fine."""
    for number, seconds in steps:
        try:
            process.send_signal(number)
        except psutil.NoSuchProcess:
            return
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if gone(process):
                return
            time.sleep(_POLL)


def gone(process: psutil.Process) -> bool:
    """Ended, whether or not its parent has asked for the exit code."""
    try:
        return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def leftover(pid_file: Path, executable: str, argument: Path) -> psutil.Process | None:
    """The process that `pid_file` names, if it still is `executable` running on `argument` and not a later user of that pid."""
    try:
        process = psutil.Process(int(pid_file.read_text().split(maxsplit=1)[0]))
        command = process.cmdline()
    except (FileNotFoundError, ValueError, IndexError, psutil.Error):
        return None
    same = bool(command) and Path(command[0]).name == executable and str(argument) in command
    return process if same and not gone(process) else None


def tied(number: signal.Signals) -> tuple[str, ...]:
    """What to put before a command so that Linux sends it `number` when we die, even by kill -9; nothing elsewhere.

    The kernel forgets this when the user changes: it goes last, right before the server's own command.
    """
    setpriv = shutil.which("setpriv") if sys.platform == "linux" else None
    return (setpriv, "--pdeathsig", number.name.removeprefix("SIG")) if setpriv else ()


async def to_the_end(work: Callable[[], None]) -> None:
    """Run blocking `work` on a thread and see it finished, also while we are being cancelled."""
    task = asyncio.create_task(asyncio.to_thread(work))
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError as error:
            cancelled = error
    task.result()
    if cancelled is not None:
        raise cancelled
