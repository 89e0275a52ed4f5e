"""Queries: read models, within the scope of the person asking."""

import strawberry

from api.graphql import types
from api.graphql.alarms import Alarms
from api.graphql.audit import Audit
from api.graphql.centres import Centres
from api.graphql.context import Info
from api.graphql.devices import Devices
from api.graphql.disputes import Disputes
from api.graphql.figures import Figures
from api.graphql.incidents import Incidents
from api.graphql.labels import Labels
from api.graphql.leads import Leads
from api.graphql.mediation import Mediations
from api.graphql.moment import AsOf, AtPosition, caught_up, reading
from api.graphql.open_work import Work
from api.graphql.reads import Reads
from api.graphql.registers import Registers
from api.graphql.safety import Safety
from api.graphql.sites import Sites
from api.graphql.visitors import Visitors
from domain import policy
from domain.access import Decision
from domain.errors import InvalidError
from projections import gate_traffic, status

LARGEST_TRAFFIC = 10_000
"""Stretches of time: a year by the hour."""


@strawberry.type(description="What can be asked.")
class Query(
    Incidents,
    Work,
    Figures,
    Mediations,
    Safety,
    Sites,
    Centres,
    Devices,
    Alarms,
    Disputes,
    Visitors,
    Leads,
    Reads,
    Registers,
    Audit,
    Labels,
):
    """What can be asked."""

    @strawberry.field(description="Passes through the gates of a site (by its code), in stretches of time.")
    async def gate_traffic(
        self,
        info: Info,
        site: str,
        period: types.Period,
        by: types.Unit = types.Unit.HOUR,
        as_of: AsOf = None,
        at_position: AtPosition = None,
        after_position: types.AfterPosition = None,
    ) -> list[types.GateTraffic]:
        person = info.context.allow("read.figures")
        place = await info.context.site(site)
        policy.require_place(person, place)
        start, end = period.checked().moments()
        if (end - start) / by.length > LARGEST_TRAFFIC:
            raise InvalidError(
                f"these are more than {LARGEST_TRAFFIC:,} stretches by {by}: ask for less, or for longer ones"
            )
        until = None if as_of is None else types.Period(from_=as_of, to=as_of).moments()[1]
        reads = (gate_traffic.PROJECTION,)
        await caught_up(info, reads, as_of, at_position, after_position)
        async with reading(info, at_position, reads) as connection:
            rows = await gate_traffic.traffic(
                connection, site_id=place.id, start=start, end=end, unit=by.value.lower(), until=until
            )
        return [
            types.GateTraffic(
                start=row["start"], gate=row["gate"], decision=Decision(row["decision"]), passes=row["passes"]
            )
            for row in rows
        ]

    @strawberry.field(description="How far the log and its read models are.")
    async def system_status(self, info: Info) -> types.SystemStatus:
        info.context.allow("read.system")
        system = info.context.system
        async with info.context.reading() as connection:
            rows = await status.statuses(connection)
        return types.SystemStatus(
            position=types.Position(await system.log.position()),
            projections=[types.ProjectionStatus.of(row) for row in rows],
        )
