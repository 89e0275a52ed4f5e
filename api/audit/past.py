"""One aggregate in the past: its events between two moments, and what it was at both. For the command line, HTTP and GraphQL."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import reduce
from typing import Any
from uuid import UUID

from adapters.sealing import scopes_of
from api.bootstrap import System
from domain.errors import InvalidError, NotFoundError
from domain.history import Past, difference, known, replay
from domain.lifecycle import require_aware, topic_of
from domain.model import AGGREGATES, event_classes
from domain.policy import Placed

_DIGITS = 19
Moment = int | datetime
"""A position, or a time of recording."""


@dataclass(frozen=True, slots=True)
class Seen:
    """The events after one moment up to another, and the states at both; before there was anything it is empty."""

    id: UUID
    kind: str
    version: int
    events: Sequence[Past]
    before: Mapping[str, object]
    after: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Whole:
    """Every event of an aggregate, and where it lies."""

    id: UUID
    history: Sequence[Past]
    place: Placed


async def whole(system: System, subject: UUID) -> Whole:
    """All that the log says of `subject`, with what is personal sealed. NotFoundError."""
    entries = await system.log.history(subject, opened=False)
    if not entries:
        kinds = ", ".join(topic_of(kind) for kind in AGGREGATES)
        raise NotFoundError(f"nothing in the log has the id {subject}; what has one: {kinds}")
    redacted = await system.vault.destroyed(scopes_of(entry.event for entry in entries))
    aggregate: Any = reduce(lambda made, entry: entry.event.mutate(made), entries, None)
    return Whole(subject, replay(entries, redacted), aggregate)


def between(found: Whole, first: Moment | None, last: Moment | None) -> Seen:
    """None: from the beginning, and to the end. NotFoundError if there was nothing yet; InvalidError if `first` is the later one."""
    history = found.history
    kind = next(topic_of(kind) for kind in AGGREGATES if history[0].topic in event_classes(kind))
    start = 0 if first is None else known(history, first)
    end = len(history) if last is None else known(history, last)
    if start > end:
        raise InvalidError(f"{first} is after {last}: name the earlier moment first")
    if end == 0:
        raise NotFoundError(
            f"there was no {kind} {found.id} yet at {last}: its first event has position {history[0].position} "
            f"and was recorded at {history[0].recorded_at.isoformat()}"
        )
    before = history[start - 1].state if start else {}
    return Seen(found.id, kind, end, history[start:end], before, history[end - 1].state)


def moment(text: str) -> Moment:
    """A position (digits) or a time with its zone; more digits than a position has are neither."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= _DIGITS else time(text)


def time(text: str) -> datetime:
    """A time with its zone; InvalidError."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        raise InvalidError(
            f"{text!r} is no time: write it as 2026-03-01T08:00:00+08:00 (or, between two moments, a position, such as 17)"
        ) from error
    return require_aware(found)


def facts(seen: Seen, *, with_state: bool) -> dict[str, object]:
    """For JSON. The state after an event is in `changed`, and that after the last one in `state`."""
    told: dict[str, object] = {
        "id": seen.id,
        "kind": seen.kind,
        "version": seen.version,
        "events": [event_facts(past) for past in seen.events],
    }
    return told | ({"state": seen.after} if with_state else {"changed": difference(seen.before, seen.after)})


def event_facts(past: Past) -> dict[str, object]:
    """One event, for JSON."""
    return {
        "position": past.position,
        "version": past.version,
        "topic": past.topic,
        "actor": past.actor,
        "happened_at": past.happened_at,
        "recorded_at": past.recorded_at,
        "said": past.said,
        "changed": past.changed,
    }
