"""Take an old leaf of observations off the log into a file, and bring it back. The owner of the database does this, nobody else.

A leaf can go when all its positions lie before the last checkpoint (so that its rows are vouched for from outside), and when it is
older than the bus keeps what could be delivered again: what was archived is not recognised as a repeat.
docs/decisions/0011-retention-and-backup.md says what stays, and why the chain holds without the rows.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import aiosql
import asyncpg
import msgspec

from adapters.archive_file import SUFFIX, ArchiveWriter, Manifest
from adapters.database import connect_as_login, refusals
from adapters.files import digest, sync
from domain.chain import Record
from domain.errors import (
    AnjuError,
    CorruptError,
    ForbiddenError,
    InvalidError,
    NotFoundError,
    UnavailableError,
)
from domain.retention import BLOCK, Stretch, stretches

SQL: Any = aiosql.from_path(Path(__file__).with_suffix(".sql"), "asyncpg", mandatory_parameters=False)
YOUNGEST = 30
"""Days: no leaf whose last row is younger is detached. The bus keeps observations for a week at most."""
_REPORTED = 5000  # rows between two reports

Progress = Callable[[str, int, int | None], None]
"""Told what is being done, how many rows of it are done, and how many there are."""


class Leaf(msgspec.Struct, frozen=True):
    """A partition of observations that is in the log: positions `lower` up to but not `upper`. `why_not`: None if it can go."""

    leaf: str
    lower: int
    upper: int
    size: int
    why_not: str | None


class Archive(msgspec.Struct, frozen=True):
    """A leaf that was taken off, and when it came back, if it did. Bytes in hexadecimal."""

    leaf: str
    first: int
    last: int
    rows: int
    file: str
    size: int
    sha256: str
    root: str
    detached_at: Any
    detached_by: str
    attached_at: Any


async def inventory(database_url: str, *, youngest: int = YOUNGEST) -> tuple[list[Leaf], list[Archive]]:
    """Every leaf that is in the log, and every archive that was ever made."""
    async with owning(database_url, "the archives cannot be listed") as connection:
        leaves = [await _leaf(connection, row, youngest) async for row in SQL.leaves(connection)]
        archives = [_archive(row) async for row in SQL.archives(connection)]
    return leaves, archives


async def detach(
    database_url: str, leaf: str, directory: Path, progress: Progress, *, youngest: int = YOUNGEST
) -> Archive:
    """Write the leaf to a file in `directory`, then take it off and record that, in one transaction.

    NotFoundError: no such leaf. InvalidError: it may not go yet. ForbiddenError: not the owner. CorruptError: a row of it is not what
    was appended, and nothing is archived then. UnavailableError: the disk or the database; the log stays as it was.
    """
    async with owning(database_url, f"{leaf} was not archived") as connection:
        found = await _detachable(connection, leaf, youngest)
        path = directory / f"{leaf}{SUFFIX}"
        partial = path.with_name(path.name + ".partial")
        with _writing(path, partial):
            try:
                async with connection.transaction():
                    manifest = await _export(connection, found, partial, progress)
                    await asyncio.to_thread(_publish, partial, path)
                    await _take_off(connection, found, manifest, path)
            except (AnjuError, asyncpg.PostgresError):
                path.unlink(missing_ok=True)  # it was refused: the rows are still in the log
                raise
        return [_archive(row) async for row in SQL.archives(connection)][-1]


@asynccontextmanager
async def owning(database_url: str, otherwise: str) -> AsyncIterator[asyncpg.Connection]:
    """A connection that may change the schema; what the database refuses is an error that begins with `otherwise`."""
    connection = await connect_as_login(database_url)
    try:
        with refusals(otherwise):
            if not await connection.fetchval("select to_regclass('archives') is not null"):
                raise UnavailableError(f"{otherwise}: the schema is too old for it: run `anju migrate`")
            if not await SQL.is_owner(connection):
                raise ForbiddenError(
                    f"{otherwise}: only the owner of the table events may do it; log in as that role in ANJU_DATABASE_URL"
                )
            yield connection
    finally:
        connection.terminate()


async def _leaf(connection: asyncpg.Connection, row: Any, youngest: int) -> Leaf:
    name, lower, upper = row["leaf"], row["lower"], row["upper"]
    checkpoint = await SQL.checkpoint(connection)
    last = await SQL.last_recorded(connection, lower=lower, upper=upper, days=youngest)
    why_not = None
    if checkpoint < upper:  # and so the row at the last checkpoint always stays
        why_not = f"the last checkpoint is at position {checkpoint}, and its end at {upper - 1}: it must lie wholly before one (`anju checkpoint export`)"
    elif last is None:
        why_not = "there is nothing in it"
    elif last["young"]:
        why_not = (
            f"its last row is less than {youngest} days old: what is delivered again would not be recognised"
        )
    return Leaf(name, lower, upper, row["size"], why_not)


async def _detachable(connection: asyncpg.Connection, leaf: str, youngest: int) -> Leaf:
    leaves = {row["leaf"]: row async for row in SQL.leaves(connection)}
    if leaf not in leaves:
        raise NotFoundError(f"there is no leaf {leaf!r} in the log; there are: {', '.join(leaves)}")
    found = await _leaf(connection, leaves[leaf], youngest)
    if found.why_not is not None:
        raise InvalidError(f"{leaf} cannot be archived yet: {found.why_not}")
    return found


@contextmanager
def _writing(path: Path, partial: Path) -> Iterator[None]:
    if path.exists():
        raise InvalidError(f"{path} is there already: choose another folder")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield
    except OSError as error:
        raise UnavailableError(
            f"{path} cannot be written: {error.strerror or error}; nothing was archived"
        ) from error
    finally:
        partial.unlink(missing_ok=True)


def _publish(partial: Path, path: Path) -> None:
    sync(partial)
    partial.rename(path)
    sync(path.parent)


async def _export(
    connection: asyncpg.Connection, leaf: Leaf, path: Path, progress: Progress
) -> tuple[int, Manifest]:
    """Write the rows, recomputing the chain, and keep what stays of them; (the archive's number, its manifest)."""
    number: int = await SQL.next_number(connection)
    sizes = {
        row["size"] async for row in SQL.checkpoints_within(connection, lower=leaf.lower, upper=leaf.upper)
    }
    block: list[tuple[int, bytes]] = []
    written = 0
    with path.open("xb") as file:
        writer = ArchiveWriter(file)
        async for row in connection.cursor(SQL.rows.sql, leaf.lower, leaf.upper, prefetch=2000):
            position = row["notification_id"]
            if block and (block[-1][0] - 1) // BLOCK != (position - 1) // BLOCK:
                await _keep(connection, number, stretches(block, sizes))
                block.clear()
            hash_ = writer.add(_record(row), row["before"])
            if hash_ != row["hash"]:
                raise CorruptError(
                    f"position {position} is not what was appended: run `anju verify`; nothing was archived"
                )
            block.append((position, hash_))
            written += 1
            if written % _REPORTED == 0:
                progress(f"archiving {leaf.leaf}", written, None)
        await _keep(connection, number, stretches(block, sizes))
        return number, writer.finish(leaf.leaf, leaf.lower, leaf.upper)


def _record(row: Any) -> Record:
    return Record(
        row["notification_id"],
        row["recorded_at"],
        row["originator_id"],
        row["originator_version"],
        row["request_id"],
        row["topic"],
        row["metadata"],
        row["state"],
    )


async def _keep(connection: asyncpg.Connection, archive: int, kept: Iterable[Stretch]) -> None:
    await connection.copy_records_to_table(
        "archive_stretches",
        records=[(archive, one.first, one.last, one.hash, b"".join(one.roots)) for one in kept],
        columns=["archive", "first", "last", "hash", "roots"],
    )


async def _take_off(
    connection: asyncpg.Connection, leaf: Leaf, written: tuple[int, Manifest], path: Path
) -> None:
    number, manifest = written
    size, sha256 = await asyncio.to_thread(lambda: (path.stat().st_size, bytes.fromhex(digest(path))))
    await SQL.lock_timeout(connection)
    await SQL.add_archive(
        connection,
        number=number,
        leaf=leaf.leaf,
        lower=leaf.lower,
        upper=leaf.upper,
        rows=manifest.rows,
        first=manifest.first,
        last=manifest.last,
        root=bytes.fromhex(manifest.root),
        file=path.name,
        size=size,
        sha256=sha256,
    )
    await SQL.drop_leaf(connection, leaf=leaf.leaf)


def _archive(row: Any) -> Archive:
    values: dict[str, Any] = {name: row[name] for name in Archive.__struct_fields__}
    return Archive(**values | {"sha256": row["sha256"].hex(), "root": row["root"].hex()})
