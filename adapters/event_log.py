"""The event log on PostgreSQL: appends through the group-commit writer, reads through a pool."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, TypeVar, cast
from uuid import UUID

import asyncpg
import msgspec

from adapters import codec
from adapters.writer import SQL, Writer
from domain.errors import CorruptError, NotFoundError
from domain.ports import A, Appended, Entry, Page, Request

T = TypeVar("T")
Pool = asyncpg.Pool  # shared with the projections and the API
_metadata = msgspec.json.Decoder(dict[str, str])


class PostgresLog:
    """See `domain.ports.EventLog`."""

    def __init__(self, pool: "asyncpg.Pool[asyncpg.Record]", writer: Writer) -> None:
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
        row = await self._pool.fetchrow(SQL.find_request.sql, request_id)
        return None if row is None or row["first"] is None else Appended(row["first"], row["last"], repeated=True)

    async def load(self, kind: type[A], aggregate_id: UUID) -> A:
        rows = await self._pool.fetch(SQL.load.sql, aggregate_id)
        aggregate: Any = None
        for row in rows:
            aggregate = codec.decode(row["topic"], row["state"]).mutate(aggregate)
        if aggregate is None:
            raise NotFoundError(f"there is no {kind.__name__.lower()} {aggregate_id}")
        if not isinstance(aggregate, kind):
            raise NotFoundError(f"{aggregate_id} is a {type(aggregate).__name__.lower()}, not a {kind.__name__.lower()}")
        return aggregate

    async def read(self, after: int, limit: int, topics: frozenset[str]) -> Page:
        rows = await self._pool.fetch(SQL.read.sql, after, after + limit)
        for expected, row in enumerate(rows, start=after + 1):
            if row["notification_id"] != expected:
                raise CorruptError(f"position {expected} is missing from the log: run `anju verify`")
        entries = [
            Entry(
                row["notification_id"],
                row["recorded_at"],
                codec.decode(row["topic"], row["state"]),
                _metadata.decode(row["metadata"]),
            )
            for row in rows
            if row["topic"] in topics
        ]
        return Page(entries, after + len(rows))

    async def position(self) -> int:
        return cast("int", await self._pool.fetchval("select position from log_head"))


@asynccontextmanager
async def event_log(pool: "asyncpg.Pool[asyncpg.Record]", database_url: str) -> AsyncIterator[PostgresLog]:
    """The log, with its writer running until the block is left."""
    async with Writer(database_url) as writer:
        yield PostgresLog(pool, writer)
