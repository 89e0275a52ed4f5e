"""Incident 事件: a report that a governance centre takes in, hands to a unit and sees closed."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from eventsourcing.domain import Aggregate

from domain.errors import RuleError
from domain.lifecycle import Step, advance, require_aware, require_text
from domain.observation import require_code
from domain.people import Person
from domain.personal import Personal
from domain.site import Site


class IncidentState(StrEnum):
    """Where an incident stands; exactly one at a time."""

    REPORTED = "REPORTED"  # 已上报
    ACCEPTED = "ACCEPTED"  # 受理
    DISPATCHED = "DISPATCHED"  # 分流交办
    SIGNED = "SIGNED"  # 签收
    HANDLING = "HANDLING"  # 处置
    VERIFYING = "VERIFYING"  # 核查
    CLOSED = "CLOSED"  # 办结


class Source(StrEnum):
    """Who or what reported it."""

    GRID_WORKER = "GRID_WORKER"  # 网格员
    CITIZEN = "CITIZEN"  # 群众
    ALARM = "ALARM"
    HOTLINE = "HOTLINE"  # 12345
    OPEN311 = "OPEN311"


S = IncidentState


class Incident(Aggregate):
    """One incident. `round` counts how often it went back to HANDLING after a failed verification, from 1."""

    TOPIC = "incident"

    class Event(Step):
        """Of an incident."""

    class Reported(Event, Aggregate.Created):
        """已上报. `occurred_at` is when the matter itself happened, at or before the report.

        reporter: who reported it and how to reach them, if they said; stored sealed.
        """

        TOPIC = "incident.reported"
        TO = S.REPORTED
        occurred_at: datetime
        source: Source
        site_id: UUID
        township: str
        category: str
        description: str
        reporter: Personal | None = None

    Created = Reported

    class Accepted(Event):
        """受理."""

        TOPIC = "incident.accepted"
        FROM, TO = (S.REPORTED,), S.ACCEPTED

    class Dispatched(Event):
        """分流交办: the clock of the unit starts here, not at sign-in."""

        TOPIC = "incident.dispatched"
        FROM, TO = (S.ACCEPTED,), S.DISPATCHED
        lead_unit: str

        def apply(self, aggregate: Incident) -> None:
            super().apply(aggregate)
            aggregate.lead_unit = self.lead_unit

    class Signed(Event):
        """签收."""

        TOPIC = "incident.signed"
        FROM, TO = (S.DISPATCHED,), S.SIGNED

    class HandlingStarted(Event):
        """处置."""

        TOPIC = "incident.handling_started"
        FROM, TO = (S.SIGNED,), S.HANDLING

        def apply(self, aggregate: Incident) -> None:
            super().apply(aggregate)
            aggregate.handlers = aggregate.handlers | {self.actor}

    class FeedbackGiven(Event):
        """反馈: what the unit did; it asks for verification."""

        TOPIC = "incident.feedback_given"
        FROM, TO = (S.HANDLING,), S.VERIFYING
        result: str

        def apply(self, aggregate: Incident) -> None:
            super().apply(aggregate)
            aggregate.handlers = aggregate.handlers | {self.actor}

    class Reworked(Event):
        """返工: the verification failed, and the unit handles it again."""

        TOPIC = "incident.reworked"
        FROM, TO = (S.VERIFYING,), S.HANDLING
        reason: str

        def apply(self, aggregate: Incident) -> None:
            super().apply(aggregate)
            aggregate.round += 1

    class Closed(Event):
        """办结: the verification passed."""

        TOPIC = "incident.closed"
        FROM, TO = (S.VERIFYING,), S.CLOSED
        note: str

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
    ) -> None:
        self.occurred_at = occurred_at
        self.source = source
        self.site_id = site_id
        self.township = township
        self.category = category
        self.description = description
        self.reporter = reporter
        self.lead_unit: str | None = None
        self.handlers: frozenset[str] = frozenset()
        self.round = 1

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
            description=require_text(description, "description"),
            reporter=reporter and reporter.require("reporter", 200),
        )

    def accept(self, *, by: Person, at: datetime) -> None:
        """受理: the centre takes it on."""
        advance(self, self.Accepted, by=by, at=at)

    def dispatch(self, *, by: Person, at: datetime, lead_unit: str) -> None:
        """分流交办: hand it to the unit that answers for it."""
        advance(self, self.Dispatched, by=by, at=at, lead_unit=require_code(lead_unit, "lead unit"))

    def sign(self, *, by: Person, at: datetime) -> None:
        """签收: the lead unit has seen it."""
        self._require_unit(by, "sign for")
        advance(self, self.Signed, by=by, at=at)

    def start_handling(self, *, by: Person, at: datetime) -> None:
        """处置: the lead unit is at work."""
        self._require_unit(by, "handle")
        advance(self, self.HandlingStarted, by=by, at=at)

    def give_feedback(self, *, by: Person, at: datetime, result: str) -> None:
        """反馈: the lead unit says what was done."""
        self._require_unit(by, "give feedback on")
        advance(self, self.FeedbackGiven, by=by, at=at, result=require_text(result, "result"))

    def verify(self, *, by: Person, at: datetime, passed: bool, note: str) -> None:
        """核查: somebody who did not handle it closes it, or sends it back with a reason."""
        if by.id in self.handlers:
            raise RuleError(f"{by.id} handled this incident: it must be verified by somebody who did not")
        text = require_text(note, "note")
        if passed:
            advance(self, self.Closed, by=by, at=at, note=text)
        else:
            advance(self, self.Reworked, by=by, at=at, reason=text)

    def _require_unit(self, by: Person, what: str) -> None:
        if self.lead_unit is not None and self.lead_unit not in by.units:
            raise RuleError(
                f"only {self.lead_unit} may {what} this incident, and {by.id} is not of that unit"
            )
