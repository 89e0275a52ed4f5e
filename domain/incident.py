"""Incident 事件: a report that a governance centre takes in, hands to units and sees closed."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID

from eventsourcing.domain import Aggregate

from domain import incident_events as events
from domain.deadlines import DEFAULT_LIMITS, Deadline, Limits, Urgency, without
from domain.deadlines import passed as passed_deadline
from domain.details import Details, require_details
from domain.errors import RuleError
from domain.incident_events import (
    BEST,
    HIGHEST,
    KEPT,
    OPEN,
    REOPENING_WINDOW,
    WITH_UNITS,
    Extension,
    IncidentState,
    Leg,
    Source,
)
from domain.lifecycle import advance, require_aware, require_state, require_text
from domain.mechanisms import JointMechanism
from domain.observation import require_code, require_sha256
from domain.people import Person, Role
from domain.personal import Personal
from domain.site import Site

S = IncidentState
__all__ = [
    "BEST",
    "HIGHEST",
    "KEPT",
    "OPEN",
    "REOPENING_WINDOW",
    "WITH_UNITS",
    "Extension",
    "Incident",
    "IncidentState",
    "Leg",
    "Source",
]


LONGEST_DESCRIPTION = 4000
"""Characters: as many as Open311 lets the public write."""


class Incident(Aggregate):
    """One incident. `round` counts from 1 how often it was handled anew: after a failed verification, or reopened.

    legs: the units that take part, the lead unit 主办 and those assisting 协办, and how far each is. handlers: everybody who worked on
    it, in any round. deadlines: those that run.
    """

    TOPIC = "incident"

    Event = events.Event
    Reported = events.Reported
    Accepted = events.Accepted
    Rejected = events.Rejected
    Merged = events.Merged
    DuplicateAdded = events.DuplicateAdded
    Unmerged = events.Unmerged
    DuplicateRemoved = events.DuplicateRemoved
    ClosedOnTheSpot = events.ClosedOnTheSpot
    Dispatched = events.Dispatched
    AssistanceAsked = events.AssistanceAsked
    AssistanceReleased = events.AssistanceReleased
    ReturnRequested = events.ReturnRequested
    Returned = events.Returned
    ReturnRefused = events.ReturnRefused
    Signed = events.Signed
    AssistanceSigned = events.AssistanceSigned
    HandlingStarted = events.HandlingStarted
    AssistanceGiven = events.AssistanceGiven
    FeedbackGiven = events.FeedbackGiven
    ExtensionRequested = events.ExtensionRequested
    ExtensionGranted = events.ExtensionGranted
    ExtensionRefused = events.ExtensionRefused
    Parked = events.Parked
    Unparked = events.Unparked
    Supervised = events.Supervised
    Escalated = events.Escalated
    Overdue = events.Overdue
    Reworked = events.Reworked
    Closed = events.Closed
    Evaluated = events.Evaluated
    Reopened = events.Reopened
    Archived = events.Archived
    EvidenceAttached = events.EvidenceAttached
    Commented = events.Commented
    DisputeOpened = events.DisputeOpened
    MechanismTagged = events.MechanismTagged
    Created = events.Reported

    state: IncidentState

    def __init__(
        self,
        *,
        occurred_at: datetime,
        source: Source,
        site_id: UUID,
        township: str,
        category: str,
        description: str,
        reporter: Personal | None = None,
        urgency: Urgency = Urgency.NORMAL,
        confidential: bool = False,
        alarm_id: UUID | None = None,
        details: Details | None = None,
    ) -> None:
        self.occurred_at = occurred_at
        self.source = source
        self.site_id = site_id
        self.township = township
        self.category = category
        self.description = description
        self.reporter = reporter
        self.urgency = urgency
        self.confidential = confidential
        self.alarm_id = alarm_id
        self.details = details
        self.lead_unit: str | None = None
        self.legs: dict[str, Leg] = {}
        self.handlers: frozenset[str] = frozenset()
        self.deadlines: tuple[Deadline, ...] = ()
        self.overdue: frozenset[str] = frozenset()
        self.round = 1
        self.level = 0
        self.supervised = False
        self.returns_requested = 0
        self.extensions = 0
        self.extension: Extension | None = None
        self.return_asked_by: str | None = None
        self.parked_at: datetime | None = None
        self.parked_for = timedelta()
        self.resumes_with: tuple[Deadline, ...] = ()
        self.merged_into: UUID | None = None
        self.duplicates: frozenset[UUID] = frozenset()
        self.evidence: frozenset[str] = frozenset()
        self.disputes: frozenset[UUID] = frozenset()
        self.mechanism: JointMechanism | None = None
        self.closed_at: datetime | None = None

    @classmethod
    def report(
        cls,
        *,
        id: UUID,  # noqa: A002  (the library's own word for it)
        site: Site,
        by: Person,
        at: datetime,
        source: Source,
        category: str,
        description: str,
        occurred_at: datetime | None = None,
        reporter: Personal | None = None,
        urgency: Urgency = Urgency.NORMAL,
        confidential: bool = False,
        alarm_id: UUID | None = None,
        details: Details | None = None,
    ) -> Incident:
        """上报: a new incident at `site`; `occurred_at` is `at` unless the matter happened earlier."""
        happened = require_aware(occurred_at or at)
        if happened > require_aware(at):
            raise RuleError(f"the matter cannot have happened after it was reported ({happened} > {at})")
        return cls._create(
            cls.Reported,
            id=id,
            timestamp=at,
            actor=by.id,
            occurred_at=happened,
            source=source,
            site_id=site.id,
            township=site.township,
            category=require_code(category, "category"),
            description=require_text(description, "description", LONGEST_DESCRIPTION),
            reporter=reporter and reporter.require("reporter", 200),
            urgency=urgency,
            confidential=confidential,
            alarm_id=alarm_id,
            details=details and require_details(details),
        )

    def accept(self, *, by: Person, at: datetime) -> None:
        """受理: the centre takes it on."""
        advance(self, self.Accepted, by=by, at=at)

    def reject(self, *, by: Person, at: datetime, reason: str) -> None:
        """不予受理: it is not the centre's business."""
        advance(self, self.Rejected, by=by, at=at, reason=require_text(reason, "reason"))

    def merge(self, *, by: Person, at: datetime, into: Incident) -> None:
        """并案: the same matter as `into`, where it goes on; both keep the link."""
        if into.id == self.id:
            raise RuleError("an incident cannot be merged into itself")
        if self.duplicates:
            raise RuleError(
                f"{len(self.duplicates)} others were merged into this incident: merge those into the other first"
            )
        require_state(into, into.DuplicateAdded)
        if into.closed_at is not None and self.occurred_at > into.closed_at:
            raise RuleError(
                f"this happened after {into.id} was closed: accept it, or have that one reopened and merge then"
            )
        advance(self, self.Merged, by=by, at=at, into=into.id)
        advance(into, into.DuplicateAdded, by=by, at=at, duplicate=self.id)

    def unmerge(self, *, by: Person, at: datetime, main: Incident, reason: str) -> None:
        """取消并案: it is a matter of its own after all. main: the incident it was merged into."""
        if self.merged_into != main.id:
            raise RuleError(f"this incident is not merged into {main.id}")
        advance(self, self.Unmerged, by=by, at=at, reason=require_text(reason, "reason"))
        advance(main, main.DuplicateRemoved, by=by, at=at, duplicate=self.id)

    def close_on_the_spot(self, *, by: Person, at: datetime, photo_sha256: str, note: str) -> None:
        """自行处置: put right there and then, with a picture that shows it."""
        advance(
            self,
            self.ClosedOnTheSpot,
            by=by,
            at=at,
            photo_sha256=require_sha256(photo_sha256, "photo_sha256"),
            note=require_text(note, "note"),
        )

    def dispatch(
        self,
        *,
        by: Person,
        at: datetime,
        lead_unit: str,
        assisting: list[str] | None = None,
        limits: Limits = DEFAULT_LIMITS,
    ) -> None:
        """分流交办: hand it to the unit that answers for it, and to others that assist."""
        others = tuple(require_code(unit, "assisting unit") for unit in assisting or ())
        units = (require_code(lead_unit, "lead unit"), *others)
        if len(set(units)) < len(units):
            raise RuleError(f"each unit takes part once; given: {', '.join(units)}")
        deadlines = tuple(one for unit in units for one in self._deadlines_of(unit, at, limits))
        advance(
            self, self.Dispatched, by=by, at=at, lead_unit=lead_unit, assisting=others, deadlines=deadlines
        )

    def ask_assistance(self, *, by: Person, at: datetime, unit: str, limits: Limits = DEFAULT_LIMITS) -> None:
        """协办: one more unit assists, or one that has done its part does another."""
        self._require_work("be asked to assist")
        if require_code(unit, "assisting unit") in self.legs and self.legs[unit] is not Leg.DONE:
            raise RuleError(f"{unit} takes part in this incident already")
        deadlines = (*self.deadlines, *self._deadlines_of(unit, at, limits))
        advance(self, self.AssistanceAsked, by=by, at=at, unit=unit, deadlines=deadlines)

    def release_assistance(self, *, by: Person, at: datetime, unit: str, reason: str) -> None:
        """An assisting unit is not needed after all."""
        self._require_work("be released")
        self._require_assisting(unit)
        if self.legs[unit] is Leg.DONE:
            raise RuleError(f"{unit} has given its feedback: there is nothing to release it from")
        advance(
            self,
            self.AssistanceReleased,
            by=by,
            at=at,
            unit=unit,
            reason=require_text(reason, "reason"),
            deadlines=without(self.deadlines, f"sign:{unit}", f"handle:{unit}"),
        )

    def request_return(self, *, by: Person, at: datetime, reason: str) -> None:
        """申请退单: the lead unit says that it is not theirs, before it starts to handle it."""
        self._require_lead(by, "return")
        advance(
            self,
            self.ReturnRequested,
            by=by,
            at=at,
            number=self.returns_requested + 1,
            reason=require_text(reason, "reason"),
        )

    def decide_return(self, *, by: Person, at: datetime, granted: bool, reason: str) -> None:
        """退单: take it back to dispatch it anew, or leave it with the unit (强制退回). Not by who asked."""
        _require_other(by, self.return_asked_by, "return")
        text = require_text(reason, "reason")
        if granted:
            advance(self, self.Returned, by=by, at=at, reason=text, deadlines=())
        else:
            advance(self, self.ReturnRefused, by=by, at=at, reason=text)

    def sign(self, *, by: Person, at: datetime, unit: str | None = None) -> None:
        """签收: a unit has seen it; the lead unit, unless `unit` names one that assists."""
        if unit in (None, self.lead_unit):
            self._require_lead(by, "sign for")
            advance(
                self, self.Signed, by=by, at=at, deadlines=without(self.deadlines, f"sign:{self.lead_unit}")
            )
            return
        self._require_work("sign for it")
        self._require_assisting(unit)
        _require_of(by, unit, "sign for")
        if self.legs[unit] is not Leg.DISPATCHED:
            raise RuleError(f"{unit} has signed for this incident already")
        advance(
            self,
            self.AssistanceSigned,
            by=by,
            at=at,
            unit=unit,
            deadlines=without(self.deadlines, f"sign:{unit}"),
        )

    def start_handling(self, *, by: Person, at: datetime) -> None:
        """处置: the lead unit is at work."""
        self._require_lead(by, "handle")
        advance(self, self.HandlingStarted, by=by, at=at)

    def give_feedback(
        self,
        *,
        by: Person,
        at: datetime,
        result: str,
        unit: str | None = None,
        limits: Limits = DEFAULT_LIMITS,
    ) -> None:
        """反馈: what a unit did; the lead unit, unless `unit` names one that assists. The lead unit comes last."""
        text = require_text(result, "result")
        self._require_work("give feedback")
        if unit not in (None, self.lead_unit):
            self._require_assisting(unit)
            _require_of(by, unit, "give feedback on")
            if self.legs[unit] is not Leg.SIGNED:
                raise RuleError(f"{unit} gives feedback once, after it has signed; it is {self.legs[unit]}")
            running = without(self.deadlines, f"handle:{unit}")
            advance(self, self.AssistanceGiven, by=by, at=at, unit=unit, result=text, deadlines=running)
            return
        self._require_lead(by, "give feedback on")
        if late := [
            name for name, leg in self.legs.items() if name != self.lead_unit and leg is not Leg.DONE
        ]:
            raise RuleError(f"feedback is still missing of the assisting units: {', '.join(late)}")
        running = without(self.deadlines, f"handle:{self.lead_unit}")
        advance(
            self,
            self.FeedbackGiven,
            by=by,
            at=at,
            result=text,
            deadlines=(*running, self._deadline(limits, "verify", at)),
        )

    def request_extension(self, *, by: Person, at: datetime, until: datetime, reason: str) -> None:
        """申请延期: the lead unit needs longer than it has."""
        self._require_lead(by, "ask for an extension of")
        self._require_work("ask for an extension")
        if self.extension is not None:
            raise RuleError("an extension was asked for already, and nobody has decided yet")
        self._require_longer(until, at)
        advance(
            self, self.ExtensionRequested, by=by, at=at, until=until, reason=require_text(reason, "reason")
        )

    def decide_extension(self, *, by: Person, at: datetime, granted: bool, reason: str) -> None:
        """延期: grant or refuse it. Not by who asked; from the second one on a supervisor decides."""
        if self.extension is None:
            raise RuleError("nobody has asked for an extension of this incident")
        self._require_work("decide on an extension")
        _require_other(by, self.extension.asked_by, "extension")
        text = require_text(reason, "reason")
        if not granted:
            advance(self, self.ExtensionRefused, by=by, at=at, reason=text)
            return
        if self.extensions and Role.SUPERVISOR not in by.roles:
            raise RuleError(f"extension {self.extensions + 1} of an incident is granted by a supervisor only")
        self._require_longer(self.extension.until, at)  # time has passed since it was asked for
        name = f"handle:{self.lead_unit}"
        longer = Deadline(name, self.extension.until, f"extension-{self.extensions + 1}")
        deadlines = (*without(self.deadlines, name), longer)
        advance(self, self.ExtensionGranted, by=by, at=at, number=self.extensions + 1, deadlines=deadlines)

    def park(self, *, by: Person, at: datetime, until: datetime, reason: str) -> None:
        """挂账: nothing can be done before `until`; what is due waits so long. Not by who handles it."""
        self._require_work("park it")
        self._require_no_handler(by, "parked")
        if require_aware(until) <= require_aware(at):
            raise RuleError(f"an incident is parked until a later time than {at.isoformat()}")
        advance(
            self,
            self.Parked,
            by=by,
            at=at,
            reason=require_text(reason, "reason"),
            deadlines=(Deadline("parking", until, "parked"),),
        )

    def unpark(self, *, by: Person, at: datetime) -> None:
        """销账: work goes on."""
        if self.parked_at is None:
            raise RuleError("this incident is not parked")
        if require_aware(at) < self.parked_at:
            raise RuleError(f"it cannot go on before it was parked, at {self.parked_at.isoformat()}")
        later = at - self.parked_at
        deadlines = tuple(  # what was late when it was parked, noticed or not, stays late
            replace(one, due_at=one.due_at + later) if one.due_at > self.parked_at else one
            for one in self.resumes_with
        )
        advance(self, self.Unparked, by=by, at=at, deadlines=deadlines)

    def supervise(self, *, by: Person, at: datetime, note: str) -> None:
        """督办: a supervisor watches it from now on."""
        advance(self, self.Supervised, by=by, at=at, note=require_text(note, "note"))

    def escalate(self, *, by: Person, at: datetime, reason: str) -> None:
        """上报: take it to the next level, up to HIGHEST."""
        require_state(self, self.Escalated)
        if self.level == HIGHEST:
            raise RuleError(f"this incident is at the highest level already, {HIGHEST}")
        advance(
            self, self.Escalated, by=by, at=at, level=self.level + 1, reason=require_text(reason, "reason")
        )

    def verify(
        self, *, by: Person, at: datetime, passed: bool, note: str, limits: Limits = DEFAULT_LIMITS
    ) -> None:
        """核查: somebody who did not handle it closes it, or sends it back with a reason."""
        self._require_no_handler(by, "verified")
        text = require_text(note, "note")
        if passed:
            advance(self, self.Closed, by=by, at=at, note=text, deadlines=())
        else:
            again = self._deadline(limits, "handle", at, self.lead_unit or "")
            advance(self, self.Reworked, by=by, at=at, reason=text, deadlines=(again,))

    def evaluate(self, *, by: Person, at: datetime, rating: int, note: str) -> None:
        """评价: what the reporter says of it, 1 (very dissatisfied) to 5; not put down by who handled it."""
        self._require_no_handler(by, "evaluated")
        if not 1 <= rating <= BEST:
            raise RuleError(f"a rating is 1 to {BEST}, not {rating}")
        advance(self, self.Evaluated, by=by, at=at, rating=rating, note=require_text(note, "note"))

    def reopen(self, *, by: Person, at: datetime, reason: str) -> None:
        """重开: a new round. A supervisor always may; for the reporter it is done within REOPENING_WINDOW."""
        text = require_text(reason, "reason")
        require_state(self, self.Reopened)
        if require_aware(at) > self._window_end() and Role.SUPERVISOR not in by.roles:
            raise RuleError(
                f"{REOPENING_WINDOW.days} days after closing only a supervisor reopens an incident"
            )
        advance(self, self.Reopened, by=by, at=at, reason=text)

    def archive(self, *, by: Person, at: datetime) -> None:
        """归档, when REOPENING_WINDOW is over."""
        require_state(self, self.Archived)
        if require_aware(at) <= (end := self._window_end()):
            raise RuleError(f"until {end.isoformat()} the reporter may have it reopened: archive it later")
        advance(self, self.Archived, by=by, at=at)

    def attach_evidence(self, *, by: Person, at: datetime, sha256: str, media_type: str, note: str) -> None:
        """取证: a picture or a document, by the SHA-256 of its bytes."""
        digest = require_sha256(sha256, "sha256")
        if digest in self.evidence:
            raise RuleError(f"evidence {digest} is attached to this incident already")
        advance(
            self,
            self.EvidenceAttached,
            by=by,
            at=at,
            sha256=digest,
            media_type=require_text(media_type, "media type", 100),
            note=require_text(note, "note"),
        )

    def comment(self, *, by: Person, at: datetime, text: str) -> None:
        """备注: a remark for everybody who works on it; it names no private person."""
        advance(self, self.Commented, by=by, at=at, text=require_text(text, "text"))

    def open_dispute(self, *, by: Person, at: datetime, dispute_id: UUID) -> None:
        """转矛盾纠纷: link the dispute behind it."""
        if dispute_id in self.disputes:
            raise RuleError(f"dispute {dispute_id} is linked to this incident already")
        advance(self, self.DisputeOpened, by=by, at=at, dispute_id=dispute_id)

    def tag_mechanism(self, *, by: Person, at: datetime, mechanism: JointMechanism) -> None:
        """六联: say under which joint mechanism the units work on it."""
        if mechanism is self.mechanism:
            raise RuleError(f"this incident is tagged {mechanism} already")
        advance(self, self.MechanismTagged, by=by, at=at, mechanism=mechanism)

    def pass_deadline(self, *, by: Person, at: datetime, name: str) -> None:
        """超期: the deadline `name` has passed. What the lead unit should have handled goes up a level by itself, if there is one."""
        found = passed_deadline(self.deadlines, name, at)
        if found is None:
            return
        running = without(self.deadlines, name)
        advance(self, self.Overdue, by=by, at=found.due_at, name=name, rule=found.rule, deadlines=running)
        if name == f"handle:{self.lead_unit}" and self.level < HIGHEST:
            self.escalate(by=by, at=found.due_at, reason=f"{name} is overdue")

    def set_lead(self, leg: Leg) -> None:
        """For the events: the lead unit is so far."""
        if self.lead_unit is not None:
            self.legs = self.legs | {self.lead_unit: leg}

    def _deadline(self, limits: Limits, step: str, at: datetime, of: str = "") -> Deadline:
        return limits.deadline(
            step,
            require_aware(at),
            of=of,
            category=self.category,
            urgency=self.urgency,
            township=self.township,
        )

    def _deadlines_of(self, unit: str, at: datetime, limits: Limits) -> tuple[Deadline, Deadline]:
        """When a unit has to have signed, and to be done, if it is asked at `at`."""
        return self._deadline(limits, "sign", at, unit), self._deadline(limits, "handle", at, unit)

    def _window_end(self) -> datetime:
        """Until when the reporter may have it reopened, of one that is closed."""
        assert self.closed_at is not None, "it is closed"
        return self.closed_at + REOPENING_WINDOW

    def _require_lead(self, by: Person, what: str) -> None:
        if self.lead_unit is not None:
            _require_of(by, self.lead_unit, what)

    def _require_assisting(self, unit: str) -> None:
        if unit not in self.legs or unit == self.lead_unit:
            others = ", ".join(sorted(self.legs.keys() - {self.lead_unit})) or "none"
            raise RuleError(f"{unit} does not assist in this incident; those that do: {others}")

    def _require_longer(self, until: datetime, at: datetime) -> None:
        """RuleError unless `until` gives the lead unit more time than it has."""
        due = (one.due_at for one in self.deadlines if one.name == f"handle:{self.lead_unit}")
        latest = max((require_aware(at), *due))
        if require_aware(until) <= latest:
            raise RuleError(f"an extension must end later than what is due now, {latest.isoformat()}")

    def _require_no_handler(self, by: Person, what: str) -> None:
        if by.id in self.handlers:
            raise RuleError(f"{by.id} handled this incident: it must be {what} by somebody who did not")

    def _require_work(self, what: str) -> None:
        if self.parked_at is not None:
            raise RuleError(f"nobody can {what} while the incident is parked: unpark it first")


def _require_other(by: Person, asked_by: str | None, what: str) -> None:
    if by.id == asked_by:
        raise RuleError(f"{by.id} asked for this {what}: it must be decided by somebody else")


def _require_of(by: Person, unit: str, what: str) -> None:
    if unit not in by.units:
        raise RuleError(f"only {unit} may {what} this incident, and {by.id} is not of that unit")
