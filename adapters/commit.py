"""Commit a batch, on one connection. Two ways to the same rows:

Under the lock: lock the head, ask what could refuse a request, decide each, insert, move the head, commit. Always right.
Alone: while nobody else has appended since our last commit, we know where the log ends, and one statement does it all: it moves
the head only if the head is still where we left it, no request was there before, and every row follows its predecessor.
If it does not, nothing has happened, and the batch goes under the lock. So both ways refuse the same requests.
"""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import aiosql
import asyncpg

from adapters.batch import Batch, Encoded, Head, Result, predecessors
from adapters.database import LOST, connect
from domain.errors import CorruptError
from domain.ports import Appended

SQL: Any = aiosql.from_path(Path(__file__).parent / "event_log.sql", "asyncpg", mandatory_parameters=False)
_LOOK_UPS = {"enable_seqscan": "off", "enable_hashjoin": "off", "enable_mergejoin": "off"}
"""The writer only looks up single rows, in a table that was small when its plans were made and is not for long."""
CLOSE_TIMEOUT = 3.0
CLOCK_LASTS = 60.0
"""Seconds for which the database's clock is carried on with ours, before it is asked again."""


class Committer:
    """The writer's connection, and what it knows of the log from its last commit."""

    def __init__(self, database_url: str) -> None:
        self._url = database_url
        self._connection: asyncpg.Connection | None = None
        self._head: Head | None = None  # where we left the log
        self._alone = True
        self._clock: tuple[datetime, float] | None = None  # the database's, and ours at that moment
        self._leaf_size = 0
        self._leaves: set[int] = set()

    async def commit(self, requests: Sequence[Encoded]) -> list[Result]:
        """A result for each request, once the batch is durable. Errors of asyncpg surface: forget the connection then."""
        connection = self._connection
        if connection is None:
            connection = self._connection = await connect(self._url, **_LOOK_UPS)
            self._leaf_size = await connection.fetchval(SQL.leaf_size.sql)
        return await self._commit_alone(connection, requests) or await self._commit_locked(
            connection, requests
        )

    def forget(self) -> None:
        """Drop the connection and all that was known through it."""
        connection, self._connection = self._connection, None
        self._head = self._clock = None
        self._leaves.clear()  # what was made in a transaction that is lost was not made
        if connection is not None:
            connection.terminate()

    async def close(self) -> None:
        """Close the connection; a lost one is dropped."""
        if self._connection is not None:
            with suppress(*LOST, asyncpg.PostgresError):
                await self._connection.close(timeout=CLOSE_TIMEOUT)
        self.forget()

    async def _commit_alone(
        self, connection: asyncpg.Connection, requests: Sequence[Encoded]
    ) -> list[Result] | None:
        """None if somebody else appended, or something is refused: nothing was written then."""
        now = self._now()
        if self._head is None or now is None or not self._alone:
            return None
        before = predecessors(requests)
        head = Head(self._head.position, self._head.hash, max(now, self._head.recorded_at))
        batch = Batch(head, dict(before), {})
        results = [batch.take(request) for request in requests]
        await self._ensure_leaf(connection, batch)
        followed = {key: version for key, version in before.items() if version}
        try:
            moved = await connection.fetch(
                SQL.append_alone.sql,
                *batch.columns(),
                self._head.position,
                self._head.hash,
                list(followed),
                list(followed.values()),
                [key for key, version in before.items() if not version],
            )
        except asyncpg.UniqueViolationError:
            return None
        if not moved:
            self._alone = False
            return None
        self._head = batch.head
        return results

    async def _commit_locked(
        self, connection: asyncpg.Connection, requests: Sequence[Encoded]
    ) -> list[Result]:
        await connection.execute(SQL.lock_head.sql)
        batch = await self._situation(connection, requests)
        self._alone = self._head is None or self._head.position == batch.head.position
        results = [batch.take(request) for request in requests]
        if batch.records:
            await self._ensure_leaf(connection, batch)
            await connection.execute(SQL.append.sql, *batch.columns())
        await connection.execute("commit")
        self._head = batch.head
        return results

    async def _situation(self, connection: asyncpg.Connection, requests: Sequence[Encoded]) -> Batch:
        rows = await connection.fetch(
            SQL.situation.sql, list(predecessors(requests)), [request.id for request in requests]
        )
        head = next((row for row in rows if row["kind"] == "head"), None)
        if head is None:
            raise CorruptError("the head of the log is missing: run `anju verify`")
        self._clock = (head["now"], asyncio.get_running_loop().time())
        return Batch(
            Head(head["first"], head["hash"], head["now"]),
            versions={row["id"]: row["first"] for row in rows if row["kind"] == "version"},
            requests={
                row["id"]: (Appended(row["first"], row["last"]), frozenset(row["aggregates"]))
                for row in rows
                if row["kind"] == "request"
            },
        )

    async def _ensure_leaf(self, connection: asyncpg.Connection, batch: Batch) -> None:
        """Make sure that observations at the batch's positions have a partition to go into."""
        places = {batch.records[0].position, batch.head.position} if batch.records else set()
        for place in places:
            if place // self._leaf_size not in self._leaves:
                await connection.execute(SQL.ensure_leaf.sql, place)
                self._leaves.add(place // self._leaf_size)

    def _now(self) -> datetime | None:
        """The database's time, carried on with our clock; None when it should be asked again."""
        if self._clock is None:
            return None
        asked, then = self._clock
        passed = asyncio.get_running_loop().time() - then
        return asked + timedelta(seconds=passed) if passed < CLOCK_LASTS else None
