"""How an incident stands: what its events make of it, one after the other. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import msgspec

from domain import incident_events as events
from domain.deadlines import Timed
from domain.details import Details
from domain.incident import IncidentState, Leg
from domain.ports import Entry

PARKING = "parking"
"""The deadline by which a parked incident is looked at again."""


class Standing(msgspec.Struct, kw_only=True):
    """A row of `incidents`; the fields are its columns, where they are explained.

    description, details: None where they are not shown.
    """

    incident_id: UUID
    site_id: UUID
    township: str
    category: str
    source: str
    description: str | None = None
    details: Details | None = None
    confidential: bool
    urgency: str
    occurred_at: datetime
    reported_at: datetime
    state: str
    lead_unit: str | None = None
    legs: dict[str, str] = {}
    round: int = 1
    level: int = 0
    supervised: bool = False
    parked: bool = False
    running: dict[str, datetime] = {}
    missed: dict[str, datetime] = {}
    overdue: list[str] = []
    due_name: str | None = None
    due_at: datetime | None = None
    extension_until: datetime | None = None
    extensions: int = 0
    returns: int = 0
    reopenings: int = 0
    merged_into: UUID | None = None
    duplicates: int = 0
    evidence: int = 0
    mechanism: str | None = None
    dispatched_at: datetime | None = None
    closed_at: datetime | None = None
    last_topic: str
    last_at: datetime
    version: int
    position: int
    reported_position: int

    @property
    def dues(self) -> dict[str, datetime]:
        """What has to be done by when. What was missed stays due when it was, although an extension came later; parked work is not due."""
        dues = self.running | self.missed
        return {name: due for name, due in dues.items() if name == PARKING} if self.parked else dues


def reported(entry: Entry) -> Standing:
    """How it stands after its report."""
    event: events.Reported = entry.event
    return Standing(
        incident_id=event.originator_id,
        site_id=event.site_id,
        township=event.township,
        category=event.category,
        source=event.source,
        description=event.description,
        details=event.details,
        confidential=event.confidential,
        urgency=event.urgency,
        occurred_at=event.occurred_at,
        reported_at=event.timestamp,
        state=event.TO,
        last_topic=event.TOPIC,
        last_at=event.timestamp,
        version=event.originator_version,
        position=entry.position,
        reported_position=entry.position,
    )


def stood(entries: Sequence[Entry]) -> Standing:
    """How it stood after `entries`: all of its events, or the first of them."""
    first, *rest = entries
    row = reported(first)
    for entry in rest:
        follow(row, entry)
    return row


def follow(row: Standing, entry: Entry) -> None:
    """Change `row` as the next event of its incident says."""
    event = entry.event
    row.state = event.TO or row.state
    row.last_topic, row.last_at = event.TOPIC, event.timestamp
    row.version, row.position = event.originator_version, entry.position
    _share(row, event)
    _note(row, event)
    if isinstance(event, Timed):
        row.running = {one.name: one.due_at for one in event.deadlines}
    if row.missed:
        row.missed = {name: due for name, due in row.missed.items() if _undone(row, name)}
    name, due = min(row.dues.items(), key=lambda item: (item[1], item[0]), default=(None, None))
    row.due_name, row.due_at = name, due


def _share(row: Standing, event: events.Event) -> None:
    """Who takes part, and how far each is."""
    match event:
        case events.Dispatched():
            row.lead_unit, row.dispatched_at = event.lead_unit, event.timestamp
            row.legs = dict.fromkeys((event.lead_unit, *event.assisting), Leg.DISPATCHED)
        case events.Returned() | events.Reopened():
            row.lead_unit, row.legs = None, {}
        case events.ReturnRefused():
            _set_lead(row, Leg.DISPATCHED)
        case events.Signed() | events.Reworked():
            _set_lead(row, Leg.SIGNED)
        case events.FeedbackGiven():
            _set_lead(row, Leg.DONE)
        case events.AssistanceAsked():
            row.legs[event.unit] = Leg.DISPATCHED
        case events.AssistanceSigned():
            row.legs[event.unit] = Leg.SIGNED
        case events.AssistanceGiven():
            row.legs[event.unit] = Leg.DONE
        case events.AssistanceReleased():
            del row.legs[event.unit]


def _set_lead(row: Standing, leg: Leg) -> None:
    if row.lead_unit is not None:
        row.legs[row.lead_unit] = leg


def _note(row: Standing, event: events.Event) -> None:  # noqa: C901, PLR0912  (a table, a case for each event)
    """Everything else that it says."""
    match event:
        case events.Closed() | events.ClosedOnTheSpot():
            row.closed_at = event.timestamp
        case events.Reopened():
            row.closed_at = None
            row.round += 1
            row.reopenings += 1
        case events.Reworked():
            row.round += 1
        case events.Overdue():
            row.missed[event.name] = event.timestamp
            row.overdue = sorted({*row.overdue, event.name})
        case events.ExtensionRequested():
            row.extension_until = event.until
        case events.ExtensionGranted():
            row.extension_until = None
            row.extensions += 1
        case events.ExtensionRefused() | events.FeedbackGiven():
            row.extension_until = None
        case events.Returned():
            row.extension_until = None
            row.returns += 1
        case events.Escalated():
            row.level = event.level
        case events.Supervised():
            row.supervised = True
        case events.Parked() | events.Unparked():
            row.parked = isinstance(event, events.Parked)
        case events.Merged():
            row.merged_into = event.into
        case events.Unmerged():
            row.merged_into = None
        case events.DuplicateAdded():
            row.duplicates += 1
        case events.DuplicateRemoved():
            row.duplicates -= 1
        case events.EvidenceAttached():
            row.evidence += 1
        case events.MechanismTagged():
            row.mechanism = event.mechanism


def _undone(row: Standing, name: str) -> bool:
    """Whether what was to be done by the deadline `name` is still to be done."""
    step, _, unit = name.partition(":")
    match step:
        case "sign":
            return row.legs.get(unit) == Leg.DISPATCHED
        case "handle":
            return row.legs.get(unit, Leg.DONE) != Leg.DONE
        case "verify":
            return row.state == IncidentState.VERIFYING
        case _:
            return row.parked
