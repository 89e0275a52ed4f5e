"""Prove that an archive's rows are those that were taken off, and bring them back."""

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg

from adapters.archive import SQL, Progress, owning
from adapters.archive_file import ArchiveFile, Row
from adapters.files import digest
from domain.errors import AnjuError, CorruptError, NotFoundError
from domain.retention import Summary

_REPORTED = 5000  # rows between two reports
_COLUMNS = [
    "notification_id",
    "originator_id",
    "originator_version",
    "topic",
    "category",
    "recorded_at",
    "request_id",
    "metadata",
    "state",
    "hash",
]


@dataclass(frozen=True, slots=True)
class Checked:
    """An archive, and what is wrong with its file: None if every row in it is what was taken off the log."""

    leaf: str
    file: str
    rows: int
    problem: str | None


async def attach(database_url: str, path: Path, progress: Progress) -> int:
    """Bring the rows of the archive `path` back into the log, in one transaction; how many.

    NotFoundError: this log has no such leaf in an archive. CorruptError: the file is not what was archived.
    """
    file = await asyncio.to_thread(ArchiveFile, path)
    manifest = file.manifest
    async with owning(database_url, f"{path.name} was not attached") as connection, connection.transaction():
        archive = await SQL.archive_of(connection, leaf=manifest.leaf)
        if archive is None:
            await asyncio.to_thread(file.require_whole)
            raise NotFoundError(f"no leaf {manifest.leaf} was taken off this log: it has no use for {path}")
        kept = await connection.fetch(SQL.stretches.sql, archive["number"])
        await asyncio.to_thread(_require_same, file, archive)
        leaf, lower, upper = archive["leaf"], archive["lower"], archive["upper"]
        await SQL.create_leaf(connection, leaf=leaf, lower=lower, upper=upper)
        rows = reported(proven(file, archive, kept), f"attaching {leaf}", archive["rows"], progress)
        await connection.copy_records_to_table(leaf, records=(_stored(row) for row in rows), columns=_COLUMNS)
        await SQL.add_return(connection, archive=archive["number"])
        return int(archive["rows"])


async def check(
    connection: asyncpg.Connection, directory: Path, progress: Progress = lambda *_: None
) -> list[Checked]:
    """Recompute the rows of every archive that is not in the log, from its file in `directory`."""
    checked = []
    for archive in [row async for row in SQL.detached(connection)]:
        kept = await connection.fetch(SQL.stretches.sql, archive["number"])
        problem = await asyncio.to_thread(_problem, directory / archive["file"], archive, kept, progress)
        checked.append(Checked(archive["leaf"], archive["file"], archive["rows"], problem))
    return checked


def _problem(path: Path, archive: Any, kept: Sequence[Any], progress: Progress) -> str | None:
    try:
        file = ArchiveFile(path)
        for _ in reported(proven(file, archive, kept), f"checking {path.name}", archive["rows"], progress):
            pass
        _require_same(file, archive)
    except AnjuError as error:
        return str(error)
    return None


def proven(file: ArchiveFile, archive: Any, kept: Sequence[Any]) -> Iterator[Row]:
    """The file's rows, as long as they are those of `archive`, of which the log `kept` stretches (in order). CorruptError."""
    left = iter(kept)
    expected, stretch = 0, None
    summary = Summary()
    for row in file.rows():
        position = row.record.position
        if stretch is None:
            stretch = next(left, None)
            expected = stretch["first"] if stretch else 0
        if stretch is None or position != expected:
            raise CorruptError(
                f"{file.path} is not what was archived: position {position} stands where {expected or 'nothing'} should"
            )
        if position == stretch["last"]:
            if row.hash != stretch["hash"]:
                raise CorruptError(
                    f"{file.path} is not what was archived: a row in positions {stretch['first']} to {position} was altered"
                )
            stretch = None
        expected += 1
        summary.add(row.hash)
        yield row
    if stretch is not None or next(left, None) is not None:
        raise CorruptError(f"{file.path} is not what was archived: rows are missing at its end")
    if summary.root != archive["root"]:
        raise CorruptError(f"{file.path} is not what was archived: its Merkle root differs")


def reported(rows: Iterator[Row], what: str, total: int, progress: Progress) -> Iterator[Row]:
    """`rows`, telling `progress` now and then."""
    for number, row in enumerate(rows, start=1):
        if number % _REPORTED == 0:
            progress(what, number, total)
        yield row


def _require_same(file: ArchiveFile, archive: Any) -> None:
    if digest(file.path) != archive["sha256"].hex():
        raise CorruptError(
            f"{file.path} is not what was archived (its SHA-256 differs): use another copy of it"
        )


def _stored(row: Row) -> tuple[object, ...]:
    record = row.record
    return (
        record.position,
        record.originator_id,
        record.originator_version,
        record.topic,
        record.topic.partition(".")[0],
        record.recorded_at,
        record.request_id,
        record.metadata,
        record.state,
        row.hash,
    )
