"""Bring a backup back into an empty database, and prove that it is what was backed up."""

import asyncio
import os
from dataclasses import dataclass, replace
from pathlib import Path

import asyncpg

from adapters.backup import DUMP, SQL, Manifest, check
from adapters.copying import Progress, watched
from adapters.database import connect_as_login, refusals
from adapters.migrate import migrate
from adapters.pgtools import find_tool, run_tool
from adapters.verify import Verdict, verify
from domain.errors import InvalidError


@dataclass(frozen=True, slots=True)
class Restored:
    """What came back, and whether its chain holds. `schema` is the one it was migrated to."""

    manifest: Manifest
    schema: str | None
    verdict: Verdict


async def restore(database_url: str, folder: Path, progress: Progress) -> Restored:
    """Check the backup, bring it back (all or nothing), migrate it and verify it.

    CorruptError: a file of it is not what was written. InvalidError: the database is not empty, or too old for it.
    """
    manifest = await asyncio.to_thread(check, folder)
    tool = await find_tool("pg_restore", manifest.dumped_by)
    connection = await connect_as_login(database_url)
    try:
        with refusals("nothing was restored"):
            await _prepare(connection, manifest)
    finally:
        connection.terminate()
    # The empty --dbname means: a database, the one that PGDATABASE names.
    options = ["--dbname=", "--single-transaction", "--no-owner", "--no-password"]
    async with watched(database_url, "restoring", manifest.position, progress):
        await run_tool(tool, [*options, os.fspath(folder / DUMP)], database_url)
    _, schema = await asyncio.to_thread(migrate, database_url)
    return Restored(manifest, schema, await _verified(database_url, manifest, progress))


async def _prepare(connection: asyncpg.Connection, manifest: Manifest) -> None:
    major = connection.get_server_version().major
    if major < manifest.server_major:
        raise InvalidError(
            f"the backup is of PostgreSQL {manifest.server}; this server is of {major}: restore it into {manifest.server_major} or newer"
        )
    if strangers := await SQL.strangers(connection):
        raise InvalidError(
            f"the database is not empty ({strangers} tables, indexes and the like): nothing was restored. "
            "Make a new one (createdb) and name it in ANJU_DATABASE_URL"
        )
    await SQL.ensure_role(connection)


async def _verified(database_url: str, manifest: Manifest, progress: Progress) -> Verdict:
    verdict = await verify(
        database_url, progress=lambda done, total: progress("verifying", done, total), lend_a_hand=True
    )
    if verdict.holds and (verdict.events, verdict.hash.hex()) != (manifest.position, manifest.hash):
        return replace(
            verdict, position=verdict.events, problem="the log does not end where the backup's manifest says"
        )
    return verdict
