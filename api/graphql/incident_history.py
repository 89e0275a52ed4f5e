"""What the log says of an incident beside its row: its steps, its evidence, its deadlines; read for a whole list at once."""

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Self
from uuid import UUID

import strawberry

from api.graphql.context import Context
from api.graphql.types import Position
from domain import incident_events as events
from domain.deadlines import Clock, Limits, Timed
from domain.errors import InvalidError
from domain.incident import IncidentState
from domain.ports import Entry
from projections.timeline import Moment, moment, timeline

if TYPE_CHECKING:
    from api.graphql.incident_types import Incident

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


async def _histories(context: Context, rows: "Sequence[Incident]") -> "list[tuple[Incident, list[Entry]]]":
    """Each with its history, as far as what is shown of it."""
    found = await context.loaders.histories.load([row.id for row in rows])
    return [(row, found.get(row.id, [])[: row.version]) for row in rows]


async def deadlines(context: Context, rows: "Sequence[Incident]") -> list[list[Deadline]]:
    limits = context.system.limits
    return [_deadlines_of(row, entries, limits) for row, entries in await _histories(context, rows)]


def _deadlines_of(incident: "Incident", entries: list[Entry], limits: Limits) -> list[Deadline]:
    rules = {
        one.name: one.rule
        for entry in entries
        if isinstance(entry.event, Timed)
        for one in entry.event.deadlines
    }
    dues = sorted(incident.row.dues.items(), key=lambda item: (item[1], item[0]))
    return [
        Deadline(
            name=name,
            due_at=due,
            missed=name in incident.row.missed,
            rule=rules[name],
            clock=_clock(incident, limits, name, rules[name]),
        )
        for name, due in dues
    ]


def _clock(incident: "Incident", limits: Limits, name: str, rule: str) -> Clock | None:
    if rule != limits.rule:
        return None
    step = name.partition(":")[0]
    try:
        return limits.limit(
            step, category=incident.category, urgency=incident.urgency, township=incident.township
        ).clock
    except InvalidError:  # the same version with other limits: somebody changed the file and not the version
        return None


async def timelines(context: Context, rows: "Sequence[Incident]") -> list[list[TimelineEntry]]:
    return [
        [TimelineEntry.of(moment, withheld=row.withheld) for moment in timeline(entries)]
        for row, entries in await _histories(context, rows)
    ]


async def last_events(context: Context, rows: "Sequence[Incident]") -> list[TimelineEntry]:
    """KeyError if an event is not there that the read model has folded."""
    found = await context.loaders.events.load([(row.id, row.version) for row in rows])
    return [
        TimelineEntry.of(moment(found[row.id, row.version], row.state), withheld=row.withheld) for row in rows
    ]


async def evidence(context: Context, rows: "Sequence[Incident]") -> list[list[Evidence] | None]:
    shown = {
        row.id: entries
        for row, entries in await _histories(context, [row for row in rows if not row.withheld])
    }
    return [None if row.withheld else evidence_of(shown[row.id]) for row in rows]


async def duplicates(context: Context, rows: "Sequence[Incident]") -> list[list[UUID]]:
    return [_duplicates_in(entries) for _, entries in await _histories(context, rows)]


def _duplicates_in(entries: list[Entry]) -> list[UUID]:
    found: dict[UUID, None] = {}
    for entry in entries:
        match entry.event:
            case events.DuplicateAdded(duplicate=other):
                found[other] = None
            case events.DuplicateRemoved(duplicate=other):
                del found[other]
    return list(found)


async def dispute_ids(context: Context, rows: "Sequence[Incident]") -> list[list[UUID]]:
    return [
        [entry.event.dispute_id for entry in entries if isinstance(entry.event, events.DisputeOpened)]
        for _, entries in await _histories(context, rows)
    ]
