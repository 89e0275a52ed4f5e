"""What the benchmarks share: a command to measure, a log with its key vault, the stock `eventsourcing` application."""

import asyncio
import random
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import UUID, uuid4

from eventsourcing.application import Application
from eventsourcing.persistence import JSONTranscoder, Transcoding

from adapters.database import create_pool
from adapters.embedded import Server, postgres
from adapters.event_log import PostgresLog, event_log
from adapters.migrate import migrate
from adapters.vault import Vault
from domain.deadlines import Deadline
from domain.incident import Incident, Source
from domain.people import Person, Role
from domain.personal import Personal, of_subject
from domain.site import Site

NOW = datetime(2026, 3, 1, tzinfo=UTC)
BY = Person("bench", frozenset({Role.ADMIN, Role.INTAKE}), units=frozenset({"water"}))
SITE = Site.plan(code="bench", name="bench", township="bench", by=BY, at=NOW)
TEXT = "李某, 13900001111"
RESIDENTS = [of_subject(uuid4()) for _ in range(1000)]
"""Who reports: each under a key of their own, made when they report for the first time."""


def incident(reporter: Personal | None = None) -> Incident:
    return Incident.report(
        id=uuid4(),
        site=SITE,
        by=BY,
        at=NOW,
        source=Source.CITIZEN,
        category="noise",
        description="夜间施工噪声, from about eleven at night until after one, on the east side",
        reporter=reporter,
    )


def reported() -> Incident:
    """Reported by one of the residents: their name and number are sealed on the way to the log."""
    return incident(Personal(random.choice(RESIDENTS), TEXT))


@asynccontextmanager
async def migrated() -> AsyncIterator[Server]:
    """A server of its own, with our schema."""
    with tempfile.TemporaryDirectory() as folder:
        async with postgres(Path(folder)) as server:
            await asyncio.to_thread(migrate, server.url)
            yield server


@asynccontextmanager
async def opened(url: str, keys: Path) -> AsyncIterator[PostgresLog]:
    """Our log, with the master keys in the file `keys`."""
    async with create_pool(url) as pool, event_log(pool, url, Vault(pool, keys)) as log:
        yield log


class PersonalAsText(Transcoding):
    """How the stock application writes a reporter: as it is."""

    type, name = Personal, "personal"

    def encode(self, obj: Personal) -> Any:
        return [obj.scope, obj.text]

    def decode(self, data: Any) -> Personal:
        return Personal(*data)


class DeadlineAsList(Transcoding):
    """How the stock application writes a deadline."""

    type, name = Deadline, "deadline"

    def encode(self, obj: Deadline) -> Any:
        return [obj.name, obj.due_at, obj.rule]

    def decode(self, data: Any) -> Deadline:
        return Deadline(*data)


class Stock(Application[UUID]):
    """The stock application; it leaves a StrEnum as text, and its table is `stock_events`."""

    def register_transcodings(self, transcoder: JSONTranscoder) -> None:
        super().register_transcodings(transcoder)
        transcoder.register(PersonalAsText())
        transcoder.register(DeadlineAsList())


def stock(url: str, pool_size: int = 5) -> Stock:
    parts = urlsplit(url)
    return Stock(
        env={
            "PERSISTENCE_MODULE": "eventsourcing.postgres",
            "POSTGRES_DBNAME": parts.path.lstrip("/"),
            "POSTGRES_HOST": parse_qs(parts.query)["host"][0],
            "POSTGRES_PORT": "5432",
            "POSTGRES_USER": parts.username or "",
            "POSTGRES_PASSWORD": "",
            "POSTGRES_POOL_SIZE": str(pool_size),
            "POSTGRES_MAX_OVERFLOW": "8",
        }
    )
