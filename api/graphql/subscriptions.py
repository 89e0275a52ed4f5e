"""Subscriptions: what happens, as it is written to the log, within the scope of the person asking.

A message is made of its event alone, and of how its incident stood: nothing is asked of the database for a subscriber. Whatever else is
to be shown is asked for by a query with `afterPosition`.
"""

import asyncio
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import replace
from datetime import datetime
from typing import Annotated, Any, Self, TypeVar
from uuid import UUID

import strawberry

from api.changes import INCIDENTS, Change
from api.feed import Wants
from api.graphql.context import Info
from api.graphql.figures import ClosureFigures, ClosureFilter
from api.graphql.recorded import record_subscription
from api.graphql.types import Period, Position
from api.tokens import expiry
from domain import policy
from domain.access import Decision
from domain.alarm import ACK, Alarm, Trigger
from domain.credentials import CredentialKind
from domain.deadlines import Deadline, Urgency
from domain.errors import UnauthenticatedError
from domain.gatepass import GatePass
from domain.incident import IncidentState, Source
from domain.lead import REVIEW, Lead
from domain.mechanisms import JointMechanism
from domain.observation import require_code
from domain.people import Person
from domain.site import Direction, site_id
from projections.closure_figures import Basis, Closure
from projections.incidents import Reader
from projections.standing import Standing

T = TypeVar("T")
S = TypeVar("S")
FromPosition = Annotated[
    Position | None,
    strawberry.argument(
        description="`position` of the last message you had: you are told everything since, each once. Without it, what comes from now on."
    ),
]
SiteCode = Annotated[
    str | None, strawberry.argument(description="The site's code; without it, all that you may see.")
]


@strawberry.interface(description="An event of the log, told as it is written.")
class Told:
    position: Position = strawberry.field(
        description="Its place in the log: pass the last one as `fromPosition` when you come back."
    )
    occurred_at: datetime = strawberry.field(description="When it happened.")
    recorded_at: datetime = strawberry.field(description="When it was written to the log.")


def _told(change: Change) -> dict[str, Any]:
    """The fields of `Told`."""
    entry = change.entry
    return {
        "position": Position(entry.position),
        "occurred_at": entry.event.timestamp,
        "recorded_at": entry.recorded_at,
    }


@strawberry.type(description="事件: how an incident stood after an event, as `Incident` has it.")
class IncidentNow:
    id: UUID = strawberry.field(description="The incident's id.")
    version: int = strawberry.field(description="Pass it as `expectedVersion` to change what you have seen.")
    site_id: UUID = strawberry.field(description="小区: where it lies.")
    township: str = strawberry.field(description="乡镇街道: the township's code.")
    category: str = strawberry.field(description="类别.")
    source: Source = strawberry.field(description="来源: who or what reported it.")
    description: str | None = strawberry.field(
        description="Null if it is confidential 保密 and you may not see it."
    )
    confidential: bool = strawberry.field(description="保密.")
    state: IncidentState = strawberry.field(description="Where it stands.")
    urgency: Urgency = strawberry.field(description="紧急程度.")
    lead_unit: str | None = strawberry.field(description="主办: the unit that answers for it.")
    units: list[str] = strawberry.field(description="主办 and 协办: all that take part.")
    round: int = strawberry.field(
        description="1, and one more for every failed verification 返工 and reopening 重开."
    )
    level: int = strawberry.field(description="上报: how high it was taken; 0 is not at all.")
    supervised: bool = strawberry.field(description="督办.")
    parked: bool = strawberry.field(description="挂账.")
    overdue: list[str] = strawberry.field(description="超期: the deadlines that ever passed.")
    due_at: datetime | None = strawberry.field(description="When the next of its deadlines passes.")
    reported_at: datetime = strawberry.field(description="上报.")
    dispatched_at: datetime | None = strawberry.field(description="分流交办: last.")
    closed_at: datetime | None = strawberry.field(description="办结: last.")

    @classmethod
    def of(cls, row: Standing, reader: Reader) -> Self:
        """How it stood, as `reader` may see it."""
        may = not row.confidential or reader.confidential or not reader.units.isdisjoint(row.legs)
        return cls(
            id=row.incident_id,
            version=row.version,
            site_id=row.site_id,
            township=row.township,
            category=row.category,
            source=Source(row.source),
            description=row.description if may else None,
            confidential=row.confidential,
            state=IncidentState(row.state),
            urgency=Urgency(row.urgency),
            lead_unit=row.lead_unit,
            units=list(row.legs),
            round=row.round,
            level=row.level,
            supervised=row.supervised,
            parked=row.parked,
            overdue=row.overdue,
            due_at=row.due_at,
            reported_at=row.reported_at,
            dispatched_at=row.dispatched_at,
            closed_at=row.closed_at,
        )


@strawberry.type(description="Something happened to an incident.")
class IncidentChange(Told):
    topic: str = strawberry.field(description="What happened, such as `incident.dispatched`.")
    actor: str = strawberry.field(description="The person or device behind it.")
    matches: bool = strawberry.field(
        description="Whether it is what the filter asks for now; if not, it was before, and can leave your list."
    )
    incident: IncidentNow = strawberry.field(description="How it stood after it.")


@strawberry.input(
    description="Of which incidents; everything given must hold, after the event or just before."
)
class IncidentChangeFilter:
    states: list[IncidentState] | None = strawberry.field(default=None, description="One of these.")
    site: str | None = strawberry.field(default=None, description="The site's code.")
    township: str | None = strawberry.field(default=None, description="The township's code.")
    categories: list[str] | None = strawberry.field(default=None, description="One of these.")
    urgency: Urgency | None = strawberry.field(default=None, description="Just this.")
    unit: str | None = strawberry.field(default=None, description="A unit that takes part 主办 or 协办.")

    def place(self) -> UUID | None:
        """The site, if one is given; InvalidError if its code cannot be one."""
        return None if self.site is None else site_id(require_code(self.site, "site"))

    def test(self) -> Callable[[Standing], bool]:
        """Whether an incident of the site that stands so is asked for; InvalidError if a code cannot be one."""
        township = None if self.township is None else require_code(self.township, "township")
        states = None if self.states is None else frozenset(self.states)
        categories = (
            None
            if self.categories is None
            else frozenset(require_code(category, "category") for category in self.categories)
        )

        def matches(row: Standing) -> bool:
            return (
                (township is None or row.township == township)
                and (states is None or row.state in states)
                and (categories is None or row.category in categories)
                and (self.urgency is None or row.urgency == self.urgency)
                and (self.unit is None or self.unit in row.legs)
            )

        return matches


@strawberry.type(
    description="报警: a sensor tripped, or a camera saw something; the same one again is the same alarm."
)
class AlarmRaised(Told):
    id: UUID = strawberry.field(description="The alarm's id.")
    site_id: UUID = strawberry.field(description="小区: where it is.")
    township: str = strawberry.field(description="乡镇街道: the township's code.")
    sensor: str = strawberry.field(description="The code of the device at its site.")
    trigger: Trigger = strawberry.field(description="What raised it.")
    acknowledge_by: datetime | None = strawberry.field(
        description="接警: until when somebody has to see to it."
    )

    @classmethod
    def of(cls, change: Change) -> Self:
        """The event, as it is shown."""
        event: Alarm.Tripped = change.entry.event
        return cls(
            **_told(change),
            id=event.originator_id,
            site_id=event.site_id,
            township=event.township,
            sensor=event.sensor,
            trigger=event.trigger,
            acknowledge_by=_due(event.deadlines, ACK),
        )


@strawberry.type(
    description="线索: what passed a gate may be what a watch entry looks for. A reviewer has to look at it."
)
class LeadProposed(Told):
    id: UUID = strawberry.field(description="The lead's id.")
    entry_id: UUID = strawberry.field(description="布控: the watch entry.")
    case: str = strawberry.field(description="案件: the number of the case that the entry is for.")
    site_id: UUID = strawberry.field(description="小区: where it was.")
    township: str = strawberry.field(description="乡镇街道: the township's code.")
    gate: str = strawberry.field(description="The gate's code.")
    score: float = strawberry.field(description="How alike the model found them, 0 to 1. It proves nothing.")
    model: str = strawberry.field(description="The model that compared them.")
    review_by: datetime | None = strawberry.field(description="Until when it has to be reviewed.")

    @classmethod
    def of(cls, change: Change) -> Self:
        """The event, as it is shown: the images are looked at elsewhere, where looks are recorded."""
        event: Lead.Proposed = change.entry.event
        return cls(
            **_told(change),
            id=event.originator_id,
            entry_id=event.entry_id,
            case=event.case,
            site_id=event.site_id,
            township=event.township,
            gate=event.gate,
            score=event.evidence.score,
            model=event.model,
            review_by=_due(event.deadlines, REVIEW),
        )


@strawberry.type(
    description="通行: somebody came to a gate. Who it was, and what was read or seen, is not told."
)
class GatePassed(Told):
    id: UUID = strawberry.field(description="The pass's id: what a guard names to release or refuse it.")
    site_id: UUID = strawberry.field(description="小区: where it was.")
    township: str = strawberry.field(description="乡镇街道: the township's code.")
    gate: str = strawberry.field(description="The gate's code.")
    direction: Direction = strawberry.field(description="Which way.")
    credential: CredentialKind = strawberry.field(description="What was shown.")
    decision: Decision = strawberry.field(description="What the gate did; HELD waits for a guard.")
    reason: str = strawberry.field(description="Why, by the rules.")

    @classmethod
    def of(cls, change: Change) -> Self:
        """The event, as it is shown."""
        event: GatePass.Passed = change.entry.event
        return cls(
            **_told(change),
            id=event.originator_id,
            site_id=event.site_id,
            township=event.township,
            gate=event.gate,
            direction=event.direction,
            credential=event.credential,
            decision=event.decision,
            reason=event.reason,
        )


def _due(deadlines: tuple[Deadline, ...], name: str) -> datetime | None:
    return next((one.due_at for one in deadlines if one.name == name), None)


@strawberry.type(description="What can be followed, over a socket that speaks graphql-transport-ws.")
class Subscription:
    @strawberry.subscription(
        description="事件: each event of the incidents that you may see; also the one after which an incident is no longer asked for."
    )
    async def incident_changed(
        self,
        info: Info,
        filter: IncidentChangeFilter | None = None,
        from_position: FromPosition = None,
    ) -> AsyncGenerator[IncidentChange, None]:
        person = info.context.allow("read.incidents")
        reader, scope = Reader.of(person), person.scope
        given = filter or IncidentChangeFilter()
        place, matches = given.place(), given.test()

        def test(change: Change) -> bool:
            before, after = change.before, _stands(change)
            return scope.covers(after.township, after.site_id) and (
                matches(after) or (before is not None and matches(before))
            )

        def show(change: Change) -> IncidentChange:
            event, after = change.entry.event, _stands(change)
            return IncidentChange(
                **_told(change),
                topic=event.TOPIC,
                actor=event.actor,
                matches=matches(after),
                incident=IncidentNow.of(after, reader),
            )

        return await _followed(info, Wants(INCIDENTS, place or scope.site_id, test), from_position, show)

    @strawberry.subscription(description="报警: each alarm, when it first trips.")
    async def alarm_raised(
        self, info: Info, site: SiteCode = None, from_position: FromPosition = None
    ) -> AsyncGenerator[AlarmRaised, None]:
        wants = await _there(info, info.context.allow("read.alarms"), Alarm.Tripped.TOPIC, site)
        return await _followed(info, wants, from_position, AlarmRaised.of)

    @strawberry.subscription(description="线索: each lead, when it is proposed.")
    async def lead_proposed(
        self, info: Info, site: SiteCode = None, from_position: FromPosition = None
    ) -> AsyncGenerator[LeadProposed, None]:
        wants = await _there(info, info.context.allow("read.lead"), Lead.Proposed.TOPIC, site)
        return await _followed(info, wants, from_position, LeadProposed.of)

    @strawberry.subscription(description="通行: each pass through a gate.")
    async def gate_passed(
        self, info: Info, site: SiteCode = None, from_position: FromPosition = None
    ) -> AsyncGenerator[GatePassed, None]:
        wants = await _there(info, info.context.allow("read.passes"), GatePass.Passed.TOPIC, site)
        return await _followed(info, wants, from_position, GatePassed.of)

    @strawberry.subscription(
        description="办结率 of a period as it is now, and again whenever what was counted has changed, at most once a second."
    )
    async def statistics(
        self,
        info: Info,
        period: Period,
        basis: Basis = Basis.COHORT,
        township: str | None = None,
        site: str | None = None,
        category: str | None = None,
        unit: str | None = None,
        mechanism: JointMechanism | None = None,
    ) -> AsyncGenerator[ClosureFigures, None]:
        person, system = info.context.allow("read.figures"), info.context.system
        wanted = ClosureFilter(
            township=township, site=site, category=category, unit=unit, mechanism=mechanism
        )
        question = wanted.question(period, person, system.now(), None)
        system.closure_feed.require_room(question)

        def show(counts: Closure) -> ClosureFigures:
            return ClosureFigures.of(counts, basis, replace(question, now=system.now()))

        return _until_expired(info, system.closure_feed.follow(question), show)


async def _there(info: Info, person: Person, topic: str, site: str | None) -> Wants:
    """What happens at `site`, or anywhere in the person's scope; ForbiddenError, NotFoundError of the site."""
    scope, at = person.scope, person.scope.site_id
    if site is not None:
        place = await info.context.site(site)
        policy.require_place(person, place)
        at = place.id
    return Wants(frozenset({topic}), at, lambda change: scope.covers(change.township, change.site_id))


def _stands(change: Change) -> Standing:
    assert change.after is not None, "it is an incident's"
    return change.after


async def _followed(
    info: Info, wants: Wants, from_position: Position | None, show: Callable[[Change], S]
) -> AsyncGenerator[S, None]:
    """The changes that are wanted, as `show` shows them. What cannot be followed is refused before anything is told."""
    feed = info.context.system.feed
    start = await feed.start(from_position)
    return _until_expired(info, feed.follow(wants, start), show)


async def _until_expired(
    info: Info, source: AsyncGenerator[T, None], show: Callable[[T], S]
) -> AsyncGenerator[S, None]:
    """Each of `source` as `show` shows it; UnauthenticatedError when the token of who asks expires."""
    expires = expiry(info.context.authorization)
    async with aclosing(source):
        await record_subscription(info)
        while True:
            left = expires - time.time()
            try:
                async with asyncio.timeout(left) as limit:
                    found = await anext(source)
            except TimeoutError:
                if not limit.expired():
                    raise
                left = 0.0
            if left <= 0:
                raise UnauthenticatedError("the token has expired: connect again with a new one")
            yield show(found)
