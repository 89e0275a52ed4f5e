"""Dispute 矛盾纠纷: parties who consent are mediated until they agree and perform, or are referred to where it is decided."""

from __future__ import annotations

from calendar import monthrange
from datetime import datetime, timedelta
from typing import TYPE_CHECKING
from uuid import UUID

from eventsourcing.domain import Aggregate

from domain import dispute_events as events
from domain.deadlines import Deadline, passed, without
from domain.dispute_events import AgreementForm, Confirmation, DisputeState, Objection, Route
from domain.errors import InvalidError, NotFoundError, RuleError
from domain.lifecycle import advance, require_aware, require_text
from domain.mechanisms import JointMechanism
from domain.observation import require_code
from domain.people import Person
from domain.personal import Personal, of_subject
from domain.working_time import ZONE

if TYPE_CHECKING:
    from collections.abc import Iterable

    from domain.site import Site

S = DisputeState
__all__ = ["AgreementForm", "Confirmation", "Dispute", "DisputeState", "Objection", "Route"]

FEWEST_PARTIES = 2
MEDIATE, PERFORM = "mediate", "perform"
"""The names of the deadlines."""
RULE = "mediation-1"
"""Which rule the deadlines follow: a month from acceptance, and the day of performance that the parties agreed on."""
CONFIRM_WITHIN = timedelta(days=30)
"""After an agreement takes effect, the parties can ask a court to confirm it for so long (People's Mediation Law, 33)."""


def month_after(start: datetime) -> datetime:
    """The same day of the next month and the same time in China, or that month's last day if it is shorter."""
    there = start.astimezone(ZONE)
    year, month = (there.year, there.month + 1) if there.month < 12 else (there.year + 1, 1)  # noqa: PLR2004  (December)
    day = min(there.day, monthrange(year, month)[1])
    return there.replace(year=year, month=month, day=day).astimezone(start.tzinfo)


class Dispute(Aggregate):
    """One dispute. What is known about a party is sealed under the party's own key, and what was said and agreed under the dispute's.

    parties: by id; True for those who consent. objected: mediators who had to step aside.
    mediators: all who mediated it; overdue: the deadlines that passed.
    """

    TOPIC = "dispute"

    Event = events.Event
    Registered = events.Registered
    PartyAdded = events.PartyAdded
    ConsentGiven = events.ConsentGiven
    Accepted = events.Accepted
    NotAccepted = events.NotAccepted
    Assigned = events.Assigned
    MediatorRecused = events.MediatorRecused
    SessionHeld = events.SessionHeld
    Extended = events.Extended
    DeadlinePassed = events.DeadlinePassed
    Agreed = events.Agreed
    Failed = events.Failed
    Withdrawn = events.Withdrawn
    ConfirmationRequested = events.ConfirmationRequested
    ConfirmationDecided = events.ConfirmationDecided
    PerformanceStarted = events.PerformanceStarted
    Breached = events.Breached
    Urged = events.Urged
    Fulfilled = events.Fulfilled
    Referred = events.Referred
    Closed = events.Closed
    Created = events.Registered

    state: DisputeState

    def __init__(
        self,
        *,
        township: str,
        site_id: UUID | None,
        category: str,
        incident_id: UUID | None,
        mechanism: JointMechanism | None,
        description: Personal,
    ) -> None:
        self.township = township
        self.site_id = site_id
        self.category = category
        self.incident_id = incident_id
        self.mechanism = mechanism
        self.description = description
        self.parties: dict[UUID, bool] = {}
        self.mediator: str | None = None
        self.room: str | None = None
        self.mediators: frozenset[str] = frozenset()
        self.objected: frozenset[str] = frozenset()
        self.sessions = 0
        self.agreed_at: datetime | None = None
        self.confirmation: Confirmation | None = None
        self.breached: frozenset[UUID] = frozenset()
        self.urged: frozenset[UUID] = frozenset()
        self.deadlines: tuple[Deadline, ...] = ()
        self.overdue: frozenset[str] = frozenset()

    @classmethod
    def register(
        cls,
        *,
        id: UUID,  # noqa: A002  (the library's own word for it)
        by: Person,
        at: datetime,
        category: str,
        description: Personal,
        township: str | None = None,
        site: Site | None = None,
        incident_id: UUID | None = None,
        mechanism: JointMechanism | None = None,
    ) -> Dispute:
        """登记: a new dispute in `township`, or at `site` and so in its township."""
        if (township is None) == (site is None):
            raise InvalidError("a dispute lies in a township or at a site: name one of the two")
        return cls._create(
            cls.Registered,
            id=id,
            timestamp=require_aware(at),
            actor=by.id,
            township=site.township if site else require_code(township or "", "township"),
            site_id=site.id if site else None,
            category=require_code(category, "category"),
            incident_id=incident_id,
            mechanism=mechanism,
            description=_sealed_under(id, description, "description"),
        )

    def add_party(self, *, by: Person, at: datetime, party: UUID, details: Personal) -> None:
        """Add a party; `details` (who it is, how to reach them) are sealed under the scope of `party`."""
        if party in self.parties:
            raise RuleError(f"party {party} is in this dispute already")
        advance(
            self,
            self.PartyAdded,
            by=by,
            at=at,
            party=party,
            details=_sealed_under(party, details, "details of the party", 500),
        )

    def give_consent(self, *, by: Person, at: datetime, party: UUID) -> None:
        """Record that `party` wants to be mediated."""
        self._require_party(party)
        if self.parties[party]:
            raise RuleError(f"party {party} consented already")
        advance(self, self.ConsentGiven, by=by, at=at, party=party)

    def accept(self, *, by: Person, at: datetime) -> None:
        """受理: take it on; mediation is voluntary, so all of its two or more parties consent."""
        if self.state is S.REGISTERED:
            if len(self.parties) < FEWEST_PARTIES:
                raise RuleError(
                    f"a dispute has at least {FEWEST_PARTIES} parties, and this one has {len(self.parties)}"
                )
            if missing := [str(party) for party, consents in self.parties.items() if not consents]:
                raise RuleError(f"mediation is voluntary: the consent of {', '.join(missing)} is missing")
        due = Deadline(MEDIATE, month_after(require_aware(at)), RULE)
        advance(self, self.Accepted, by=by, at=at, deadlines=(due,))

    def decline(self, *, by: Person, at: datetime, reason: str) -> None:
        """不予受理: do not take it on; the reason names the rule."""
        advance(self, self.NotAccepted, by=by, at=at, reason=require_text(reason, "reason"))

    def assign(self, *, by: Person, at: datetime, mediator: str, room: str) -> None:
        """指派调解员: a mediator (a staff id) who did not have to step aside, and a room (a code)."""
        mediator = require_text(mediator, "mediator", 100)
        if mediator in self.objected:
            raise RuleError(f"{mediator} had to step aside in this dispute: assign another mediator")
        advance(self, self.Assigned, by=by, at=at, mediator=mediator, room=require_code(room, "room"))

    def recuse_mediator(
        self, *, by: Person, at: datetime, objection: Objection, party: UUID | None = None
    ) -> None:
        """回避: `party` objects to the mediator, or (without `party`) the mediator steps aside; either is enough."""
        if party is not None:
            self._require_party(party)
        elif self.mediator is not None:
            self._require_mediator(by)
        advance(
            self, self.MediatorRecused, by=by, at=at, mediator=self.mediator, party=party, objection=objection
        )

    def hold_session(self, *, by: Person, at: datetime, record: Personal | None = None) -> None:
        """Record that the parties met; only the assigned mediator holds a session."""
        self._require_mediator(by)
        if record is not None:
            record = _sealed_under(self.id, record, "record", 20_000)
        advance(self, self.SessionHeld, by=by, at=at, session=self.sessions + 1, record=record)

    def extend(self, *, by: Person, at: datetime, until: datetime, agreed_by: tuple[UUID, ...]) -> None:
        """Go on mediating until `until`, as all parties agree."""
        self._require_all(agreed_by, "more time")
        now = next((one.due_at for one in self.deadlines if one.name == MEDIATE), at)
        if require_aware(until) <= max(now, require_aware(at)):
            raise RuleError(
                f"an extension ends after {max(now, at).isoformat()}, when it would be over anyway"
            )
        due = Deadline(MEDIATE, until, RULE)
        advance(self, self.Extended, by=by, at=at, deadlines=(*without(self.deadlines, MEDIATE), due))

    def agree(
        self,
        *,
        by: Person,
        at: datetime,
        agreed_by: tuple[UUID, ...],
        form: AgreementForm,
        perform_by: datetime,
        facts: Personal,
        duties: Personal,
        method: Personal,
        place: Personal,
    ) -> None:
        """达成协议: all parties agree on facts, duties, and how, where and until when they are performed."""
        self._require_mediator(by)
        self._require_all(agreed_by, "an agreement")
        if require_aware(perform_by) < require_aware(at):
            raise RuleError("the day of performance lies before the agreement")
        texts = {"facts": facts, "duties": duties, "method": method, "place": place}
        advance(
            self,
            self.Agreed,
            by=by,
            at=at,
            deadlines=(Deadline(PERFORM, perform_by, RULE),),
            form=form,
            perform_by=perform_by,
            **{what: _sealed_under(self.id, text, what) for what, text in texts.items()},
        )

    def fail(self, *, by: Person, at: datetime, reason: str) -> None:
        """调解不成: the mediator sees no agreement."""
        self._require_mediator(by)
        advance(self, self.Failed, by=by, at=at, deadlines=(), reason=require_text(reason, "reason"))

    def withdraw(self, *, by: Person, at: datetime, party: UUID) -> None:
        """撤回: `party` no longer wants to be mediated; one is enough."""
        self._require_party(party)
        advance(self, self.Withdrawn, by=by, at=at, deadlines=(), party=party)

    def request_confirmation(
        self, *, by: Person, at: datetime, court: str, requested_by: tuple[UUID, ...]
    ) -> None:
        """Ask `court` (a code) to confirm the agreement: all parties together, once, within 30 days of its taking effect."""
        self._require_all(requested_by, "a confirmation")
        if self.confirmation is not None:
            raise RuleError(f"the confirmation of this agreement is {self.confirmation} already")
        if self.agreed_at is not None and require_aware(at) > self.agreed_at + CONFIRM_WITHIN:
            raise RuleError(
                f"a confirmation is asked for within {CONFIRM_WITHIN.days} days: until {self.agreed_at + CONFIRM_WITHIN}"
            )
        advance(self, self.ConfirmationRequested, by=by, at=at, court=require_code(court, "court"))

    def decide_confirmation(self, *, by: Person, at: datetime, confirmed: bool, ruling: str) -> None:
        """Record the ruling (its number) of the court that was asked."""
        if self.confirmation is not Confirmation.REQUESTED:
            raise RuleError("no request for a confirmation waits for a ruling: request it first")
        advance(
            self,
            self.ConfirmationDecided,
            by=by,
            at=at,
            confirmed=confirmed,
            ruling=require_text(ruling, "ruling", 100),
        )

    def start_performance(self, *, by: Person, at: datetime) -> None:
        """履行: the parties begin to do what they agreed on."""
        advance(self, self.PerformanceStarted, by=by, at=at)

    def report_breach(self, *, by: Person, at: datetime, party: UUID) -> None:
        """Record that `party` does not do what was agreed."""
        self._require_party(party)
        advance(self, self.Breached, by=by, at=at, party=party)

    def urge(self, *, by: Person, at: datetime, party: UUID, perform_by: datetime) -> None:
        """督促: give `party`, who is in breach, time until a later day."""
        if party not in self.breached:
            raise RuleError(f"party {party} is not in breach: report the breach first")
        if require_aware(perform_by) <= require_aware(at):
            raise RuleError("a party is urged to perform by a later time than now")
        due = Deadline(PERFORM, perform_by, RULE)
        advance(
            self,
            self.Urged,
            by=by,
            at=at,
            party=party,
            deadlines=(*without(self.deadlines, PERFORM), due),
        )

    def fulfil(self, *, by: Person, at: datetime) -> None:
        """Everything that was agreed is done."""
        advance(self, self.Fulfilled, by=by, at=at, deadlines=())

    def refer(self, *, by: Person, at: datetime, route: Route) -> None:
        """Hand it to where it is decided: after mediation failed, or when urging a party in breach did not help."""
        if self.state is S.PERFORMING and not self.urged:
            raise RuleError(
                "a dispute whose agreement is being performed is referred only after a party was urged"
            )
        if (route is Route.ENFORCEMENT) and self.confirmation is not Confirmation.CONFIRMED:
            raise RuleError("only an agreement that a court has confirmed is enforced: choose another route")
        advance(self, self.Referred, by=by, at=at, deadlines=(), route=route)

    def close(self, *, by: Person, at: datetime, satisfied: bool, note: Personal) -> None:
        """回访 and close; somebody other than its mediators asks."""
        if by.id in self.mediators:
            raise RuleError(f"{by.id} mediated this dispute: the revisit is made by somebody who did not")
        advance(
            self, self.Closed, by=by, at=at, satisfied=satisfied, note=_sealed_under(self.id, note, "note")
        )

    def pass_deadline(self, *, by: Person, at: datetime, name: str) -> None:
        """Record that the deadline `name` has passed; nothing if it does not run (any more), or lies after `at`."""
        if passed(self.deadlines, name, require_aware(at)):
            advance(
                self, self.DeadlinePassed, by=by, at=at, name=name, deadlines=without(self.deadlines, name)
            )

    def _require_party(self, party: UUID) -> None:
        if party not in self.parties:
            known = ", ".join(map(str, self.parties)) or "none"
            raise NotFoundError(f"this dispute has no party {party}; its parties: {known}")

    def _require_all(self, given: Iterable[UUID], what: str) -> None:
        if set(given) != set(self.parties):
            known = ", ".join(map(str, self.parties)) or "none"
            raise RuleError(f"{what} needs all parties and nobody else: {known}")

    def _require_mediator(self, by: Person) -> None:
        if self.mediator is not None and by.id != self.mediator:
            raise RuleError(f"this dispute is mediated by {self.mediator}, and {by.id} is somebody else")


def _sealed_under(subject: UUID, value: Personal, what: str, longest: int = 2000) -> Personal:
    """`value`, if the key of `subject` forgets it."""
    if value.scope != of_subject(subject):
        raise InvalidError(f"{what} must be sealed under {of_subject(subject)}, not {value.scope}")
    return value.require(what, longest)
