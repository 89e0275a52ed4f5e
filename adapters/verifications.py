"""Verifications of the log that run beside everything else, one at a time, and what became of them."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import aiosql
import asyncpg

from adapters.audit import Audit, audit
from adapters.database import LOST, connect, refusals
from adapters.verify import Progress
from domain.checkpoint import PublicKey
from domain.errors import AnjuError

SQL: Any = aiosql.from_path(Path(__file__).with_suffix(".sql"), "asyncpg", mandatory_parameters=False)
TELL = 1.0
"""Seconds between two words about how far it is."""


@dataclass(frozen=True, slots=True)
class Verification:
    """Positions `first` to `last`. holds: None while it is running, and if it was not brought to its end; `problem` may then say why."""

    id: UUID
    first: int
    last: int
    started_by: str
    started_at: datetime
    running: bool
    checked: int
    ended_at: datetime | None
    holds: bool | None
    position: int | None
    problem: str | None
    hash: bytes | None


async def newest(pool: asyncpg.Pool, *, first: int = 1, id: UUID | None = None) -> list[Verification]:  # noqa: A002  (the column's word)
    """At most `first` verifications, the newest first; with `id`, that one."""
    with refusals("the verifications cannot be read"):
        rows = [row async for row in SQL.newest(pool, first=first, id=id)]
    names = Verification.__dataclass_fields__
    return [Verification(**{name: row[name] for name in names}) for row in rows]


async def verify(
    database_url: str, key: PublicKey | None, by: str, first: int, last: int
) -> "tuple[UUID, asyncio.Task[None]] | None":
    """Begin to verify: its id, and a task that ends when the outcome is kept. None if another one is running already.

    Whoever holds the lock lets it go by ending, however that comes about.
    """
    with refusals("the log cannot be verified"):
        connection = await connect(database_url)
    try:
        if not await SQL.one_at_a_time(connection):
            connection.terminate()
            return None
        number = uuid4()
        await SQL.begin(connection, id=number, first=first, last=last, started_by=by)
    except BaseException:  # also a caller who hangs up: nobody else ends the connection, and with it the lock
        connection.terminate()
        raise

    def verdict(progress: Progress) -> Awaitable[Audit]:
        return audit(database_url, key, first=first, last=last, progress=progress, lend_a_hand=False)

    return number, asyncio.create_task(_run(connection, number, verdict), name=f"verification {number}")


async def _run(
    connection: asyncpg.Connection,
    number: UUID,
    verdict: Callable[[Progress], Awaitable[Audit]],
) -> None:
    checked = 0

    def note(done: int, _all: int) -> None:
        nonlocal checked
        checked = done

    async def tell() -> None:
        while True:
            await asyncio.sleep(TELL)
            await SQL.progress(connection, id=number, checked=checked)

    telling = asyncio.create_task(tell())
    outcome: dict[str, Any] = {"holds": None, "position": None, "problem": None, "hash": None}
    try:
        found = (await verdict(note)).verdict
        outcome = {name: getattr(found, name) for name in outcome}
        checked = found.events
    except AnjuError as error:
        outcome["problem"] = str(error)
    finally:
        telling.cancel()
        with suppress(asyncio.CancelledError, asyncpg.PostgresError, *LOST):
            await telling
        with suppress(asyncpg.PostgresError, *LOST):  # then it counts as gone, after a minute
            await SQL.end(connection, id=number, checked=checked, **outcome)
        connection.terminate()
