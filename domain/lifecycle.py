"""How an aggregate moves: an event class says from which states it may happen and to which it leads, and nothing else does."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, Protocol

from domain.errors import InvalidError, RuleError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from enum import StrEnum

    from eventsourcing.domain import Aggregate

    from domain.people import Person


YEARS = range(1970, 2200)
"""In which anything can have happened: what lies at the edges of the calendar cannot be moved to another time zone."""
_MINUTE = timedelta(minutes=1)


class Transition(Protocol):
    """An event class that moves its aggregate: `FROM` lists the states it is allowed in, `TO` is the state after it."""

    TOPIC: str
    FROM: tuple[StrEnum, ...]
    TO: StrEnum


def advance(aggregate: Aggregate, event_class: type[Any], *, by: Person, at: datetime, **fields: Any) -> None:
    """Trigger `event_class` if the aggregate's state is in its `FROM`; RuleError otherwise, and nothing happens."""
    require_aware(at)
    state: StrEnum = aggregate.state  # type: ignore[attr-defined]  # every aggregate with transitions has one
    if state not in event_class.FROM:
        allowed = " or ".join(event_class.FROM)
        kind = type(aggregate).__name__.lower()
        raise RuleError(f"{event_class.TOPIC} is refused: the {kind} is {state}, and it must be {allowed}")
    aggregate.trigger_event(event_class, timestamp=at, actor=by.id, **fields)


def require_aware(at: datetime) -> datetime:
    """`at`, if it says its time zone (in whole minutes) and lies within `YEARS`."""
    offset = at.utcoffset()
    if offset is None:
        raise InvalidError(f"time {at.isoformat()} has no time zone: write it with an offset, such as +08:00")
    if offset % _MINUTE:
        raise InvalidError(f"time {at.isoformat()} has seconds in its offset: whole minutes are accepted")
    if at.year not in YEARS:
        raise InvalidError(
            f"time {at.isoformat()} is not of the years {YEARS.start} to {YEARS.stop - 1}: is the clock right?"
        )
    return at


def require_text(value: str, what: str, longest: int = 2000) -> str:
    """`value` trimmed, if it says something and can be stored: no NUL, no lone surrogates, at most `longest` characters."""
    text = value.strip()
    if not text:
        raise InvalidError(f"{what} is empty")
    if len(text) > longest:
        raise InvalidError(f"{what} has {len(text)} characters; at most {longest} are accepted")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise InvalidError(f"{what} has half of a surrogate pair: it is not text") from error
    if "\x00" in text:
        raise InvalidError(f"{what} has a NUL character: it is not text")
    return text


def transitions(events: Sequence[type[Any]]) -> list[tuple[str, str, str]]:
    """The table that the event classes make: (from, topic, to), a row each."""
    return [(str(source), event.TOPIC, str(event.TO)) for event in events for source in event.FROM]
