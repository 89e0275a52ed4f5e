"""办结率, the closure rate, on the basis COHORT: of the incidents reported in a period, how many are closed."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import aiosql
import asyncpg

from domain.errors import CorruptError
from domain.incident import Incident, IncidentState
from domain.people import CITY, Scope
from domain.ports import Entry
from projections.runner import Projection

SQL: Any = aiosql.from_path(Path(__file__).with_suffix(".sql"), "asyncpg", mandatory_parameters=False)
ZONE = ZoneInfo("Asia/Shanghai")
DEFINITION = (
    "COHORT: closed of those reported in the period / reported in the period. "
    "Rejected and merged ones are on neither side; a reopened one is open. "
    "Days are calendar days in Asia/Shanghai; the period includes both its ends. Nothing reported gives no rate."
)
LEFT = (IncidentState.REJECTED, IncidentState.MERGED)
"""An incident in one of these states is counted nowhere: it was not the centre's, or it is counted as another."""


def day(at: datetime) -> date:
    """The calendar day of `at` in Asia/Shanghai."""
    return at.astimezone(ZONE).date()


async def fold(connection: asyncpg.Connection, entries: Sequence[Entry]) -> None:
    reported = [entry for entry in entries if isinstance(entry.event, Incident.Reported)]
    moved = {  # the last one counts
        entry.event.originator_id: entry
        for entry in entries
        if not isinstance(entry.event, Incident.Reported)
    }
    if reported:
        await SQL.insert_reported(
            connection,
            ids=[entry.event.originator_id for entry in reported],
            sites=[entry.event.site_id for entry in reported],
            townships=[entry.event.township for entry in reported],
            categories=[entry.event.category for entry in reported],
            days=[day(entry.event.timestamp) for entry in reported],
            positions=[entry.position for entry in reported],
        )
    if moved:
        last = list(moved.values())
        states = [entry.event.TO for entry in last]
        closed = [state is IncidentState.CLOSED for state in states]
        known = await SQL.settle(
            connection,
            ids=list(moved),
            days=[
                day(entry.event.timestamp) if is_closed else None
                for entry, is_closed in zip(last, closed, strict=True)
            ],
            positions=[
                entry.position if is_closed else None for entry, is_closed in zip(last, closed, strict=True)
            ],
            left=[state if state in LEFT else None for state in states],
        )
        if known != len(moved):
            raise CorruptError(
                f"an incident was settled that was never reported, at or before {entries[-1].position}"
            )


PROJECTION = Projection(
    "closure",
    1,
    frozenset(
        event.TOPIC
        for event in (
            Incident.Reported,
            Incident.Rejected,
            Incident.Merged,
            Incident.Unmerged,
            Incident.Closed,
            Incident.ClosedOnTheSpot,
            Incident.Reopened,
        )
    ),
    fold,
    ("closures",),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cohort:
    """Which incidents are counted: those reported from `start` to `end`, both included, inside `scope`; None is any."""

    start: date
    end: date
    scope: Scope = CITY
    township: str | None = None
    site_id: UUID | None = None
    category: str | None = None

    def values(self) -> dict[str, object]:
        """The cohort as the parameters of its queries."""
        return {
            "start": self.start,
            "end": self.end,
            "scope_township": self.scope.township,
            "scope_site": self.scope.site_id,
            "township": self.township,
            "site_id": self.site_id,
            "category": self.category,
        }


@dataclass(frozen=True, slots=True)
class ClosureRate:
    """`received` were reported, `closed` of them are closed. `position` is how far of the log was counted."""

    received: int
    closed: int
    position: int

    @property
    def open(self) -> int:
        """Reported and not closed."""
        return self.received - self.closed

    @property
    def rate(self) -> float | None:
        """Closed / received, 0..1; None when nothing was received."""
        return self.closed / self.received if self.received else None

    @property
    def percent(self) -> Decimal | None:
        """The rate in per cent to two places, a half rounded up; None when nothing was received."""
        if not self.received:
            return None
        return (Decimal(100) * self.closed / self.received).quantize(Decimal("0.01"), ROUND_HALF_UP)


async def closure_rate(connection: asyncpg.Connection, cohort: Cohort) -> ClosureRate:
    """The figure, counted now."""
    row = await SQL.closure_rate(connection, **cohort.values())
    return ClosureRate(row["received"], row["closed"], row["position"])


async def lineage(connection: asyncpg.Connection, cohort: Cohort, *, first: int, after: int) -> list[Any]:
    """The incidents the figure was counted from: at most `first` rows of (incident_id, reported_position, closed_position)
    in the order of their report, beyond log position `after`.
    """
    return [row async for row in SQL.lineage(connection, **cohort.values(), first=first, after=after)]
