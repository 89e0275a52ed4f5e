"""The one road of every command: who may, load, decide, append. An aggregate's method is the command; its name is in the policy."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar
from uuid import UUID, uuid5

from eventsourcing.domain import Aggregate

from domain import policy
from domain.consent import Consent
from domain.errors import AnjuError, ConflictError, NotFoundError
from domain.incident import Incident
from domain.key import Key, key_id
from domain.lifecycle import topic_of
from domain.observation import NAMESPACE
from domain.ports import Request
from domain.site import Site

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping
    from datetime import datetime

    from domain.people import Person
    from domain.ports import Appended, EventLog

A = TypeVar("A", bound=Aggregate)

RETRIES = 5
"""How often a command is decided anew when somebody else was faster and the caller named no version."""


@dataclass(frozen=True, slots=True)
class Order:
    """Who asks, when, and under which id: the same `request_id` given twice is done once."""

    by: Person
    at: datetime
    request_id: UUID
    metadata: Mapping[str, str] = field(default_factory=dict)


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
    *,
    site_id: UUID | None = None,
    **fields: Any,
) -> Done:
    """Call `method` (a class method such as `Incident.report`), and append the aggregate that it makes.

    site_id: the site it is made at; `method` takes it as `site`, and the id of the new aggregate as `id`.
    """
    kind: type[Aggregate] = method.__self__  # type: ignore[attr-defined]  # a class method has its class
    policy.require(order.by, f"{topic_of(kind)}.{method.__name__}")
    if site_id is not None:
        site = await log.load(Site, site_id)
        policy.require_place(order.by, site)
        fields |= {"site": site, "id": subject_id(order)}
    made: Any = method(by=order.by, at=order.at, **fields)
    policy.require_place(order.by, made)
    return await _append(log, order, made)


async def report_incident(log: EventLog, order: Order, *, site_id: UUID, **fields: Any) -> Done:
    """上报: see `Incident.report` for the fields."""
    return await create(log, order, Incident.report, site_id=site_id, **fields)


async def plan_site(log: EventLog, order: Order, *, code: str, name: str, township: str) -> Done:
    """A new site; see `Site.plan`."""
    return await create(log, order, Site.plan, code=code, name=name, township=township)


async def act(
    log: EventLog,
    order: Order,
    kind: type[A],
    method: Callable[..., None],
    aggregate_id: UUID,
    *,
    expected_version: int | None = None,
    begin: Callable[[], A] | None = None,
    along: Callable[[A], Awaitable[Aggregate]] | None = None,
    **fields: Any,
) -> Done:
    """Call `method` (such as `Incident.accept`) on the aggregate as it is now, and append what it decided.

    ConflictError if `expected_version` is given and is not the version it has. Without one, a race is decided anew.
    `begin` makes the aggregate that is not there yet; without it there is a NotFoundError.
    `along` gives another aggregate, on which something follows from the decision: it is appended in the same request.
    """
    policy.require(order.by, f"{topic_of(kind)}.{method.__name__}")
    for attempt in range(1, RETRIES + 1):
        aggregate: Any = await _load(log, kind, aggregate_id, begin)
        policy.require_place(order.by, aggregate)
        try:
            if expected_version not in {None, aggregate.version}:
                raise ConflictError(
                    f"{topic_of(kind)} {aggregate_id} is at version {aggregate.version}, not {expected_version}: read it again",
                    current=aggregate.version,
                )
            method(aggregate, by=order.by, at=order.at, **fields)
        except AnjuError:
            earlier = await log.find(order.request_id, aggregate_id)
            if earlier is None:
                raise
            return Done(aggregate_id, aggregate.version, earlier.last, repeated=True)
        others = [] if along is None else [await along(aggregate)]
        try:
            return await _append(log, order, aggregate, *others)
        except ConflictError:
            if expected_version is not None or attempt == RETRIES:
                raise
    raise AssertionError("unreachable")


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

    async def destroyed_unless_held(consent: Consent) -> Key:
        key = await _load(log, Key, key_id(consent.scope), lambda: _registered(order, consent.scope))
        if not key.holds and not key.destroyed:
            key.destroy(by=order.by, at=order.at, reason="consent withdrawn")
        return key

    return await act(
        log,
        order,
        Consent,
        Consent.withdraw,
        consent_id,
        expected_version=expected_version,
        along=destroyed_unless_held,
    )


def _registered(order: Order, scope: str) -> Key:
    return Key.register(scope=scope, by=order.by, at=order.at)


async def _load(log: EventLog, kind: type[A], aggregate_id: UUID, begin: Callable[[], A] | None) -> A:
    try:
        return await log.load(kind, aggregate_id)
    except NotFoundError:
        if begin is None:
            raise
        return begin()


async def _append(log: EventLog, order: Order, aggregate: Aggregate, *others: Aggregate) -> Done:
    events = [event for one in (aggregate, *others) for event in one.collect_events()]
    request = Request(order.request_id, events, order.metadata)
    result: Appended = await log.append(request)
    return Done(aggregate.id, aggregate.version, result.last, result.repeated)
