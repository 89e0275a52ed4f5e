"""How incidents stood at a moment: replayed from the log as far as it went then, and filtered by what they were then.

Candidates come from the board by what never changes; the rest of a filter is asked of what each of them was.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import takewhile
from typing import Any, TypeAlias
from uuid import UUID

import asyncpg

from domain.errors import InvalidError
from domain.incident import Incident
from domain.ports import Entry, EventLog
from projections import incidents
from projections.incidents import By, IncidentFilter, Order, Place, Reader
from projections.standing import Standing, stood

Then: TypeAlias = datetime | int
"""A time: what had happened by it counts, whenever we were told. Or a position of the log: what was known there counts."""
Reading: TypeAlias = Callable[[], AbstractAsyncContextManager[asyncpg.Connection]]
"""Lends a connection to the read models: none is held while the log is read, which takes one too."""

LARGEST_BATCH = 500
"""Incidents that are replayed at a time: some 30 ms of work, in which nobody else is answered."""
MOST = 5_000
"""Incidents that are replayed for one page, at most; the next page goes on there."""
_TICK = timedelta(microseconds=1)

CHANGING: Mapping[str, Callable[[Standing, Any], bool]] = {
    "states": lambda row, states: row.state in states,
    "mechanism": lambda row, mechanism: row.mechanism == mechanism,
    "lead_unit": lambda row, unit: row.lead_unit == unit,
    "unit": lambda row, unit: unit in row.legs,
    "level": lambda row, level: row.level >= level,
    "supervised": lambda row, wanted: row.supervised == wanted,
    "parked": lambda row, wanted: row.parked == wanted,
    "overdue": lambda row, wanted: bool(row.overdue) == wanted,
    "returned": lambda row, wanted: (row.returns > 0) == wanted,
    "extended": lambda row, wanted: (row.extensions > 0) == wanted,
    "reopened": lambda row, wanted: (row.reopenings > 0) == wanted,
    "merged_into": lambda row, main: row.merged_into == main,
    "with_duplicates": lambda row, wanted: (row.duplicates > 0) == wanted,
    "with_evidence": lambda row, wanted: (row.evidence > 0) == wanted,
    "due_from": lambda row, at: row.due_at is not None and row.due_at >= at,
    "due_until": lambda row, at: row.due_at is not None and row.due_at < at,
    "late_at": lambda row, at: row.due_at is not None and row.due_at <= at,
    "in_time_at": lambda row, at: row.due_at is None or row.due_at > at,
    "closed_from": lambda row, at: row.closed_at is not None and row.closed_at >= at,
    "closed_until": lambda row, at: row.closed_at is not None and row.closed_at < at,
}
"""The parts of a filter that are asked of how an incident stood then."""


@dataclass(frozen=True, slots=True)
class Page:
    """Incidents as they stood then. go_on: where the search stopped before there were enough; None if it did not."""

    rows: Sequence[Standing]
    go_on: Place | None


async def one(
    reading: Reading, log: EventLog, reader: Reader, incident_id: UUID, then: Then
) -> Standing | None:
    """An incident as it stood `then`; None if it was not reported yet, or `reader` may not see it now."""
    async with reading() as connection:
        row = await incidents.one(connection, reader, incident_id)
    if row is None:
        return None
    return (await _past(log, [row], then))[0]


async def listed(
    reading: Reading,
    log: EventLog,
    reader: Reader,
    wanted: IncidentFilter,
    then: Then,
    *,
    first: int,
    order: Order = incidents.NEWEST,
    after: Place | None = None,
) -> Page:
    """At most `first` incidents that were as `wanted` `then`, in `order`; InvalidError of what cannot be known of then."""
    _require_known(wanted, order)
    candidates, found = _unchanging(wanted, then), []
    size, looked = first, 0
    while looked < MOST:
        async with reading() as connection:
            rows = await incidents.listed(
                connection, reader, candidates, first=size, order=order, after=after
            )
        past = await _past(log, rows, then)
        found += [row for row in past if row is not None and _holds(row, wanted)]
        if len(found) >= first or len(rows) < size:
            return Page(found[:first], None)
        after, looked, size = order.place(rows[-1]), looked + len(rows), min(2 * size, LARGEST_BATCH)
    return Page(found, after)


def until(entries: Sequence[Entry], then: Then) -> list[Entry]:
    """Those of one incident's `entries` that there were `then`.

    Time does not run back: a step that says an earlier time than the one before it counts at that one's.
    """
    if isinstance(then, datetime):
        return list(takewhile(lambda entry: entry.event.timestamp <= then, entries))
    return list(takewhile(lambda entry: entry.position <= then, entries))


async def _past(log: EventLog, rows: Sequence[Standing], then: Then) -> list[Standing | None]:
    """How each of `rows` stood `then`. What its reader may not see now is not shown as of then."""
    histories = await log.histories(Incident, [row.incident_id for row in rows], opened=False)
    past: list[Standing | None] = []
    for row in rows:
        entries = until(histories[row.incident_id], then)
        before = stood(entries) if entries else None
        if before is not None and row.description is None:
            before.description = before.details = None
        past.append(before)
    return past


def _require_known(wanted: IncidentFilter, order: Order) -> None:
    if wanted.text is not None:
        raise InvalidError(
            "`text` cannot be looked for as of a moment: what was said since is in the same index; search without asOf and atPosition"
        )
    if order.by not in {By.REPORTED_AT, By.URGENCY}:
        raise InvalidError(
            f"a list as of a moment cannot go by {order.by}, which changes: {By.REPORTED_AT} and {By.URGENCY} do not"
        )


def _unchanging(wanted: IncidentFilter, then: Then) -> IncidentFilter:
    """What `wanted` says of what never changes, and that they were reported `then`."""
    candidates = replace(wanted, **dict.fromkeys(CHANGING))
    if not isinstance(then, datetime):
        return replace(candidates, known_at=then)
    end = then + _TICK
    return replace(
        candidates, reported_until=end if wanted.reported_until is None else min(end, wanted.reported_until)
    )


def _holds(row: Standing, wanted: IncidentFilter) -> bool:
    """Whether `row` is as `wanted`, in all that changes."""
    asked = ((holds, getattr(wanted, name)) for name, holds in CHANGING.items())
    return all(value is None or holds(row, value) for holds, value in asked)
