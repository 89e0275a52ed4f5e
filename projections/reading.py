"""A connection to the read models for whoever asks, and what is said when their tables do not fit: after an upgrade, before a rebuild."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiosql
import asyncpg

from projections.all import PROJECTIONS
from projections.runner import OutdatedError, outdated

SQL: Any = aiosql.from_path(Path(__file__).with_suffix(".sql"), "asyncpg", mandatory_parameters=False)
MISFITS = (
    asyncpg.UndefinedTableError,
    asyncpg.UndefinedColumnError,
    asyncpg.UndefinedFunctionError,  # an operator, on a column that had another type
    KeyError,  # a row of `select *` without a column that the program reads
)
"""What tables of another version look like to who reads them."""


@asynccontextmanager
async def reading(pool: asyncpg.Pool) -> AsyncIterator[asyncpg.Connection]:
    """A connection. OutdatedError if the tables did not fit, and those of a projection are of another version than the program's.

    That is looked at when it has happened: no question costs a statement more for it.
    """
    try:
        async with pool.acquire() as connection:
            yield connection
    except MISFITS as error:
        found = {row["name"]: row["version"] async for row in SQL.versions(pool)}
        others = [
            outdated(projection, found[name])
            for name, projection in PROJECTIONS.items()
            if found.get(name, projection.version) != projection.version
        ]
        if not others:
            raise
        raise OutdatedError("; ".join(others)) from error
