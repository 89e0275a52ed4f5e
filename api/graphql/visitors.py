"""Visitors: who is on site now and who is expected, by visit and never by name; of one visit also who it is, read from the log."""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any, Self
from uuid import UUID

import asyncpg
import strawberry

from api.graphql.context import Info
from api.graphql.history import Logged, replayed
from api.graphql.lists import Due, Place, code_of, one, page, read_time, site_of
from api.graphql.shown import shown
from api.graphql.sites import AtSite
from api.graphql.types import After, AfterPosition, Connection, First, Personal, Position
from domain import visitor as domain
from domain.errors import InvalidError
from domain.reading import Shown
from domain.visitor import Requester, VisitorState
from projections import visitors


@strawberry.enum(description="Which visits are listed; who was here before is found by an inquiry 查询 only.")
class Presence(StrEnum):
    ON_SITE = "ON_SITE"  # 在场
    EXPECTED = "EXPECTED"  # 今日预约


PLACES: Mapping[Presence, Place] = {
    Presence.ON_SITE: Place("on-site", {"valid_until": read_time, "visitor_id": UUID}),
    Presence.EXPECTED: Place("expected", {"valid_from": read_time, "visitor_id": UUID}),
}


@strawberry.type(description="访客: one visit. Who the visitor is is not in a list.")
class Visitor(AtSite):
    id: UUID = strawberry.field(description="Its id in the log.")
    township: str = strawberry.field(description="镇街: the township's code.")
    host: UUID = strawberry.field(description="The resident who is visited, by a random id.")
    requester: Requester = strawberry.field(description="预约: who asked for the visit.")
    gates: list[str] = strawberry.field(description="出入口: the gates it is for; none means all.")
    state: VisitorState = strawberry.field(description="访客状态: where the visit stands.")
    overstaying: bool = strawberry.field(
        description="超时未离: the time is over, and the visitor is still inside."
    )
    valid_from: datetime = strawberry.field(description="From when on the visitor may enter.")
    valid_until: datetime = strawberry.field(description="Up to, and not at, this time.")
    uses: int = strawberry.field(description="How often the visitor may enter.")
    entries: int = strawberry.field(description="How often the visitor entered.")
    requested_at: datetime = strawberry.field(description="预约.")
    approved_at: datetime | None = strawberry.field(description="授权: when the host said yes.")
    entered_at: datetime | None = strawberry.field(description="The last time.")
    entered_by: str | None = strawberry.field(description="The gate by which the visitor entered last.")
    left_at: datetime | None = strawberry.field(description="The last time.")
    due: Due | None = strawberry.field(description="时限: what has to be done until the visit ends.")
    version: int = strawberry.field(description="Pass it as `expectedVersion` to change what you have seen.")
    position: Position = strawberry.field(description="The log position of its latest event.")

    @classmethod
    def of(cls, row: Any) -> Self:
        """A row of the read model, as it is shown."""
        return shown(cls, row, id=row["visitor_id"], due=Due.of(row))


@strawberry.type(description="访客: one visit, with who it is and its history.")
class VisitorFile(Visitor, Logged):
    @strawberry.field(description="姓名: of the visitor, as a guard needs it at the gate; read from the log.")
    async def name(self, info: Info) -> Personal | None:
        await info.context.record_read(Shown.VISITORS, [self.id], place=self, fields=["name"])
        found = await replayed(info, domain.Visitor, self.id)
        return None if found is None else Personal.of(found.name)


@strawberry.input(description="Everything given must hold.")
class VisitorFilter:
    site: str | None = strawberry.field(default=None, description="The site's code.")
    township: str | None = strawberry.field(default=None, description="The township's code.")
    overstaying: bool | None = strawberry.field(
        default=None,
        description="超时未离: of those who are on site, those whose time is over, or the others.",
    )


@strawberry.type
class Visitors:
    """The queries of visitors."""

    @strawberry.field(description="访客: one visit, or null if there is none that you may see.")
    async def visitor(self, info: Info, id: UUID, after_position: AfterPosition = None) -> VisitorFile | None:
        person, now = info.context.allow("read.visitor"), info.context.system.now()
        return await one(
            info,
            VisitorFile,
            lambda connection: visitors.one(connection, person.scope, id, now),
            projection="visitors",
            after_position=after_position,
        )

    @strawberry.field(
        description="访客: those on site, whose time ends first; or those who can still come in today, the earliest first."
    )
    async def visitors(
        self,
        info: Info,
        presence: Presence = Presence.ON_SITE,
        filter: VisitorFilter | None = None,
        first: First = 50,
        after: After = None,
        after_position: AfterPosition = None,
    ) -> Connection[Visitor]:
        person, now = info.context.allow("read.visitor"), info.context.system.now()
        asked = filter or VisitorFilter()
        where = visitors.VisitorFilter(
            site_id=site_of(asked.site), township=code_of(asked.township, "township")
        )
        if asked.overstaying is not None and presence is not Presence.ON_SITE:
            raise InvalidError(
                "`overstaying` is asked of those who are on site: ask with `presence: ON_SITE`"
            )

        async def read(connection: asyncpg.Connection, size: int, beyond: Any) -> list[Any]:
            if presence is Presence.EXPECTED:
                return await visitors.expected(connection, person.scope, where, now, first=size, after=beyond)
            return await visitors.on_site(
                connection,
                person.scope,
                where,
                now,
                overstaying=asked.overstaying,
                first=size,
                after=beyond,
            )

        return await page(
            info,
            Visitor,
            PLACES[presence],
            read,
            projection="visitors",
            first=first,
            after=after,
            after_position=after_position,
        )
