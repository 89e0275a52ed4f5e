"""Count and write a report: one look at the read models, however long the writing takes."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence

import asyncpg

from adapters.database import LOST
from api.reports.asked import Asked
from domain.errors import UnavailableError
from projections.report import Report, Row

Build = Callable[[asyncpg.Connection, Asked], Awaitable[Report]]
Page = Callable[[int], Awaitable[Sequence[Row]]]
"""The rows beyond a log position, which is their second column; none at the end."""


async def produce(pool: asyncpg.Pool, build: Build, asked: Asked, write: Callable[[Report], None]) -> None:
    """Build the report in one snapshot of the database, and write it in a thread of its own.

    UnavailableError if the database is lost. `write` tells what it cannot do in our own errors, as api.reports.files does.
    """
    try:
        async with (
            pool.acquire() as connection,
            connection.transaction(isolation="repeatable_read", readonly=True),
        ):
            report = await build(connection, asked)
            await asyncio.to_thread(write, report)
    except LOST as error:
        raise UnavailableError(
            f"the report cannot be counted: the database does not answer ({error})"
        ) from error


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
