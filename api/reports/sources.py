"""The reports there are, each with where its figures come from."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import asyncpg

from api.reports import closure, gates, mediation, safety
from api.reports.asked import Asked, Name
from api.reports.build import Counted, build, require_lineage, trace
from api.reports.produce import Build
from projections import runner
from projections.all import PROJECTIONS
from projections.report import Report
from projections.snapshot import hold

SOURCES = {
    Name.CLOSURE: closure.SOURCE,
    Name.SAFETY: safety.SOURCE,
    Name.MEDIATION: mediation.SOURCE,
    Name.GATES: gates.SOURCE,
}
ALWAYS = ("sites",)
"""What every report reads: it names sites by their codes."""


class Standing(NamedTuple):
    """Which tables of a projection were read, and how far of the log they had."""

    projection: str
    version: int
    position: int


def require_known(asked: Asked, lineage: str | None = None) -> None:
    """InvalidError if something is asked of a report that it does not know."""
    source = SOURCES[asked.name]
    asked.require_known(source.narrows, source.groups)
    if lineage is not None:
        require_lineage(source, asked, lineage)


def reads(name: Name) -> list[str]:
    """The projections that a report reads."""
    return sorted({*SOURCES[name].reads, *ALWAYS})


def builder(
    lineage: str | None,
    *,
    standing: Callable[[Sequence[Standing]], None] = lambda _standings: None,
    counted: Counted = lambda _share: None,
) -> Build:
    """What makes a report; with `lineage`, what that count was counted from. `standing` is told first what it is counted from."""

    async def made(connection: asyncpg.Connection, asked: Asked) -> Report:
        require_known(asked)
        names = reads(asked.name)
        await hold(connection, [table for name in names for table in PROJECTIONS[name].tables])
        standing([await _standing(connection, name) for name in names])
        source = SOURCES[asked.name]
        if lineage is None:
            return await build(connection, source, asked, counted)
        return await trace(connection, source, asked, lineage)

    return made


async def _standing(connection: asyncpg.Connection, name: str) -> Standing:
    row = await runner.SQL.stands(connection, name=name)
    return Standing(name, row["version"], row["position"]) if row else Standing(name, 0, 0)
