"""The event log on PostgreSQL: appends through the group-commit writer, reads through a pool."""

import asyncio
import gc
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any, cast
from uuid import UUID

import asyncpg
import msgspec

from adapters import codec
from adapters.commit import SQL
from adapters.database import LOST
from adapters.writer import Writer
from domain.errors import CorruptError, NotFoundError, UnavailableError
from domain.model import AGGREGATES, category, category_of, event_classes
from domain.ports import A, Appended, Entry, Page, Request

WINDOW = 100_000
"""Positions that one read of few topics looks at, at most: it always answers soon, and no index is needed; see decision 10."""

_metadata = msgspec.json.Decoder(dict[str, str])


class PostgresLog:
    """See `domain.ports.EventLog`."""

    def __init__(self, pool: asyncpg.Pool, writer: Writer) -> None:
        self._pool = pool
        self._writer = writer

    async def append(self, request: Request) -> Appended:
        (result,) = await self.append_all([request])
        if isinstance(result, Exception):
            raise result
        return result

    async def append_all(self, requests: Sequence[Request]) -> "list[Appended | Exception]":
        return list(await self._writer.append_all(requests))

    async def find(self, request_id: UUID) -> Appended | None:
        (row,) = await self._fetch(SQL.find_request.sql, request_id)
        return None if row["first"] is None else Appended(row["first"], row["last"], repeated=True)

    async def load(
        self, kind: type[A], aggregate_id: UUID, *, version: int | None = None, at: datetime | None = None
    ) -> A:
        rows = await self._fetch(SQL.load.sql, aggregate_id, category_of(kind), version, at)
        aggregate: Any = None
        for topic, state in rows:
            aggregate = codec.decode(topic, state).mutate(aggregate)
        if not isinstance(aggregate, kind):
            raise await self._missing(kind, aggregate_id)
        return aggregate

    async def _missing(self, kind: type[A], aggregate_id: UUID) -> NotFoundError:
        """Why there is no such aggregate: it is of another kind, it was not there yet, or it never was."""
        rows = await self._fetch(SQL.kind.sql, aggregate_id)
        if not rows:
            return NotFoundError(f"there is no {kind.__name__.lower()} {aggregate_id}")
        topic: str = rows[0]["topic"]
        if topic in event_classes(kind):
            return NotFoundError(f"there was no {kind.__name__.lower()} {aggregate_id} yet")
        others = [other.__name__ for other in AGGREGATES if topic in event_classes(other)]
        return NotFoundError(f"{aggregate_id} is {' or '.join(others) or topic}, not {kind.__name__}")

    async def history(self, aggregate_id: UUID) -> list[Entry]:
        return _entries(await self._fetch(SQL.history.sql, aggregate_id))

    async def read(
        self,
        after: int,
        limit: int,
        topics: frozenset[str] | None = None,
        *,
        categories: frozenset[str] | None = None,
    ) -> Page:
        rows, through = await self._rows(after, limit, topics, categories)
        return Page(_entries(rows), through)

    async def pages(
        self,
        after: int = 0,
        limit: int = 2000,
        topics: frozenset[str] | None = None,
        *,
        categories: frozenset[str] | None = None,
    ) -> AsyncIterator[Page]:
        """`read` again and again, to the end of the log; the next page is on its way while this one is decoded and used."""
        coming = asyncio.create_task(self._rows(after, limit, topics, categories))
        try:
            while (found := await coming)[1] > after:
                rows, after = found
                coming = asyncio.create_task(self._rows(after, limit, topics, categories))
                await asyncio.sleep(0)  # now it is sent
                yield Page(_entries(rows), after)
        finally:
            coming.cancel()

    async def _rows(
        self, after: int, limit: int, topics: frozenset[str] | None, categories: frozenset[str] | None
    ) -> tuple[list[Any], int]:
        """The rows of a page, and through which position they are all."""
        if topics is None and categories is None:
            rows = await self._fetch(SQL.read_all.sql, after, after + limit)
            if rows and rows[-1]["notification_id"] != after + len(rows):
                held = {row["notification_id"] for row in rows}
                missing = next(place for place in range(after + 1, after + limit) if place not in held)
                raise CorruptError(f"position {missing} is missing from the log: run `anju verify`")
            return rows, after + len(rows)
        wanted = categories if topics is None else frozenset(map(category, topics))
        names = None if topics is None else list(topics)
        end = after + WINDOW
        rows = await self._fetch(SQL.read_some.sql, after, end, limit, names, list(wanted or ()))
        found = [row[1:] for row in rows if row["notification_id"] is not None]
        through: int = found[-1][0] if len(found) == limit else min(end, rows[0]["position"])
        return found, max(through, after)

    async def position(self) -> int:
        (row,) = await self._fetch(SQL.head.sql)
        return cast("int", row["position"])

    async def _fetch(self, sql: str, *values: object) -> list[Any]:
        try:
            return cast("list[Any]", await self._pool.fetch(sql, *values))
        except LOST as error:
            raise UnavailableError(
                f"the log cannot be read: the database does not answer ({error})"
            ) from error


def _entries(rows: Iterable[Sequence[Any]]) -> list[Entry]:
    """The rows, decoded. None of it is garbage before all is built, so the collector need not look at it time and again."""
    collecting = gc.isenabled()
    gc.disable()
    try:
        return [
            Entry(position, recorded_at, codec.decode(topic, state), _metadata.decode(metadata))
            for position, recorded_at, topic, state, metadata in rows
        ]
    finally:
        if collecting:
            gc.enable()


@asynccontextmanager
async def event_log(pool: asyncpg.Pool, database_url: str) -> AsyncIterator[PostgresLog]:
    """The log, with its writer running until the block is left."""
    async with Writer(database_url) as writer:
        yield PostgresLog(pool, writer)
