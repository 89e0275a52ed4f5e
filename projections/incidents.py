"""The incident list: one row for each incident, as it stands now."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import aiosql
import asyncpg

from domain.errors import CorruptError
from domain.incident import Incident
from domain.model import event_classes
from domain.people import Scope
from domain.ports import Entry
from projections.runner import Projection

SQL: Any = aiosql.from_path(Path(__file__).with_suffix(".sql"), "asyncpg", mandatory_parameters=False)


async def fold(connection: asyncpg.Connection, entries: Sequence[Entry]) -> None:
    reported = [entry for entry in entries if isinstance(entry.event, Incident.Reported)]
    moved = [entry for entry in entries if not isinstance(entry.event, Incident.Reported)]
    if reported:
        events = [entry.event for entry in reported]
        await SQL.insert_reported(
            connection,
            ids=[event.originator_id for event in events],
            sites=[event.site_id for event in events],
            townships=[event.township for event in events],
            categories=[event.category for event in events],
            sources=[event.source for event in events],
            descriptions=[event.description for event in events],
            states=[event.TO for event in events],
            urgencies=[event.urgency for event in events],
            occurred=[event.occurred_at for event in events],
            reported=[event.timestamp for event in events],
            positions=[entry.position for entry in reported],
        )
    if moved:
        events = [entry.event for entry in moved]
        known = await SQL.move(
            connection,
            ids=[event.originator_id for event in events],
            versions=[event.originator_version for event in events],
            states=[event.TO for event in events],
            times=[event.timestamp for event in events],
            units=[getattr(event, "lead_unit", None) for event in events],
            rounds=[int(isinstance(event, Incident.Reworked | Incident.Reopened)) for event in events],
            positions=[entry.position for entry in moved],
        )
        if known != len({event.originator_id for event in events}):
            raise CorruptError(
                f"an incident moved that was never reported, at or before position {moved[-1].position}"
            )


PROJECTION = Projection("incidents", 1, frozenset(event_classes(Incident)), fold, ("incidents",))


@dataclass(frozen=True, slots=True, kw_only=True)
class IncidentFilter:
    """What to list; None is everything. `reported_from` is inclusive, `reported_until` exclusive."""

    state: str | None = None
    site_id: UUID | None = None
    township: str | None = None
    category: str | None = None
    reported_from: datetime | None = None
    reported_until: datetime | None = None


async def one(connection: asyncpg.Connection, scope: Scope, incident_id: UUID) -> Any | None:
    """The row of one incident, if it lies inside `scope`."""
    return await SQL.one(
        connection, incident_id=incident_id, scope_township=scope.township, scope_site=scope.site_id
    )


async def listed(
    connection: asyncpg.Connection,
    scope: Scope,
    wanted: IncidentFilter,
    *,
    first: int,
    after: tuple[datetime, UUID] | None,
) -> list[Any]:
    """At most `first` incidents inside `scope`, newest report first, beyond the row `after` (reported_at, incident_id)."""
    rows = SQL.listed(
        connection,
        scope_township=scope.township,
        scope_site=scope.site_id,
        state=wanted.state,
        site_id=wanted.site_id,
        township=wanted.township,
        category=wanted.category,
        reported_from=wanted.reported_from,
        reported_until=wanted.reported_until,
        after_time=after and after[0],
        after_id=after and after[1],
        first=first,
    )
    return [row async for row in rows]
