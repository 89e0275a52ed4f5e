"""What is shown of an incident. Whatever is read beside its row is read for a whole list at once (`loaders.py`)."""

from datetime import datetime
from typing import Any, Self
from uuid import UUID

import strawberry

from api.graphql.context import Info
from api.graphql.details import Details
from api.graphql.sites import Site, site_by_id
from api.graphql.types import Personal, Position
from domain import incident_events as events
from domain.deadlines import Clock, Limits, Timed, Urgency
from domain.errors import ForbiddenError, InvalidError
from domain.incident import IncidentState, Leg, Source
from domain.mechanisms import JointMechanism
from domain.ports import Entry
from domain.reading import Shown
from projections.standing import Standing
from projections.timeline import Moment, moment, timeline

strawberry.enum(Leg, description="How far a unit is with its part.")
strawberry.enum(Clock, description="What passes: every hour 自然时, or office hours of working days 工作时.")


@strawberry.type(description="One event in the history of an incident, as it stands in the log.")
class TimelineEntry:
    position: Position = strawberry.field(description="Its place in the log.")
    version: int = strawberry.field(description="The version of the incident after it.")
    topic: str = strawberry.field(description="What it is called in the log, such as `incident.dispatched`.")
    label_zh: str = strawberry.field(description="What it is called in Chinese.")
    label_en: str = strawberry.field(description="What it is called in English.")
    actor: str = strawberry.field(description="The person or device behind it.")
    occurred_at: datetime = strawberry.field(description="When it happened.")
    recorded_at: datetime = strawberry.field(description="When it was written to the log.")
    state: IncidentState = strawberry.field(description="Where the incident stood after it.")
    unit: str | None = strawberry.field(description="The unit that it is about, if it is about one.")
    said: str | None = strawberry.field(
        description="What was said with it, in the words of whoever took it; null if nothing was, or if it is confidential 保密 "
        "and you may not see it."
    )

    @classmethod
    def of(cls, moment: Moment, *, withheld: bool) -> Self:
        """The step, as it is shown; `withheld`: without what was said."""
        return cls(
            position=Position(moment.position),
            version=moment.version,
            topic=moment.topic,
            label_zh=moment.label_zh,
            label_en=moment.label_en,
            actor=moment.actor,
            occurred_at=moment.at,
            recorded_at=moment.recorded_at,
            state=IncidentState(moment.state),
            unit=moment.unit,
            said=None if withheld else moment.said,
        )


@strawberry.type(
    description="取证: a picture or a document that was attached; its bytes are kept by their digest."
)
class Evidence:
    sha256: str = strawberry.field(description="The SHA-256 of its bytes, in hexadecimal.")
    media_type: str | None = strawberry.field(
        description="Such as image/jpeg; null of the photo of a closing on the spot 自行处置."
    )
    note: str = strawberry.field(description="What was said with it.")
    by: str = strawberry.field(description="Who attached it.")
    at: datetime = strawberry.field(description="When.")


def evidence_of(entries: list[Entry]) -> list[Evidence]:
    """All evidence in the history of an incident, oldest first."""
    said = [entry.event for entry in entries]
    return [
        Evidence(sha256=sha256, media_type=media_type, note=event.note, by=event.actor, at=event.timestamp)
        for event in said
        for sha256, media_type in _files(event)
    ]


def _files(event: events.Event) -> list[tuple[str, str | None]]:
    """What was attached with the event: digest and media type."""
    match event:
        case events.EvidenceAttached():
            return [(event.sha256, event.media_type)]
        case events.ClosedOnTheSpot():
            return [(event.photo_sha256, None)]
        case _:
            return []


@strawberry.type(description="时限: until when something has to be done.")
class Deadline:
    name: str = strawberry.field(description="The step, and after a colon the unit: `handle:water`.")
    due_at: datetime = strawberry.field(description="Until when.")
    missed: bool = strawberry.field(description="超期: it has passed, and what was due is not done.")
    rule: str = strawberry.field(description="By which version of which rule it was set.")
    clock: Clock | None = strawberry.field(
        description="What passes until then; null where somebody set the time itself, or by limits that are no more in force."
    )


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

    @strawberry.field(description="The site where it is; null until its read model knows it.")
    async def site(self, info: Info) -> Site | None:
        return await site_by_id(info, self.site_id)

    @strawberry.field(description="The units that take part, the lead unit first.")
    def units(self) -> list[Part]:
        parts = [
            Part(unit=unit, lead=unit == self.lead_unit, leg=Leg(leg)) for unit, leg in self.row.legs.items()
        ]
        return sorted(parts, key=lambda part: (not part.lead, part.unit))

    @strawberry.field(description="What has to be done until when, the earliest first.")
    async def deadlines(self, info: Info) -> list[Deadline]:
        entries = await self._entries(info)
        rules = {
            one.name: one.rule
            for entry in entries
            if isinstance(entry.event, Timed)
            for one in entry.event.deadlines
        }
        dues = sorted(self.row.dues.items(), key=lambda item: (item[1], item[0]))
        return [
            Deadline(
                name=name,
                due_at=due,
                missed=name in self.row.missed,
                rule=rules[name],
                clock=self._clock(info.context.system.limits, name, rules[name]),
            )
            for name, due in dues
        ]

    @strawberry.field(description="Every event of its history, oldest first.")
    async def timeline(self, info: Info) -> list[TimelineEntry]:
        moments = timeline(await self._entries(info))
        return [TimelineEntry.of(moment, withheld=self._withheld) for moment in moments]

    @strawberry.field(description="Its latest event.")
    async def last_event(self, info: Info) -> TimelineEntry:
        last = await info.context.loaders.events.load((self.id, self.version))
        assert last is not None, "the read model has folded it"
        return TimelineEntry.of(moment(last, self.state), withheld=self._withheld)

    @strawberry.field(
        description="取证: pictures and documents, oldest first; null if it is confidential 保密 and you may not see them."
    )
    async def evidence(self, info: Info) -> list[Evidence] | None:
        return None if self._withheld else evidence_of(await self._entries(info))

    @strawberry.field(description="并案: the incidents that were merged into this one.")
    async def duplicates(self, info: Info) -> list[UUID]:
        found: dict[UUID, None] = {}
        for entry in await self._entries(info):
            match entry.event:
                case events.DuplicateAdded(duplicate=other):
                    found[other] = None
                case events.DuplicateRemoved(duplicate=other):
                    del found[other]
        return list(found)

    @strawberry.field(description="转矛盾纠纷: the disputes behind it.")
    async def dispute_ids(self, info: Info) -> list[UUID]:
        opened = [entry.event for entry in await self._entries(info)]
        return [event.dispute_id for event in opened if isinstance(event, events.DisputeOpened)]

    @strawberry.field(
        description="Who reported it and how to reach them, read from the log; null if they did not say."
    )
    async def reporter(self, info: Info) -> Personal | None:
        info.context.allow("read.reporter")
        if self._withheld:
            raise ForbiddenError(
                f"incident {self.id} is confidential: who reported it is shown to the units that take part, and to whom read.confidential is allowed"
            )
        await info.context.record_read(Shown.REPORTER, [self.id], place=self, fields=["reporter"])
        return Personal.maybe(await info.context.loaders.reporters.load(self.id))

    @property
    def _withheld(self) -> bool:
        """Whether what is said in it is not for whoever asks: the read model then left out the description."""
        return self.description is None

    async def _entries(self, info: Info) -> list[Entry]:
        """Its history, as far as what is shown of it."""
        return (await info.context.loaders.histories.load(self.id))[: self.version]

    def _clock(self, limits: Limits, name: str, rule: str) -> Clock | None:
        if rule != limits.rule:
            return None
        step = name.partition(":")[0]
        try:
            return limits.limit(
                step, category=self.category, urgency=self.urgency, township=self.township
            ).clock
        except (
            InvalidError
        ):  # the same version with other limits: somebody changed the file and not the version
            return None

    @strawberry.field(
        description="补充信息: what was said with the report beside its description; null if nothing was, or if it is confidential 保密 "
        "and you may not see it."
    )
    def details(self) -> Details | None:
        return None if self.row.details is None else Details.of(self.row.details)

    @classmethod
    def of(cls, row: Standing) -> Self:
        """A row of the read model."""
        named = {
            name: getattr(row, name) for name in cls.__annotations__ if name not in {"id", "row", *_ENUMS}
        }
        enums = {name: kind(getattr(row, name)) for name, kind in _ENUMS.items()}
        mechanism = row.mechanism and JointMechanism(row.mechanism)
        return cls(**named | enums | {"id": row.incident_id, "mechanism": mechanism, "row": row})


_ENUMS: dict[str, type[Any]] = {"source": Source, "state": IncidentState, "urgency": Urgency}
