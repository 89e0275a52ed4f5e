"""How far a copy of the log is that another program makes: PostgreSQL itself counts its rows."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import aiosql
import asyncpg

from adapters.database import LOST, connect_as_login
from domain.errors import UnavailableError

SQL: Any = aiosql.from_path(Path(__file__).parent / "backup.sql", "asyncpg", mandatory_parameters=False)
_POLL = 0.5  # seconds

Progress = Callable[[str, int, int | None], None]
"""Told what is being done, how many rows of it are done, and how many there are."""


@asynccontextmanager
async def watched(database_url: str, what: str, total: int, progress: Progress) -> AsyncIterator[None]:
    """Inside, `progress` is told now and then how many rows were copied in this database. Not being able to is no failure."""
    task = asyncio.create_task(_watch(database_url, what, total, progress))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    progress(what, total, total)


async def _watch(database_url: str, what: str, total: int, progress: Progress) -> None:
    copied: dict[int, int] = {}  # by relation: one that is done is not listed any more
    with suppress(UnavailableError, asyncpg.PostgresError, *LOST):
        connection = await connect_as_login(database_url)
        try:
            while True:
                for row in await connection.fetch(SQL.copied.sql):
                    copied[row["relid"]] = row["tuples_processed"]
                progress(what, min(sum(copied.values()), total), total)
                await asyncio.sleep(_POLL)
        finally:
            connection.terminate()
