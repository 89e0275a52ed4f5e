"""Open work: what each unit, and the centre, has to do now. The fold of `incidents` makes its rows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Any
from uuid import UUID

import aiosql
import asyncpg
import msgspec

from domain.incident import WITH_UNITS, IncidentState, Leg
from domain.people import Scope
from projections.inside import inside
from projections.standing import PARKING, Standing

SQL: Any = aiosql.from_path(Path(__file__).with_suffix(".sql"), "asyncpg", mandatory_parameters=False)
CENTRE = ""
"""The unit of what the centre itself has to do."""
SOON = timedelta(hours=24)


class Duty(StrEnum):
    """What is to be done."""

    ACCEPT = "ACCEPT"
    DISPATCH = "DISPATCH"
    SIGN = "SIGN"
    HANDLE = "HANDLE"
    DECIDE_RETURN = "DECIDE_RETURN"
    DECIDE_EXTENSION = "DECIDE_EXTENSION"
    UNPARK = "UNPARK"  # look whether work can go on
    VERIFY = "VERIFY"


OF_THE_CENTRE: Mapping[str, Duty] = {
    IncidentState.REPORTED: Duty.ACCEPT,
    IncidentState.ACCEPTED: Duty.DISPATCH,
    IncidentState.REOPENED: Duty.DISPATCH,
    IncidentState.RETURN_REQUESTED: Duty.DECIDE_RETURN,
    IncidentState.VERIFYING: Duty.VERIFY,
}
"""In these states no unit can do anything: they wait for the centre."""


class Task(msgspec.Struct, frozen=True):
    """A row of `work`. `due_at`: None if no limit is set for it. A decision is due when the work is that waits for it."""

    incident_id: UUID
    site_id: UUID
    township: str
    unit: str
    duty: str
    assisting: bool
    due_at: datetime | None


def tasks(row: Standing) -> list[Task]:
    """What has to be done now about the incident of `row`, and by whom. Pure."""
    dues = row.dues
    return [
        Task(
            row.incident_id,
            row.site_id,
            row.township,
            unit,
            duty,
            unit not in {CENTRE, row.lead_unit},
            next((dues[name] for name in names if name in dues), None),
        )
        for unit, duty, names in _open(row)
    ]


def _open(row: Standing) -> Iterator[tuple[str, Duty, tuple[str, ...]]]:
    """(unit, duty, the deadlines that may be its, of which the first that there is counts)."""
    if row.parked:
        yield CENTRE, Duty.UNPARK, (PARKING,)
    elif row.state in WITH_UNITS:
        yield from _of_units(row)
        if row.extension_until:
            yield CENTRE, Duty.DECIDE_EXTENSION, (f"handle:{row.lead_unit}",)
    elif duty := OF_THE_CENTRE.get(row.state):
        yield CENTRE, duty, ("verify", f"sign:{row.lead_unit}", f"handle:{row.lead_unit}")


def _of_units(row: Standing) -> Iterator[tuple[str, Duty, tuple[str, ...]]]:
    for unit, leg in row.legs.items():
        if leg == Leg.DISPATCHED:
            yield unit, Duty.SIGN, (f"sign:{unit}", f"handle:{unit}")
        elif leg == Leg.SIGNED:
            yield unit, Duty.HANDLE, (f"handle:{unit}",)


@dataclass(frozen=True, slots=True)
class Load:
    """How much a unit has to do at a moment; `soon`: due within SOON and not overdue."""

    unit: str
    open: int
    overdue: int
    soon: int


async def listed(
    connection: asyncpg.Connection,
    scope: Scope,
    unit: str,
    *,
    first: int,
    after: tuple[datetime | None, UUID, str] | None = None,
) -> list[Task]:
    """At most `first` tasks of `unit`, the longest overdue first and those without a limit last, beyond `after` (due_at, incident_id, duty)."""
    due, incident, duty = after or (None, None, None)
    rows = SQL.listed(
        connection,
        **inside(scope),
        unit=unit,
        after_due=due,
        after_incident=incident,
        after_duty=duty,
        first=first,
    )
    return [Task(**row) async for row in rows]


async def loads(connection: asyncpg.Connection, scope: Scope, at: datetime) -> list[Load]:
    """The load of every unit that has something to do, by its name, the centre first."""
    rows = SQL.loads(connection, **inside(scope), at=at, soon=at + SOON)
    return [Load(**row) async for row in rows]
