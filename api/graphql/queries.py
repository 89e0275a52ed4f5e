"""Queries: read models, within the scope of the person asking."""

from datetime import datetime
from uuid import UUID

import strawberry

from api.graphql import types
from api.graphql.alarms import Alarms
from api.graphql.audit import Audit
from api.graphql.centres import Centres
from api.graphql.context import Info
from api.graphql.devices import Devices
from api.graphql.disputes import Disputes
from api.graphql.figures import AsOf, Figures
from api.graphql.labels import Labels
from api.graphql.leads import Leads
from api.graphql.reads import Reads
from api.graphql.registers import Registers
from api.graphql.sites import Sites
from api.graphql.visitors import Visitors
from domain import policy
from domain.access import Decision
from domain.lifecycle import require_aware
from domain.observation import require_code
from domain.site import site_id
from projections import gate_traffic, incidents, status


def _site(code: str | None) -> UUID | None:
    return None if code is None else site_id(require_code(code, "site"))


def _code(value: str | None, what: str) -> str | None:
    return None if value is None else require_code(value, what)


def _moment(at: datetime | None) -> datetime | None:
    return None if at is None else require_aware(at)


def _reported_at(text: str) -> datetime:
    return require_aware(datetime.fromisoformat(text))


@strawberry.type(description="What can be asked.")
class Query(
    Figures, Sites, Centres, Devices, Alarms, Disputes, Visitors, Leads, Reads, Registers, Audit, Labels
):
    """What can be asked."""

    @strawberry.field(description="One incident as it stands now, or null if there is none that you may see.")
    async def incident(
        self,
        info: Info,
        id: UUID,
        after_position: types.AfterPosition = None,
    ) -> types.Incident | None:
        person = info.context.allow("read.incidents")
        await info.context.caught_up("incidents", after_position)
        async with info.context.reading() as connection:
            row = await incidents.one(connection, incidents.Reader.of(person), id)
        return None if row is None else types.Incident.of(row)

    @strawberry.field(description="Incidents, newest report first.")
    async def incidents(
        self,
        info: Info,
        filter: types.IncidentFilter | None = None,
        first: types.First = 50,
        after: types.After = None,
        after_position: types.AfterPosition = None,
    ) -> types.Connection[types.Incident]:
        person = info.context.allow("read.incidents")
        size = types.page_size(first)
        asked = filter or types.IncidentFilter()
        wanted = incidents.IncidentFilter(
            states=asked.state and [asked.state],
            site_id=_site(asked.site),
            township=_code(asked.township, "township"),
            category=_code(asked.category, "category"),
            reported_from=_moment(asked.reported_from),
            reported_until=_moment(asked.reported_until),
        )
        beyond = None if after is None else types.parts_of(after, _reported_at, UUID)
        await info.context.caught_up("incidents", after_position)
        async with info.context.reading() as connection:
            rows = await incidents.listed(
                connection, incidents.Reader.of(person), wanted, first=size + 1, after=beyond
            )
        nodes = [
            (types.Incident.of(row), types.cursor(row.reported_at.isoformat(), row.incident_id))
            for row in rows
        ]
        return types.Connection[types.Incident].of(nodes, size)

    @strawberry.field(description="Passes through the gates of a site (by its code), in stretches of time.")
    async def gate_traffic(
        self,
        info: Info,
        site: str,
        period: types.Period,
        by: types.Unit = types.Unit.HOUR,
        as_of: AsOf = None,
        after_position: types.AfterPosition = None,
    ) -> list[types.GateTraffic]:
        person = info.context.allow("read.figures")
        place = await info.context.site(site)
        policy.require_place(person, place)
        start, end = period.checked().moments()
        until = None if as_of is None else types.Period(from_=as_of, to=as_of).moments()[1]
        await info.context.caught_up("gate_traffic", after_position)
        async with info.context.reading() as connection:
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
