"""Group commit: every append that is waiting goes into one transaction, in order, under the lock of the log's head.

Each request succeeds or fails alone: under the lock everything that could refuse it is known before anything is written.
"""

import asyncio
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from uuid import UUID

import aiosql
import asyncpg
import msgspec

from adapters import codec
from adapters.database import LOST, connect
from domain.chain import Record, link
from domain.errors import AnjuError, ConflictError, UnavailableError
from domain.ports import Appended, Request

SQL: Any = aiosql.from_path(Path(__file__).parent / "event_log.sql", "asyncpg", mandatory_parameters=False)
LARGEST_BATCH = 2000
"""Events in one transaction, at most; a request is never split."""
LARGEST_QUEUE = 100_000
"""Events waiting, at most; beyond it callers are told that the log is busy."""
PATIENCE = 30.0
"""Seconds for which a lost database is tried again before the callers are told."""

Result = Appended | AnjuError


@dataclass(frozen=True, slots=True)
class _Row:
    originator_id: UUID
    originator_version: int
    topic: str
    state: bytes


@dataclass(frozen=True, slots=True)
class _Encoded:
    """A request, ready to be written."""

    id: UUID
    rows: Sequence[_Row]
    metadata: str


@dataclass(slots=True)
class _Group:
    """Requests of one caller, to be committed together."""

    requests: Sequence[_Encoded]
    size: int
    done: asyncio.Future[list[Result]]


@dataclass(slots=True)
class _Head:
    """Where the log ends, as seen under its lock, and what the batch makes of it."""

    position: int
    hash: bytes
    now: datetime
    versions: dict[UUID, int]
    requests: dict[UUID, Appended]
    records: list[Record] = field(default_factory=list)
    hashes: list[bytes] = field(default_factory=list)

    def take(self, request: _Encoded) -> Result:
        """Give positions and hashes to the request's events, or say why not."""
        if earlier := self.requests.get(request.id):
            return Appended(earlier.first, earlier.last, repeated=True)
        versions: dict[UUID, int] = {}
        for row in request.rows:
            current = versions.get(row.originator_id, self.versions[row.originator_id])
            if row.originator_version != current + 1:
                return ConflictError(
                    f"{row.originator_id} is at version {current}: {row.topic} would be version {row.originator_version}",
                    current=current,
                )
            versions[row.originator_id] = row.originator_version
        self.versions.update(versions)
        first = self.position + 1
        for row in request.rows:
            self.position += 1
            record = Record(
                self.position,
                self.now,
                row.originator_id,
                row.originator_version,
                request.id,
                row.topic,
                request.metadata,
                row.state,
            )
            self.hash = link(self.hash, record)
            self.records.append(record)
            self.hashes.append(self.hash)
        return self.requests.setdefault(request.id, Appended(first, self.position))


class Writer:
    """One task and one connection that append. Use it as an async context manager: on leaving, what waits is still written."""

    def __init__(self, database_url: str) -> None:
        self._url = database_url
        self._queue: deque[_Group] = deque()
        self._waiting = 0
        self._wake = asyncio.Event()
        self._closing = False
        self._connection: asyncpg.Connection | None = None
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._run(), name="log-writer")
        return self

    async def __aexit__(
        self, _type: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self._closing = True
        self._wake.set()
        if self._task is not None:
            await self._task
        if self._connection is not None:
            await self._connection.close()

    async def append_all(self, requests: Sequence[Request]) -> list[Result]:
        """Commit `requests` in one transaction; a result for each, in order.

        UnavailableError if the log is busy, closing, or the database stays lost.
        """
        if self._closing or self._task is None or self._task.done():
            raise UnavailableError("the log is closed: nothing more is appended by this process")
        encoded = [_encode(request) for request in requests]
        ready = [request for request in encoded if isinstance(request, _Encoded)]
        size = sum(len(request.rows) for request in ready)
        if self._waiting + size > LARGEST_QUEUE:
            raise UnavailableError(
                f"the log is busy: {self._waiting} events are waiting to be written; try again in a moment"
            )
        if not ready:
            return [result for result in encoded if not isinstance(result, _Encoded)]
        group = _Group(ready, size, asyncio.get_running_loop().create_future())
        self._queue.append(group)
        self._waiting += size
        self._wake.set()
        results = iter(await group.done)
        return [next(results) if isinstance(request, _Encoded) else request for request in encoded]

    async def _run(self) -> None:
        while self._queue or not self._closing:
            if not self._queue:
                self._wake.clear()
                await self._wake.wait()
                continue
            groups = [self._queue.popleft()]
            size = groups[0].size
            while self._queue and size + self._queue[0].size <= LARGEST_BATCH:
                groups.append(self._queue.popleft())
                size += groups[-1].size
            await self._settle(groups)
            self._waiting -= size

    async def _settle(self, groups: Sequence[_Group]) -> None:
        """Commit the groups' requests and tell the callers. A lost connection is tried again: the request ids say what was done."""
        requests = [request for group in groups for request in group.requests]
        loop = asyncio.get_running_loop()
        deadline = loop.time() + PATIENCE
        pause = 0.05
        while True:
            try:
                results = iter(await self._commit(requests))
            except LOST as error:
                await self._disconnect()
                if self._closing or loop.time() > deadline:
                    failure = UnavailableError(
                        f"the database is lost and did not come back ({error}); is it running?"
                    )
                    _fail(groups, failure)
                    return
                await asyncio.sleep(pause)
                pause = min(pause * 2, 1.0)
            except asyncpg.PostgresError as error:
                await self._disconnect()
                _fail(
                    groups,
                    UnavailableError(f"the database refuses to append: {error} (SQLSTATE {error.sqlstate})"),
                )
                return
            except BaseException as error:
                # A bug or a cancelled task: nobody may wait for ever for a writer that is gone.
                waiting = [*groups, *self._queue]
                self._queue.clear()
                _fail(
                    waiting,
                    UnavailableError(
                        f"the log's writer stopped: {error!r}; nothing of this was acknowledged"
                    ),
                )
                raise
            else:
                for group in groups:
                    outcome = [next(results) for _ in group.requests]
                    if not group.done.done():
                        group.done.set_result(outcome)
                return

    async def _commit(self, requests: Sequence[_Encoded]) -> list[Result]:
        connection = self._connection
        if connection is None:
            connection = self._connection = await connect(self._url)
        await connection.execute(SQL.lock_head.sql)
        aggregates = {row.originator_id for request in requests for row in request.rows}
        head = await _situation(connection, list(aggregates), [request.id for request in requests])
        results = [head.take(request) for request in requests]
        if head.records:
            await connection.execute(
                SQL.append.sql,
                [record.position for record in head.records],
                [record.originator_id for record in head.records],
                [record.originator_version for record in head.records],
                [record.topic for record in head.records],
                [record.request_id for record in head.records],
                [record.metadata for record in head.records],
                [record.state for record in head.records],
                head.hashes,
                head.now,
                head.position,
                head.hash,
            )
        await connection.execute("commit")
        return results

    async def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.terminate()


async def _situation(
    connection: asyncpg.Connection,
    aggregates: Sequence[UUID],
    requests: Sequence[UUID],
) -> _Head:
    rows = await connection.fetch(SQL.situation.sql, aggregates, requests)
    head = rows[0]
    return _Head(
        position=head["first"],
        hash=head["hash"],
        now=head["now"],
        versions={row["id"]: row["first"] for row in rows if row["kind"] == "version"},
        requests={row["id"]: Appended(row["first"], row["last"]) for row in rows if row["kind"] == "request"},
    )


def _encode(request: Request) -> _Encoded | AnjuError:
    try:
        rows = [
            _Row(event.originator_id, event.originator_version, *codec.encode(event))
            for event in request.events
        ]
    except AnjuError as error:
        return error
    return _Encoded(request.id, rows, msgspec.json.encode(request.metadata, order="sorted").decode())


def _fail(groups: Sequence[_Group], error: AnjuError) -> None:
    for group in groups:
        if not group.done.done():
            group.done.set_exception(error)
