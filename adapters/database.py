"""Connections to PostgreSQL: always as the role `anju_app`, whoever logged in, so that the database keeps its own rules."""

import asyncpg

ROLE = "anju_app"
LOST = (
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,  # shutting down, killed by an operator, or not up yet
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # asyncpg's word for a socket that closed in the middle of an operation
    OSError,
)
"""What a database that is gone, going or not there yet looks like."""

_SETTINGS = {"role": ROLE, "application_name": "anju", "jit": "off"}


async def connect(database_url: str) -> asyncpg.Connection:
    """One connection."""
    return await asyncpg.connect(database_url, server_settings=_SETTINGS, command_timeout=60)


def create_pool(database_url: str, *, largest: int = 20) -> asyncpg.Pool:
    """A pool, to be awaited or entered."""
    return asyncpg.create_pool(
        database_url, min_size=1, max_size=largest, server_settings=_SETTINGS, command_timeout=60
    )
