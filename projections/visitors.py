"""Visitors: who is on site now, by visit and never by name, and who is expected."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import aiosql
import asyncpg

from domain.inquiry import Look
from domain.model import event_classes
from domain.people import Scope
from domain.ports import Entry
from domain.visitor import Visitor
from projections.inside import inside
from projections.period import day_of, midnight
from projections.rows import Changes, Row, fold_rows
from projections.runner import Projection

SQL: Any = aiosql.from_path(Path(__file__).with_suffix(".sql"), "asyncpg", mandatory_parameters=False)


def _begin(entry: Entry) -> Row:
    event = entry.event
    return {
        "visitor_id": event.originator_id,
        "site_id": event.site_id,
        "township": event.township,
        "host": event.host,
        "requester": event.requester,
        "gates": event.gates,
        "valid_from": event.valid_from,
        "valid_until": event.valid_until,
        "uses": event.uses,
        "entries": 0,
        "requested_at": event.timestamp,
        "approved_at": None,
        "entered_at": None,
        "entered_by": None,
        "left_at": None,
    }


_CHANGES: Changes = {
    Visitor.Approved: lambda _, entry: {"approved_at": entry.event.timestamp},
    Visitor.Entered: lambda row, entry: {
        "entries": row["entries"] + 1,
        "entered_at": entry.event.timestamp,
        "entered_by": entry.event.gate,
    },
    Visitor.Left: lambda _, entry: {"left_at": entry.event.timestamp},
}


async def fold(connection: asyncpg.Connection, entries: Sequence[Entry]) -> None:
    await fold_rows(connection, entries, table="visitors", take=SQL.take, begin=_begin, changes=_CHANGES)


PROJECTION = Projection("visitors", 1, frozenset(event_classes(Visitor)), fold, ("visitors",))


@dataclass(frozen=True, slots=True, kw_only=True)
class VisitorFilter:
    """Where; None is everywhere."""

    site_id: UUID | None = None
    township: str | None = None


async def one(connection: asyncpg.Connection, scope: Scope, visitor_id: UUID, now: datetime) -> Any | None:
    """One visit, if it lies inside `scope`."""
    return await SQL.one(connection, id=visitor_id, **inside(scope), now=now)


async def on_site(
    connection: asyncpg.Connection,
    scope: Scope,
    wanted: VisitorFilter,
    now: datetime,
    *,
    overstaying: bool | None = None,
    first: int,
    after: tuple[datetime, UUID] | None,
) -> list[Any]:
    """At most `first` visitors who entered and did not leave, whose time ends first, beyond the row `after` (valid_until, visitor_id).

    Each row says whether the visitor is `overstaying` 超时未离: also one whom the timers have not noticed yet.
    """
    rows = SQL.on_site(
        connection, **_place(scope, wanted, after), now=now, overstaying=overstaying, first=first
    )
    return [row async for row in rows]


async def expected(
    connection: asyncpg.Connection,
    scope: Scope,
    wanted: VisitorFilter,
    now: datetime,
    *,
    first: int,
    after: tuple[datetime, UUID] | None,
) -> list[Any]:
    """At most `first` visitors who can still come in today (also once more), the earliest first, beyond `after` (valid_from, visitor_id)."""
    tomorrow = midnight(day_of(now) + timedelta(days=1))
    rows = SQL.expected(connection, **_place(scope, wanted, after), now=now, until=tomorrow, first=first)
    return [row async for row in rows]


async def during(
    connection: asyncpg.Connection,
    scope: Scope,
    look: Look,
    now: datetime,
    *,
    first: int,
    after: tuple[datetime, UUID] | None,
) -> list[Any]:
    """At most `first` visits that were for some time of the `look`, whatever became of them, beyond `after` (valid_from, visitor_id)."""
    place = _place(scope, VisitorFilter(site_id=look.site_id), after)
    rows = SQL.during(connection, **place, since=look.since, until=look.until, now=now, first=first)
    return [row async for row in rows]


def _place(scope: Scope, wanted: VisitorFilter, after: tuple[datetime, UUID] | None) -> dict[str, Any]:
    time, visitor = after or (None, None)
    return inside(scope) | asdict(wanted) | {"after_time": time, "after_id": visitor}
