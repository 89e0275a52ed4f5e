"""The events of the log as an auditor asks for them: filtered in the database, in order, inside a scope, and never opened."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import aiosql
import asyncpg
import msgspec

from adapters import codec
from adapters.database import refusals
from adapters.event_log import WINDOW
from domain.people import CITY, Scope

SQL: Any = aiosql.from_path(Path(__file__).with_suffix(".sql"), "asyncpg", mandatory_parameters=False)
MOST_WINDOWS = 20
"""Stretches that are looked at for one page: it is then shorter than asked for, and says how far it came."""
STREAM_PAGE = 1000

_metadata = msgspec.json.Decoder(dict[str, str])


@dataclass(frozen=True, slots=True, kw_only=True)
class EventFilter:
    """Which events; None is any. since, until: when they were recorded, the second not included. correlation: as the metadata say it, or
    the request's id. scope: where their aggregates lie.
    """

    topic: str | None = None
    category: str | None = None
    aggregate_id: UUID | None = None
    actor: str | None = None
    correlation: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    scope: Scope = CITY

    def values(self) -> dict[str, object]:
        """The filter as the parameters of its query; times are bounds of positions."""
        return {
            "topic": self.topic,
            "category": self.category,
            "aggregate_id": self.aggregate_id,
            "actor": self.actor,
            "correlation": self.correlation,
            "scope_township": self.scope.township,
            "scope_site": self.scope.site_id,
        }


@dataclass(frozen=True, slots=True)
class Logged:
    """One row of the log. `event` is decoded, with what is personal sealed."""

    position: int
    recorded_at: datetime
    request_id: UUID
    metadata: dict[str, str]
    event: Any
    state: bytes
    hash: bytes


@dataclass(frozen=True, slots=True)
class Stretch:
    """`events` are all that match up to and including position `through`; `ended`: there is nothing to look at beyond it."""

    events: Sequence[Logged]
    through: int
    ended: bool


async def bounds(
    pool: asyncpg.Pool, wanted: EventFilter, after: int = 0, through: int | None = None
) -> tuple[int, int]:
    """The positions in which `wanted` can lie: beyond the first, up to the second."""
    with refusals("the log cannot be read"):
        row = await SQL.bounds(pool, after=after, through=through, since=wanted.since, until=wanted.until)
    return row["after"], row["through"]


async def page(
    pool: asyncpg.Pool, wanted: EventFilter, first: int, after: int = 0, through: int | None = None
) -> Stretch:
    """The first `first` events that match beyond `after`; fewer, and not `ended`, if they are too far apart to look for in one go."""
    reached, end = await bounds(pool, wanted, after, through)
    found: list[Logged] = []
    for _ in range(MOST_WINDOWS):
        if reached >= end:
            break
        upto = end if wanted.aggregate_id else min(end, reached + WINDOW)
        with refusals("the log cannot be read"):
            left = first - len(found)
            rows = [
                row
                async for row in SQL.page(pool, after=reached, through=upto, limit=left, **wanted.values())
            ]
        found += map(_logged, rows)
        if len(found) == first:
            return Stretch(found, found[-1].position, found[-1].position >= end)
        reached = upto
    return Stretch(found, max(reached, after), reached >= end)


def _logged(row: Any) -> Logged:
    return Logged(
        row["position"],
        row["recorded_at"],
        row["request_id"],
        _metadata.decode(row["metadata"]),
        codec.decode(row["topic"], row["state"]),
        row["state"],
        row["hash"],
    )
