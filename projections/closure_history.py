"""What the figures have to know of one incident, and how an event changes it. Pure; docs/figures.md says what is counted."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Any
from uuid import UUID

from domain.deadlines import Timed
from domain.incident import Incident
from domain.ports import Entry
from domain.working_time import working_time


class Mark(StrEnum):
    """What is kept of an incident beside its cycles and dispatches."""

    FAILED = "FAILED"  # 返工: a verification failed
    TAGGED = "TAGGED"  # 六联: with a joint mechanism
    LEFT = "LEFT"  # it was rejected or merged; or unmerged


@dataclass(slots=True)
class Marked:
    """A row of closure_marks, without the incident."""

    position: int
    mark: Mark
    at: datetime
    value: str | None


@dataclass(slots=True)
class Cycle:
    """From the report, or a reopening, to the closing: a row of closures, without what all cycles of an incident share. Times in seconds."""

    number: int
    began_at: datetime
    began_position: int
    closed_at: datetime | None = None
    closed_position: int | None = None
    on_time: bool | None = None
    dispatched_at: datetime | None = None
    feedback_at: datetime | None = None
    close_working: float | None = None
    handle_working: float | None = None
    parked_at: datetime | None = None
    parked: float = 0.0
    rated_at: datetime | None = None
    rated_position: int | None = None
    rating: int | None = None
    reopened_at: datetime | None = None
    reopened_position: int | None = None
    reclosed_at: datetime | None = None
    reclosed_position: int | None = None


@dataclass(slots=True)
class Dispatch:
    """A row of closure_dispatches, without what all dispatches of an incident share."""

    number: int
    cycle: int
    unit: str
    dispatched_at: datetime
    dispatched_position: int
    due_at: datetime | None = None
    late_from: datetime | None = None
    due_position: int | None = None
    signed_at: datetime | None = None
    signed_position: int | None = None
    sign_working: float | None = None
    feedback_at: datetime | None = None
    extended_at: datetime | None = None
    extended_position: int | None = None
    ended_at: datetime | None = None
    ended_position: int | None = None
    returned: bool = False


@dataclass(frozen=True, slots=True)
class Due:
    """A row of closure_dues, without the incident: what the due of dispatch `number` was, until `position` put another in its place."""

    position: int
    number: int
    due_at: datetime | None
    late_from: datetime | None


@dataclass(slots=True)
class History:
    """One incident. last_at: the time of its latest event; time does not run back in it. dues: those of before, as far as they are new."""

    incident_id: UUID
    site_id: UUID
    township: str
    category: str
    reported_position: int
    mechanism: str | None
    first_left_at: datetime | None
    left_as: str | None
    last_at: datetime
    cycles: list[Cycle] = field(default_factory=list)
    dispatches: list[Dispatch] = field(default_factory=list)
    marks: list[Marked] = field(default_factory=list)
    dues: list[Due] = field(default_factory=list)

    @property
    def unit(self) -> str | None:
        """The unit that leads the latest dispatch."""
        return self.dispatches[-1].unit if self.dispatches else None


def begun(entry: Entry) -> History:
    """The history that begins with a report."""
    event = entry.event
    at, position = event.timestamp, entry.position
    return History(
        event.originator_id, event.site_id, event.township, event.category, position, None, None, None, at,
        [Cycle(1, at, position)],
    )  # fmt: skip


def apply(history: History, entry: Entry) -> None:
    """Let the next event happen to `history`."""
    event = entry.event
    history.last_at = max(history.last_at, event.timestamp)
    change = _CHANGES.get(type(event))
    if change is not None:
        change(history, event, history.last_at, entry.position)
    elif isinstance(event, Timed) and not isinstance(event, Incident.Overdue):
        _set_due(history, event, history.last_at, entry.position)


def _set_due(history: History, event: Timed, at: datetime, position: int) -> None:
    """The deadline that runs now is the due, unless an earlier one was missed. That which passed runs no more, and stays."""
    dispatch = history.dispatches[-1]
    if dispatch.due_at is not None and dispatch.due_at < at:
        return
    names = (f"handle:{dispatch.unit}", "verify")
    for deadline in event.deadlines:
        if deadline.name in names:
            _change_due(history, deadline.due_at, max(deadline.due_at, at), position)


def _change_due(history: History, due_at: datetime | None, late_from: datetime | None, position: int) -> None:
    """Set the due of the latest dispatch, and keep what it was before: as known at an earlier position, it still is."""
    dispatch = history.dispatches[-1]
    if (due_at, late_from) == (dispatch.due_at, dispatch.late_from):
        return
    if position != dispatch.dispatched_position:
        history.dues.append(Due(position, dispatch.number, dispatch.due_at, dispatch.late_from))
    dispatch.due_at, dispatch.late_from, dispatch.due_position = due_at, late_from, position


def _mark(history: History, position: int, mark: Mark, at: datetime, value: str | None) -> None:
    history.marks.append(Marked(position, mark, at, value))


def _left(history: History, event: Any, at: datetime, position: int) -> None:
    history.left_as = None if event.TO == Incident.Reported.TO else str(event.TO)
    history.first_left_at = history.first_left_at or at
    _mark(history, position, Mark.LEFT, at, history.left_as)


def _tagged(history: History, event: Any, at: datetime, position: int) -> None:
    history.mechanism = str(event.mechanism)
    _mark(history, position, Mark.TAGGED, at, history.mechanism)


def _dispatched(history: History, event: Any, at: datetime, position: int) -> None:
    number = len(history.dispatches) + 1
    history.dispatches.append(Dispatch(number, history.cycles[-1].number, event.lead_unit, at, position))
    _set_due(history, event, at, position)


def _signed(history: History, event: Any, at: datetime, position: int) -> None:
    dispatch = history.dispatches[-1]
    _set_due(history, event, at, position)
    if dispatch.signed_at is None:
        dispatch.signed_at, dispatch.signed_position = at, position
        dispatch.sign_working = working_time(dispatch.dispatched_at, at).total_seconds()


def _extended(history: History, event: Any, at: datetime, position: int) -> None:
    dispatch = history.dispatches[-1]
    _set_due(history, event, at, position)
    if dispatch.extended_at is None:
        dispatch.extended_at, dispatch.extended_position = at, position


def _gave_feedback(history: History, event: Any, at: datetime, position: int) -> None:
    _set_due(history, event, at, position)
    history.dispatches[-1].feedback_at = at


def _failed(history: History, event: Any, at: datetime, position: int) -> None:
    _set_due(history, event, at, position)
    _mark(history, position, Mark.FAILED, at, history.unit)


def _parked(history: History, _event: Any, at: datetime, position: int) -> None:
    dispatch = history.dispatches[-1]
    if dispatch.due_at is not None and dispatch.due_at > at:  # what was due by now stays so, as in the domain
        _change_due(history, None, None, position)
    history.cycles[-1].parked_at = at


def _unparked(history: History, event: Any, at: datetime, position: int) -> None:
    cycle = history.cycles[-1]
    if cycle.parked_at is not None:
        cycle.parked += (at - cycle.parked_at).total_seconds()
        cycle.parked_at = None
    _set_due(history, event, at, position)


def _returned(history: History, _event: Any, at: datetime, position: int) -> None:
    dispatch = history.dispatches[-1]
    dispatch.ended_at, dispatch.ended_position, dispatch.returned = at, position, True


def _closed(history: History, _event: Any, at: datetime, position: int) -> None:
    dispatch, cycle = history.dispatches[-1], history.cycles[-1]
    dispatch.ended_at, dispatch.ended_position = at, position
    cycle.dispatched_at, cycle.feedback_at = dispatch.dispatched_at, dispatch.feedback_at
    if dispatch.feedback_at is not None:
        cycle.handle_working = working_time(dispatch.dispatched_at, dispatch.feedback_at).total_seconds()
    _close(history, at, position, on_time=dispatch.due_at is None or at <= dispatch.due_at)


def _closed_on_the_spot(history: History, _event: Any, at: datetime, position: int) -> None:
    _close(history, at, position, on_time=True)


def _close(history: History, at: datetime, position: int, *, on_time: bool) -> None:
    cycle = history.cycles[-1]
    cycle.closed_at, cycle.closed_position, cycle.on_time = at, position, on_time
    cycle.close_working = working_time(cycle.began_at, at).total_seconds()
    if len(history.cycles) > 1:
        before = history.cycles[-2]
        before.reclosed_at, before.reclosed_position = at, position


def _rated(history: History, event: Any, at: datetime, position: int) -> None:
    cycle = history.cycles[-1]
    cycle.rated_at, cycle.rated_position, cycle.rating = at, position, event.rating


def _reopened(history: History, _event: Any, at: datetime, position: int) -> None:
    before = history.cycles[-1]
    before.reopened_at, before.reopened_position = at, position
    history.cycles.append(Cycle(len(history.cycles) + 1, at, position))


_CHANGES: Mapping[type[Any], Callable[[History, Any, datetime, int], None]] = MappingProxyType(
    {
        Incident.Rejected: _left,
        Incident.Merged: _left,
        Incident.Unmerged: _left,
        Incident.MechanismTagged: _tagged,
        Incident.Dispatched: _dispatched,
        Incident.Signed: _signed,
        Incident.ExtensionGranted: _extended,
        Incident.FeedbackGiven: _gave_feedback,
        Incident.Reworked: _failed,
        Incident.Parked: _parked,
        Incident.Unparked: _unparked,
        Incident.Returned: _returned,
        Incident.Closed: _closed,
        Incident.ClosedOnTheSpot: _closed_on_the_spot,
        Incident.Evaluated: _rated,
        Incident.Reopened: _reopened,
    }
)
