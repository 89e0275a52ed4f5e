"""What is shown of an incident. Whatever is read beside its row is read for a whole list at once (`together.py`)."""

from dataclasses import fields
from datetime import datetime
from operator import attrgetter
from typing import Any, Self, cast
from uuid import UUID

import strawberry

from api.graphql import incident_history as history
from api.graphql.context import Info
from api.graphql.details import Details
from api.graphql.incident_history import Deadline, Evidence, TimelineEntry
from api.graphql.sites import Site, sites_of
from api.graphql.together import together
from api.graphql.types import Personal, Position
from domain.deadlines import Urgency
from domain.errors import ForbiddenError
from domain.incident import IncidentState, Leg, Source
from domain.mechanisms import JointMechanism
from domain.reading import Shown
from projections.standing import Standing

strawberry.enum(Leg, description="How far a unit is with its part.")


@strawberry.type(description="A unit that takes part.")
class Part:
    unit: str = strawberry.field(description="The unit.")
    lead: bool = strawberry.field(description="主办: it leads; false: it assists 协办.")
    leg: Leg = strawberry.field(description="How far it is.")


@strawberry.type(
    description="事件: something reported to a governance centre, and what became of it. Asked for as of a moment, all of it is of then."
)
class Incident:
    id: UUID = strawberry.field(description="By which it is asked for.")
    site_id: UUID = strawberry.field(description="The site where it is.")
    township: str = strawberry.field(description="乡镇街道: the code of its township.")
    category: str = strawberry.field(description="类别: its code.")
    source: Source = strawberry.field(description="来源: who or what reported it.")
    description: str | None = strawberry.field(
        description="What was reported; null if it is confidential 保密 and you may not see it."
    )
    confidential: bool = strawberry.field(description="保密: who may see what is said in it is limited.")
    state: IncidentState = strawberry.field(description="状态: where it stands.")
    urgency: Urgency = strawberry.field(description="紧急程度: how soon it has to be dealt with.")
    lead_unit: str | None = strawberry.field(description="主办: the unit that answers for it.")
    level: int = strawberry.field(description="上报: the level it was taken to, 0 to 3.")
    supervised: bool = strawberry.field(description="督办: a supervisor watches it.")
    parked: bool = strawberry.field(description="挂账: nothing can be done for now.")
    round: int = strawberry.field(
        description="1, and one more for every failed verification 返工 and every reopening 重开."
    )
    extensions: int = strawberry.field(description="延期: how often more time was granted.")
    extension_until: datetime | None = strawberry.field(
        description="申请延期: until when more time is asked for, if that is not decided yet."
    )
    returns: int = strawberry.field(description="退单: how often a unit gave it back.")
    reopenings: int = strawberry.field(description="重开: how often it was reopened.")
    mechanism: JointMechanism | None = strawberry.field(
        description="六联: under which of the six it is worked on."
    )
    merged_into: UUID | None = strawberry.field(description="并案: the incident in which it goes on.")
    due_name: str | None = strawberry.field(description="The deadline that is next; null if nothing is due.")
    due_at: datetime | None = strawberry.field(description="Until when that has to be done.")
    overdue: list[str] = strawberry.field(
        description="超期: the names of all deadlines of it that ever passed."
    )
    occurred_at: datetime = strawberry.field(description="When the matter happened.")
    reported_at: datetime = strawberry.field(description="上报: when it was reported.")
    dispatched_at: datetime | None = strawberry.field(description="分流交办: when it was dispatched last.")
    closed_at: datetime | None = strawberry.field(
        description="办结: when it was closed; null while it is open, also again."
    )
    version: int = strawberry.field(description="Pass it as `expectedVersion` to change what you have seen.")
    position: Position = strawberry.field(description="The log position of its latest event.")
    row: strawberry.Private[Standing]

    site: Site | None = together(
        sites_of, description="The site where it is; null until its read model knows it."
    )
    deadlines: list[Deadline] = together(
        history.deadlines, description="What has to be done until when, the earliest first."
    )
    timeline: list[TimelineEntry] = together(
        history.timelines, description="Every event of its history, oldest first."
    )
    last_event: TimelineEntry = together(history.last_events, description="Its latest event.")
    evidence: list[Evidence] | None = together(
        history.evidence,
        description="取证: pictures and documents, oldest first; null if it is confidential 保密 and you may not see them.",
    )
    duplicates: list[UUID] = together(
        history.duplicates, description="并案: the incidents that were merged into this one."
    )
    dispute_ids: list[UUID] = together(history.dispute_ids, description="转矛盾纠纷: the disputes behind it.")

    @strawberry.field(description="The units that take part, the lead unit first.")
    def units(self) -> list[Part]:
        parts = [
            Part(unit=unit, lead=unit == self.lead_unit, leg=Leg(leg)) for unit, leg in self.row.legs.items()
        ]
        return sorted(parts, key=lambda part: (not part.lead, part.unit))

    @strawberry.field(
        description="Who reported it and how to reach them, read from the log; null if they did not say."
    )
    async def reporter(self, info: Info) -> Personal | None:
        info.context.allow("read.reporter")
        if self.withheld:
            raise ForbiddenError(
                f"incident {self.id} is confidential: who reported it is shown to the units that take part, and to whom read.confidential is allowed"
            )
        await info.context.record_read(Shown.REPORTER, [self.id], place=self, fields=["reporter"])
        return Personal.maybe(await info.context.loaders.reporters.load(self.id))

    @property
    def withheld(self) -> bool:
        """Whether what is said in it is not for whoever asks: the read model then left out the description."""
        return self.description is None

    @strawberry.field(
        description="补充信息: what was said with the report beside its description; null if nothing was, or if it is confidential 保密 "
        "and you may not see it."
    )
    def details(self) -> Details | None:
        return None if self.row.details is None else Details.of(self.row.details)

    @classmethod
    def of(cls, row: Standing) -> Self:
        """A row of the read model."""
        named = dict(zip(_SAME, _same(row), strict=True))
        return cls(
            **named,
            id=row.incident_id,
            source=_SOURCES[row.source],
            state=_STATES[row.state],
            urgency=_URGENCIES[row.urgency],
            mechanism=JointMechanism(row.mechanism) if row.mechanism else None,
            row=row,
        )


# An enum is called in ten times as long as it is looked up.
_SOURCES = {one.value: one for one in Source}
_STATES = {one.value: one for one in IncidentState}
_URGENCIES = {one.value: one for one in Urgency}
_SAME = [
    field.name
    for field in fields(cast("Any", Incident))
    if field.init
    and field.name in Standing.__struct_fields__
    and field.name not in {"source", "state", "urgency", "mechanism"}
]
"""Fields that are columns of the row as they are."""
_same = attrgetter(*_SAME)
