"""The one road of every command: who may, load, decide, append. An aggregate's method is the command; its name is in the policy."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache, partial
from inspect import signature
from typing import TYPE_CHECKING, Any, TypeVar, cast
from uuid import UUID, uuid5

from eventsourcing.domain import Aggregate

from domain import policy
from domain.alarm import Alarm
from domain.consent import Consent
from domain.credential import Credential
from domain.deadlines import DEFAULT_LIMITS, Limits, passed
from domain.dispute import Dispute
from domain.errors import AnjuError, ConflictError, ForbiddenError, InvalidError, NotFoundError
from domain.incident import Incident, Source
from domain.inquiry import Inquiry
from domain.key import Key, key_id
from domain.lifecycle import topic_of
from domain.observation import NAMESPACE
from domain.ports import COMMAND, Request
from domain.site import Site

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence
    from datetime import datetime

    from domain.people import Person
    from domain.ports import Appended, EventLog

A = TypeVar("A", bound=Aggregate)

RETRIES = 5
"""How often a command is decided when somebody else was faster."""


@dataclass(frozen=True, slots=True)
class Order:
    """Who asks, when, under which id (the same command given twice under one `request_id` is done once) and which time limits."""

    by: Person
    at: datetime
    request_id: UUID
    metadata: Mapping[str, str] = field(default_factory=dict)
    limits: Limits = DEFAULT_LIMITS


@dataclass(frozen=True, slots=True)
class Done:
    """What a command became: the aggregate's id and version, and the log position to wait for when reading."""

    id: UUID
    version: int
    position: int
    repeated: bool = False


def subject_id(order: Order) -> UUID:
    """The id of the aggregate that `order` creates: derived, so that a repeat names the same one."""
    return uuid5(NAMESPACE, f"created-by:{order.request_id}")


async def create(
    log: EventLog,
    order: Order,
    method: Callable[..., Aggregate],
    /,
    *,
    site_id: UUID | None = None,
    **fields: Any,
) -> Done:
    """Call `method` (a class method such as `Incident.report`), and append the aggregate that it makes.

    site_id: the site it is made at, which `method` takes as `site`. The new aggregate's id is `subject_id(order)`, unless it is given or
    follows from something else.
    """
    kind: type[Aggregate] = method.__self__  # type: ignore[attr-defined]  # a class method has its class
    command = f"{topic_of(kind)}.{method.__name__}"
    policy.require(order.by, command)
    if site_id is not None:
        site = await log.seen(Site, site_id)
        policy.require_place(order.by, site)
        fields["site"] = site
    if "id" in _parameters(method):
        fields.setdefault("id", subject_id(order))
    try:
        made: Any = method(by=order.by, at=order.at, **fields)
    except AnjuError:  # what was good when it was ordered first may be over by now
        if "id" in fields and (earlier := await log.find(order.request_id, fields["id"])) is not None:
            _require_same(order, command, earlier)
            done = Done(fields["id"], 1, earlier.last, repeated=True)
            return await _of_this_order(log, order, kind, done)
        raise
    policy.require_place(order.by, made)
    return await _of_this_order(log, order, kind, await _append(log, order, command, made))


async def _of_this_order(log: EventLog, order: Order, kind: type[Aggregate], done: Done) -> Done:
    """`done`. InvalidError if it repeats what made something else, or something elsewhere: an id follows from its request alone."""
    if done.repeated:
        try:
            await _reach(log, order, kind, done.id)
        except (NotFoundError, ForbiddenError) as error:
            raise used_for_something_else(order) from error
    return done


def _require_same(order: Order, command: str, earlier: Appended) -> None:
    """InvalidError if what stands under the order's id came of another command.

    The same is the same command about the same things. What it was given may differ: a clock or a random id makes a true repeat differ
    too, and what is personal cannot be compared. What was appended before commands were written down is taken for the same.
    """
    if earlier.command not in {None, command}:
        raise used_for_something_else(order)


def used_for_something_else(order: Order) -> InvalidError:
    """The refusal of an order with the id of another one."""
    return InvalidError(
        f"request id {order.request_id} was used for something else: each request needs its own"
    )


async def report_incident(log: EventLog, order: Order, *, site_id: UUID, **fields: Any) -> Done:
    """上报: see `Incident.report` for the fields."""
    return await create(log, order, Incident.report, site_id=site_id, **fields)


async def plan_site(log: EventLog, order: Order, *, code: str, name: str, township: str) -> Done:
    """A new site; see `Site.plan`."""
    return await create(log, order, Site.plan, code=code, name=name, township=township)


async def register_credential(
    log: EventLog, order: Order, *, site_id: UUID, consent_id: UUID | None, **fields: Any
) -> Done:
    """A resident's credential, by the consent `consent_id` if it needs one; see `Credential.register` for the fields."""
    policy.require(order.by, "credential.register")
    consent = None if consent_id is None else await _reach(log, order, Consent, consent_id)
    return await create(log, order, Credential.register, site_id=site_id, consent=consent, **fields)


async def request_inquiry(log: EventLog, order: Order, *, site_ids: Sequence[UUID], **fields: Any) -> Done:
    """查询申请: into records of these sites; see `Inquiry.request` for the fields."""
    policy.require(order.by, "inquiry.request")
    sites = [await _reach(log, order, Site, site_id) for site_id in dict.fromkeys(site_ids)]
    return await create(log, order, Inquiry.request, sites=sites, **fields)


async def act(
    log: EventLog,
    order: Order,
    kind: type[A],
    method: Callable[..., None],
    aggregate_id: UUID,
    /,  # a command may have fields of these names
    *,
    expected_version: int | None = None,
    begin: Callable[[], A] | None = None,
    **fields: Any,
) -> Done:
    """Call `method` (such as `Incident.accept`) on the aggregate as it is now, and append what it decided.

    ConflictError if `expected_version` is given and is not the version it has. Without one, a race is decided anew.
    `begin` makes the aggregate that is not there yet; without it there is a NotFoundError.
    """
    command = f"{topic_of(kind)}.{method.__name__}"
    policy.require(order.by, command)
    if takes_limits(method):
        fields["limits"] = order.limits

    async def load() -> tuple[Any, ...]:
        return (await _reach(log, order, kind, aggregate_id, begin),)

    def decide(aggregate: Any) -> None:
        _require_version(aggregate, expected_version)
        method(aggregate, by=order.by, at=order.at, **fields)

    return await _decide(log, order, command, load, decide)


def takes_limits(method: Callable[..., None]) -> bool:
    """Whether the command `method` says until when something is due, and so takes the time limits."""
    return "limits" in _parameters(method)


@cache
def _parameters(method: Callable[..., Any]) -> frozenset[str]:
    """The names of what a command takes. To find them out takes longer than to decide most commands."""
    return frozenset(signature(method).parameters)


async def merge_incident(
    log: EventLog, order: Order, incident_id: UUID, *, into: UUID, expected_version: int | None = None
) -> Done:
    """并案: see `Incident.merge`; both incidents are changed, or neither."""
    ids = (incident_id, into)
    return await _both(
        log, order, Incident.merge, ids, lambda main: {"into": main}, expected_version=expected_version
    )


async def unmerge_incident(
    log: EventLog,
    order: Order,
    incident_id: UUID,
    *,
    main: UUID,
    reason: str,
    expected_version: int | None = None,
) -> Done:
    """取消并案: see `Incident.unmerge`."""
    ids = (incident_id, main)
    return await _both(
        log,
        order,
        Incident.unmerge,
        ids,
        lambda found: {"main": found, "reason": reason},
        expected_version=expected_version,
    )


async def _both(
    log: EventLog,
    order: Order,
    method: Callable[..., None],
    ids: tuple[UUID, UUID],
    fields: Callable[[Incident], Mapping[str, Any]],
    *,
    expected_version: int | None,
) -> Done:
    """Call `method` on one incident, which has `expected_version` if one is given, with another, which it changes too."""
    command = f"{Incident.TOPIC}.{method.__name__}"
    policy.require(order.by, command)

    async def load() -> tuple[Incident, Incident]:
        return await _reach(log, order, Incident, ids[0]), await _reach(log, order, Incident, ids[1])

    def decide(incident: Incident, other: Incident) -> None:
        _require_version(incident, expected_version)
        method(incident, by=order.by, at=order.at, **fields(other))

    return await _decide(log, order, command, load, decide)


async def raise_incident(
    log: EventLog, order: Order, alarm_id: UUID, *, expected_version: int | None = None, **fields: Any
) -> Done:
    """真警: the alarm is real, and raises an incident whose id is `subject_id(order)`; see `Incident.report` for the fields."""
    command = "alarm.find_real"
    policy.require(order.by, command)
    incident_id = subject_id(order)

    async def load() -> tuple[Alarm, Site]:
        alarm = await _reach(log, order, Alarm, alarm_id)
        return alarm, await log.seen(Site, alarm.site_id)

    def decide(alarm: Alarm, site: Site) -> tuple[Incident]:
        _require_version(alarm, expected_version)
        alarm.find_real(by=order.by, at=order.at, incident_id=incident_id)
        raised = Incident.report(
            id=incident_id,
            site=site,
            by=order.by,
            at=order.at,
            source=Source.ALARM,
            alarm_id=alarm.id,
            occurred_at=alarm.tripped_at,
            **fields,
        )
        return (raised,)

    return await _decide(log, order, command, load, decide)


async def register_dispute(log: EventLog, order: Order, incident_id: UUID, **fields: Any) -> Done:
    """转矛盾纠纷: the dispute behind an incident, with the id `subject_id(order)`; see `Dispute.register` for the fields."""
    for command in ("dispute.register", "incident.open_dispute"):
        policy.require(order.by, command)
    dispute_id = subject_id(order)

    async def load() -> tuple[Incident, Site]:
        incident = await _reach(log, order, Incident, incident_id)
        return incident, await log.seen(Site, incident.site_id)

    def decide(incident: Incident, site: Site) -> tuple[Dispute]:
        incident.open_dispute(by=order.by, at=order.at, dispute_id=dispute_id)
        return (
            Dispute.register(
                id=dispute_id, by=order.by, at=order.at, site=site, incident_id=incident.id, **fields
            ),
        )

    return await _decide(log, order, "dispute.register", load, decide)


async def pass_deadline(
    log: EventLog, order: Order, kind: type[A], aggregate_id: UUID, name: str
) -> Done | None:
    """Let time act: the deadline `name` of the aggregate has passed. None if it does not run any more.

    What comes of it happened when it was due, whenever it is noticed. ConflictError if somebody else changed the aggregate meanwhile:
    ask again.
    """
    aggregate: Any = await log.load(kind, aggregate_id)
    found = passed(aggregate.deadlines, name, order.at)
    if found is None:
        return None
    aggregate.pass_deadline(by=order.by, at=found.due_at, name=name)
    return await _append(log, order, f"{topic_of(kind)}.pass_deadline", aggregate)


async def _decide(
    log: EventLog,
    order: Order,
    command: str,
    load: Callable[[], Awaitable[tuple[Any, ...]]],
    decide: Callable[..., tuple[Any, ...] | None],
) -> Done:
    """Load aggregates, let them decide, append what all of them decided in one request; a race is decided anew.

    The first one is what the order is about. `decide` may return further ones, which it made; it refuses a version it did not expect,
    so whoever names one hears of the race that they lost, and not of one about another aggregate.
    """
    for attempt in range(1, RETRIES + 1):
        aggregates = await load()
        first = aggregates[0]
        try:
            made = decide(*aggregates) or ()
        except AnjuError:
            earlier = await _earlier(log, order, first.id)
            if earlier is None:
                raise
            _require_same(order, command, earlier)
            return Done(first.id, first.version, earlier.last, repeated=True)
        try:
            return await _append(log, order, command, *aggregates, *made)
        except ConflictError:
            if attempt == RETRIES:
                raise
    raise AssertionError("unreachable")


async def _earlier(log: EventLog, order: Order, aggregate_id: UUID) -> Appended | None:
    """What an earlier try of the order became, if it was about this aggregate: all of it, not only that aggregate's part."""
    if await log.find(order.request_id, aggregate_id) is None:
        return None
    return await log.find(order.request_id)


def _require_version(aggregate: Any, expected: int | None) -> None:
    current = aggregate.version - len(aggregate.pending_events)  # 0 of one that was begun just now
    if expected not in {None, current}:
        raise ConflictError(
            f"{topic_of(type(aggregate))} {aggregate.id} is at version {current}, not {expected}: read it again",
            current=current,
        )


async def decide_key(
    log: EventLog, order: Order, method: Callable[..., None], scope: str, **fields: Any
) -> Done:
    """Call `method` (`Key.destroy`, `Key.place_hold`, `Key.lift_hold`) on the key of `scope`, made or not."""
    return await act(
        log,
        order,
        Key,
        method,
        key_id(scope),
        begin=lambda: _registered(order, scope),
        **fields,
    )


async def withdraw_consent(
    log: EventLog, order: Order, consent_id: UUID, *, expected_version: int | None = None
) -> Done:
    """撤回: the consent ends, and in the same request its key is destroyed, with all that was enrolled by it.

    A case that holds the key keeps the data, not the consent: matching stops in either way. The key is then left to the privacy
    officer, and nothing here says so: whoever takes down a withdrawal is not to learn of a case.
    """
    command = "consent.withdraw"
    policy.require(order.by, command)

    async def load() -> tuple[Consent, Key]:
        consent = await _reach(log, order, Consent, consent_id)
        begin = partial(_registered, order, consent.scope)
        return consent, await _load(log, Key, key_id(consent.scope), begin)

    def decide(consent: Consent, key: Key) -> None:
        _require_version(consent, expected_version)
        consent.withdraw(by=order.by, at=order.at)
        if not key.holds and not key.destroyed:
            key.destroy(by=order.by, at=order.at, reason="consent withdrawn")

    return await _decide(log, order, command, load, decide)


def _registered(order: Order, scope: str) -> Key:
    return Key.register(scope=scope, by=order.by, at=order.at)


async def _reach(
    log: EventLog, order: Order, kind: type[A], aggregate_id: UUID, begin: Callable[[], A] | None = None
) -> A:
    """The aggregate, if it lies where the person may act; ForbiddenError, NotFoundError."""
    found: Any = await _load(log, kind, aggregate_id, begin)
    policy.require_place(order.by, found)
    return cast("A", found)


async def _load(log: EventLog, kind: type[A], aggregate_id: UUID, begin: Callable[[], A] | None) -> A:
    try:
        return await log.load(kind, aggregate_id)
    except NotFoundError:
        if (
            begin is None
        ):  # the same words if it is of another kind: nobody learns what an id is that they come by
            raise NotFoundError(f"there is no {topic_of(kind)} {aggregate_id}") from None
        return begin()


async def _append(log: EventLog, order: Order, command: str, *aggregates: Any) -> Done:
    """Append what the aggregates decided in one request. InvalidError if another command has its id."""
    events = [event for aggregate in aggregates for event in aggregate.collect_events()]
    metadata = {**order.metadata, COMMAND: command}
    result: Appended = await log.append(Request(order.request_id, events, metadata))
    if result.repeated:
        _require_same(order, command, result)
    first = aggregates[0]
    if result.repeated:  # what it decided now was not appended
        first = await log.load(type(first), first.id)
    return Done(first.id, first.version, result.last, result.repeated)
