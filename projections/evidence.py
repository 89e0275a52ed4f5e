"""Evidence 证据: which incidents name which bytes, so that whoever may read one of them, or a lead with these images, may see them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import aiosql
import asyncpg
import msgspec

from domain import policy
from domain.incident import Incident
from domain.inquiry import Look
from domain.people import Person
from domain.ports import Entry
from projections.incidents import Reader
from projections.inside import inside
from projections.runner import Projection

SQL: Any = aiosql.from_path(Path(__file__).with_suffix(".sql"), "asyncpg", mandatory_parameters=False)


@dataclass(frozen=True, slots=True)
class Naming:
    """An incident or a lead that names the evidence, and where it lies. attached_by: None for a lead, whose images no person names."""

    id: UUID
    township: str
    site_id: UUID
    media_type: str
    attached_by: str | None


async def fold(connection: asyncpg.Connection, entries: Sequence[Entry]) -> None:
    rows = [
        {
            "sha256": entry.event.sha256,
            "incident_id": entry.event.originator_id,
            "media_type": entry.event.media_type,
            "attached_by": entry.event.actor,
            "position": entry.position,
        }
        for entry in entries
    ]
    await SQL.insert(connection, rows=msgspec.json.encode(rows).decode())


PROJECTION = Projection("evidence", 1, frozenset({Incident.EvidenceAttached.TOPIC}), fold, ("evidence",))


async def naming(connection: asyncpg.Connection, person: Person, sha256: str) -> list[Naming]:
    """The incidents and leads that name `sha256` and that `person` may read: incidents first, the earliest first."""
    found: list[Any] = []
    if person.roles & policy.ALLOWED["read.incidents"]:
        values = Reader.of(person).values()
        found += [row async for row in SQL.incidents_with(connection, sha256=sha256, **values)]
    if person.roles & policy.ALLOWED["read.lead"]:
        found += [row async for row in SQL.leads_with(connection, sha256=sha256, **inside(person.scope))]
    return [Naming(**row) for row in found]


async def during(
    connection: asyncpg.Connection,
    person: Person,
    look: Look,
    *,
    first: int,
    after: tuple[datetime, UUID, str] | None,
) -> list[Any]:
    """At most `first` pictures and other files that were attached, or seen at a gate, at some time of the `look`, by their digests.

    Beyond the row `after` (at, named_by, sha256). Those of a confidential incident only if `person` may read it.
    """
    rows = SQL.during(
        connection,
        **Reader.of(person).values(),
        site_id=look.site_id,
        since=look.since,
        until=look.until,
        after_time=after and after[0],
        after_id=after and after[1],
        after_sha256=after and after[2],
        first=first,
    )
    return [row async for row in rows]
