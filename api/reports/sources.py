"""The reports there are, each with where its figures come from."""

import asyncpg

from api.reports import closure, gates, mediation, safety
from api.reports.asked import Asked, Name
from api.reports.build import build, trace
from api.reports.produce import Build
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


def builder(lineage: str | None) -> Build:
    """What makes a report; with `lineage`, what that count was counted from."""

    async def made(connection: asyncpg.Connection, asked: Asked) -> Report:
        source = SOURCES[asked.name]
        read = {*source.reads, *ALWAYS}
        await hold(connection, [table for name in read for table in PROJECTIONS[name].tables])
        if lineage is None:
            return await build(connection, source, asked)
        return await trace(connection, source, asked, lineage)

    return made
