"""PostgreSQL and NATS on this machine, started from installed wheels and stopped with the context that started them.

    async with embedded_services(Path(".anju")) as services:
        ...  # services.database_url, services.nats_url

Each server has a folder of its own below the directory, with its data, its log and a lock: one owner at a time. What a
killed owner left running is stopped by the next start. docs/decisions/0002-embedded-services.md says why it is so.
"""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from adapters.embedded.bus import nats
from adapters.embedded.database import postgres
from adapters.embedded.owner import url_of_running
from adapters.embedded.process import Server

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

__all__ = ["Server", "Services", "embedded_services", "nats", "postgres", "running_services"]


@dataclass(frozen=True)
class Services:
    """Where the two servers answer. The NATS address carries its token: do not log it."""

    database_url: str
    nats_url: str


@asynccontextmanager
async def embedded_services(directory: Path) -> AsyncIterator[Services]:
    """Both servers, with their data below `directory`; UnavailableError when one of them cannot be had (then none runs)."""
    async with postgres(directory) as database, nats(directory) as bus:
        yield Services(database.url, bus.url)


def running_services(directory: Path) -> Services | None:
    """The servers that another process of this machine has running on `directory`, or None: attach, do not start."""
    database, bus = url_of_running(directory / "postgres"), url_of_running(directory / "nats")
    return Services(database, bus) if database and bus else None
