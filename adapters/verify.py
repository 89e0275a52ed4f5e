"""Recompute the hash chain of the whole log and name the first position at which it does not hold."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import asyncpg

from adapters.commit import SQL
from domain.chain import GENESIS, Record, link

STEP = 5000
"""Events fetched at a time, and between two words about the progress."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """`events` were checked; `problem` is None if the chain holds, else what is wrong at `position`."""

    events: int
    hash: bytes
    position: int | None = None
    problem: str | None = None
    archived: int = 0

    @property
    def holds(self) -> bool:
        return self.problem is None


async def verify(
    connection: asyncpg.Connection, progress: Callable[[int, int], None] | None = None
) -> Verdict:
    """Stream the log (flat memory) inside one snapshot; `progress` is told (checked, all) now and then."""
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        head = await connection.fetchrow(SQL.head.sql)
        if head is None:
            return Verdict(0, GENESIS, 0, "the head of the log is missing")
        last, checked, archived = GENESIS, 0, 0
        async for row in connection.cursor(SQL.chain.sql, prefetch=STEP):
            problem = _problem(row, checked + 1, last)
            if problem is not None:
                return Verdict(checked, last, checked + 1, problem)
            last = row["hash"]
            archived += row["through"] - checked if row["through"] else 0
            checked = row["through"] or checked + 1
            if progress is not None and checked % STEP == 0:
                progress(checked, head["position"])
    if checked != head["position"]:
        first = min(checked, head["position"]) + 1
        return Verdict(checked, last, first, f"the log ends at {checked}, its head says {head['position']}")
    if last != head["hash"]:
        return Verdict(checked, last, checked, "the head's hash is not that of the last event")
    return Verdict(checked, last, archived=archived)


def _problem(row: Any, expected: int, previous: bytes) -> str | None:
    """What is wrong with `row`, where position `expected` should be; None if it is what was appended there."""
    position = row["notification_id"]
    if position != expected:
        return f"position {expected} is missing: the next one is {position}"
    if row["through"] is not None:
        return None
    if row["category"] != row["topic"].partition(".")[0]:
        return (
            f"position {position} lies in the partition {row['category']!r}, where its topic does not belong"
        )
    if row["recorded_at"] is None or row["hash"] != link(
        previous,
        Record(
            position,
            row["recorded_at"],
            row["originator_id"],
            row["originator_version"],
            row["request_id"],
            row["topic"],
            row["metadata"],
            row["state"],
        ),
    ):
        return f"position {position} is not what was appended: its hash does not follow"
    return None
