"""Connections to PostgreSQL: always as the role `anju_app`, whoever logged in, so that the database keeps its own rules."""

import asyncpg

ROLE = "anju_app"
LOST = (
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # asyncpg's word for a backend that was terminated between two statements
    asyncpg.AdminShutdownError,  # a restart, or pg_terminate_backend
    asyncpg.CrashShutdownError,
    asyncpg.CannotConnectNowError,
    asyncpg.IdleSessionTimeoutError,
    asyncpg.IdleInTransactionSessionTimeoutError,
    asyncpg.TooManyConnectionsError,
    asyncpg.LockNotAvailableError,  # lock_timeout: whoever holds it is stuck
    asyncpg.TransactionRollbackError,  # a deadlock or a serialisation failure: nothing was done
    OSError,  # TimeoutError is one
)
"""What a database that is gone, going, not there yet or too busy looks like: the same again may succeed."""

CONNECT_TIMEOUT = 10.0
STATEMENT_TIMEOUT = 60.0
"""Seconds, after which the server or the network is taken for lost."""

_SETTINGS = {"role": ROLE, "application_name": "anju", "jit": "off", "lock_timeout": "20s"}
"""lock_timeout: nobody waits for ever for a lock, and no statement of a caller who has given up is still carried out."""


async def connect(database_url: str) -> asyncpg.Connection:
    """One connection."""
    return await asyncpg.connect(
        database_url,
        server_settings=_SETTINGS,
        timeout=CONNECT_TIMEOUT,
        command_timeout=STATEMENT_TIMEOUT,
    )


def create_pool(database_url: str, *, largest: int = 20) -> asyncpg.Pool:
    """A pool, to be awaited or entered."""
    return asyncpg.create_pool(
        database_url,
        min_size=1,
        max_size=largest,
        server_settings=_SETTINGS,
        timeout=CONNECT_TIMEOUT,
        command_timeout=STATEMENT_TIMEOUT,
    )
