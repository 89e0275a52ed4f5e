"""Keep read models up with the log: fold a batch, with rows and position in one transaction; start again where it stood."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import aiosql
import asyncpg

from domain.errors import AnjuError, CorruptError, UnavailableError
from domain.ports import Entry, EventLog, Page

BATCH = 2000
POLL = 1.0
"""Seconds after which the log is looked at although nobody said that it grew."""
PASSING = (
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # asyncpg's word for a socket that closed in the middle of an operation
    asyncpg.OperatorInterventionError,  # a restart, a terminated backend, a cancelled statement
    asyncpg.InsufficientResourcesError,  # connections, memory, disk
    asyncpg.LockNotAvailableError,
    asyncpg.TransactionRollbackError,  # a deadlock or a serialisation failure
    asyncpg.ReadOnlySQLTransactionError,  # a standby, until it is the primary
    OSError,  # TimeoutError is one
)
"""What is the database's state, not the event's fault: the same again may succeed, so it never stops a projection."""

SQL: Any = aiosql.from_path(Path(__file__).with_suffix(".sql"), "asyncpg", mandatory_parameters=False)
logger = logging.getLogger("anju.projections")

Fold = Callable[[asyncpg.Connection, Sequence[Entry]], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Projection:
    """`fold` gets the events of `topics`, in order, each exactly once, and keeps `tables`; <module>.tables.sql makes them.

    The names of tables are unqualified: the search path says which copy is meant. A change of `version` asks for a rebuild.
    """

    name: str
    version: int
    topics: frozenset[str]
    fold: Fold
    tables: tuple[str, ...]


class Tail(Protocol):
    """Something that knows when the log grew."""

    async def wait(self, name: str, beyond: int, timeout: float) -> None:  # noqa: ASYNC109  (a bound, not a deadline)
        """Return when `name` ("log") is known to have passed position `beyond`, or after `timeout` seconds."""


async def run(projection: Projection, pool: asyncpg.Pool, log: EventLog, tail: Tail) -> None:
    """Fold until cancelled. An event that cannot be folded stops this projection, and its name and position are recorded."""
    while True:
        try:
            position = await catch_up(projection, pool, log)
        except (UnavailableError, *PASSING) as error:
            logger.warning("projection %s waits: %s", projection.name, error)
            await asyncio.sleep(POLL)
        else:
            await tail.wait("log", position, POLL)


async def catch_up(projection: Projection, pool: asyncpg.Pool, log: EventLog) -> int:
    """Fold until the log has no more; the position reached. CorruptError names the event that could not be folded."""
    async with pool.acquire() as connection:
        position = await _enrolled(connection, projection)
    limit, refused = BATCH, None
    while True:
        try:
            page = await log.read(position, limit, projection.topics)
            reached = await _apply(projection, pool, position, page)
        except (CorruptError, _UnfoldableError) as error:
            if limit == 1:
                raise await _stopped(projection, pool, position, error) from error
            limit, refused = limit // 2, error  # find the event itself, and apply everything before it
        else:
            if reached == position:
                if refused is not None:  # nothing there, and yet more behind it: a hole in the log
                    raise await _stopped(projection, pool, position, refused) from refused
                return position
            position, limit, refused = reached, min(limit * 2, BATCH), None


async def _enrolled(connection: asyncpg.Connection, projection: Projection) -> int:
    """Where the projection stands. Two statements: one alone would not see the row that another worker is inserting."""
    position: int | None = await SQL.position(connection, name=projection.name)
    if position is None:
        await SQL.enrol(connection, name=projection.name, version=projection.version)
        position = await SQL.position(connection, name=projection.name)
    return int(position or 0)


class _UnfoldableError(Exception):
    """A fold refused a batch; the message names its first event, which is the one when the batch has no other."""


async def _apply(projection: Projection, pool: asyncpg.Pool, position: int, page: Page) -> int:
    """Fold `page`, which follows `position`, in one transaction; the position reached."""
    if page.through == position:
        return position
    async with pool.acquire() as connection, connection.transaction():
        held: int = await SQL.hold(connection, name=projection.name)
        if held != position:  # another worker was here: nothing of this page is ours
            return held
        if page.entries:
            try:
                await projection.fold(connection, page.entries)
            except (UnavailableError, *PASSING):
                raise
            except (
                asyncpg.PostgresError,
                AnjuError,
                ArithmeticError,
                LookupError,
                TypeError,
                ValueError,
            ) as error:
                entry = page.entries[0]
                raise _UnfoldableError(
                    f"position {entry.position}: {type(entry.event).TOPIC}: {error!r}"
                ) from error
        await SQL.advance(connection, name=projection.name, position=page.through)
        return page.through


async def _stopped(
    projection: Projection, pool: asyncpg.Pool, position: int, error: Exception
) -> CorruptError:
    """Record that the projection stands at `position` because of `error`, which names the event after it."""
    message = f"{projection.name} cannot go on: {error}"
    async with pool.acquire() as connection:
        await SQL.record_error(connection, name=projection.name, error=message, position=position)
    return CorruptError(message)


async def statuses(connection: asyncpg.Connection) -> list[Any]:
    """Rows of (name, version, position, error, updated_at), by name."""
    return [row async for row in SQL.statuses(connection)]
