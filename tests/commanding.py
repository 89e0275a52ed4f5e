"""The command line as a person has it: real processes, in an environment without any setting but those given."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

ROOT = Path(__file__).resolve().parents[1]
MODELS = Path(os.environ.get("ANJU_MODELS_DIR") or ROOT / ".anju" / "models")
"""Where the tests of recognition have their model files too."""
PATIENCE = 60.0
"""Seconds after which a command that should have ended counts as hanging."""


@dataclass(frozen=True)
class Ended:
    """What a command left behind."""

    code: int
    out: str
    err: str

    @property
    def line(self) -> str:
        """What it said on stderr, if that is one line and no traceback."""
        lines = self.err.strip().splitlines()
        assert len(lines) == 1, self.err
        assert "Traceback" not in self.err
        return lines[0]


def environment(**settings: object) -> dict[str, str]:
    """Our environment, with these settings of Anju and no others."""
    kept = {name: value for name, value in os.environ.items() if not name.upper().startswith("ANJU_")}
    kept |= {"PYTHONPATH": str(ROOT), "COLUMNS": "80", "NO_COLOR": "1", "PYTHONUNBUFFERED": "1"}
    return kept | {f"ANJU_{name.upper()}": str(value) for name, value in settings.items()}


@asynccontextmanager
async def started(
    folder: Path, *arguments: str, **settings: object
) -> AsyncIterator[asyncio.subprocess.Process]:
    """`anju` with `arguments`, started in `folder`; killed if it still runs at the end."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        "from api.cli import main; main()",
        *arguments,
        cwd=folder,
        env=environment(**settings),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def anju(folder: Path, *arguments: object, **settings: object) -> Ended:
    """Run `anju` with `arguments` in `folder` to its end."""
    async with started(folder, *map(str, arguments), **settings) as process:
        return await ended(process)


async def ended(process: asyncio.subprocess.Process) -> Ended:
    """What the process left behind; TimeoutError if it does not end."""
    async with asyncio.timeout(PATIENCE):
        out, err = await process.communicate()
    return Ended(process.returncode or 0, out.decode(), err.decode())


async def stopped(
    process: asyncio.subprocess.Process, number: signal.Signals, seconds: float = 15.0
) -> Ended:
    """What the process left behind after the signal; TimeoutError if it does not heed it."""
    process.send_signal(number)
    async with asyncio.timeout(seconds):
        return await ended(process)


async def line_with(stream: asyncio.StreamReader | None, words: str) -> str:
    """The next line of `stream` that has `words` in it."""
    assert stream is not None
    async with asyncio.timeout(PATIENCE):
        while line := (await stream.readline()).decode():
            if words in line:
                return line
    raise AssertionError(f"it ended without saying {words!r}")


def running_on(directory: Path) -> list[psutil.Process]:
    """What runs with a path below `directory` in its command line, or in that folder."""
    found = []
    for candidate in psutil.process_iter():
        try:
            words = [*candidate.cmdline(), candidate.cwd()]
        except psutil.Error:
            continue
        if any(str(directory) in word for word in words) and candidate.status() != psutil.STATUS_ZOMBIE:
            found.append(candidate)
    return found
