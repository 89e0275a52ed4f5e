"""Read models of one row for each aggregate: take out the rows that a batch concerns, let its events change them, put them back."""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Any, TypeAlias
from uuid import UUID

import asyncpg
from eventsourcing.domain import Aggregate

from domain.deadlines import Timed
from domain.errors import CorruptError
from domain.lifecycle import Step
from domain.ports import Entry

Row: TypeAlias = dict[str, Any]
Begin: TypeAlias = Callable[[Entry], Row]
"""The row that an aggregate begins with: all columns but the common ones, of its first event."""
Changes: TypeAlias = Mapping[type[Step], Callable[[Row, Entry], Row]]
"""For the events that say more than a state: the columns that one changes, from the row before it."""


async def fold_rows(
    connection: asyncpg.Connection,
    entries: Sequence[Entry],
    *,
    table: str,
    take: Callable[..., AsyncIterator[Mapping[str, Any]]],
    begin: Begin,
    changes: Changes,
) -> None:
    """Put the rows back that `take` took out of `table`, as `entries` changed them, beside those that begin.

    What they have in common is kept here: `state`, `version`, `position`, and the deadline that runs out next, `due` and `due_at`, where
    there are any. CorruptError at an event of what never began.
    """
    ids = list({entry.event.originator_id: None for entry in entries})
    rows: dict[UUID, Row] = {
        next(iter(found.values())): dict(found) async for found in take(connection, ids=ids)
    }
    for entry in entries:
        event = entry.event
        if isinstance(event, Aggregate.Created):
            rows[event.originator_id] = begin(entry) | _common(entry)
            continue
        row = rows.get(event.originator_id)
        if row is None:
            raise CorruptError(f"{event.TOPIC} at position {entry.position} is of something that never began")
        change = changes.get(type(event))
        rows[event.originator_id] = row | (change(row, entry) if change else {}) | _common(entry)
    columns = list(next(iter(rows.values())))
    await connection.copy_records_to_table(
        table, columns=columns, records=[[row[column] for column in columns] for row in rows.values()]
    )


def _common(entry: Entry) -> Row:
    event = entry.event
    row: Row = {"version": event.originator_version, "position": entry.position}
    if event.TO is not None:
        row["state"] = event.TO
    if isinstance(event, Timed):
        first = min(event.deadlines, key=lambda one: (one.due_at, one.name), default=None)
        row |= {"due": first and first.name, "due_at": first and first.due_at}
    return row
