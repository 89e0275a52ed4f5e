"""What can happen to a dispute: its states, and the events that lead from one to the next."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING
from uuid import UUID

from eventsourcing.domain import Aggregate

from domain.deadlines import Timed
from domain.lifecycle import Step
from domain.mechanisms import JointMechanism
from domain.personal import Personal

if TYPE_CHECKING:
    from domain.dispute import Dispute


class DisputeState(StrEnum):
    """Where a dispute stands; exactly one at a time."""

    REGISTERED = "REGISTERED"  # 登记
    ACCEPTED = "ACCEPTED"  # 受理
    NOT_ACCEPTED = "NOT_ACCEPTED"
    ASSIGNED = "ASSIGNED"  # 指派调解员
    MEDIATING = "MEDIATING"  # 调解中
    AGREED = "AGREED"  # 达成协议
    FAILED = "FAILED"  # 调解不成
    REFERRED = "REFERRED"
    TERMINATED = "TERMINATED"  # 撤回
    PERFORMING = "PERFORMING"  # 履行
    FULFILLED = "FULFILLED"
    CLOSED = "CLOSED"


class Objection(StrEnum):
    """Why a mediator has to step aside 回避."""

    RELATIVE = "RELATIVE"  # of a party
    INTEREST = "INTEREST"  # in what comes of it
    PARTIALITY = "PARTIALITY"


class AgreementForm(StrEnum):
    """How an agreement was made; both bind."""

    ORAL = "ORAL"
    WRITTEN = "WRITTEN"


class Route(StrEnum):
    """Where a dispute is decided when mediation does not end it."""

    LITIGATION = "LITIGATION"  # 诉讼
    ARBITRATION = "ARBITRATION"  # 仲裁
    ADMINISTRATIVE = "ADMINISTRATIVE"  # 行政
    ENFORCEMENT = "ENFORCEMENT"  # 强制执行, of an agreement that a court has confirmed


class Confirmation(StrEnum):
    """How far the judicial confirmation 司法确认 has come."""

    REQUESTED = "REQUESTED"
    CONFIRMED = "CONFIRMED"
    REFUSED = "REFUSED"


S = DisputeState
OPEN = (S.ACCEPTED, S.ASSIGNED, S.MEDIATING)
"""The states in which the month of mediation runs."""


class Event(Step):
    """Of a dispute. Free text in clear, such as a reason, names a rule, never a person."""


class Registered(Event, Aggregate.Created):
    """登记. `incident_id`: what caused it, if an incident did. `description`: sealed under the dispute's own scope."""

    TOPIC = "dispute.registered"
    TO = S.REGISTERED
    township: str
    site_id: UUID | None
    category: str
    incident_id: UUID | None
    mechanism: JointMechanism | None
    description: Personal


class PartyAdded(Event):
    """`details`: who the party is and how to reach them, sealed under the scope of `party`."""

    TOPIC = "dispute.party_added"
    FROM = (S.REGISTERED,)
    party: UUID
    details: Personal

    def apply(self, aggregate: Dispute) -> None:
        aggregate.parties = {**aggregate.parties, self.party: False}


class ConsentGiven(Event):
    """The party wants to be mediated."""

    TOPIC = "dispute.consent_given"
    FROM = (S.REGISTERED,)
    party: UUID

    def apply(self, aggregate: Dispute) -> None:
        aggregate.parties = {**aggregate.parties, self.party: True}


class Accepted(Event, Timed):
    """受理: the month of mediation begins."""

    TOPIC = "dispute.accepted"
    FROM, TO = (S.REGISTERED,), S.ACCEPTED


class NotAccepted(Event):
    """Mediation is not the way for it."""

    TOPIC = "dispute.not_accepted"
    FROM, TO = (S.REGISTERED,), S.NOT_ACCEPTED
    reason: str


class Assigned(Event):
    """指派调解员. `mediator`: a staff id; `room`: the code of a mediation room."""

    TOPIC = "dispute.assigned"
    FROM, TO = (S.ACCEPTED,), S.ASSIGNED
    mediator: str
    room: str

    def apply(self, aggregate: Dispute) -> None:
        super().apply(aggregate)
        aggregate.mediator, aggregate.room = self.mediator, self.room
        aggregate.mediators = aggregate.mediators | {self.mediator}


class MediatorRecused(Event):
    """回避: `party` objected to the mediator, or (without `party`) the mediator stepped aside. Another one is assigned."""

    TOPIC = "dispute.mediator_recused"
    FROM, TO = (S.ASSIGNED, S.MEDIATING), S.ACCEPTED
    mediator: str
    party: UUID | None
    objection: Objection

    def apply(self, aggregate: Dispute) -> None:
        super().apply(aggregate)
        aggregate.objected = aggregate.objected | {self.mediator}
        aggregate.mediator = aggregate.room = None


class SessionHeld(Event):
    """The parties met the mediator. `session` counts from 1; `record`: what was said, sealed under the dispute's scope."""

    TOPIC = "dispute.session_held"
    FROM, TO = (S.ASSIGNED, S.MEDIATING), S.MEDIATING
    session: int
    record: Personal | None

    def apply(self, aggregate: Dispute) -> None:
        super().apply(aggregate)
        aggregate.sessions = self.session


class Extended(Event, Timed):
    """All parties agree to go on for longer."""

    TOPIC = "dispute.extended"
    FROM = OPEN


class DeadlinePassed(Event, Timed):
    """超期: the deadline `name` is over, and what it was for is not done."""

    TOPIC = "dispute.deadline_passed"
    FROM = (*OPEN, S.AGREED, S.PERFORMING)
    name: str

    def apply(self, aggregate: Dispute) -> None:
        super().apply(aggregate)
        aggregate.overdue = aggregate.overdue | {self.name}


class Agreed(Event, Timed):
    """达成协议, by all parties; it takes effect at once. What they agreed on is sealed under the dispute's scope."""

    TOPIC = "dispute.agreed"
    FROM, TO = (S.MEDIATING,), S.AGREED
    form: AgreementForm
    perform_by: datetime
    facts: Personal
    duties: Personal
    method: Personal
    place: Personal

    def apply(self, aggregate: Dispute) -> None:
        super().apply(aggregate)
        aggregate.agreed_at = self.timestamp


class Failed(Event, Timed):
    """调解不成."""

    TOPIC = "dispute.failed"
    FROM, TO = (S.MEDIATING,), S.FAILED
    reason: str


class Withdrawn(Event, Timed):
    """撤回: `party` no longer wants to be mediated."""

    TOPIC = "dispute.withdrawn"
    FROM, TO = (S.REGISTERED, *OPEN), S.TERMINATED
    party: UUID


class ConfirmationRequested(Event):
    """All parties together asked the court with this code to confirm the agreement."""

    TOPIC = "dispute.confirmation_requested"
    FROM = (S.AGREED, S.PERFORMING)
    court: str

    def apply(self, aggregate: Dispute) -> None:
        aggregate.confirmation = Confirmation.REQUESTED


class ConfirmationDecided(Event):
    """The court's ruling."""

    TOPIC = "dispute.confirmation_decided"
    FROM = (S.AGREED, S.PERFORMING)
    confirmed: bool
    ruling: str

    def apply(self, aggregate: Dispute) -> None:
        aggregate.confirmation = Confirmation.CONFIRMED if self.confirmed else Confirmation.REFUSED


class PerformanceStarted(Event):
    """履行."""

    TOPIC = "dispute.performance_started"
    FROM, TO = (S.AGREED,), S.PERFORMING


class Breached(Event):
    """`party` does not do what was agreed."""

    TOPIC = "dispute.breached"
    FROM = (S.PERFORMING,)
    party: UUID

    def apply(self, aggregate: Dispute) -> None:
        aggregate.breached = aggregate.breached | {self.party}


class Urged(Event, Timed):
    """督促: `party` is to do it until the new deadline."""

    TOPIC = "dispute.urged"
    FROM = (S.PERFORMING,)
    party: UUID

    def apply(self, aggregate: Dispute) -> None:
        super().apply(aggregate)
        aggregate.urged = aggregate.urged | {self.party}


class Fulfilled(Event, Timed):
    """Everything that was agreed is done."""

    TOPIC = "dispute.fulfilled"
    FROM, TO = (S.PERFORMING,), S.FULFILLED


class Referred(Event, Timed):
    """It is decided elsewhere from now on."""

    TOPIC = "dispute.referred"
    FROM, TO = (S.FAILED, S.PERFORMING), S.REFERRED
    route: Route


class Closed(Event):
    """回访: somebody other than its mediators asked the parties whether the matter rests. `note`: what they said, sealed."""

    TOPIC = "dispute.closed"
    FROM, TO = (S.FULFILLED,), S.CLOSED
    satisfied: bool
    note: Personal
