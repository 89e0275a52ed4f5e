"""What an auditor asks of the log: a page of events, or all of them as JSON Lines; each question is recorded before it is answered."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

import msgspec

from adapters import audit_events
from adapters.audit_events import EventFilter, Logged
from adapters.sealing import scopes_of
from api.audit import past
from api.audit.past import Moment, Seen
from api.bootstrap import System
from api.graphql.context import Context
from domain import policy
from domain.errors import InvalidError
from domain.history import said
from domain.lifecycle import require_aware, require_text
from domain.model import EVENTS, category
from domain.reading import Shown

MOST = 500
"""Events of a page."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoggedEvent:
    """One event as it is shown. said: what it says beside what every event has, with what is personal sealed."""

    position: int
    aggregate_id: UUID
    version: int
    topic: str
    actor: str
    happened_at: datetime
    recorded_at: datetime
    request_id: UUID
    metadata: dict[str, str]
    said: dict[str, object]
    hash: str


@dataclass(frozen=True, slots=True)
class Events:
    """A page. through: it has all that match up to this position; more: there may be some beyond it."""

    events: Sequence[LoggedEvent]
    through: int
    more: bool


def checked(wanted: EventFilter) -> EventFilter:
    """The filter, if there can be such events: InvalidError names what there is."""
    if wanted.topic is not None and wanted.topic not in EVENTS:
        raise InvalidError(f"there is no topic {wanted.topic!r}: write it as incident.reported")
    categories = sorted({category(topic) for topic in EVENTS})
    if wanted.category is not None and wanted.category not in categories:
        raise InvalidError(f"there is no category {wanted.category!r}; there are {', '.join(categories)}")
    for name, text in (("actor", wanted.actor), ("correlation", wanted.correlation)):
        if text is not None:
            require_text(text, name, 200)
    for at in (wanted.since, wanted.until):
        if at is not None:
            require_aware(at)
    return wanted


async def page(
    context: Context, wanted: EventFilter, first: int, after: int = 0, through: int | None = None
) -> Events:
    """The next `first` events of `wanted` that the person asking may see, recorded as read."""
    person = context.allow("read.log")
    if not 1 <= first <= MOST:
        raise InvalidError(
            f"first is {first}; 1 to {MOST} events are served, and `after` gives the next page"
        )
    asked = replace(checked(wanted), scope=person.scope)
    found = await audit_events.page(context.system.pool, asked, first, after, through)
    shown = await described(context.system, found.events)
    await context.record_read(
        Shown.EVENTS,
        [wanted.aggregate_id] if wanted.aggregate_id else [],
        place=person.scope,
        asked=question(wanted, after, found.through),
        found=len(shown),
    )
    return Events(shown, found.through, not found.ended)


async def lines(
    context: Context, wanted: EventFilter, after: int = 0, through: int | None = None
) -> AsyncIterator[bytes]:
    """All events of `wanted` as JSON Lines; recorded, when this returns, with how far they go. What is appended later is not in it."""
    person = context.allow("read.log")
    asked = replace(checked(wanted), scope=person.scope)
    begin, end = await audit_events.bounds(context.system.pool, asked, after, through)
    await context.record_read(
        Shown.EVENTS,
        [wanted.aggregate_id] if wanted.aggregate_id else [],
        place=person.scope,
        asked=question(wanted, begin, end),
    )
    return _lines(context.system, asked, begin, end)


async def _lines(system: System, asked: EventFilter, after: int, through: int) -> AsyncIterator[bytes]:
    ended = False
    while not ended:
        part = await audit_events.page(system.pool, asked, audit_events.STREAM_PAGE, after, through)
        for event in await described(system, part.events):
            yield msgspec.json.encode(event) + b"\n"
        after, ended = part.through, part.ended


def question(wanted: EventFilter, after: int, through: int) -> str:
    """What was asked, as the parameters of the address. With it, the log says for ever what was shown."""
    given: dict[str, Any] = {
        "topic": wanted.topic,
        "category": wanted.category,
        "aggregate": wanted.aggregate_id,
        "actor": wanted.actor,
        "correlation": wanted.correlation,
        "from": wanted.since and wanted.since.isoformat(),
        "to": wanted.until and wanted.until.isoformat(),
        "after": after,
        "through": through,
    }
    return urlencode({name: value for name, value in given.items() if value is not None})


async def described(system: System, events: Sequence[Logged]) -> list[LoggedEvent]:
    """`events` as they are shown; what was forgotten says so."""
    redacted = await system.vault.destroyed(scopes_of(one.event for one in events))
    return [
        LoggedEvent(
            position=one.position,
            aggregate_id=one.event.originator_id,
            version=one.event.originator_version,
            topic=one.event.TOPIC,
            actor=one.event.actor,
            happened_at=one.event.timestamp,
            recorded_at=one.recorded_at,
            request_id=one.request_id,
            metadata=one.metadata,
            said=said(one.event, redacted),
            hash=one.hash.hex(),
        )
        for one in events
    ]


async def seen(
    context: Context,
    shown: Shown,
    subject: UUID,
    first: Moment | None = None,
    last: Moment | None = None,
) -> Seen:
    """One aggregate between two moments, as the person asking may see it, recorded as read; see `past.between`."""
    found = await located(context, subject)
    between = past.between(found, first, last)
    words = {"from": first, "to": last}
    asked = {
        name: at if isinstance(at, int) else at.isoformat() for name, at in words.items() if at is not None
    }
    await context.record_read(
        shown, [subject], place=found.place, asked=urlencode(asked) or None, found=len(between.events)
    )
    return between


async def located(context: Context, subject: UUID) -> past.Whole:
    """All of one aggregate, if the person asking may read the log where it lies."""
    person = context.allow("read.log")
    found = await past.whole(context.system, subject)
    policy.require_place(person, found.place)
    return found
