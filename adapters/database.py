"""Connections to PostgreSQL: always as the role `anju_app`, whoever logged in, so that the database keeps its own rules."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import asyncpg

from adapters.refusals import is_explained, refusal
from domain.errors import UnavailableError

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

NO_SCHEMA = "the database has no schema yet: run `anju migrate`"
UNMIGRATED = (asyncpg.UndefinedTableError, asyncpg.InvalidParameterValueError)
"""What a database without a schema looks like: no tables, or not even the role."""


async def connect(database_url: str) -> asyncpg.Connection:
    """One connection. UnavailableError if the server does not let us be ROLE; what is LOST surfaces."""
    return await _connect(
        database_url,
        server_settings=_SETTINGS,
        timeout=CONNECT_TIMEOUT,
        command_timeout=STATEMENT_TIMEOUT,
    )


@contextmanager
def refusals(what: str) -> Iterator[None]:
    """Inside, what the database refuses is an UnavailableError that begins with `what` and says what to do.

    A statement that it does not understand surfaces as it is: the schema is another one, and nobody should wait for that to pass.
    """
    try:
        yield
    except (asyncpg.UndefinedTableError, asyncpg.UndefinedColumnError, asyncpg.UndefinedFunctionError):
        raise
    except (asyncpg.PostgresError, *LOST) as error:
        if isinstance(error, LOST) and not is_explained(error):
            raise UnavailableError(
                f"{what}: the database does not answer ({error!r}); is it running?"
            ) from error
        raise refusal(what, error) from error


async def connect_as_login(database_url: str) -> asyncpg.Connection:
    """One connection as whoever the address logs in as, for what the application may not do; UnavailableError."""
    with refusals("the database does not let us in"):
        return await asyncpg.connect(
            database_url, server_settings={"application_name": "anju"}, timeout=CONNECT_TIMEOUT
        )


def create_pool(
    database_url: str, *, largest: int = 20, settings: Mapping[str, str] | None = None
) -> asyncpg.Pool:
    """A pool, to be awaited or entered; `settings` of its sessions beside ours."""
    return asyncpg.create_pool(
        database_url,
        connect=_connect,
        reset=_keep,
        min_size=1,
        max_size=largest,
        server_settings={**_SETTINGS, **(settings or {})},
        timeout=CONNECT_TIMEOUT,
        command_timeout=STATEMENT_TIMEOUT,
    )


async def _keep(_connection: asyncpg.Connection) -> None:
    """Nothing is asked of the server when a connection is given back, or each question would be two.

    What is set is set inside of a transaction, which asyncpg has ended when it calls this; and who takes a lock for a session gives it
    back, or ends the session.
    """


async def _connect(*arguments: Any, **options: Any) -> asyncpg.Connection:
    try:
        connection = await asyncpg.connect(*arguments, **options)
    except (asyncpg.PostgresError, *LOST) as error:
        if isinstance(error, LOST) and not is_explained(error) and "startup parameter" not in str(error):
            raise
        raise _not_let_in(error) from error
    user = await connection.fetchval("select current_user")
    if user == ROLE:
        return connection
    await connection.close()
    raise UnavailableError(
        f"we are {user} in the database and not {ROLE}: a pooler between us swallows the setting `role`. "
        f"As its owner: alter role {user} set role = '{ROLE}'; docs/operations.md says more about poolers"
    )


def _not_let_in(error: asyncpg.PostgresError) -> UnavailableError:
    """The setting `role` is refused in two ways: there is no such role, or this login is not a member of it."""
    if isinstance(error, asyncpg.InvalidParameterValueError) and ROLE in str(error):
        return UnavailableError(
            f"the database has no role {ROLE} ({error}): run `anju migrate` as its owner first"
        )
    if isinstance(error, asyncpg.InsufficientPrivilegeError) and "role" in str(error):
        return UnavailableError(
            f"this login may not become {ROLE} ({error}). As the owner of the database: grant {ROLE} to <login>"
        )
    if isinstance(error, asyncpg.ProtocolViolationError):
        return UnavailableError(
            f"a pooler between us and the database refuses our settings ({error}); docs/operations.md says what it needs"
        )
    return refusal("the database does not let us in", error)
