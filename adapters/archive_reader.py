"""Read positions whose rows lie in archives: from the files, which must be those that were taken off."""

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import asyncpg

from adapters.archive import SQL
from adapters.archive_file import ArchiveFile
from adapters.database import refusals
from adapters.files import digest
from domain.errors import CorruptError, NotFoundError, UnavailableError

Range = tuple[int, int]
_COLUMNS = ("topic", "recorded_at", "metadata", "state")


class ArchiveReader:
    """Looks for archives in `directory`; without one, what is archived is out of reach. A file is proved once, when it is opened."""

    def __init__(self, pool: asyncpg.Pool, directory: Path | None) -> None:
        self._pool = pool
        self._directory = directory
        self._open: dict[int, ArchiveFile] = {}

    async def stretches(self, after: int, through: int) -> list[Range]:
        """The stretches (first, last) of archived positions from `after` + 1 to `through`, in order; the ends may lie beyond."""
        rows = await self._fetch(SQL.stretches_over.sql, after + 1, through)
        return [(row["first"], row["last"]) for row in rows]

    async def rows(self, after: int, through: int, topics: frozenset[str]) -> list[Mapping[str, object]]:
        """The archived rows of `topics` at these positions, with the columns that the log reads. UnavailableError names the file."""
        wanted = {topic.partition(".")[0] for topic in topics}
        found: list[Mapping[str, object]] = []
        for archive in await self._fetch(SQL.archives_over.sql, after + 1, through):
            if wanted.isdisjoint(archive["categories"]):
                continue  # a leaf has events of its own categories only: none of these topics is in it
            file = await self._file(archive, after, through)
            found += await asyncio.to_thread(_read, file, after, through, topics)
        return found

    async def _fetch(self, sql: str, *values: object) -> list[Any]:
        with refusals("what is archived cannot be looked up"):
            return list(await self._pool.fetch(sql, *values))

    async def _file(self, archive: Any, after: int, through: int) -> ArchiveFile:
        number, name = archive["number"], archive["file"]
        if number not in self._open:
            if self._directory is None:
                raise UnavailableError(
                    f"rows in positions {after + 1} to {through} are archived in {name}: set ANJU_ARCHIVE_DIR to the folder where "
                    "it is, or bring them back with `anju archive attach`"
                )
            self._open[number] = await asyncio.to_thread(_proved, self._directory / name, archive["sha256"])
        return self._open[number]


def _proved(path: Path, expected: bytes) -> ArchiveFile:
    try:
        file = ArchiveFile(path)
    except NotFoundError as error:
        raise UnavailableError(
            f"an archive is wanted and not there: copy {path.name} into {path.parent} (ANJU_ARCHIVE_DIR), or bring its rows "
            "back with `anju archive attach`"
        ) from error
    if digest(path) != expected.hex():
        raise CorruptError(f"{path} is not what was archived (its SHA-256 differs): use another copy of it")
    return file


def _read(
    file: ArchiveFile, after: int, through: int, topics: frozenset[str]
) -> Sequence[Mapping[str, object]]:
    records = (row.record for row in file.rows(after, through) if row.record.topic in topics)
    return [
        {"notification_id": record.position, **{name: getattr(record, name) for name in _COLUMNS}}
        for record in records
    ]


def reached(after: int, through: int, positions: Sequence[int], stretches: Sequence[Range]) -> int:
    """How far the log goes without a gap from `after`, at most to `through`: over rows at `positions` and archived `stretches`."""
    spans = sorted([*((position, position) for position in positions), *stretches])
    for first, last in spans:
        if first > after + 1 or after >= through:
            break
        after = max(after, min(last, through))
    return after
