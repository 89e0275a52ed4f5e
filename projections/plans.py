"""Lists with many filters and orders: each statement is planned for what it is asked."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiosql
import asyncpg

SQL: Any = aiosql.from_path(Path(__file__).with_suffix(".sql"), "asyncpg", mandatory_parameters=False)


@asynccontextmanager
async def planned(connection: asyncpg.Connection) -> AsyncIterator[None]:
    """Inside, each statement is planned for its parameters: a filter that is not asked for costs nothing, and an order has its index."""
    async with connection.transaction():
        await SQL.plan_anew(connection)
        yield
