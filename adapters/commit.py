"""Commit a batch of requests, on one connection.

Almost always every request may be appended, and one statement does it all: `append_events` locks the head of the log, sees that
nothing speaks against a row, gives positions and hashes, and inserts. If something does (a request that was appended before, a
version that is taken), nothing is written; then the batch is decided here under the lock, request by request, and what is
left of it appended in the same transaction.
"""

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any
from uuid import UUID

import aiosql
import asyncpg

from adapters.batch import Earlier, Encoded, Result, aggregates, columns, decide, place
from adapters.database import LOST, connect
from domain.ports import Appended

SQL: Any = aiosql.from_path(Path(__file__).parent / "event_log.sql", "asyncpg", mandatory_parameters=False)

CLOSE_TIMEOUT = 3.0


class Committer:
    """The writer's connection, made when it is needed."""

    def __init__(self, database_url: str) -> None:
        self._url = database_url
        self._connection: asyncpg.Connection | None = None

    async def commit(self, requests: Sequence[Encoded]) -> list[Result]:
        """A result for each request, once the batch is durable. Errors of asyncpg surface: forget the connection then."""
        connection = self._connection
        if connection is None:
            connection = self._connection = await connect(self._url)
        if (arrays := columns(requests)) is not None:
            try:
                first: int | None = await connection.fetchval(SQL.append.sql, *arrays)
            except asyncpg.UniqueViolationError:
                first = None
            if first is not None:
                return list(place(requests, first))
        return await _commit_locked(connection, requests)

    def forget(self) -> None:
        """Drop the connection."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.terminate()

    async def close(self) -> None:
        """Close the connection; a lost one is dropped."""
        if self._connection is not None:
            with suppress(*LOST, asyncpg.PostgresError):
                await self._connection.close(timeout=CLOSE_TIMEOUT)
        self.forget()


async def _commit_locked(connection: asyncpg.Connection, requests: Sequence[Encoded]) -> list[Result]:
    await connection.execute(SQL.lock.sql)
    rows = await connection.fetch(
        SQL.situation.sql, list(aggregates(requests)), [request.id for request in requests]
    )
    versions = {row["id"]: row["first"] for row in rows if row["kind"] == "version"}
    earlier = {
        row["id"]: Earlier(
            Appended(row["first"], row["last"], command=row["command"]), frozenset(row["aggregates"])
        )
        for row in rows
        if row["kind"] == "request"
    }
    decisions = decide(requests, versions, earlier)
    accepted = [decision.request for decision in decisions if decision.accepted]
    appended: dict[UUID, Appended] = {}
    if accepted:
        arrays = columns(accepted)
        assert arrays is not None, "what was decided to be appended follows"
        first: int = await connection.fetchval(SQL.append.sql, *arrays)
        appended = {
            request.id: found for request, found in zip(accepted, place(accepted, first), strict=True)
        }
    await connection.execute("commit")
    return [decision.result(appended) for decision in decisions]
