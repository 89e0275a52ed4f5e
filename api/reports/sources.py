"""The reports there are, each with where its figures come from."""

import asyncpg

from api.reports import closure, gates, mediation, safety
from api.reports.asked import Asked, Name
from api.reports.build import build, trace
from api.reports.produce import Build
from projections.report import Report

SOURCES = {
    Name.CLOSURE: closure.SOURCE,
    Name.SAFETY: safety.SOURCE,
    Name.MEDIATION: mediation.SOURCE,
    Name.GATES: gates.SOURCE,
}


def builder(lineage: str | None) -> Build:
    """What makes a report; with `lineage`, what that count was counted from."""

    async def made(connection: asyncpg.Connection, asked: Asked) -> Report:
        source = SOURCES[asked.name]
        if lineage is None:
            return await build(connection, source, asked)
        return await trace(connection, source, asked, lineage)

    return made
