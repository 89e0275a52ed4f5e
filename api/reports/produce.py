"""Count and write a report: one look at the read models, however long the writing takes."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from concurrent.futures import Executor
from dataclasses import replace
from threading import Event
from typing import overload

import asyncpg

from adapters.database import LOST
from api.reports.asked import Asked
from domain.errors import UnavailableError
from projections.reading import reading
from projections.report import Report, Row, Section

Build = Callable[[asyncpg.Connection, Asked], Awaitable[Report]]
Page = Callable[[int], Awaitable[Sequence[Row]]]
"""The rows beyond a log position, which is their second column; none at the end."""
Written = Callable[[Report, Row], None]
"""Told, in the thread that writes, of each row that is written."""


async def produce(
    pool: asyncpg.Pool,
    build: Build,
    asked: Asked,
    write: Callable[[Report], None],
    *,
    written: Written = lambda _report, _row: None,
    executor: Executor | None = None,
) -> None:
    """Build the report in one snapshot of the database, and write it in a thread of its own (of `executor`).

    UnavailableError if the database is lost, or a read model must be rebuilt. `write` tells what it cannot do in our own errors, as api.reports.files does. When this
    is cancelled, the thread stops at its next row: nothing reads the connection or writes the file once this has ended.
    """
    try:
        async with (
            reading(pool) as connection,
            connection.transaction(isolation="repeatable_read", readonly=True),
        ):
            report = await build(connection, asked)
            stopped = Event()

            def each(row: Row) -> Row:
                if stopped.is_set():
                    raise _StoppedError
                written(report, row)
                return row

            watched = tuple(replace(section, rows=_watched(section, each)) for section in report.sections)
            loop = asyncio.get_running_loop()
            writing = loop.run_in_executor(executor, write, replace(report, sections=watched))
            try:
                await asyncio.shield(writing)
            except asyncio.CancelledError:
                stopped.set()
                await asyncio.gather(writing, return_exceptions=True)
                raise
    except LOST as error:
        raise UnavailableError(
            f"the report cannot be counted: the database does not answer ({error})"
        ) from error


class _StoppedError(Exception):
    """Nobody wants what is being written."""


class _Rows(Sequence[Row]):
    """Rows that are all here, each handed on through `each`."""

    def __init__(self, rows: Sequence[Row], each: Callable[[Row], Row]) -> None:
        self._rows = rows
        self._each = each

    def __len__(self) -> int:
        return len(self._rows)

    @overload
    def __getitem__(self, index: int) -> Row: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Row]: ...
    def __getitem__(self, index: int | slice) -> Row | Sequence[Row]:
        return self._rows[index]

    def __iter__(self) -> Iterator[Row]:
        return map(self._each, self._rows)


def _watched(section: Section, each: Callable[[Row], Row]) -> Sequence[Row] | Iterator[Row]:
    """A writer may ask whether all rows are here: so what is a sequence stays one."""
    rows = section.rows
    return _Rows(rows, each) if isinstance(rows, Sequence) else map(each, rows)


def paged(page: Page) -> Iterator[Row]:
    """All rows, a page at a time, for a writer in another thread than the running loop's."""
    loop = asyncio.get_running_loop()

    def rows() -> Iterator[Row]:
        after = 0
        while found := asyncio.run_coroutine_threadsafe(_read(page, after), loop).result():
            yield from found
            after = int(found[-1][1])  # type: ignore[arg-type]  # a position

    return rows()


async def _read(page: Page, after: int) -> Sequence[Row]:
    try:
        return await page(after)
    except LOST as error:  # not a fault of the file that is written
        raise UnavailableError(
            f"the report cannot be counted: the database does not answer ({error})"
        ) from error
