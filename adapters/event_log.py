"""The event log on PostgreSQL: appends through the group-commit writer, reads through a pool.

What is personal is sealed before it reaches the writer and opened after it was read; the keys of a whole batch come in one query.
"""

import asyncio
import gc
from collections.abc import AsyncIterator, Collection, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from datetime import datetime
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, cast
from uuid import UUID

import asyncpg
import msgspec

from adapters import codec, sealing
from adapters.archive_reader import ArchiveReader, reached
from adapters.batch import Encoded, encode
from adapters.commit import SQL
from adapters.database import refusals
from adapters.seen import Seen
from adapters.vault import Vault
from adapters.writer import Writer
from domain.errors import AnjuError, CorruptError, NotFoundError, RuleError, UnavailableError
from domain.key import Key
from domain.model import AGGREGATES, EVENTS, category, category_of, event_classes
from domain.ports import A, Appended, Entry, Page, Request

WINDOW = 100_000
"""Positions that a read of some topics looks at, at most: it answers soon however rare they are, and needs no index; see decision 10."""

FEW = 50
"""Events that are decoded at a time where each is dropped after use: they are gone before the garbage collector comes to look."""

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
        self._seen: dict[type[Any], Seen[Any]] = {}

    async def append(self, request: Request) -> Appended:
        (result,) = await self.append_all([request])
        if isinstance(result, Exception):
            raise result
        return result

    async def append_all(self, requests: Sequence[Request]) -> "list[Appended | Exception]":
        scopes = sealing.scopes_of(event for request in requests for event in request.events)
        keys = await self._require_vault().for_writing(scopes) if scopes else {}
        results: list[Appended | Exception] = [
            *await self._writer.append([_encoded(request, keys) for request in requests])
        ]
        if scopes:
            results = [
                await self.find(request.id, request.events[0].originator_id) or result
                if isinstance(result, RuleError)  # the key is destroyed; it may be a repeat, from before that
                else result
                for request, result in zip(requests, results, strict=True)
            ]
        self._forget_destroyed(requests)
        return results

    async def find(self, request_id: UUID, aggregate_id: UUID | None = None) -> Appended | None:
        (row,) = await self._fetch(SQL.find_request.sql, request_id, aggregate_id)
        if row["first"] is None:
            return None
        return Appended(row["first"], row["last"], repeated=True, command=row["command"])

    async def load(
        self, kind: type[A], aggregate_id: UUID, *, version: int | None = None, at: datetime | None = None
    ) -> A:
        rows = await self._fetch(SQL.load.sql, aggregate_id, category_of(kind), version, at)
        if rows and rows[0]["originator_version"] != 1:
            raise UnavailableError(
                f"the first {rows[0]['originator_version'] - 1} events of {kind.__name__.lower()} {aggregate_id} are in an archive: "
                "bring them back with `anju archive attach`"
            )
        aggregate: Any = None
        for start in range(0, len(rows), FEW):
            for event in await self._events(rows[start : start + FEW]):
                aggregate = event.mutate(aggregate)
        if not isinstance(aggregate, kind):
            raise await self._missing(kind, aggregate_id)
        return aggregate

    async def seen(self, kind: type[A], aggregate_id: UUID) -> A:
        if kind not in self._seen:
            self._seen[kind] = Seen(kind, partial(self._fetch, SQL.beyond.sql, category_of(kind)))
        found: A | None = await self._seen[kind].now(aggregate_id)
        return await self.load(kind, aggregate_id) if found is None else found  # it says what is missing

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

    async def history(self, aggregate_id: UUID, *, opened: bool = True) -> list[Entry]:
        """See `EventLog.history`. Not `opened`: what is personal stays sealed, and no master key is needed."""
        return await self._entries(await self._fetch(SQL.history.sql, aggregate_id), opened=opened)

    async def histories(
        self, kind: type[A], ids: Collection[UUID], *, version: int | None = None, opened: bool = True
    ) -> dict[UUID, list[Entry]]:
        rows = await self._fetch(SQL.histories.sql, list(ids), category_of(kind), version)
        found: dict[UUID, list[Entry]] = {}
        for entry in await self._entries(rows, opened=opened):
            found.setdefault(entry.event.originator_id, []).append(entry)
        return found

    async def events_of(
        self, kind: type[A], versions: Collection[tuple[UUID, int]], *, opened: bool = True
    ) -> dict[tuple[UUID, int], Entry]:
        ids, numbers = [one for one, _ in versions], [number for _, number in versions]
        rows = await self._fetch(SQL.events_of_versions.sql, ids, numbers, category_of(kind))
        entries = await self._entries(rows, opened=opened)
        return {(entry.event.originator_id, entry.event.originator_version): entry for entry in entries}

    async def read(
        self,
        after: int,
        limit: int,
        topics: frozenset[str] | None = None,
        *,
        categories: frozenset[str] | None = None,
        opened: bool = True,
    ) -> Page:
        rows, through = await self._rows(after, limit, _topics(topics, categories))
        return Page(await self._entries(rows, opened=opened), through)

    async def entries(
        self,
        after: int = 0,
        topics: frozenset[str] | None = None,
        *,
        categories: frozenset[str] | None = None,
        stretch: int = 2000,
    ) -> AsyncIterator[Entry]:
        """One by one to the end of the log; the next `stretch` is on its way while this one is decoded."""
        wanted = _topics(topics, categories)
        coming = asyncio.create_task(self._rows(after, stretch, wanted))
        try:
            while (found := await coming)[1] > after:
                rows, after = found
                coming = asyncio.create_task(self._rows(after, stretch, wanted))
                await asyncio.sleep(0)  # now it is sent
                for start in range(0, len(rows), FEW):
                    for entry in await self._entries(rows[start : start + FEW]):
                        yield entry
        finally:
            coming.cancel()

    async def _rows(self, after: int, limit: int, topics: frozenset[str] | None) -> tuple[list[Any], int]:
        """The rows of `topics` (None: of all) of a page, and through which position they are all. CorruptError at a gap."""
        if topics is None:
            return await self._stretch(after, limit, None)
        rows = await self._fetch(
            SQL.read_some.sql, after, after + WINDOW, limit, list(topics), _categories(topics)
        )
        through, held = rows[0]["through"], rows[0]["held"]
        if through <= after:
            return [], after
        if held < through - after:  # something is archived here, or missing
            return await self._stretch(after, limit, topics)
        return [row for row in rows if row["notification_id"] is not None], through

    async def _stretch(self, after: int, limit: int, topics: frozenset[str] | None) -> tuple[list[Any], int]:
        """The same, of the next `limit` positions, wherever they are."""
        names = None if topics is None else list(topics)
        for _ in range(2):  # a leaf may go or come back between the two queries
            rows = await self._fetch(SQL.read.sql, after, after + limit, names)
            whole = len(rows) == limit
            stretches = [] if whole else await self._archives.stretches(after, after + limit)
            through = (
                after + limit
                if whole
                else reached(after, after + limit, [row["notification_id"] for row in rows], stretches)
            )
            if not rows or rows[-1]["notification_id"] <= through:
                break
        else:
            raise CorruptError(f"position {through + 1} is missing from the log: run `anju verify`")
        wanted = rows if topics is None else [row for row in rows if row["topic"] in topics]
        if stretches:
            wanted += await self._archives.rows(
                after, through, frozenset(EVENTS) if topics is None else topics
            )
            wanted.sort(key=lambda row: cast("int", row["notification_id"]))
        return wanted, through

    async def position(self) -> int:
        (row,) = await self._fetch(SQL.head.sql)
        return cast("int", row["position"])

    async def _entries(self, rows: Sequence[Any], *, opened: bool = True) -> list[Entry]:
        try:
            events = await self._events(rows, opened=opened)
        except CorruptError as error:
            raise _placed(rows, error) from error
        return [
            Entry(row["notification_id"], row["recorded_at"], event, _metadata.decode(row["metadata"]))
            for row, event in zip(rows, events, strict=True)
        ]

    async def _events(self, rows: Sequence[Any], *, opened: bool = True) -> list[Any]:
        """The events of `rows`, with what is personal readable, or redacted where the key is destroyed."""
        with _no_garbage():
            events = [codec.decode(row["topic"], row["state"]) for row in rows]
        scopes = sealing.scopes_of(events) if opened else None
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


def _encoded(request: Request, keys: sealing.Keys) -> Encoded | AnjuError:
    """`request` as it is stored, or why it may not be."""
    try:
        return encode(request, [sealing.seal(event, keys) for event in request.events])
    except AnjuError as error:
        return error


def _topics(topics: frozenset[str] | None, categories: frozenset[str] | None) -> frozenset[str] | None:
    """The topics that are asked for; None for all."""
    if categories is None:
        return topics
    of_them = frozenset(topic for topic in EVENTS if category(topic) in categories)
    return of_them if topics is None else topics & of_them


@lru_cache(64)
def _categories(topics: frozenset[str]) -> list[str]:
    return list({category(topic) for topic in topics})


@contextmanager
def _no_garbage() -> Iterator[None]:
    """None of a page is garbage before all of it is built: the collector need not look at it time and again."""
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            gc.enable()


@asynccontextmanager
async def event_log(
    pool: asyncpg.Pool, database_url: str, vault: Vault | None = None, *, archive_dir: Path | None = None
) -> AsyncIterator[PostgresLog]:
    """The log, with its writer running until the block is left.

    Without `vault` nothing personal can be written or read. `archive_dir`: where archives are, for what is not in the database.
    """
    async with Writer(database_url) as writer:
        yield PostgresLog(pool, writer, ArchiveReader(pool, archive_dir), vault)


def _placed(rows: Sequence[Any], error: CorruptError) -> CorruptError:
    """`error` with the position of the first of `rows` that does not decode."""
    for row in rows:
        try:
            codec.decode(row["topic"], row["state"])
        except CorruptError as found:
            return CorruptError(f"position {row['notification_id']}: {found}")
    return error
