"""The event log on PostgreSQL: appends through the group-commit writer, reads through a pool.

What is personal is sealed before it reaches the writer and opened after it was read; the keys of a whole batch come in one query.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast
from uuid import UUID

import asyncpg
import msgspec

from adapters import codec, sealing
from adapters.archive_reader import ArchiveReader, reached
from adapters.commit import SQL
from adapters.database import refusals
from adapters.vault import Vault
from adapters.writer import Writer
from domain.errors import AnjuError, CorruptError, NotFoundError, UnavailableError
from domain.key import Key
from domain.ports import A, Appended, Entry, Page, Request

_metadata = msgspec.json.Decoder(dict[str, str])


class PostgresLog:
    """See `domain.ports.EventLog`."""

    def __init__(
        self, pool: asyncpg.Pool, writer: Writer, archives: ArchiveReader, vault: Vault | None
    ) -> None:
        self._pool = pool
        self._writer = writer
        self._archives = archives
        self._vault = vault

    async def append(self, request: Request) -> Appended:
        (result,) = await self.append_all([request])
        if isinstance(result, Exception):
            raise result
        return result

    async def append_all(self, requests: Sequence[Request]) -> "list[Appended | Exception]":
        scopes = sealing.scopes_of(event for request in requests for event in request.events)
        if not scopes:
            results: list[Appended | Exception] = [*await self._writer.append_all(requests)]
        else:
            keys = await self._require_vault().for_writing(scopes)
            sealed = [_sealed(request, keys) for request in requests]
            appended = iter(
                await self._writer.append_all([one for one in sealed if isinstance(one, Request)])
            )
            results = [
                next(appended)
                if isinstance(one, Request)
                else await self.find(request.id, request.events[0].originator_id)
                or one  # it may be a repeat, from before its key was destroyed
                for request, one in zip(requests, sealed, strict=True)
            ]
        self._forget_destroyed(requests)
        return results

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
        for event in await self._events(rows):
            aggregate = event.mutate(aggregate)
        if aggregate is None:
            raise NotFoundError(f"there is no {kind.__name__.lower()} {aggregate_id}")
        if not isinstance(aggregate, kind):
            raise NotFoundError(f"{aggregate_id} is {type(aggregate).__name__}, not {kind.__name__}")
        return aggregate

    async def history(self, aggregate_id: UUID) -> list[Entry]:
        return await self._entries(await self._fetch(SQL.history.sql, aggregate_id))

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
        return Page(await self._entries(wanted), through)

    async def position(self) -> int:
        (row,) = await self._fetch(SQL.head.sql)
        return cast("int", row["position"])

    async def _entries(self, rows: Sequence[Any]) -> list[Entry]:
        return [
            Entry(row["notification_id"], row["recorded_at"], event, _metadata.decode(row["metadata"]))
            for row, event in zip(rows, await self._events(rows), strict=True)
        ]

    async def _events(self, rows: Sequence[Any]) -> list[Any]:
        """The events of `rows`, with what is personal readable, or redacted where the key is destroyed."""
        events = [codec.decode(row["topic"], row["state"]) for row in rows]
        scopes = sealing.scopes_of(events)
        if not scopes:
            return events
        keys = await self._require_vault().for_reading(scopes)
        return [sealing.unseal(event, keys) for event in events]

    def _require_vault(self) -> Vault:
        if self._vault is None:
            raise UnavailableError(
                "this log was opened without the key vault: what is personal is out of reach"
            )
        return self._vault

    def _forget_destroyed(self, requests: Sequence[Request]) -> None:
        """Others hear it from the database; here nobody uses a key after its destruction was appended."""
        for request in requests:
            for event in request.events:
                if type(event) is Key.Destroyed and self._vault is not None:
                    self._vault.forget(event.scope)

    async def _fetch(self, sql: str, *values: object) -> list[Any]:
        with refusals("the log cannot be read"):
            return cast("list[Any]", await self._pool.fetch(sql, *values))


def _sealed(request: Request, keys: sealing.Keys) -> Request | AnjuError:
    """`request` as it may be stored, or why it may not."""
    try:
        return Request(request.id, [sealing.seal(event, keys) for event in request.events], request.metadata)
    except AnjuError as error:
        return error


@asynccontextmanager
async def event_log(
    pool: asyncpg.Pool, database_url: str, vault: Vault | None = None, *, archive_dir: Path | None = None
) -> AsyncIterator[PostgresLog]:
    """The log, with its writer running until the block is left.

    Without `vault` nothing personal can be written or read. `archive_dir`: where archives are, for what is not in the database.
    """
    async with Writer(database_url) as writer:
        yield PostgresLog(pool, writer, ArchiveReader(pool, archive_dir), vault)
