"""One look at read models: everything that is read in a transaction was counted at one position of the log."""

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager

import asyncpg


@asynccontextmanager
async def snapshot(connection: asyncpg.Connection, tables: Iterable[str]) -> AsyncIterator[None]:
    """What is read of `tables` inside was there at one moment."""
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        await hold(connection, tables)
        yield


async def hold(connection: asyncpg.Connection, tables: Iterable[str]) -> None:
    """Let no rebuild exchange `tables` before the transaction ends: one that did would put tables in their place of which the
    transaction, looking from before, does not see every row. It comes before everything that is read: then it looks from here.
    """
    await connection.execute(f"lock table {', '.join(sorted(tables))} in access share mode")
