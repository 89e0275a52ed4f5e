"""What anybody may see of incidents: those of public categories that are not confidential, and of them nothing personal.

The words and the picture of a report are shown if it came over Open311, whose reporters are told so, and once the centre has accepted
it: somebody there has read them. Who reported it, the exact address and the answers are not here at all.
"""

from collections.abc import Collection
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Any
from uuid import UUID

import aiosql
import asyncpg
import msgspec

from domain.incident import OPEN, IncidentState
from domain.people import Scope
from projections.inside import inside
from projections.plans import planned

SQL: Any = aiosql.from_path(Path(__file__).with_suffix(".sql"), "asyncpg", mandatory_parameters=False)
MOST_NAMED = 10


class PublicIncident(msgspec.Struct, kw_only=True):
    """A row. expected_at: by when the lead unit has to be done. latitude, longitude: of the report, to some 10 m."""

    incident_id: UUID
    site: str | None = None
    site_name: str | None = None
    category: str
    state: IncidentState
    round: int
    lead_unit: str | None = None
    reported_at: datetime
    last_at: datetime
    closed_at: datetime | None = None
    expected_at: datetime | None = None
    description: str | None = None
    media_url: str | None = None
    latitude: float | None = None
    longitude: float | None = None

    @property
    def open(self) -> bool:
        """Whether somebody still has to do something about it."""
        return self.state in OPEN


class By(StrEnum):
    """Which time is asked for, and listed by, the newest first."""

    REPORT = "REPORT"
    CHANGE = "CHANGE"


async def incidents(
    connection: asyncpg.Connection,
    scope: Scope,
    categories: Collection[str],
    *,
    ids: Collection[UUID] | None = None,
    by: By = By.REPORT,
    since: datetime | None = None,
    until: datetime | None = None,
    opened: bool | None = None,
    first: int,
    skip: int = 0,
) -> list[PublicIncident]:
    """At most `first` of them. since: inclusive; until: exclusive. opened: only those that are, or are not, open."""
    async with planned(connection):
        rows = SQL.incidents(
            connection,
            **inside(scope),
            categories=list(categories),
            ids=None if ids is None else list(ids),
            by=by,
            since=since,
            until=until,
            states=list(OPEN),
            opened=opened,
            first=first,
            skip=skip,
        )
        return [msgspec.convert(dict(row), PublicIncident) async for row in rows]


async def sites_named_in(connection: asyncpg.Connection, scope: Scope, address: str) -> list[str]:
    """The codes of the sites with the longest name that stands in `address`: one, unless sites share it."""
    rows = SQL.sites_named_in(connection, **inside(scope), address=address, first=MOST_NAMED)
    return [row["code"] async for row in rows]
