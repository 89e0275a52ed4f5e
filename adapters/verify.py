"""Recompute the hash chain of the whole log and name the first position at which it does not hold."""

from collections.abc import Callable
from dataclasses import dataclass

import asyncpg

from adapters.commit import SQL
from domain.chain import GENESIS, Record, link


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
        async for row in connection.cursor(SQL.chain.sql, prefetch=5000):
            position = row["notification_id"]
            if position != checked + 1:
                return Verdict(
                    checked,
                    last,
                    checked + 1,
                    f"position {checked + 1} is missing: the next one is {position}",
                )
            if row["last"] is not None:
                last, archived = row["hash"], archived + row["last"] - checked
                checked = row["last"]
                continue
            last = link(
                last,
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
            )
            if last != row["hash"]:
                return Verdict(
                    checked,
                    last,
                    position,
                    f"position {position} is not what was appended: its hash does not follow",
                )
            checked = position
            if progress is not None and checked % 5000 == 0:
                progress(checked, head["position"])
        if checked != head["position"]:
            return Verdict(
                checked, last, checked + 1, f"the log ends at {checked}, its head says {head['position']}"
            )
        if last != head["hash"]:
            return Verdict(checked, last, checked, "the head's hash is not that of the last event")
        return Verdict(checked, last, archived=archived)
