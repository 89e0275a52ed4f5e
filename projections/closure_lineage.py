"""Lineage: the incidents that a count of closure was counted from, and their closings."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import aiosql
import asyncpg

from domain.errors import InvalidError
from projections.closure_question import Question, cuts

SQL: Any = aiosql.from_path(Path(__file__).with_suffix(".sql"), "asyncpg", mandatory_parameters=False)
OF_CYCLES = frozenset(
    {
        "received", "rejected", "merged", "cohort_closed", "opening", "backlog", "reopened", "closings", "handled", "closed", "on_time", "late",
        "ratings", "satisfied", "closings_reopened",
    }
)  # fmt: skip
OF_DISPATCHES = frozenset({"dispatches", "signed", "returned", "extended", "verifications", "failed"})


async def lineage(
    connection: asyncpg.Connection, question: Question, count: str, *, first: int, after: int, days: int = 7
) -> list[Any]:
    """Rows of (incident_id, reported_position, closing_position) in the order of the reports, beyond report position `after`.

    As many rows as `count` says, one for each fact that it counts; at most `first` of them, but always all of one incident.
    closing_position: of that closing, or of how the incident stands. days: of repeats. InvalidError if there is no such count.
    """
    given = question.filters() | {"count": count, "first": first, "after": after}
    if count in OF_CYCLES:
        rows = SQL.of_cycles(connection, **given)
    elif count in OF_DISPATCHES:
        rows = SQL.of_dispatches(connection, **given)
    elif count == "repeats":
        rows = SQL.repeats(connection, **given, within=_within(days))
    elif count == "overdue":
        (cut,) = cuts(question, [question.period])
        rows = SQL.overdue(connection, **given, cut=cut.at, done=cut.done)
    else:
        known = ", ".join(sorted({*OF_CYCLES, *OF_DISPATCHES, "overdue", "repeats"}))
        raise InvalidError(f"there is no lineage of {count!r}; there is of: {known}")
    return [row async for row in rows]


async def repeats(connection: asyncpg.Connection, question: Question, days: int = 7) -> int:
    """重复: how many of those received were reported within `days` after another one of the same site and category."""
    rows = SQL.repeats(connection, **question.filters(), within=_within(days), first=1, after=0)
    return next(iter([row["repeats"] async for row in rows]), 0)


def _within(days: int) -> timedelta:
    return timedelta(hours=24 * days)
