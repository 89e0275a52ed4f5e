"""Gate passes for each gate and hour."""

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import aiosql
import asyncpg

from domain.gatepass import GatePass
from domain.ports import Entry
from projections.runner import Projection

SQL: Any = aiosql.from_path(Path(__file__).with_suffix(".sql"), "asyncpg", mandatory_parameters=False)


def _hour(at: datetime) -> datetime:
    """The hour of `at`: whole hours of UTC are whole hours in Asia/Shanghai, those of other offsets need not be."""
    return at.astimezone(UTC).replace(minute=0, second=0, microsecond=0)


async def fold(connection: asyncpg.Connection, entries: Sequence[Entry]) -> None:
    counted = Counter(
        (
            entry.event.site_id,
            entry.event.gate,
            _hour(entry.event.timestamp),
            str(entry.event.decision),
        )
        for entry in entries
    )
    sites, gates, hours, decisions = zip(*counted, strict=True)
    await SQL.count(
        connection, sites=sites, gates=gates, hours=hours, decisions=decisions, passes=list(counted.values())
    )


PROJECTION = Projection("gate_traffic", 1, frozenset({GatePass.Passed.TOPIC}), fold, ("gate_traffic",))


async def traffic(
    connection: asyncpg.Connection, *, site_id: UUID, start: datetime, end: datetime, unit: str
) -> list[Any]:
    """Rows of (start, gate, decision, passes) with start <= hour < end, summed by `unit` ("hour" or "day") of Asia/Shanghai."""
    return [row async for row in SQL.traffic(connection, site_id=site_id, start=start, end=end, unit=unit)]
