"""Who folds what: of any number of workers one for each projection, and another as soon as it is gone.

A session advisory lock says who: PostgreSQL gives it back by itself when its connection ends, whatever became of the worker. A worker
that was taken for dead and is not can do no harm: whoever folds locks the projection's row and looks at its position.
"""

import asyncio
import logging
import time
from collections.abc import Collection, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import aiosql
import asyncpg

from domain.errors import UnavailableError
from domain.ports import EventLog
from projections import runner, status
from projections.runner import PASSING, POLL, OutdatedError, Projection, StoppedError, Tail

RETRY = 60.0
"""Seconds after which a projection that has stopped is tried again, although nothing says that the cause is mended."""
RECONCILE = 10.0
"""Seconds between two counts of what the log has beside what was folded."""
ANSWER = 15.0
"""Seconds after which a connection that says nothing is taken for lost."""

SQL: Any = aiosql.from_path(Path(__file__).with_suffix(".sql"), "asyncpg", mandatory_parameters=False)
logger = logging.getLogger("anju.projections")


async def lead(projections: Collection[Projection], pool: asyncpg.Pool, log: EventLog, tail: Tail) -> None:
    """Fold those of `projections` that no other worker folds, and stand by for the others, until cancelled.

    One that has stopped is let go and tried again after a while, by whoever comes first, or when its row has changed.
    """
    while True:
        try:
            async with pool.acquire() as connection:
                try:
                    await _Leader(projections, pool, log, tail).lead(connection)
                finally:
                    connection.terminate()  # its locks end with it
        except (UnavailableError, *PASSING) as error:
            logger.warning("the connection that says who folds what is lost: %r", error)
        await asyncio.sleep(POLL)


class _Leader:
    """What one worker folds while one connection lives: its locks are those of that connection."""

    def __init__(
        self, projections: Collection[Projection], pool: asyncpg.Pool, log: EventLog, tail: Tail
    ) -> None:
        self._projections = {projection.name: projection for projection in projections}
        self._pool, self._log, self._tail = pool, log, tail
        self._folding: dict[str, asyncio.Task[int | None]] = {}
        self._resting: dict[str, tuple[float, int | None]] = {}  # until when; at which position

    async def lead(self, connection: asyncpg.Connection) -> None:
        """Until the connection is lost or its server says nothing; nothing is folded any more when this returns or raises."""
        lost = asyncio.Event()
        connection.add_termination_listener(lambda _connection: lost.set())
        counting = asyncio.create_task(self._reconcile(), name="projections-reconcile")
        try:
            while not lost.is_set():
                if counting.done():
                    counting.result()
                async with asyncio.timeout(ANSWER):
                    await self._look(connection)
                with suppress(TimeoutError):
                    async with asyncio.timeout(POLL):
                        await lost.wait()
        finally:
            tasks = [counting, *self._folding.values()]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _look(self, connection: asyncpg.Connection) -> None:
        rows = {row["name"]: row async for row in SQL.standing(connection)}
        for name in [name for name, task in self._folding.items() if task.done()]:
            stood = self._folding.pop(name).result()  # what nobody expected ends the worker
            self._resting[name] = time.monotonic() + RETRY, stood
            await SQL.give_back(connection, name=name)
        await self._tell_outdated(connection, rows)
        free = [name for name in self._projections if self._may_try(name, rows.get(name))]
        async for row in SQL.take(connection, names=free):
            projection = self._projections[row["name"]]
            self._folding[projection.name] = asyncio.create_task(
                self._fold(projection), name=f"projection-{projection.name}"
            )

    def _may_try(self, name: str, row: Any | None) -> bool:
        if name in self._folding or (row is not None and row["version"] != self._projections[name].version):
            return False
        until, stood = self._resting.get(name, (0.0, None))
        return time.monotonic() >= until or row is None or row["position"] != stood

    async def _tell_outdated(self, connection: asyncpg.Connection, rows: Mapping[str, Any]) -> None:
        for name, projection in self._projections.items():
            row = rows.get(name)
            if row is None or row["version"] == projection.version:
                continue
            message = runner.outdated(projection, row["version"])
            if row["error"] != message:
                logger.error("%s", message)
                await runner.SQL.record_error(
                    connection, name=name, error=message, position=row["position"], version=row["version"]
                )

    async def _fold(self, projection: Projection) -> int | None:
        """Fold until it stops; at which position, unless its tables are of another version now."""
        try:
            await runner.run(projection, self._pool, self._log, self._tail)
        except StoppedError as error:
            logger.critical(
                "projection %s has stopped; it is tried again every %d s",
                projection.name,
                RETRY,
                exc_info=True,
            )
            return error.position
        except OutdatedError as error:
            logger.critical("%s", error)
        return None

    async def _reconcile(self) -> None:
        """Now and then count what the log has of what is folded here."""
        while True:
            await asyncio.sleep(RECONCILE)
            for name in list(self._folding):
                try:
                    async with self._pool.acquire() as connection:
                        await status.reconcile(connection, name)
                except (UnavailableError, *PASSING) as error:
                    logger.warning("what %s folded is not compared with the log: %s", name, error)
