"""The deadlines that run now, whatever they are of: what the timers worker asks for."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import aiosql
import asyncpg

from domain.deadlines import Timed
from domain.model import EVENTS, category
from domain.ports import Entry
from projections.runner import Projection

SQL: Any = aiosql.from_path(Path(__file__).with_suffix(".sql"), "asyncpg", mandatory_parameters=False)


async def fold(connection: asyncpg.Connection, entries: Sequence[Entry]) -> None:
    last = {entry.event.originator_id: entry.event for entry in entries}  # it carries all that run after it
    running = [(event, one) for event in last.values() for one in event.deadlines]
    await SQL.forget(connection, ids=list(last))
    await SQL.set_running(
        connection,
        ids=[event.originator_id for event, _ in running],
        categories=[category(event.TOPIC) for event, _ in running],
        names=[one.name for _, one in running],
        dues=[one.due_at for _, one in running],
        rules=[one.rule for _, one in running],
    )


PROJECTION = Projection(
    "deadlines",
    1,
    frozenset(topic for topic, event in EVENTS.items() if issubclass(event, Timed)),
    fold,
    ("deadlines",),
)


async def passed(
    connection: asyncpg.Connection, at: datetime, *, first: int, after: tuple[datetime, UUID, str] | None
) -> list[Any]:
    """At most `first` rows of (aggregate_id, category, name, due_at) that were due by `at`, the longest overdue first,
    beyond the row `after` (due_at, aggregate_id, name).
    """
    due, aggregate, name = after or (None, None, None)
    rows = SQL.passed(
        connection, at=at, first=first, after_due=due, after_aggregate=aggregate, after_name=name
    )
    return [row async for row in rows]
