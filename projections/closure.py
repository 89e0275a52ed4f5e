"""Closures: what became of every incident, dispatch by dispatch and day by day; closure_figures.py counts on it."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any
from uuid import UUID

import aiosql
import asyncpg

from domain.errors import CorruptError
from domain.incident import Incident
from domain.model import event_classes
from domain.ports import Entry
from projections.closure_days import Count, Days, facts, move, no_days
from projections.closure_history import Cycle, Dispatch, History, Mark, Marked, apply, begun
from projections.runner import Projection

SQL: Any = aiosql.from_path(Path(__file__).with_suffix(".sql"), "asyncpg", mandatory_parameters=False)

_SHARED = 8
"""How many columns all cycles of an incident have in common, beside its id."""
_PARAMETERS = [count.name.lower() for count in Count]


async def fold(connection: asyncpg.Connection, entries: Sequence[Entry]) -> None:
    fresh = {entry.event.originator_id for entry in entries if isinstance(entry.event, Incident.Reported)}
    histories = await _kept(connection, {entry.event.originator_id for entry in entries} - fresh)
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
    await _keep(connection, list(histories.values()), since=entries[0].position)
    await _keep_days(connection, days)


PROJECTION = Projection(
    "closure",
    2,
    frozenset(event_classes(Incident)),
    fold,
    ("closures", "closure_dispatches", "closure_marks", "closure_days"),
)


async def _kept(connection: asyncpg.Connection, ids: set[UUID]) -> dict[UUID, History]:
    """The histories of these incidents, as far as they were folded."""
    histories: dict[UUID, History] = {}
    if not ids:
        return histories
    wanted = list(ids)
    async for row in SQL.cycles(connection, ids=wanted):
        incident, *fields = row.values()
        if incident not in histories:
            histories[incident] = History(incident, *fields[:_SHARED])
        histories[incident].cycles.append(Cycle(*fields[_SHARED:]))
    async for row in SQL.dispatches(connection, ids=wanted):
        incident, *fields = row.values()
        histories[incident].dispatches.append(Dispatch(*fields))
    async for row in SQL.marks(connection, ids=wanted):
        incident, position, mark, *fields = row.values()
        histories[incident].marks.append(Marked(position, Mark(mark), *fields))
    return histories


async def _keep(connection: asyncpg.Connection, histories: Sequence[History], *, since: int) -> None:
    """Write all rows of `histories`; their marks from position `since` on."""
    cycles = [(history, cycle) for history in histories for cycle in history.cycles]
    await SQL.keep_cycles(
        connection,
        ids=[history.incident_id for history, _ in cycles],
        sites=[history.site_id for history, _ in cycles],
        townships=[history.township for history, _ in cycles],
        categories=[history.category for history, _ in cycles],
        reported_positions=[history.reported_position for history, _ in cycles],
        units=[history.unit for history, _ in cycles],
        mechanisms=[history.mechanism for history, _ in cycles],
        first_left=[history.first_left_at for history, _ in cycles],
        left=[history.left_as for history, _ in cycles],
        last=[history.last_at for history, _ in cycles],
        cycles=[cycle.number for _, cycle in cycles],
        began=[cycle.began_at for _, cycle in cycles],
        began_positions=[cycle.began_position for _, cycle in cycles],
        closed=[cycle.closed_at for _, cycle in cycles],
        closed_positions=[cycle.closed_position for _, cycle in cycles],
        on_time=[cycle.on_time for _, cycle in cycles],
        dispatched=[cycle.dispatched_at for _, cycle in cycles],
        feedback=[cycle.feedback_at for _, cycle in cycles],
        close_working=[cycle.close_working for _, cycle in cycles],
        handle_working=[cycle.handle_working for _, cycle in cycles],
        parked_at=[cycle.parked_at for _, cycle in cycles],
        parked=[cycle.parked for _, cycle in cycles],
        rated=[cycle.rated_at for _, cycle in cycles],
        ratings=[cycle.rating for _, cycle in cycles],
        reopened=[cycle.reopened_at for _, cycle in cycles],
        reclosed=[cycle.reclosed_at for _, cycle in cycles],
    )
    dispatches = [(history, dispatch) for history in histories for dispatch in history.dispatches]
    if dispatches:
        await SQL.keep_dispatches(
            connection,
            ids=[history.incident_id for history, _ in dispatches],
            sites=[history.site_id for history, _ in dispatches],
            townships=[history.township for history, _ in dispatches],
            categories=[history.category for history, _ in dispatches],
            reported_positions=[history.reported_position for history, _ in dispatches],
            numbers=[dispatch.number for _, dispatch in dispatches],
            cycles=[dispatch.cycle for _, dispatch in dispatches],
            units=[dispatch.unit for _, dispatch in dispatches],
            dispatched=[dispatch.dispatched_at for _, dispatch in dispatches],
            due=[dispatch.due_at for _, dispatch in dispatches],
            late=[dispatch.late_from for _, dispatch in dispatches],
            signed=[dispatch.signed_at for _, dispatch in dispatches],
            sign_working=[dispatch.sign_working for _, dispatch in dispatches],
            feedback=[dispatch.feedback_at for _, dispatch in dispatches],
            extended=[dispatch.extended_at for _, dispatch in dispatches],
            ended=[dispatch.ended_at for _, dispatch in dispatches],
            returned=[dispatch.returned for _, dispatch in dispatches],
        )
    marks = [(history, mark) for history in histories for mark in history.marks if mark.position >= since]
    if marks:
        await SQL.keep_marks(
            connection,
            ids=[history.incident_id for history, _ in marks],
            positions=[mark.position for _, mark in marks],
            marks=[mark.mark for _, mark in marks],
            times=[mark.at for _, mark in marks],
            values=[mark.value for _, mark in marks],
        )


async def _keep_days(connection: asyncpg.Connection, days: Days) -> None:
    """Add to the counts of the days."""
    added = [(key, counts) for key, counts in days.items() if any(counts)]
    if not added:
        return
    keys = dict(
        zip(("dimensions", "values", "days", "townships"), _columns(key for key, _ in added), strict=True)
    )
    counts = dict(zip(_PARAMETERS, _columns(counts for _, counts in added), strict=True))
    await SQL.add_days(connection, **keys, **counts)
    if any(min(counts) < 0 for _, counts in added):
        await SQL.drop_empty_days(connection, **keys)


def _columns(rows: Iterable[Sequence[Any]]) -> list[list[Any]]:
    return [list(column) for column in zip(*rows, strict=True)]
