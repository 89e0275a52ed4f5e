"""The governance centres 综治中心: how far each is by the checklist, whether it was accepted, and who works in it."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any
from uuid import UUID

import aiosql
import asyncpg

from domain.centre import Centre
from domain.model import event_classes
from domain.people import Scope
from domain.ports import Entry
from projections.inside import inside
from projections.rows import Changes, Row, fold_rows
from projections.runner import Projection

SQL: Any = aiosql.from_path(Path(__file__).with_suffix(".sql"), "asyncpg", mandatory_parameters=False)


def _begin(entry: Entry) -> Row:
    event = entry.event
    return {
        "centre_id": event.originator_id,
        "township": event.township,
        "name": event.name,
        "founded_at": event.timestamp,
        "accepted_at": None,
        "withdrawn_at": None,
        "units": [],
        "staff": 0,
    }


_CHANGES: Changes = {
    Centre.Accepted: lambda _, entry: {"accepted_at": entry.event.timestamp},
    Centre.AcceptanceWithdrawn: lambda _, entry: {"withdrawn_at": entry.event.timestamp},
    Centre.UnitJoined: lambda row, entry: {"units": sorted([*row["units"], entry.event.unit])},
    Centre.UnitLeft: lambda row, entry: {
        "units": [unit for unit in row["units"] if unit != entry.event.unit]
    },
    Centre.StaffJoined: lambda row, _: {"staff": row["staff"] + 1},
    Centre.StaffLeft: lambda row, _: {"staff": row["staff"] - 1},
}


async def fold(connection: asyncpg.Connection, entries: Sequence[Entry]) -> None:
    await fold_rows(connection, entries, table="centres", take=SQL.take, begin=_begin, changes=_CHANGES)
    latest = {
        (entry.event.originator_id, entry.event.item): entry
        for entry in entries
        if isinstance(entry.event, Centre.ItemInspected)
    }
    if latest:
        await SQL.inspect(
            connection,
            ids=[centre for centre, _ in latest],
            items=[item for _, item in latest],
            passed=[entry.event.passed for entry in latest.values()],
            times=[entry.event.timestamp for entry in latest.values()],
            inspectors=[entry.event.actor for entry in latest.values()],
            positions=[entry.position for entry in latest.values()],
        )


PROJECTION = Projection("centres", 1, frozenset(event_classes(Centre)), fold, ("centres", "centre_items"))


async def listed(
    connection: asyncpg.Connection,
    scope: Scope,
    *,
    centre_id: UUID | None = None,
    state: str | None = None,
    first: int,
    after: str | None,
) -> list[Any]:
    """At most `first` centres inside `scope`, with `items_passed` and `items_failed`, by township, beyond that of `after`.

    What nobody inspected is in neither. A centre is a township's: a scope of one site shows none.
    """
    rows = SQL.listed(
        connection,
        **inside(scope),
        centre_id=centre_id,
        state=state,
        after=after,
        first=first,
    )
    return [row async for row in rows]


async def one(connection: asyncpg.Connection, scope: Scope, centre_id: UUID) -> Any | None:
    """One centre, if it lies inside `scope`."""
    rows = await listed(connection, scope, centre_id=centre_id, first=1, after=None)
    return next(iter(rows), None)


async def checklist(connection: asyncpg.Connection, scope: Scope, township: str) -> list[Any]:
    """The latest inspection of each item of the township's centre: rows of (item, passed, inspected_at, inspector, position)."""
    rows = SQL.checklist(connection, township=township, **inside(scope))
    return [row async for row in rows]
