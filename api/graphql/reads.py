"""The audit of reads: who looked at what of persons or of the past, and by what right. For privacy officers and auditors."""

from datetime import date, datetime
from enum import StrEnum
from typing import Any, Self
from urllib.parse import urlencode
from uuid import UUID

import strawberry

from api.graphql.context import Info
from api.graphql.lists import Place, page, read_position, site_of
from api.graphql.shown import shown
from api.graphql.sites import Site, sites_of
from api.graphql.together import together
from api.graphql.types import After, AfterPosition, Connection, First, Period, Position
from domain.inquiry import Records
from domain.lifecycle import require_text
from domain.reading import Shown
from projections import period as calendar
from projections import reads
from projections.reads import Kind

strawberry.enum(
    Kind,
    name="ReadKind",
    description="By what right: an inquiry 查询, a lead 线索 that was reviewed, or the reader's role.",
)


@strawberry.enum(
    name="ReadRecords", description="What was looked into, or read: of persons, of the past or of the log."
)
class Looked(StrEnum):
    """What an inquiry or a lead was looked into for, and what readings are of, in one list."""

    PASSES = Records.PASSES
    IMAGES = Records.IMAGES
    VISITORS = Records.VISITORS
    CREDENTIALS = Records.CREDENTIALS
    REPORTER = Shown.REPORTER
    PARTIES = Shown.PARTIES
    CONSENTS = Shown.CONSENTS
    WATCHED = Shown.WATCHED
    SEARCHED = Shown.SEARCHED
    LOOKS = Shown.LOOKS
    EVIDENCE = Shown.EVIDENCE
    PAST = Shown.PAST
    HISTORY = Shown.HISTORY
    REPLAY = Shown.REPLAY
    DIFFERENCE = Shown.DIFFERENCE
    EVENTS = Shown.EVENTS
    PROOF = Shown.PROOF
    EXPORT = Shown.EXPORT
    OPERATION = Shown.OPERATION


BY_POSITION = Place("reads", {"position": read_position})


@strawberry.type(
    description="查阅: somebody looked at records of persons, at the past or at the log. What was searched for is not shown."
)
class Read:
    position: Position = strawberry.field(description="Where it stands in the log.")
    kind: Kind = strawberry.field(description="By what right.")
    ground_id: UUID | None = strawberry.field(
        description="The inquiry, or the lead; null if the role was enough."
    )
    case_number: str | None = strawberry.field(description="案件: the case of the inquiry or the lead.")
    purpose: str | None = strawberry.field(
        description="What the reader said, or that of the inquiry; a lead has the one of its watch entry."
    )
    decided_by: str | None = strawberry.field(description="Who answers for the right, by staff number.")
    looked_by: str = strawberry.field(description="Who looked, by staff number.")
    looked_at: datetime = strawberry.field(description="When, by the clock.")
    looked_on: date = strawberry.field(description="The calendar day in Asia/Shanghai.")
    records: Looked = strawberry.field(description="What was looked into, or read.")
    subjects: list[UUID] = strawberry.field(
        description="What was read or found, by ids; none of a lead, and of looks before they were kept."
    )
    asked: str | None = strawberry.field(
        description="The question, where ids do not say what was shown; it names nobody."
    )
    fields: list[str] = strawberry.field(description="Which fields were read; none means all.")
    township: str | None = strawberry.field(
        description="镇街: where what was read lies; null of an inquiry or a lead, and of the whole city."
    )
    site_id: UUID | None = strawberry.field(description="小区: the id of the site, if it was of one.")
    since: datetime | None = strawberry.field(description="The records from this time ..")
    until: datetime | None = strawberry.field(description=".. up to, and not at, this one.")
    searched: bool = strawberry.field(description="For one thing, such as a plate; otherwise all was shown.")
    found: int | None = strawberry.field(
        description="How many records were shown; null if that was not known."
    )

    site: Site | None = together(sites_of, description="小区: the site, if it was of one.")

    @classmethod
    def of(cls, row: Any) -> Self:
        """A row of the read model, as it is shown."""
        return shown(cls, row)


@strawberry.type
class Reads:
    """The queries of reads."""

    @strawberry.field(
        description="查阅记录: who looked at what of persons, of the past or of the log, the latest first. To ask is a read too."
    )
    async def reads(
        self,
        info: Info,
        period: Period | None = None,
        person: str | None = None,
        kind: Kind | None = None,
        records: Looked | None = None,
        site: str | None = None,
        ground: UUID | None = None,
        subject: UUID | None = None,
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
            subject=subject,
            site_id=site_of(site),
            period=None if period is None else calendar.Period(period.from_, period.to),
        )
        found = await page(
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
        asked = {"person": person, "kind": kind, "records": records, "site": site, "ground": ground}
        if period is not None:
            asked |= {"from": period.from_.isoformat(), "to": period.to.isoformat()}
        await info.context.record_read(
            Shown.LOOKS,
            [] if subject is None else [subject],
            place=reader.scope,
            asked=urlencode({name: value for name, value in asked.items() if value is not None}) or "all",
            found=len(found.edges),
        )
        return found
