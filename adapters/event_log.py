"""The event log on PostgreSQL: appends through the group-commit writer, reads through a pool."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast
from uuid import UUID

import asyncpg
import msgspec

from adapters import codec
from adapters.archive_reader import ArchiveReader, reached
from adapters.commit import SQL
from adapters.database import refusals
from adapters.writer import Writer
from domain.errors import CorruptError, NotFoundError, UnavailableError
from domain.ports import A, Appended, Entry, Page, Request

_metadata = msgspec.json.Decoder(dict[str, str])


class PostgresLog:
    """See `domain.ports.EventLog`."""

    def __init__(self, pool: asyncpg.Pool, writer: Writer, archives: ArchiveReader) -> None:
        self._pool = pool
        self._writer = writer
        self._archives = archives

    async def append(self, request: Request) -> Appended:
        (result,) = await self.append_all([request])
        if isinstance(result, Exception):
            raise result
        return result

    async def append_all(self, requests: Sequence[Request]) -> "list[Appended | Exception]":
        return list(await self._writer.append_all(requests))

    async def find(self, request_id: UUID, aggregate_id: UUID | None = None) -> Appended | None:
        (row,) = await self._fetch(SQL.find_request.sql, request_id, aggregate_id)
        return None if row["first"] is None else Appended(row["first"], row["last"], repeated=True)

    async def load(self, kind: type[A], aggregate_id: UUID) -> A:
        rows = await self._fetch(SQL.load.sql, aggregate_id)
        if rows and rows[0]["originator_version"] != 1:
            raise UnavailableError(
                f"the first {rows[0]['originator_version'] - 1} events of {kind.__name__.lower()} {aggregate_id} are in an archive: "
                "bring them back with `anju archive attach`"
            )
        aggregate: Any = None
        for row in rows:
            aggregate = codec.decode(row["topic"], row["state"]).mutate(aggregate)
        if aggregate is None:
            raise NotFoundError(f"there is no {kind.__name__.lower()} {aggregate_id}")
        if not isinstance(aggregate, kind):
            raise NotFoundError(f"{aggregate_id} is {type(aggregate).__name__}, not {kind.__name__}")
        return aggregate

    async def history(self, aggregate_id: UUID) -> list[Entry]:
        return [_entry(row) for row in await self._fetch(SQL.history.sql, aggregate_id)]

    async def read(self, after: int, limit: int, topics: frozenset[str]) -> Page:
        for _ in range(2):  # a leaf may go or come back between the two queries
            rows = await self._fetch(SQL.read.sql, after, after + limit)
            whole = len(rows) == limit
            stretches = [] if whole else await self._archives.stretches(after, after + limit)
            through = reached(after, after + limit, [row["notification_id"] for row in rows], stretches)
            if not rows or rows[-1]["notification_id"] <= through:
                break
        else:
            raise CorruptError(f"position {through + 1} is missing from the log: run `anju verify`")
        wanted = [row for row in rows if row["topic"] in topics]
        if stretches:
            wanted += await self._archives.rows(after, through, topics)
            wanted.sort(key=lambda row: cast("int", row["notification_id"]))
        return Page([_entry(row) for row in wanted], through)

    async def position(self) -> int:
        (row,) = await self._fetch(SQL.head.sql)
        return cast("int", row["position"])

    async def _fetch(self, sql: str, *values: object) -> list[Any]:
        with refusals("the log cannot be read"):
            return cast("list[Any]", await self._pool.fetch(sql, *values))


def _entry(row: Any) -> Entry:
    return Entry(
        row["notification_id"],
        row["recorded_at"],
        codec.decode(row["topic"], row["state"]),
        _metadata.decode(row["metadata"]),
    )


@asynccontextmanager
async def event_log(
    pool: asyncpg.Pool, database_url: str, *, archive_dir: Path | None = None
) -> AsyncIterator[PostgresLog]:
    """The log, with its writer running until the block is left. `archive_dir`: where archives are, for what is not in the database."""
    async with Writer(database_url) as writer:
        yield PostgresLog(pool, writer, ArchiveReader(pool, archive_dir))
