"""What PostgreSQL's refusals mean for whoever keeps it running: each with what to do about it."""

import asyncpg

from domain.errors import UnavailableError

_POOLER = (
    "a pooler between us hands one server connection to many clients: use its session mode, or give it "
    "max_prepared_statements (PgBouncer 1.21 or newer); docs/operations.md says how"
)
_SCHEMA = "the schema is not the one that this version needs: run `anju migrate`"
_LOGIN = "is ANJU_DATABASE_URL right?"
_ADVICE = {
    "53100": "its disk is full: make room (`anju archive` takes old observations off), and appends succeed again",
    "53200": "it is out of memory: give it more, or lower its work_mem and max_connections",
    "25006": "it is read-only, a standby perhaps: point ANJU_DATABASE_URL at the primary (or name all its hosts, with "
    "target_session_attrs=read-write), and look at default_transaction_read_only",
    "42501": "the role anju_app lacks a privilege: run `anju migrate` as the owner of the database",
    "42P01": _SCHEMA,
    "42703": _SCHEMA,
    "42883": _SCHEMA,
    "26000": _POOLER,
    "42P05": _POOLER,
    "55P03": "others use it for longer than we wait (a backup, a verification, a rebuild): try again when they are done",
    "58030": "its storage fails: look at its disk and at its log, and see that there is a backup",
    "XX001": "its files are damaged: stop appending, and restore the last backup into an empty database",
    "XX002": "an index of its is damaged: `reindex database`, then `anju verify`",
    "3D000": _LOGIN,
    "28000": _LOGIN,
    "28P01": _LOGIN,
}


def is_explained(error: BaseException) -> bool:
    """Whether we know what to do about it."""
    return isinstance(error, asyncpg.PostgresError) and error.sqlstate in _ADVICE


def refusal(what: str, error: asyncpg.PostgresError) -> UnavailableError:
    """`what` could not be done because of `error`: with PostgreSQL's words, and what to do where we know it."""
    advice = _ADVICE.get(error.sqlstate or "", "look at its log")
    return UnavailableError(f"{what}: {error.args[0]}; {advice} (SQLSTATE {error.sqlstate})")
