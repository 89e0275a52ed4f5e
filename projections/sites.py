"""The programme 平安小区: its sites with their gates, measures and every count of their households, and what each township has."""

from collections.abc import AsyncIterator, Collection, Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import aiosql
import asyncpg

from domain.model import event_classes
from domain.people import Scope
from domain.ports import Entry
from domain.site import Site
from projections.inside import inside
from projections.rows import Changes, Row, fold_rows
from projections.runner import Projection

SQL: Any = aiosql.from_path(Path(__file__).with_suffix(".sql"), "asyncpg", mandatory_parameters=False)


def _begin(entry: Entry) -> Row:
    event = entry.event
    return {
        "site_id": event.originator_id,
        "code": event.code,
        "name": event.name,
        "township": event.township,
        "households": None,
        "buildings": None,
        "counted_from": None,
        "planned_at": event.timestamp,
        "construction_started_at": None,
        "accepted_at": None,
        "inspector": None,
        "operating_at": None,
    }


def _counted(row: Row, entry: Entry) -> Row:
    """A count for an earlier day than the last one's, brought in late, changes nothing now."""
    event = entry.event
    if row["counted_from"] is not None and event.counts_from < row["counted_from"]:
        return {}
    return {
        "households": event.households,
        "buildings": row["buildings"] if event.buildings is None else event.buildings,
        "counted_from": event.counts_from,
    }


_CHANGES: Changes = {
    Site.ConstructionStarted: lambda _, entry: {"construction_started_at": entry.event.timestamp},
    Site.Accepted: lambda _, entry: {
        "accepted_at": entry.event.timestamp,
        "inspector": entry.event.inspector,
    },
    Site.OperationStarted: lambda _, entry: {"operating_at": entry.event.timestamp},
    Site.HouseholdsCounted: _counted,
}


async def fold(connection: asyncpg.Connection, entries: Sequence[Entry]) -> None:
    await fold_rows(connection, entries, table="sites", take=SQL.take, begin=_begin, changes=_CHANGES)
    if added := _of(Site.GateAdded, entries):
        await SQL.add_gates(
            connection,
            sites=[entry.event.originator_id for entry in added],
            codes=[entry.event.code for entry in added],
            names=[entry.event.name for entry in added],
            modes=[entry.event.mode for entry in added],
            directions=[entry.event.direction for entry in added],
            credentials=[" ".join(entry.event.credentials) for entry in added],
            times=[entry.event.timestamp for entry in added],
        )
    if changed := _of(Site.GateCredentialsChanged, entries):
        last = {(entry.event.originator_id, entry.event.gate): entry.event for entry in changed}
        await SQL.change_gates(
            connection,
            sites=[site for site, _ in last],
            codes=[gate for _, gate in last],
            credentials=[" ".join(event.credentials) for event in last.values()],
        )
    if installed := _of(Site.MeasureInstalled, entries):
        await SQL.add_measures(
            connection,
            sites=[entry.event.originator_id for entry in installed],
            measures=[entry.event.measure for entry in installed],
            gates=[entry.event.gate for entry in installed],
            times=[entry.event.timestamp for entry in installed],
            positions=[entry.position for entry in installed],
        )
    if counted := _of(Site.HouseholdsCounted, entries):
        await SQL.add_counts(
            connection,
            sites=[entry.event.originator_id for entry in counted],
            days=[entry.event.counts_from for entry in counted],
            times=[entry.event.timestamp for entry in counted],
            households=[entry.event.households for entry in counted],
            buildings=[entry.event.buildings for entry in counted],
            positions=[entry.position for entry in counted],
        )


def _of(kind: type, entries: Sequence[Entry]) -> list[Entry]:
    return [entry for entry in entries if isinstance(entry.event, kind)]


PROJECTION = Projection(
    "sites",
    1,
    frozenset(event_classes(Site)),
    fold,
    ("sites", "site_gates", "site_measures", "site_households"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteFilter:
    """What to list; None is everything. measure: one that is installed there."""

    state: str | None = None
    township: str | None = None
    measure: str | None = None


async def listed(
    connection: asyncpg.Connection, scope: Scope, wanted: SiteFilter, *, first: int, after: str | None
) -> list[Any]:
    """At most `first` sites inside `scope`, with the codes of their `gates` and their `measures`, by code, beyond that of `after`."""
    rows = SQL.listed(connection, **inside(scope), **asdict(wanted), after=after, first=first)
    return [row async for row in rows]


async def some(connection: asyncpg.Connection, scope: Scope, ids: Collection[UUID]) -> dict[UUID, Any]:
    """Those of the sites `ids` that lie inside `scope`, by id."""
    rows = SQL.some(connection, **inside(scope), ids=list(ids))
    return {row["site_id"]: row async for row in rows}


async def gates(connection: asyncpg.Connection, scope: Scope, ids: Collection[UUID]) -> dict[UUID, list[Any]]:
    """The gates of those of the sites `ids` that lie inside `scope`, by site; of each by code."""
    return await _by_site(SQL.gates(connection, **inside(scope), ids=list(ids)))


async def installed(
    connection: asyncpg.Connection, scope: Scope, ids: Collection[UUID]
) -> dict[UUID, list[Any]]:
    """What is installed at those of the sites `ids` that lie inside `scope`, by site: rows of (measure, gate, installed_at)."""
    return await _by_site(SQL.installed(connection, **inside(scope), ids=list(ids)))


async def counts(
    connection: asyncpg.Connection, scope: Scope, ids: Collection[UUID]
) -> dict[UUID, list[Any]]:
    """Every count of households at those of the sites `ids` that lie inside `scope`, by site and by the day from which it is so:
    rows of (counts_from, counted_at, households, buildings, position).
    """
    return await _by_site(SQL.counts(connection, **inside(scope), ids=list(ids)))


async def _by_site(rows: AsyncIterator[Any]) -> dict[UUID, list[Any]]:
    found: dict[UUID, list[Any]] = {}
    async for row in rows:
        found.setdefault(row["site_id"], []).append(row)
    return found


async def households(
    connection: asyncpg.Connection,
    scope: Scope,
    day: date,
    *,
    until: datetime | None = None,
    township: str | None = None,
    site_id: UUID | None = None,
) -> list[Any]:
    """How many households each site had on `day`, as last counted by then: rows of (site_id, counts_from, households, position).

    until: only counts that were written down before this moment. A site that was not counted by then has no row.
    """
    rows = SQL.households(
        connection, **inside(scope), day=day, until=until, township=township, site_id=site_id
    )
    return [row async for row in rows]


async def programme(connection: asyncpg.Connection, scope: Scope) -> list[Any]:
    """What each township inside `scope` has: rows of (township, sites, planned, under_construction, accepted, operating, households,
    buildings, gates, centre), the last of which is the state of its centre. Without a count there are no households (None).
    """
    return [row async for row in SQL.programme(connection, **inside(scope))]


async def measures(connection: asyncpg.Connection, scope: Scope) -> list[Any]:
    """Where each measure works: rows of (township, measure, sites, places); a gate is a place, and so is a whole site."""
    return [row async for row in SQL.measures(connection, **inside(scope))]
