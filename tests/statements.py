"""What the database is told."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg

OWN = ("typeinfo", "set_config", "pg_advisory_unlock_all")
"""By what the statements are known by which asyncpg learns of types, and makes a connection new."""


@asynccontextmanager
async def told(pool: asyncpg.Pool) -> AsyncIterator[list[str]]:
    """The statements that go through `pool` inside, without asyncpg's own."""
    statements: list[str] = []

    def note(record: asyncpg.connection.LoggedQuery) -> None:
        if not any(word in record.query for word in OWN):
            statements.append(record.query)

    async def listen(connection: asyncpg.Connection) -> None:
        connection.add_query_logger(note)

    for holder in pool._holders:
        holder._setup = listen
    yield statements
    await asyncio.sleep(0.01)  # what is noted is noted a moment later
    for holder in pool._holders:
        holder._setup = None
        if holder._con is not None:
            holder._con.remove_query_logger(note)
