"""How an aggregate moves: an event class says from which states it may happen and to which it leads, and nothing else does."""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Any, ClassVar
from unicodedata import category

from eventsourcing.domain import Aggregate

from domain.errors import InvalidError, RuleError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from domain.people import Person


YEARS = range(1970, 2200)
"""In which anything can have happened: what lies at the edges of the calendar cannot be moved to another time zone."""
_MINUTE = timedelta(minutes=1)


class Step(Aggregate.Event):
    """What every event is: somebody's (`actor`: a person, a device or a worker) at a time (`timestamp`, when it happened).

    FROM: the states it may happen in. TO: the state after it; None where the aggregate stays as it is.
    """

    TOPIC: ClassVar[str]
    FROM: ClassVar[tuple[StrEnum, ...]] = ()
    TO: ClassVar[StrEnum | None] = None
    actor: str

    def apply(self, aggregate: Any) -> None:
        if self.TO is not None:
            aggregate.state = self.TO


def advance(aggregate: Aggregate, event_class: type[Any], *, by: Person, at: datetime, **fields: Any) -> None:
    """Trigger `event_class` if the aggregate's state is in its `FROM`; RuleError otherwise, and nothing happens."""
    require_aware(at)
    require_state(aggregate, event_class)
    aggregate.trigger_event(event_class, timestamp=at, actor=by.id, **fields)


def require_state(aggregate: Aggregate, event_class: type[Step]) -> None:
    """RuleError unless `event_class` may happen in the state that the aggregate is in."""
    state: StrEnum = aggregate.state  # type: ignore[attr-defined]  # every aggregate with transitions has one
    if state not in event_class.FROM:
        allowed = " or ".join(event_class.FROM)
        kind = type(aggregate).__name__.lower()
        raise RuleError(f"{event_class.TOPIC} is refused: the {kind} is {state}, and it must be {allowed}")


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


_UNSEEN = frozenset({"Cc", "Cf", "Mc", "Me", "Mn", "Zl", "Zp", "Zs"})
"""Categories of Unicode: controls and joiners, marks on a letter that is not there, spaces."""
_BLANK = frozenset("\u115f\u1160\u2800\u3164\uffa0")
"""Letters and signs by their category, which show nothing: fillers of Hangul, the empty cell of Braille."""


def _is_seen(one: str) -> bool:
    return category(one) not in _UNSEEN and one not in _BLANK


def require_text(value: str, what: str, longest: int = 2000) -> str:
    """`value` trimmed, if it says something and can be stored: no NUL, no lone surrogates, at most `longest` characters."""
    text = value.strip()
    if len(text) > longest:
        raise InvalidError(f"{what} has {len(text)} characters; at most {longest} are accepted")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise InvalidError(f"{what} has half of a surrogate pair: it is not text") from error
    if "\x00" in text:
        raise InvalidError(f"{what} has a NUL character: it is not text")
    if not any(_is_seen(one) for one in text):
        raise InvalidError(f"{what} is empty")
    return text


def require_case(value: str) -> str:
    """The number of a case 案件, trimmed; it is written in clear and never names a person."""
    return require_text(value, "case", 100)


def topic_of(kind: type[Aggregate]) -> str:
    """The first word of the names of the aggregate's commands, such as `incident`."""
    topic: str = kind.TOPIC  # type: ignore[attr-defined]  # every aggregate of the domain has one
    return topic


def transitions(events: Iterable[type[Step]]) -> list[tuple[str, str, str]]:
    """The table that the event classes make: (from, topic, to), a row each; `to` is `from` where the aggregate stays."""
    return [(str(source), event.TOPIC, str(event.TO or source)) for event in events for source in event.FROM]
