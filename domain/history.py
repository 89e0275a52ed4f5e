"""History: what every event of one aggregate said and changed, and how the aggregate differs between two moments.

A personal value is never shown here, only that there is one: whoever has to read it asks for it in an inquiry.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

from domain.personal import Personal

if TYPE_CHECKING:
    from collections.abc import Sequence
    from collections.abc import Set as AbstractSet

    from domain.ports import Entry

SEALED = "[sealed]"
REDACTED = "[redacted]"

_ENVELOPE = frozenset({"originator_id", "originator_version", "originator_topic", "timestamp", "actor"})
"""Fields that every event has; they are columns of a history, not what the event said."""


@dataclass(frozen=True, slots=True)
class Change:
    """A field of the aggregate before and after; None where there was nothing, or is nothing any more."""

    before: object
    after: object


@dataclass(frozen=True, slots=True)
class Past:
    """One event as it stands in the log: what it said, what it changed, and the whole state after it. Values are plain; see `plain`."""

    position: int
    version: int
    topic: str
    actor: str
    happened_at: datetime
    recorded_at: datetime
    said: Mapping[str, object]
    changed: Mapping[str, Change]
    state: Mapping[str, object]


def replay(entries: Sequence[Entry], redacted: AbstractSet[str] = frozenset()) -> list[Past]:
    """All events of one aggregate, in order from its first. redacted: the scopes whose keys are destroyed."""
    history: list[Past] = []
    aggregate: Any = None
    state: Mapping[str, object] = {}
    for entry in entries:
        event = entry.event
        aggregate = event.mutate(aggregate)
        before, state = state, _state(aggregate, redacted)
        history.append(
            Past(
                entry.position,
                event.originator_version,
                event.TOPIC,
                event.actor,
                event.timestamp,
                entry.recorded_at,
                said(event, redacted),
                difference(before, state),
                state,
            )
        )
    return history


def said(event: Any, redacted: AbstractSet[str] = frozenset()) -> dict[str, object]:
    """What an event says beside what every event has; values are plain."""
    return {name: plain(value, redacted) for name, value in vars(event).items() if name not in _ENVELOPE}


def known(history: Sequence[Past], moment: int | datetime) -> int:
    """How many of the events the log had at `moment`: a position, or a time of recording."""
    if isinstance(moment, datetime):
        return sum(past.recorded_at <= moment for past in history)
    return sum(past.position <= moment for past in history)


def difference(before: Mapping[str, object], after: Mapping[str, object]) -> dict[str, Change]:
    """The fields that differ, in the order of `after`; those that are gone come last."""
    names = dict.fromkeys([*after, *before])
    return {
        name: Change(before.get(name), after.get(name))
        for name in names
        if before.get(name) != after.get(name) or (name in before) != (name in after)
    }


def plain(value: object, redacted: AbstractSet[str] = frozenset()) -> object:
    """`value` as JSON has it: texts, numbers, lists and objects; times as ISO 8601; a personal value is only said to be there."""
    match value:
        case Personal():
            return REDACTED if value.scope in redacted else SEALED
        case Mapping():
            return {str(key): plain(item, redacted) for key, item in value.items()}
        case tuple() | list():
            return [plain(item, redacted) for item in value]
        case frozenset() | set():
            return sorted((plain(item, redacted) for item in value), key=str)
        case _ if is_dataclass(value):
            return {field.name: plain(getattr(value, field.name), redacted) for field in fields(value)}
        case _:
            return _plain_scalar(value)


def _plain_scalar(value: object) -> object:
    match value:
        case bool() | int() | float() | None:
            return value
        case str() | UUID() | timedelta():
            return str(value)  # a word of a vocabulary is its text, a length of time is 1 day, 2:00:00
        case date():
            return value.isoformat()
        case _:
            raise TypeError(f"{type(value).__name__} has no plain form: give it one in domain/history.py")


def _state(aggregate: Any, redacted: AbstractSet[str]) -> dict[str, object]:
    """The aggregate's own fields, where it stands first; plain values, so that nothing that follows changes them."""
    own = {name: value for name, value in vars(aggregate).items() if not name.startswith("_")}
    first = {"state": own["state"]} if "state" in own else {}
    return {name: plain(value, redacted) for name, value in {**first, **own}.items()}
