"""Alarms: by how much they matter, or the newest first; and the figures of those that tripped in a period."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Any, Self
from uuid import UUID

import aiosql
import asyncpg

from domain.alarm import Alarm
from domain.model import event_classes
from domain.people import Scope
from domain.ports import Entry
from projections.inside import inside
from projections.plans import planned
from projections.question import Question
from projections.rows import Changes, Row, fold_rows
from projections.runner import Projection

SQL: Any = aiosql.from_path(Path(__file__).with_suffix(".sql"), "asyncpg", mandatory_parameters=False)
DEFINITIONS = {
    "tripped": "Alarms whose first trip is in the period; the same sensor again within its window is the same alarm.",
    "false_rate": "false / (real + false): of the alarms tripped in the period and reviewed; tests are on neither side.",
    "seconds_to_acknowledge": (
        "From the first trip to the acknowledgement, of the alarms tripped in the period and acknowledged; "
        "median and p90 interpolate between the two nearest values. A clock that ran back counts as no time."
    ),
}


def _begin(entry: Entry) -> Row:
    event = entry.event
    return {
        "alarm_id": event.originator_id,
        "site_id": event.site_id,
        "township": event.township,
        "sensor": event.sensor,
        "trigger": event.trigger,
        "active": True,
        "shelved": False,
        "suppressed": False,
        "out_of_service": False,
        "trips": 1,
        "level": 0,
        "tripped_at": event.timestamp,
        "tripped_position": entry.position,
        "last_tripped_at": event.timestamp,
        "acknowledged_at": None,
        "acknowledged_by": None,
        "acknowledged_position": None,
        "reviewed_at": None,
        "reviewer": None,
        "verdict": None,
        "verdict_at": None,
        "verdict_position": None,
        "cause": None,
        "incident_id": None,
    }


def _found(entry: Entry) -> Row:
    return {
        "verdict": entry.event.TO,
        "verdict_at": entry.event.timestamp,
        "verdict_position": entry.position,
    }


_CHANGES: Changes = {
    Alarm.TrippedAgain: lambda row, entry: {
        "trips": row["trips"] + 1,
        "active": True,
        "last_tripped_at": max(row["last_tripped_at"], entry.event.timestamp),
    },
    Alarm.WentNormal: lambda *_: {"active": False},
    Alarm.Escalated: lambda _, entry: {"level": entry.event.level},
    Alarm.Acknowledged: lambda _, entry: {
        "acknowledged_at": entry.event.timestamp,
        "acknowledged_by": entry.event.actor,
        "acknowledged_position": entry.position,
    },
    Alarm.Reviewed: lambda _, entry: {"reviewed_at": entry.event.timestamp, "reviewer": entry.event.actor},
    Alarm.FoundReal: lambda _, entry: {**_found(entry), "incident_id": entry.event.incident_id},
    Alarm.FoundFalse: lambda _, entry: {**_found(entry), "cause": entry.event.cause},
    Alarm.FoundTest: lambda _, entry: _found(entry),
    Alarm.Shelved: lambda *_: {"shelved": True},
    Alarm.Unshelved: lambda *_: {"shelved": False},
    Alarm.Suppressed: lambda *_: {"suppressed": True},
    Alarm.Unsuppressed: lambda *_: {"suppressed": False},
    Alarm.TakenOutOfService: lambda *_: {"out_of_service": True},
    Alarm.ReturnedToService: lambda *_: {"out_of_service": False},
}


async def fold(connection: asyncpg.Connection, entries: Sequence[Entry]) -> None:
    await fold_rows(connection, entries, table="alarms", take=SQL.take, begin=_begin, changes=_CHANGES)


PROJECTION = Projection("alarms", 1, frozenset(event_classes(Alarm)), fold, ("alarms",))


@dataclass(frozen=True, slots=True, kw_only=True)
class AlarmFilter:
    """What to list; None is everything. annunciated: whether it calls for somebody, neither shelved, suppressed, out of service nor over."""

    alarm_id: UUID | None = None
    state: str | None = None
    site_id: UUID | None = None
    township: str | None = None
    sensor: str | None = None
    annunciated: bool | None = None
    tripped_from: datetime | None = None
    tripped_until: datetime | None = None


class AlarmOrder(StrEnum):
    """PRIORITY: those that are not over, by how much they matter, the oldest first. NEWEST: all, by their first trip."""

    PRIORITY = "PRIORITY"
    NEWEST = "NEWEST"


async def listed(
    connection: asyncpg.Connection,
    scope: Scope,
    wanted: AlarmFilter,
    *,
    first: int,
    order: AlarmOrder = AlarmOrder.PRIORITY,
    after: tuple[int, datetime, UUID] | None,
) -> list[Any]:
    """At most `first` alarms inside `scope`, in `order`, beyond the row `after` (priority, tripped_at, alarm_id).

    `priority` is 1: danger, or nobody came in time; 2: calls for somebody; 3: somebody is at it; 4: silenced; 5: over.
    """
    priority, time, alarm = after or (None, None, None)
    async with planned(connection):
        rows = SQL.listed(
            connection,
            **inside(scope),
            **asdict(wanted),
            order=order,
            after_priority=priority,
            after_time=time,
            after_id=alarm,
            first=first,
        )
        return [row async for row in rows]


async def one(connection: asyncpg.Connection, scope: Scope, alarm_id: UUID) -> Any | None:
    """One alarm, if it lies inside `scope`."""
    wanted = AlarmFilter(alarm_id=alarm_id)
    rows = await listed(connection, scope, wanted, first=1, order=AlarmOrder.NEWEST, after=None)
    return next(iter(rows), None)


class AlarmGroup(StrEnum):
    """What the figures are counted for, each. SENSOR: a zone or another device, named <site id>/<code>."""

    TOWNSHIP = "TOWNSHIP"
    SITE = "SITE"
    SENSOR = "SENSOR"


@dataclass(frozen=True, slots=True)
class AlarmFigures:
    """`tripped` in the period, and what was found of them. Seconds: None when none was acknowledged. position: of the log, counted to."""

    tripped: int
    real: int
    false: int
    test: int
    median_seconds_to_acknowledge: float | None
    p90_seconds_to_acknowledge: float | None
    position: int

    @classmethod
    def of(cls, row: Any) -> Self:
        """From a row of the query."""
        return cls(*(row[name] for name in cls.__slots__))

    @property
    def false_rate(self) -> float | None:
        """误报率, false / (real + false), 0..1; None when neither was found."""
        judged = self.real + self.false
        return self.false / judged if judged else None


async def alarm_figures(connection: asyncpg.Connection, question: Question) -> AlarmFigures:
    """The figures of all alarms that the question is about."""
    rows = [row async for row in SQL.figures(connection, **question.values(), by=None)]
    return AlarmFigures.of(next(row for row in rows if row["total"]))


async def alarm_figures_by(
    connection: asyncpg.Connection, question: Question, by: AlarmGroup
) -> dict[str, AlarmFigures]:
    """The figures of each township, site (by its id) or sensor that had an alarm."""
    rows = SQL.figures(connection, **question.values(), by=by)
    return {row["part"]: AlarmFigures.of(row) async for row in rows if not row["total"]}


async def lineage(connection: asyncpg.Connection, question: Question, *, first: int, after: int) -> list[Any]:
    """The alarms that were counted, in the order of their trips: at most `first` rows beyond log position `after` of
    (alarm_id, tripped_position, acknowledged_position, verdict, verdict_position).
    """
    return [row async for row in SQL.lineage(connection, **question.values(), first=first, after=after)]
