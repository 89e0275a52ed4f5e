"""The audit of reads: who looked at what of persons, and by what right. For privacy officers and auditors."""

from datetime import date, datetime
from typing import Any, Self
from uuid import UUID

import strawberry

from api.graphql.context import Info
from api.graphql.lists import Place, page, read_position, shown, site_of
from api.graphql.sites import AtSite
from api.graphql.types import After, AfterPosition, Connection, First, Period, Position
from domain.inquiry import Records
from domain.lifecycle import require_text
from projections import period as calendar
from projections import reads
from projections.reads import Kind

strawberry.enum(
    Kind, name="ReadKind", description="By what right: an inquiry 查询, or a lead 线索 that was reviewed."
)

BY_POSITION = Place("reads", {"position": read_position})


@strawberry.type(
    description="查阅: somebody looked at records of persons. What was searched for is not shown."
)
class Read(AtSite):
    position: Position = strawberry.field(description="Where it stands in the log.")
    kind: Kind = strawberry.field(description="By what right.")
    ground_id: UUID = strawberry.field(description="The inquiry, or the lead.")
    case_number: str = strawberry.field(description="案件: the case.")
    purpose: str | None = strawberry.field(
        description="Of the inquiry; a lead has the one of its watch entry."
    )
    decided_by: str | None = strawberry.field(description="Who answers for the right, by staff number.")
    looked_by: str = strawberry.field(description="Who looked, by staff number.")
    looked_at: datetime = strawberry.field(description="When, by the clock.")
    looked_on: date = strawberry.field(description="The calendar day in Asia/Shanghai.")
    records: Records = strawberry.field(description="What was looked into.")
    since: datetime | None = strawberry.field(description="The records from this time ..")
    until: datetime | None = strawberry.field(description=".. up to, and not at, this one.")
    searched: bool = strawberry.field(description="For one thing, such as a plate; otherwise all was shown.")
    found: int = strawberry.field(description="How many records were shown.")

    @classmethod
    def of(cls, row: Any) -> Self:
        """A row of the read model, as it is shown."""
        return shown(cls, row)


@strawberry.type
class Reads:
    """The queries of reads."""

    @strawberry.field(description="查阅记录: who looked at what of persons, the latest first.")
    async def reads(
        self,
        info: Info,
        period: Period | None = None,
        person: str | None = None,
        kind: Kind | None = None,
        records: Records | None = None,
        site: str | None = None,
        ground: UUID | None = None,
        first: First = 50,
        after: After = None,
        after_position: AfterPosition = None,
    ) -> Connection[Read]:
        reader = info.context.allow("read.looks")
        wanted = reads.LookFilter(
            scope=reader.scope,
            ground_id=ground,
            kind=kind,
            looked_by=None if person is None else require_text(person, "person", 100),
            records=records,
            site_id=site_of(site),
            period=None if period is None else calendar.Period(period.from_, period.to),
        )
        return await page(
            info,
            Read,
            BY_POSITION,
            lambda connection, size, beyond: reads.looks(
                connection, wanted, first=size, after=beyond and beyond[0]
            ),
            projection="reads",
            first=first,
            after=after,
            after_position=after_position,
        )
