"""The library's recorders over our log, for its own test cases: synchronous, with our asyncio code on a loop in a thread.

Events go in below the codec, as rows for the writer, because the cases store topics and states that are nothing to us. They come out
as rows of the statements that `PostgresLog` reads with. Our versions begin at 1; a caller that counts from `first` is translated.
"""

import asyncio
import importlib
import itertools
import sys
from collections.abc import Coroutine, Sequence
from contextlib import AsyncExitStack
from threading import Thread
from typing import Any, TypeVar
from uuid import UUID, uuid4

from eventsourcing import cryptography
from eventsourcing.persistence import (
    AggregateRecorder,
    ApplicationRecorder,
    IntegrityError,
    ListenNotifySubscription,
    Notification,
    OperationalError,
    StoredEvent,
)

from adapters.batch import Encoded, Row
from adapters.commit import SQL
from adapters.database import create_pool
from adapters.event_log import WINDOW
from adapters.tail import Tail
from adapters.writer import Writer
from domain.errors import ConflictError, UnavailableError
from domain.model import category

# the library's AESCipher on the package that we have anyway
sys.modules.setdefault("eventsourcing.cipher", cryptography)
library = importlib.import_module("eventsourcing.tests.persistence")

T = TypeVar("T")
PATIENCE = 60.0
SELECT = """
    select originator_id, originator_version, topic, state from events
     where originator_id = $1 and originator_version > coalesce($2::int, 0) and originator_version <= coalesce($3::int, 2147483647)
"""


class Loop:
    """An event loop in a thread."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = Thread(target=self._loop.run_forever, name="bridge", daemon=True)
        self._thread.start()

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(PATIENCE)

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


class AggregateBridge(AggregateRecorder):
    """One database, `writers` writers that take turns (as if in as many processes), and a pool to read with."""

    def __init__(self, database_url: str, *, first: int = 1, writers: int = 1) -> None:
        self._shift = 1 - first
        self._loop = Loop()
        self._stack = AsyncExitStack()
        self._loop.run(self._open(database_url, writers))

    async def _open(self, database_url: str, writers: int) -> None:
        self._pool = await self._stack.enter_async_context(create_pool(database_url))
        self.tail = await self._stack.enter_async_context(Tail(database_url))
        self._writers = [await self._stack.enter_async_context(Writer(database_url)) for _ in range(writers)]
        self._turns = itertools.cycle(self._writers)

    def close(self) -> None:
        self._loop.run(self._stack.aclose())
        self._loop.close()

    def backends(self) -> set[int]:
        """The server processes that the writers append through."""
        connections = (writer._committer._connection for writer in self._writers)
        return {connection.get_server_pid() for connection in connections if connection is not None}

    def insert_events(self, stored_events: Sequence[StoredEvent], **_: Any) -> Sequence[int] | None:
        self._insert(stored_events)
        return None

    def _insert(self, stored_events: Sequence[StoredEvent]) -> list[int]:
        if not stored_events:
            return []
        rows = [
            Row(event.originator_id, event.originator_version + self._shift, event.topic, event.state)
            for event in stored_events
        ]
        try:
            (result,) = self._loop.run(next(self._turns).append([Encoded(uuid4(), rows, "{}")]))
        except UnavailableError as error:
            raise OperationalError(str(error)) from error
        if isinstance(result, ConflictError):
            raise IntegrityError(str(result)) from result
        if isinstance(result, Exception):
            raise result
        return list(range(result.first, result.last + 1))

    def select_events(
        self,
        originator_id: UUID | str,
        *,
        gt: int | None = None,
        lte: int | None = None,
        desc: bool = False,
        limit: int | None = None,
    ) -> Sequence[StoredEvent]:
        above, upto = (None if bound is None else bound + self._shift for bound in (gt, lte))
        order = "desc" if desc else "asc"
        sql = f"{SELECT} order by originator_version {order} limit $4"
        rows = self._loop.run(self._pool.fetch(sql, originator_id, above, upto, limit))
        return [StoredEvent(row[0], row[1] - self._shift, row[2], row[3]) for row in rows]


class Subscription(ListenNotifySubscription["ApplicationBridge"]):
    """Woken by our Tail."""

    def __init__(self, recorder: "ApplicationBridge", gt: int | None, topics: Sequence[str]) -> None:
        super().__init__(recorder=recorder, gt=gt, topics=topics)
        self._listener = Thread(target=self._listen)
        self._listener.start()

    def __exit__(self, *args: object, **kwargs: Any) -> None:
        super().__exit__(*args, **kwargs)
        self._listener.join()

    def _listen(self) -> None:
        while not self._has_been_stopped:
            if self._recorder.wait(self._last_notification_id or 0):
                self._has_been_notified.set()


class ApplicationBridge(AggregateBridge, ApplicationRecorder):
    """The same, with the log's positions as notification ids."""

    def insert_events(self, stored_events: Sequence[StoredEvent], **_: Any) -> Sequence[int] | None:
        return self._insert(stored_events)

    def select_notifications(
        self,
        start: int | None,
        limit: int,
        stop: int | None = None,
        topics: Sequence[str] = (),
        *,
        inclusive_of_start: bool = True,
    ) -> Sequence[Notification]:
        after = max((start or 0) - inclusive_of_start, 0)
        return self._loop.run(self._read(after, limit, stop, topics))

    async def _read(
        self, after: int, limit: int, stop: int | None, topics: Sequence[str]
    ) -> list[Notification]:
        """Through the statements that the log reads with: `read` for all, `read_some` window after window for topics."""
        if not topics:
            end = after + limit if stop is None else min(after + limit, stop)
            rows = await self._pool.fetch(SQL.read.sql, after, end, None)
            return await self._notifications([row["notification_id"] for row in rows])
        found: list[int] = []
        names, categories = list(topics), list({category(topic) for topic in topics})
        while len(found) < limit:
            end = after + WINDOW if stop is None else min(after + WINDOW, stop)
            rows = await self._pool.fetch(
                SQL.read_some.sql, after, end, limit - len(found), names, categories
            )
            found += [row["notification_id"] for row in rows if row["notification_id"] is not None]
            if rows[0]["through"] <= after:
                break
            after = rows[0]["through"]
        return await self._notifications(found)

    async def _notifications(self, positions: list[int]) -> list[Notification]:
        """What our statements leave out because an event says it itself: these states are not our events."""
        rows = await self._pool.fetch(
            "select originator_id, originator_version, topic, state, notification_id from events "
            "where notification_id = any($1::bigint[]) order by notification_id",
            positions,
        )
        return [
            Notification(row[0], row[1] - self._shift, row[2], row[3], row["notification_id"]) for row in rows
        ]

    def max_notification_id(self) -> int | None:
        (row,) = self._loop.run(self._pool.fetch(SQL.head.sql))
        return row["position"] or None

    def wait(self, beyond: int) -> bool:
        """Whether the log passed `beyond`; a moment later at most."""

        async def heard() -> bool:
            await self.tail.wait("log", beyond, 0.1)
            return bool((await self._pool.fetch(SQL.head.sql))[0]["position"] > beyond)

        return self._loop.run(heard())

    def subscribe(self, gt: int | None = None, topics: Sequence[str] = ()) -> Subscription:
        return Subscription(self, gt, topics)
