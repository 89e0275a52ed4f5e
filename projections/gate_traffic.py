"""Gate passes for each gate and hour, each once: under what the gate decided, or the guard for whom it held somebody."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple
from uuid import UUID

import aiosql
import asyncpg

from domain.access import Decision
from domain.errors import CorruptError
from domain.gatepass import GatePass
from domain.model import event_classes
from domain.ports import Entry
from projections.question import Question
from projections.runner import Projection

SQL: Any = aiosql.from_path(Path(__file__).with_suffix(".sql"), "asyncpg", mandatory_parameters=False)
DEFINITION = (
    "Gate passes for each gate, by the hour in which they happened, each once: under the decision of the gate, "
    "or of the guard for whom it held somebody. As of a day before the guard decided, a pass is held."
)


class _Place(NamedTuple):
    """Where and in which hour somebody passed."""

    site_id: UUID
    township: str
    gate: str
    hour: datetime


def _hour(at: datetime) -> datetime:
    """The hour of `at`: whole hours of UTC are whole hours in Asia/Shanghai, those of other offsets need not be."""
    return at.astimezone(UTC).replace(minute=0, second=0, microsecond=0)


async def fold(connection: asyncpg.Connection, entries: Sequence[Entry]) -> None:
    decided = {
        entry.event.originator_id: entry for entry in entries if not isinstance(entry.event, GatePass.Passed)
    }
    waiting: dict[UUID, _Place] = {}
    if decided:
        rows = SQL.decide(connection, ids=list(decided), **_decisions(list(decided.values())))
        waiting = {row[0]: _Place(*row[1:]) async for row in rows}
    held: dict[UUID, tuple[_Place, int]] = {}
    counted: list[tuple[_Place, str, int, int]] = []
    for entry in entries:
        event = entry.event
        if isinstance(event, GatePass.Passed):
            place = _Place(event.site_id, event.township, event.gate, _hour(event.timestamp))
            counted.append((place, event.decision, 1, entry.position))
            if event.decision is Decision.HELD:
                waiting[event.originator_id] = place
                held[event.originator_id] = (place, entry.position)
        elif (waited := waiting.pop(event.originator_id, None)) is None:
            raise CorruptError(f"{event.TOPIC} at position {entry.position} is of a pass that nobody held")
        else:
            counted.append((waited, Decision.HELD, -1, entry.position))
            counted.append((waited, event.TO, 1, entry.position))
    if held:
        places, positions = zip(*held.values(), strict=True)
        await SQL.hold(
            connection,
            ids=list(held),
            **_columns(places),
            held_positions=positions,
            **_decisions([decided.get(pass_id) for pass_id in held]),
        )
    places, decisions, passes, positions = zip(*counted, strict=True)
    await SQL.count(connection, **_columns(places), decisions=decisions, passes=passes, positions=positions)


def _decisions(entries: Sequence[Entry | None]) -> dict[str, Any]:
    """What guards decided; None of those that wait."""
    return {
        "decisions": [entry and entry.event.TO for entry in entries],
        "times": [entry and entry.event.timestamp for entry in entries],
        "positions": [entry and entry.position for entry in entries],
    }


def _columns(places: Sequence[_Place]) -> dict[str, Any]:
    sites, townships, gates, hours = zip(*places, strict=True)
    return {"sites": sites, "townships": townships, "gates": gates, "hours": hours}


PROJECTION = Projection(
    "gate_traffic", 3, frozenset(event_classes(GatePass)), fold, ("gate_traffic", "gate_held")
)


async def traffic(
    connection: asyncpg.Connection,
    *,
    site_id: UUID,
    start: datetime,
    end: datetime,
    unit: str,
    until: datetime | None = None,
) -> list[Any]:
    """Rows of (start, gate, decision, passes) with start <= hour < end, summed by `unit` ("hour", "day" or "month") of Asia/Shanghai.

    What was done at `until`, which is a whole hour, or after it does not count.
    """
    rows = SQL.traffic(connection, site_id=site_id, start=start, end=end, unit=unit, until=until)
    return [row async for row in rows]


async def passes(connection: asyncpg.Connection, question: Question) -> int:
    """How many passes there were in the period, whatever was decided."""
    found: int = await SQL.passes(connection, **question.values())
    return found


async def totals(connection: asyncpg.Connection, question: Question) -> list[Any]:
    """The same for each gate and decision: rows of (site_id, gate, decision, passes, first_position, last_position).

    The positions are a stretch of the log in which the events that were counted stand; `gate_lineage` names them one by one.
    """
    return [row async for row in SQL.totals(connection, **question.values())]
