"""Sites of the programme: how far each has come, its gates, measures and households."""

from collections.abc import Iterable, Sequence
from datetime import date, datetime
from typing import Any, Self
from uuid import UUID

import asyncpg
import strawberry

from api.graphql.context import Context, Info
from api.graphql.lists import Place, code_of, one, page, read_code
from api.graphql.shown import shown
from api.graphql.together import together
from api.graphql.types import After, AfterPosition, Connection, DeviceHealth, First, Position
from domain.credentials import CredentialKind
from domain.observation import require_code
from domain.people import Scope
from domain.site import Direction, GateMode, Measure, SiteState, site_id
from projections import devices, sites

BY_CODE = Place("sites", {"code": read_code})


@strawberry.type(description="出入口: a way into a site, or out of it.")
class SiteGate:
    code: str = strawberry.field(description="Unique within its site.")
    name: str = strawberry.field(description="What people call it.")
    mode: GateMode = strawberry.field(description="Whom it stops.")
    direction: Direction = strawberry.field(description="Which way people pass.")
    credentials: list[CredentialKind] = strawberry.field(description="凭证: by what people are known at it.")
    added_at: datetime = strawberry.field(description="When it was written down.")


@strawberry.type(description="技防设施: a measure of the programme that works at a site.")
class InstalledMeasure:
    measure: Measure = strawberry.field(description="What was installed.")
    gate: str | None = strawberry.field(description="The gate it works at; null: for the whole site.")
    installed_at: datetime = strawberry.field(description="Since when it works.")


@strawberry.type(description="户数: one count of a site's households.")
class HouseholdCount:
    counts_from: date = strawberry.field(description="The day from which it is so.")
    counted_at: datetime = strawberry.field(description="When it was written down.")
    households: int = strawberry.field(description="户数: how many households.")
    buildings: int | None = strawberry.field(
        description="楼栋: how many buildings; null if they were not counted."
    )
    position: Position = strawberry.field(description="Where it stands in the log.")


async def _health(
    connection: asyncpg.Connection, scope: Scope, _sites: list[UUID]
) -> dict[UUID, devices.Health]:
    return await devices.health_by_site(connection, scope)


async def _gates(context: Context, rows: "Sequence[Site]") -> list[list[SiteGate]]:
    found = await context.found(sites.gates, [row.id for row in rows])
    return [[shown(SiteGate, gate) for gate in found.get(row.id, ())] for row in rows]


async def _measures(context: Context, rows: "Sequence[Site]") -> list[list[InstalledMeasure]]:
    found = await context.found(sites.installed, [row.id for row in rows])
    return [[shown(InstalledMeasure, one) for one in found.get(row.id, ())] for row in rows]


async def _counts(context: Context, rows: "Sequence[Site]") -> list[list[HouseholdCount]]:
    found = await context.found(sites.counts, [row.id for row in rows])
    return [[shown(HouseholdCount, count) for count in found.get(row.id, ())] for row in rows]


async def _devices(context: Context, rows: "Sequence[Site]") -> list[DeviceHealth | None]:
    context.allow("read.devices")
    found = await context.found(_health, [row.id for row in rows])
    return [DeviceHealth.of(found[row.id]) if row.id in found else None for row in rows]


@strawberry.type(description="小区/社区/村居: a site of the programme 平安小区.")
class Site:
    id: UUID = strawberry.field(description="It follows from the code.")
    code: str = strawberry.field(description="What it is called in queries, messages and cursors.")
    name: str = strawberry.field(description="What people call it.")
    township: str = strawberry.field(description="镇街: the township's code.")
    state: SiteState = strawberry.field(description="建设状态: how far it has come in the programme.")
    households: int | None = strawberry.field(
        description="户数: as last counted; null before the first count."
    )
    buildings: int | None = strawberry.field(description="楼栋: as last counted.")
    counted_from: date | None = strawberry.field(description="From which day the last count is so.")
    planned_at: datetime = strawberry.field(description="When the programme took it in.")
    construction_started_at: datetime | None = strawberry.field(description="在建: when work began.")
    accepted_at: datetime | None = strawberry.field(description="验收: when it was found good.")
    inspector: str | None = strawberry.field(description="Who found it good, by staff number.")
    operating_at: datetime | None = strawberry.field(description="When it went live.")
    version: int = strawberry.field(description="Pass it as `expectedVersion` to change what you have seen.")
    position: Position = strawberry.field(description="The log position of its latest event.")

    gates: list[SiteGate] = together(_gates, description="出入口: its gates, by code.")
    measures: list[InstalledMeasure] = together(
        _measures, description="技防设施: what is installed, and where."
    )
    household_counts: list[HouseholdCount] = together(
        _counts, description="户数: every count there was, by the day from which it is so."
    )
    devices: DeviceHealth | None = together(
        _devices, description="设备: how many of its devices are well; null if it has none."
    )

    @classmethod
    def of(cls, row: Any) -> Self:
        """A row of the read model, as it is shown."""
        return shown(cls, row, id=row["site_id"])


async def sites_of(context: Context, rows: Iterable[Any]) -> list[Site | None]:
    """The site of each row, by its `site_id`; None if it has none, or none that the person asking may see."""
    places = [row.site_id for row in rows]
    wanted = [place for place in places if place is not None]
    if not wanted:
        return [None for _ in places]
    context.allow("read.sites")
    found = {place: Site.of(row) for place, row in (await context.found(sites.some, wanted)).items()}
    return [found.get(place) for place in places]


@strawberry.type
class AtSite:
    """What lies at a site."""

    site_id: UUID = strawberry.field(description="小区: the id of the site.")
    site: Site | None = together(sites_of, description="小区: the site where it is.")


@strawberry.type
class Sites:
    """The queries of sites."""

    @strawberry.field(description="小区: one site by its code, or null if there is none that you may see.")
    async def site(self, info: Info, code: str, after_position: AfterPosition = None) -> Site | None:
        person = info.context.allow("read.sites")
        wanted = site_id(require_code(code, "site"))

        async def read(connection: asyncpg.Connection) -> Any | None:
            return next(iter((await sites.some(connection, person.scope, [wanted])).values()), None)

        return await one(info, Site, read, projection="sites", after_position=after_position)

    @strawberry.field(description="平安小区: the sites of the programme, by code.")
    async def sites(
        self,
        info: Info,
        status: SiteState | None = None,
        township: str | None = None,
        measure: Measure | None = None,
        first: First = 50,
        after: After = None,
        after_position: AfterPosition = None,
    ) -> Connection[Site]:
        person = info.context.allow("read.sites")
        wanted = sites.SiteFilter(state=status, township=code_of(township, "township"), measure=measure)
        return await page(
            info,
            Site,
            BY_CODE,
            lambda connection, size, beyond: sites.listed(
                connection, person.scope, wanted, first=size, after=beyond and beyond[0]
            ),
            projection="sites",
            first=first,
            after=after,
            after_position=after_position,
        )
