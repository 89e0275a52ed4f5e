"""Back the database up: one folder for each backup, with everything but the keys that are kept outside of it.

    anju-20260301T080000Z-351129/
        database.dump    pg_dump's custom format, of one snapshot
        manifest.json    what the backup holds: see `Manifest`
        SHA256SUMS       of the two, as `sha256sum -c` reads it

The snapshot is one moment of the log: a gapless prefix that ends at the manifest's position and hash, whoever appends meanwhile.
"""

import asyncio
import errno
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

import aiosql
import asyncpg
import msgspec

from adapters.copying import Progress, watched
from adapters.database import connect_as_login, refusals
from adapters.files import digest, sync, write_durably
from adapters.pgtools import find_tool, run_tool
from domain.errors import CorruptError, InvalidError, NotFoundError, UnavailableError

SQL: Any = aiosql.from_path(Path(__file__).with_suffix(".sql"), "asyncpg", mandatory_parameters=False)
FORMAT = "anju-backup/1"
DUMP, MANIFEST, SUMS = "database.dump", "manifest.json", "SHA256SUMS"


class Manifest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a backup holds. `position`, `hash`: where its log ends. `archives`: files that hold what was detached from it."""

    format: str
    made_at: datetime
    server: str
    server_major: int
    dumped_by: int
    schema: str
    position: int
    hash: str
    archives: list[str]
    keys: str = "Not in here: master keys never are. Keep them apart from this backup: without them its sealed fields stay sealed."


async def backup(database_url: str, directory: Path, progress: Progress) -> tuple[Path, Manifest]:
    """Make one backup below `directory` while others append; its folder. Half-made ones end in .partial and are no backups."""
    connection = await connect_as_login(database_url)
    try:
        with refusals("the backup was not made"):
            return await _backup(connection, database_url, directory, progress)
    finally:
        connection.terminate()


async def _backup(
    connection: asyncpg.Connection, database_url: str, directory: Path, progress: Progress
) -> tuple[Path, Manifest]:
    major = connection.get_server_version().major
    tool = await find_tool("pg_dump", major)
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        if not await SQL.has_log(connection):
            raise InvalidError("there is no log in this database: nothing to back up")
        snapshot = await SQL.snapshot(connection)
        found = await SQL.state(connection)
        # A backup is wanted most before a migration: the schema may still lack what this version has.
        archives = SQL.archive_files(connection) if await SQL.has_archives(connection) else None
        manifest = Manifest(
            format=FORMAT,
            dumped_by=tool.major,
            server_major=major,
            archives=[row["file"] async for row in archives] if archives else [],
            **found,
        )
        folder = directory / f"anju-{manifest.made_at.astimezone(UTC):%Y%m%dT%H%M%SZ}-{manifest.position}"
        partial = _make_folder(folder)
        options = ["--format=custom", "--compress=gzip:1", "--no-password", f"--snapshot={snapshot}"]
        async with watched(database_url, "backing up", manifest.position, progress):
            await run_tool(tool, [*options, f"--file={partial / DUMP}"], database_url)
    await asyncio.to_thread(_seal, partial, folder, manifest)
    return folder, manifest


def _make_folder(folder: Path) -> Path:
    partial = folder.with_name(folder.name + ".partial")
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        if folder.exists():
            raise FileExistsError(errno.EEXIST, "it exists")
        partial.mkdir(mode=0o700)
    except OSError as error:
        raise UnavailableError(f"the backup cannot be written to {folder}: {error.strerror}") from error
    return partial


def _seal(partial: Path, folder: Path, manifest: Manifest) -> None:
    """Manifest, digests, and the name that says that it is whole; durable, in this order. Blocks."""
    try:
        sync(partial / DUMP)
        write_durably(partial / MANIFEST, msgspec.json.format(msgspec.json.encode(manifest), indent=2))
        sums = "".join(f"{digest(partial / name)}  {name}\n" for name in (DUMP, MANIFEST))
        write_durably(partial / SUMS, sums.encode())
        partial.rename(folder)
        sync(folder.parent)
    except OSError as error:
        raise UnavailableError(f"the backup cannot be written to {partial}: {error.strerror}") from error


def check(folder: Path) -> Manifest:
    """The manifest of a backup that is whole. CorruptError names the file that is not what was written. Blocks."""
    if not (folder / SUMS).is_file():
        inside = sorted(path.parent.name for path in folder.glob(f"anju-*/{SUMS}"))
        raise NotFoundError(
            f"{folder} is not a backup: it has no {SUMS}"
            + (f"; name one of those in it: {', '.join(inside)}" if inside else "")
        )
    for name, expected in _sums(folder / SUMS).items():
        path = folder / name
        if not path.is_file():
            raise CorruptError(f"the backup is not whole: {path} is missing")
        if digest(path) != expected:
            raise CorruptError(f"{path} is not what was backed up (its SHA-256 differs): use another backup")
    try:
        manifest = msgspec.json.decode((folder / MANIFEST).read_bytes(), type=Manifest)
    except msgspec.MsgspecError as error:
        raise InvalidError(f"{folder / MANIFEST} cannot be read by this version of Anju: {error}") from error
    if manifest.format != FORMAT:
        raise InvalidError(f"{folder} is of format {manifest.format}; this version of Anju reads {FORMAT}")
    return manifest


def _sums(path: Path) -> dict[str, str]:
    lines = [line.split("  ", 1) for line in path.read_text("utf-8", "replace").splitlines()]
    sums = {line[1]: line[0] for line in lines if len(line) == 2 and len(line[0]) == 2 * sha256().digest_size}  # noqa: PLR2004
    if set(sums) != {DUMP, MANIFEST}:
        raise CorruptError(f"{path} is not what was backed up: it should name {DUMP} and {MANIFEST}")
    return sums
