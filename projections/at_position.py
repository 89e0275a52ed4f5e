"""Figures as they were known at a position of the log: the same statements, asked of the read models as they were then.

The schema `at_position` shows them so, under their own names; it comes before `public` in the search path of one transaction.
"""

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import aiosql
import asyncpg

from domain.errors import UnavailableError
from projections import alarms, closure, disputes, gate_traffic, sites
from projections.question import Question
from projections.runner import OutdatedError, Projection, outdated
from projections.snapshot import snapshot

SQL: Any = aiosql.from_path(Path(__file__).with_suffix(".sql"), "asyncpg", mandatory_parameters=False)
_Q = TypeVar("_Q", bound=Question)
COUNTED_FROM = (
    closure.PROJECTION,
    disputes.PROJECTION,
    alarms.PROJECTION,
    gate_traffic.PROJECTION,
    sites.PROJECTION,
)
"""The read models that the schema shows, and every figure is counted from."""


async def known(connection: asyncpg.Connection, question: _Q, position: int) -> _Q:
    """`question` about what was known at `position`, to which the log has to reach. Its now is when that was written."""
    recorded = await SQL.recorded(connection, position=position)
    return replace(question, at_position=position, now=recorded or question.now)


@asynccontextmanager
async def then(
    connection: asyncpg.Connection, position: int | None, reads: Iterable[Projection] = COUNTED_FROM
) -> AsyncIterator[None]:
    """Inside, figures that are counted from `reads` are those that were known at `position`; None: as ever.

    OutdatedError if a read model has to be rebuilt first; UnavailableError of passes that are in an archive.
    """
    if position is None:
        yield
        return
    read = {projection.name: projection for projection in reads}
    async with snapshot(connection, [table for one in read.values() for table in one.tables]):
        async for name, version in SQL.versions(connection, names=list(read)):
            if version != read[name].version:
                raise OutdatedError(outdated(read[name], version))
        await SQL.go_back(connection, position=str(position))
        if gate_traffic.PROJECTION.name in read:
            await _require_passes(connection)
        yield


async def _require_passes(connection: asyncpg.Connection) -> None:
    if (archived := await SQL.archived_passes(connection)) is not None:
        raise UnavailableError(
            f"passes at position {archived} of the log and beyond are in an archive: bring them back with `anju archive attach`, "
            "or ask without atPosition"
        )
