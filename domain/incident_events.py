"""What can happen to an incident: its states, and the events that lead from one to the next."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Any
from uuid import UUID

from eventsourcing.domain import Aggregate

from domain.deadlines import Timed, Urgency
from domain.details import Details
from domain.lifecycle import Step
from domain.mechanisms import JointMechanism
from domain.personal import Personal

if TYPE_CHECKING:
    from domain.incident import Incident


class IncidentState(StrEnum):
    """Where an incident stands; exactly one at a time."""

    REPORTED = "REPORTED"  # 已上报
    REJECTED = "REJECTED"  # 不予受理
    MERGED = "MERGED"  # 并案
    ACCEPTED = "ACCEPTED"  # 受理
    DISPATCHED = "DISPATCHED"  # 分流交办
    RETURN_REQUESTED = "RETURN_REQUESTED"  # 申请退单
    SIGNED = "SIGNED"  # 签收
    HANDLING = "HANDLING"  # 处置
    VERIFYING = "VERIFYING"  # 核查
    CLOSED = "CLOSED"  # 办结
    EVALUATED = "EVALUATED"  # 评价
    REOPENED = "REOPENED"  # 重开
    ARCHIVED = "ARCHIVED"  # 归档


class Source(StrEnum):
    """Who or what reported it."""

    GRID_WORKER = "GRID_WORKER"  # 网格员
    CITIZEN = "CITIZEN"  # 群众
    ALARM = "ALARM"
    HOTLINE = "HOTLINE"  # 12345
    OPEN311 = "OPEN311"


class Leg(StrEnum):
    """How far one unit is with its part."""

    DISPATCHED = "DISPATCHED"
    SIGNED = "SIGNED"
    DONE = "DONE"


@dataclass(frozen=True, slots=True)
class Extension:
    """An extension that was asked for, by whom, and is not decided yet."""

    until: datetime
    asked_by: str


S = IncidentState
WITH_UNITS = (S.DISPATCHED, S.SIGNED, S.HANDLING)
OPEN = (
    S.REPORTED,
    S.ACCEPTED,
    S.DISPATCHED,
    S.RETURN_REQUESTED,
    S.SIGNED,
    S.HANDLING,
    S.VERIFYING,
    S.REOPENED,
)
"""The states of an incident that somebody still has to do something about."""
KEPT = (*OPEN, S.CLOSED, S.EVALUATED)
"""The states in which something can be added to it."""
REOPENING_WINDOW = timedelta(days=30)
"""How long after closing a reporter may have it reopened; a supervisor always may."""
HIGHEST = 3
"""The highest level that it is taken to 上报: 1 the township's leader, 2 the city centre, 3 beyond it."""
BEST = 5
"""The best of the five levels of an evaluation 评价: 5 very satisfied, 3 neither, 1 very dissatisfied."""


class Event(Step):
    """Of an incident."""


class Reported(Event, Aggregate.Created):
    """已上报. `occurred_at` is when the matter itself happened, at or before the report.

    reporter: who reported it and how to reach them, if they said; stored sealed. alarm_id: the alarm that raised it.
    """

    TOPIC = "incident.reported"
    class_version = 2
    TO = S.REPORTED
    occurred_at: datetime
    source: Source
    site_id: UUID
    township: str
    category: str
    description: str
    reporter: Personal | None = None
    urgency: Urgency = Urgency.NORMAL
    confidential: bool = False
    alarm_id: UUID | None = None
    details: Details | None = None

    @staticmethod
    def upcast_v1_v2(state: dict[str, Any]) -> None:
        """Version 1 had no room for them."""
        state["details"] = None


class Accepted(Event):
    """受理."""

    TOPIC = "incident.accepted"
    FROM, TO = (S.REPORTED,), S.ACCEPTED


class Rejected(Event):
    """不予受理: not the centre's business; the reporter is told why."""

    TOPIC = "incident.rejected"
    FROM, TO = (S.REPORTED,), S.REJECTED
    reason: str


class Merged(Event):
    """并案: it is the same matter as `into`, and goes on there."""

    TOPIC = "incident.merged"
    FROM, TO = (S.REPORTED,), S.MERGED
    into: UUID

    def apply(self, aggregate: Incident) -> None:
        super().apply(aggregate)
        aggregate.merged_into = self.into


class DuplicateAdded(Event):
    """The other end of a merger: `duplicate` is the same matter as this."""

    TOPIC = "incident.duplicate_added"
    FROM = KEPT
    duplicate: UUID

    def apply(self, aggregate: Incident) -> None:
        aggregate.duplicates = aggregate.duplicates | {self.duplicate}


class Unmerged(Event):
    """取消并案: it turned out to be another matter."""

    TOPIC = "incident.unmerged"
    FROM, TO = (S.MERGED,), S.REPORTED
    reason: str

    def apply(self, aggregate: Incident) -> None:
        super().apply(aggregate)
        aggregate.merged_into = None


class DuplicateRemoved(Event):
    """The other end of an undone merger; it may come after the main incident was closed, archived or even rejected."""

    TOPIC = "incident.duplicate_removed"
    FROM = (*KEPT, S.ARCHIVED, S.REJECTED)
    duplicate: UUID

    def apply(self, aggregate: Incident) -> None:
        aggregate.duplicates = aggregate.duplicates - {self.duplicate}


class ClosedOnTheSpot(Event):
    """自行处置: the grid worker put it right there and then. photo_sha256: digest of the picture that shows it."""

    TOPIC = "incident.closed_on_the_spot"
    FROM, TO = (S.ACCEPTED, S.REOPENED), S.CLOSED
    photo_sha256: str
    note: str

    def apply(self, aggregate: Incident) -> None:
        super().apply(aggregate)
        aggregate.handlers = aggregate.handlers | {self.actor}
        aggregate.closed_at = self.timestamp


class Dispatched(Event, Timed):
    """分流交办: the clock of the units starts here, not at sign-in."""

    TOPIC = "incident.dispatched"
    FROM, TO = (S.ACCEPTED, S.REOPENED), S.DISPATCHED
    lead_unit: str
    assisting: tuple[str, ...] = ()

    def apply(self, aggregate: Incident) -> None:
        super().apply(aggregate)
        aggregate.lead_unit = self.lead_unit
        aggregate.legs = dict.fromkeys((self.lead_unit, *self.assisting), Leg.DISPATCHED)
        aggregate.extensions = 0
        aggregate.extension = None


class AssistanceAsked(Event, Timed):
    """One more unit assists 协办."""

    TOPIC = "incident.assistance_asked"
    FROM = WITH_UNITS
    unit: str

    def apply(self, aggregate: Incident) -> None:
        super().apply(aggregate)
        aggregate.legs = aggregate.legs | {self.unit: Leg.DISPATCHED}


class AssistanceReleased(Event, Timed):
    """A unit that need not assist after all."""

    TOPIC = "incident.assistance_released"
    FROM = WITH_UNITS
    unit: str
    reason: str

    def apply(self, aggregate: Incident) -> None:
        super().apply(aggregate)
        aggregate.legs = {unit: leg for unit, leg in aggregate.legs.items() if unit != self.unit}


class ReturnRequested(Event):
    """申请退单: the lead unit says that it is not theirs. number: how often it was asked for, from 1."""

    TOPIC = "incident.return_requested"
    FROM, TO = (S.DISPATCHED, S.SIGNED), S.RETURN_REQUESTED
    number: int
    reason: str

    def apply(self, aggregate: Incident) -> None:
        super().apply(aggregate)
        aggregate.returns_requested = self.number
        aggregate.return_asked_by = self.actor


class Returned(Event, Timed):
    """退单: it is to be dispatched anew."""

    TOPIC = "incident.returned"
    FROM, TO = (S.RETURN_REQUESTED,), S.ACCEPTED
    reason: str

    def apply(self, aggregate: Incident) -> None:
        super().apply(aggregate)
        aggregate.lead_unit = None
        aggregate.legs = {}
        aggregate.extension = None
        aggregate.return_asked_by = None


class ReturnRefused(Event):
    """强制退回: it stays with the unit, which signs for it (again). Its deadlines were running all the time."""

    TOPIC = "incident.return_refused"
    FROM, TO = (S.RETURN_REQUESTED,), S.DISPATCHED
    reason: str

    def apply(self, aggregate: Incident) -> None:
        super().apply(aggregate)
        aggregate.set_lead(Leg.DISPATCHED)
        aggregate.return_asked_by = None


class Signed(Event, Timed):
    """签收 by the lead unit."""

    TOPIC = "incident.signed"
    FROM, TO = (S.DISPATCHED,), S.SIGNED

    def apply(self, aggregate: Incident) -> None:
        super().apply(aggregate)
        aggregate.set_lead(Leg.SIGNED)


class AssistanceSigned(Event, Timed):
    """签收 by an assisting unit."""

    TOPIC = "incident.assistance_signed"
    FROM = WITH_UNITS
    unit: str

    def apply(self, aggregate: Incident) -> None:
        super().apply(aggregate)
        aggregate.legs = aggregate.legs | {self.unit: Leg.SIGNED}


class HandlingStarted(Event):
    """处置."""

    TOPIC = "incident.handling_started"
    FROM, TO = (S.SIGNED,), S.HANDLING

    def apply(self, aggregate: Incident) -> None:
        super().apply(aggregate)
        aggregate.handlers = aggregate.handlers | {self.actor}


class AssistanceGiven(Event, Timed):
    """反馈 of an assisting unit: its part is done."""

    TOPIC = "incident.assistance_given"
    FROM = WITH_UNITS
    unit: str
    result: str

    def apply(self, aggregate: Incident) -> None:
        super().apply(aggregate)
        aggregate.legs = aggregate.legs | {self.unit: Leg.DONE}
        aggregate.handlers = aggregate.handlers | {self.actor}


class FeedbackGiven(Event, Timed):
    """反馈 of the lead unit, when every assisting one has given its own: what was done; it asks for verification."""

    TOPIC = "incident.feedback_given"
    FROM, TO = (S.HANDLING,), S.VERIFYING
    result: str

    def apply(self, aggregate: Incident) -> None:
        super().apply(aggregate)
        aggregate.set_lead(Leg.DONE)
        aggregate.handlers = aggregate.handlers | {self.actor}
        aggregate.extension = None


class ExtensionRequested(Event):
    """申请延期: the lead unit needs until `until`."""

    TOPIC = "incident.extension_requested"
    FROM = WITH_UNITS
    until: datetime
    reason: str

    def apply(self, aggregate: Incident) -> None:
        aggregate.extension = Extension(self.until, self.actor)


class ExtensionGranted(Event, Timed):
    """延期. number: which one it is since it was dispatched, from 1."""

    TOPIC = "incident.extension_granted"
    FROM = WITH_UNITS
    number: int

    def apply(self, aggregate: Incident) -> None:
        super().apply(aggregate)
        aggregate.extensions = self.number
        aggregate.extension = None


class ExtensionRefused(Event):
    """不同意延期."""

    TOPIC = "incident.extension_refused"
    FROM = WITH_UNITS
    reason: str

    def apply(self, aggregate: Incident) -> None:
        aggregate.extension = None


class Parked(Event, Timed):
    """挂账: nothing can be done for now; it is looked at again by the deadline `parking`. The time is counted apart, and shown."""

    TOPIC = "incident.parked"
    FROM = (S.HANDLING,)
    reason: str

    def apply(self, aggregate: Incident) -> None:
        aggregate.resumes_with = aggregate.deadlines
        super().apply(aggregate)
        aggregate.parked_at = self.timestamp


class Unparked(Event, Timed):
    """销账: work goes on; what was due is due later by as long as it was parked."""

    TOPIC = "incident.unparked"
    FROM = (S.HANDLING,)

    def apply(self, aggregate: Incident) -> None:
        super().apply(aggregate)
        assert aggregate.parked_at is not None, "it was parked"
        aggregate.parked_for += self.timestamp - aggregate.parked_at
        aggregate.parked_at = None
        aggregate.resumes_with = ()


class Supervised(Event):
    """督办: a supervisor watches it from now on."""

    TOPIC = "incident.supervised"
    FROM = OPEN
    note: str

    def apply(self, aggregate: Incident) -> None:
        aggregate.supervised = True


class Escalated(Event):
    """上报: it is taken to the next level. level: 1 to HIGHEST."""

    TOPIC = "incident.escalated"
    FROM = OPEN
    level: int
    reason: str

    def apply(self, aggregate: Incident) -> None:
        aggregate.level = self.level


class Overdue(Event, Timed):
    """超期: the deadline `name` passed at `timestamp` (it may have been noticed later)."""

    TOPIC = "incident.overdue"
    FROM = OPEN
    name: str
    rule: str

    def apply(self, aggregate: Incident) -> None:
        super().apply(aggregate)
        aggregate.overdue = aggregate.overdue | {self.name}


class Reworked(Event, Timed):
    """返工: the verification failed, and the lead unit handles it again."""

    TOPIC = "incident.reworked"
    FROM, TO = (S.VERIFYING,), S.HANDLING
    reason: str

    def apply(self, aggregate: Incident) -> None:
        super().apply(aggregate)
        aggregate.set_lead(Leg.SIGNED)
        aggregate.round += 1


class Closed(Event, Timed):
    """办结: the verification passed."""

    TOPIC = "incident.closed"
    FROM, TO = (S.VERIFYING,), S.CLOSED
    note: str

    def apply(self, aggregate: Incident) -> None:
        super().apply(aggregate)
        aggregate.closed_at = self.timestamp


class Evaluated(Event):
    """评价 by the reporter, asked in a revisit 回访. rating: 1 to 5."""

    TOPIC = "incident.evaluated"
    FROM, TO = (S.CLOSED,), S.EVALUATED
    rating: int
    note: str


class Reopened(Event):
    """重开: a new round; the old closing stays in the history and in the figures of its time."""

    TOPIC = "incident.reopened"
    FROM, TO = (S.CLOSED, S.EVALUATED), S.REOPENED
    reason: str

    def apply(self, aggregate: Incident) -> None:
        super().apply(aggregate)
        aggregate.round += 1
        aggregate.lead_unit = None
        aggregate.legs = {}
        aggregate.closed_at = None


class Archived(Event):
    """归档: nothing is added any more."""

    TOPIC = "incident.archived"
    FROM, TO = (S.CLOSED, S.EVALUATED), S.ARCHIVED


class EvidenceAttached(Event):
    """取证: a picture or a document, by the SHA-256 of its bytes, which lie in the evidence store."""

    TOPIC = "incident.evidence_attached"
    FROM = KEPT
    sha256: str
    media_type: str
    note: str

    def apply(self, aggregate: Incident) -> None:
        aggregate.evidence = aggregate.evidence | {self.sha256}


class Commented(Event):
    """备注: a remark for everybody who works on it. It names no private person."""

    TOPIC = "incident.commented"
    FROM = KEPT
    text: str


class DisputeOpened(Event):
    """转矛盾纠纷: behind it is a dispute, which is mediated as one."""

    TOPIC = "incident.dispute_opened"
    FROM = KEPT
    dispute_id: UUID

    def apply(self, aggregate: Incident) -> None:
        aggregate.disputes = aggregate.disputes | {self.dispute_id}


class MechanismTagged(Event):
    """六联: it is worked on under one of the six joint mechanisms; the last tag counts."""

    TOPIC = "incident.mechanism_tagged"
    FROM = KEPT
    mechanism: JointMechanism

    def apply(self, aggregate: Incident) -> None:
        aggregate.mechanism = self.mechanism
