"""Devices: which are online, since when the others are not, and how many of each there are at a site."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Self
from uuid import UUID

import aiosql
import asyncpg

from domain.device import Device
from domain.model import event_classes
from domain.people import Scope
from domain.ports import Entry
from projections.inside import inside
from projections.rows import Changes, Row, fold_rows
from projections.runner import Projection

SQL: Any = aiosql.from_path(Path(__file__).with_suffix(".sql"), "asyncpg", mandatory_parameters=False)


def _begin(entry: Entry) -> Row:
    event = entry.event
    return {
        "device_id": event.originator_id,
        "site_id": event.site_id,
        "township": event.township,
        "code": event.code,
        "kind": event.kind,
        "protocol": event.protocol,
        "armed": False,
        "registered_at": event.timestamp,
        "changed_at": event.timestamp,
        "last_seen_at": None,
        "reason": None,
        "due": None,
        "due_at": None,
    }


def _changed(_row: Row, entry: Entry) -> Row:
    return {"changed_at": entry.event.timestamp}


def _ended(_row: Row, entry: Entry) -> Row:
    return {"changed_at": entry.event.timestamp, "reason": entry.event.reason, "armed": False}


_CHANGES: Changes = {
    Device.CameOnline: lambda _, entry: {
        "changed_at": entry.event.timestamp,
        "last_seen_at": entry.event.timestamp,
    },
    Device.StayedOnline: lambda _, entry: {"last_seen_at": entry.event.timestamp},
    Device.WentOffline: _changed,
    Device.Armed: lambda *_: {"armed": True},
    Device.Disarmed: lambda *_: {"armed": False},
    Device.TakenOutOfService: _ended,
    Device.ReturnedToService: lambda _, entry: {"changed_at": entry.event.timestamp, "reason": None},
    Device.Retired: _ended,
}


async def fold(connection: asyncpg.Connection, entries: Sequence[Entry]) -> None:
    await fold_rows(connection, entries, table="devices", take=SQL.take, begin=_begin, changes=_CHANGES)


PROJECTION = Projection("devices", 1, frozenset(event_classes(Device)), fold, ("devices",))


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceFilter:
    """What to list; None is everything."""

    state: str | None = None
    kind: str | None = None
    site_id: UUID | None = None
    township: str | None = None


async def listed(
    connection: asyncpg.Connection,
    scope: Scope,
    wanted: DeviceFilter,
    *,
    first: int,
    after: tuple[UUID, str] | None,
) -> list[Any]:
    """At most `first` devices inside `scope`, by site and code, beyond the row `after` (site_id, code)."""
    rows = SQL.listed(
        connection,
        **inside(scope),
        **asdict(wanted),
        after_site=after and after[0],
        after_code=after and after[1],
        first=first,
    )
    return [row async for row in rows]


async def one(connection: asyncpg.Connection, scope: Scope, device_id: UUID) -> Any | None:
    """One device, if it lies inside `scope`."""
    return await SQL.one(connection, id=device_id, **inside(scope))


async def placed(
    connection: asyncpg.Connection, scope: Scope, places: Sequence[tuple[UUID, str]]
) -> dict[tuple[UUID, str], Any]:
    """The devices inside `scope` that stand at these sites under these codes, by both."""
    found = SQL.placed(
        connection,
        sites=[site for site, _ in places],
        codes=[code for _, code in places],
        **inside(scope),
    )
    return {(row["site_id"], row["code"]): row async for row in found}


@dataclass(frozen=True, slots=True)
class Health:
    """How many devices are in each state; those that are retired are none. last_seen_at: the latest sign of any."""

    online: int
    offline: int
    never_seen: int
    out_of_service: int
    armed: int
    last_seen_at: datetime | None

    @classmethod
    def of(cls, row: Any) -> Self:
        """From a row of the query."""
        return cls(*(row[name] for name in cls.__slots__))

    @property
    def online_rate(self) -> float | None:
        """设备在线率, online / all in service, 0..1; None when none is in service."""
        in_service = self.online + self.offline + self.never_seen
        return self.online / in_service if in_service else None


async def health(
    connection: asyncpg.Connection, scope: Scope, *, township: str | None = None, site_id: UUID | None = None
) -> Health:
    """Of the devices inside `scope`, in a township or at a site."""
    rows = [row async for row in SQL.health(connection, **_place(scope, township, site_id))]
    return Health.of(next(row for row in rows if row["total"]))


async def health_by_site(
    connection: asyncpg.Connection, scope: Scope, *, township: str | None = None
) -> dict[UUID, Health]:
    """The same, for each site that has devices."""
    rows = SQL.health(connection, **_place(scope, township, None))
    return {row["site_id"]: Health.of(row) async for row in rows if not row["total"]}


def _place(scope: Scope, township: str | None, site_id: UUID | None) -> dict[str, Any]:
    return inside(scope) | {"township": township, "site_id": site_id}
