"""Closures: what became of every incident, dispatch by dispatch and day by day; closure_figures.py counts on it."""

from collections.abc import Iterable, Sequence
from dataclasses import fields
from operator import add, attrgetter
from pathlib import Path
from typing import Any
from uuid import UUID

import aiosql
import asyncpg

from domain.errors import CorruptError
from domain.incident import Incident
from domain.model import event_classes
from domain.ports import Entry
from projections.closure_days import Days, facts, move, no_days
from projections.closure_history import Cycle, Dispatch, Due, History, Mark, Marked, apply, begun
from projections.runner import Projection

SQL: Any = aiosql.from_path(Path(__file__).with_suffix(".sql"), "asyncpg", mandatory_parameters=False)

_INCIDENT = ("incident_id", "site_id", "township", "category", "reported_position")
_STANDING = ("mechanism", "first_left_at", "left_as", "last_at")
_CYCLE, _DISPATCH, _MARK, _DUE = (
    tuple(field.name for field in fields(row)) for row in (Cycle, Dispatch, Marked, Due)
)
_SHARED = len(_INCIDENT) + len(_STANDING)
"""How many columns all cycles of an incident have in common, without its unit."""
_of_incident, _of_standing = attrgetter(*_INCIDENT), attrgetter(*_INCIDENT, *_STANDING)
_of_cycle, _of_dispatch, _of_mark, _of_due = (
    attrgetter(*names) for names in (_CYCLE, _DISPATCH, _MARK, _DUE)
)


async def fold(connection: asyncpg.Connection, entries: Sequence[Entry]) -> None:
    fresh = {entry.event.originator_id for entry in entries if isinstance(entry.event, Incident.Reported)}
    histories = await _taken(connection, {entry.event.originator_id for entry in entries} - fresh)
    before = {incident: facts(history) for incident, history in histories.items()}
    for entry in entries:
        incident = entry.event.originator_id
        if isinstance(entry.event, Incident.Reported):
            histories[incident] = begun(entry)
        elif incident in histories:
            apply(histories[incident], entry)
        else:
            raise CorruptError(f"position {entry.position} is of an incident that was never reported")
    days = no_days()
    for incident, history in histories.items():
        move(days, history, before.get(incident, []), facts(history))
    await _put(connection, histories.values(), since=entries[0].position)
    await _add_days(connection, days)


PROJECTION = Projection(
    "closure",
    3,
    frozenset(event_classes(Incident)),
    fold,
    ("closures", "closure_dispatches", "closure_marks", "closure_dues", "closure_days"),
)


async def _taken(connection: asyncpg.Connection, ids: set[UUID]) -> dict[UUID, History]:
    """The histories of these incidents, as far as they were folded. Their cycles and dispatches are taken out, to be put back."""
    histories: dict[UUID, History] = {}
    if not ids:
        return histories
    wanted = list(ids)
    async for row in SQL.take_cycles(connection, ids=wanted):
        values = tuple(row)
        if values[0] not in histories:
            histories[values[0]] = History(*values[:_SHARED])
        histories[values[0]].cycles.append(Cycle(*values[_SHARED:]))
    async for row in SQL.take_dispatches(connection, ids=wanted):
        incident, *values = row
        histories[incident].dispatches.append(Dispatch(*values))
    async for row in SQL.marks(connection, ids=wanted):
        incident, position, mark, *values = row
        histories[incident].marks.append(Marked(position, Mark(mark), *values))
    return histories


async def _put(connection: asyncpg.Connection, histories: Iterable[History], *, since: int) -> None:
    """Put in all cycles and dispatches of `histories`, their new dues of before, and their marks from position `since` on."""
    cycles, dispatches, marks, dues = [], [], [], []
    for history in histories:
        incident, standing, unit = _of_incident(history), _of_standing(history), history.unit
        cycles += [(*standing, unit, *_of_cycle(cycle)) for cycle in history.cycles]
        dispatches += [(*incident, *_of_dispatch(dispatch)) for dispatch in history.dispatches]
        marks += [(incident[0], *_of_mark(mark)) for mark in history.marks if mark.position >= since]
        dues += [(incident[0], *_of_due(due)) for due in history.dues]
    for table, columns, rows in (
        ("closures", (*_INCIDENT, *_STANDING, "unit", "cycle", *_CYCLE[1:]), cycles),
        ("closure_dispatches", (*_INCIDENT, *_DISPATCH), dispatches),
        ("closure_marks", ("incident_id", *_MARK), marks),
        ("closure_dues", ("incident_id", *_DUE), dues),
    ):
        if rows:
            await connection.copy_records_to_table(table, columns=columns, records=rows)


async def _add_days(connection: asyncpg.Connection, days: Days) -> None:
    """Add to the counts of the days. A row of nothing is no row: the table does not tell in which batches it was made."""
    added = {key: counts for key, counts in days.items() if any(counts)}
    if not added:
        return
    dimensions, values, on, townships = zip(*added, strict=True)
    async for row in SQL.take_days(
        connection, dimensions=dimensions, values=values, days=on, townships=townships
    ):
        dimension, value, day, township, *counts = row
        now = added[dimension, value, day, township]
        now[:] = map(add, now, counts)
    rows = [(*key, *counts) for key, counts in added.items() if any(counts)]
    await connection.copy_records_to_table("closure_days", records=rows)
