"""The incident board: one row for each incident, as it stands now, to be listed, filtered, searched and counted."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Any, NamedTuple
from uuid import UUID

import aiosql
import asyncpg
import msgspec

from domain import policy
from domain.deadlines import Urgency
from domain.errors import CorruptError
from domain.incident import Incident
from domain.model import event_classes
from domain.people import CITY, Person, Scope
from domain.ports import Entry
from projections import search
from projections.inside import inside
from projections.plans import planned
from projections.runner import Projection
from projections.standing import Standing, follow, reported
from projections.work import tasks

SQL: Any = aiosql.from_path(Path(__file__).with_suffix(".sql"), "asyncpg", mandatory_parameters=False)
_row = msgspec.json.Decoder(Standing)
_rows = msgspec.json.Decoder(list[Standing])


async def fold(connection: asyncpg.Connection, entries: Sequence[Entry]) -> None:
    rows: dict[UUID, Standing] = {
        entry.event.originator_id: reported(entry)
        for entry in entries
        if isinstance(entry.event, Incident.Reported)
    }
    before = list({entry.event.originator_id for entry in entries} - rows.keys())
    if before:
        taken = _rows.decode(await SQL.take(connection, ids=before))
        rows |= {row.incident_id: row for row in taken}
        await SQL.forget_work(connection, ids=before)
    for entry in entries:
        row = rows.get(entry.event.originator_id)
        if row is None:
            raise CorruptError(
                f"an incident moved that was never reported, at or before position {entries[-1].position}"
            )
        if entry.position > row.position:
            follow(row, entry)
    await SQL.put(connection, rows=_json(rows.values()))
    await SQL.put_work(connection, rows=_json([task for row in rows.values() for task in tasks(row)]))


def _json(rows: Collection[msgspec.Struct]) -> str:
    return msgspec.json.encode(list(rows)).decode()


PROJECTION = Projection("incidents", 4, frozenset(event_classes(Incident)), fold, ("incidents", "work"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Reader:
    """Who looks at incidents: what lies inside `scope`. The description of a confidential one is shown to the units that take part, and
    to whom `confidential` allows it; nobody else finds it by a word of its texts.
    """

    scope: Scope = CITY
    units: frozenset[str] = frozenset()
    confidential: bool = False

    @classmethod
    def of(cls, person: Person) -> Reader:
        """What `person` may see."""
        every = bool(person.roles & policy.ALLOWED["read.confidential"])
        return cls(scope=person.scope, units=person.units, confidential=every)

    def values(self) -> dict[str, object]:
        """The reader as the parameters of the queries."""
        return {
            **inside(self.scope),
            "units": list(self.units),
            "confidential": self.confidential,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class IncidentFilter:
    """What to list; None is everything. A time `_from` is inclusive, `_until` exclusive.

    unit: which leads or assists. level: at least this. overdue: a deadline of it ever passed. late_at, in_time_at: what is past due at that
    moment, and what is not. known_at: what was reported at or before that position of the log. text: words that all have to stand in its
    texts.
    """

    states: Collection[str] | None = None
    site_id: UUID | None = None
    township: str | None = None
    categories: Collection[str] | None = None
    urgency: str | None = None
    source: str | None = None
    mechanism: str | None = None
    lead_unit: str | None = None
    unit: str | None = None
    level: int | None = None
    supervised: bool | None = None
    parked: bool | None = None
    is_confidential: bool | None = None
    overdue: bool | None = None
    returned: bool | None = None
    extended: bool | None = None
    reopened: bool | None = None
    merged_into: UUID | None = None
    with_duplicates: bool | None = None
    with_evidence: bool | None = None
    reported_from: datetime | None = None
    reported_until: datetime | None = None
    due_from: datetime | None = None
    due_until: datetime | None = None
    late_at: datetime | None = None
    in_time_at: datetime | None = None
    closed_from: datetime | None = None
    closed_until: datetime | None = None
    known_at: int | None = None
    text: str | None = None

    def values(self) -> dict[str, object]:
        """The filter as the parameters of the queries; InvalidError if `text` has no word."""
        given = asdict(self)
        text = given.pop("text")
        wanted = None if text is None else search.words(text)
        return given | {
            "states": None if self.states is None else list(self.states),
            "categories": None if self.categories is None else list(self.categories),
            "grams": wanted and wanted.grams,
            "patterns": (wanted and wanted.patterns) or None,
        }


class By(StrEnum):
    """By what a list goes. What is not due is not listed by its due, nor what is not closed by its closing."""

    REPORTED_AT = "REPORTED_AT"
    LAST_AT = "LAST_AT"
    DUE_AT = "DUE_AT"
    CLOSED_AT = "CLOSED_AT"
    URGENCY = "URGENCY"


URGENCIES = tuple(Urgency)
"""From the least urgent on."""


class Place(NamedTuple):
    """Where a row stands in a list. rank: of its urgency, from 1, in a list by that."""

    rank: int | None
    at: datetime
    incident_id: UUID


@dataclass(frozen=True, slots=True)
class Order:
    """How a list goes; those that are equal go by their ids, and those as urgent by their report first."""

    by: By = By.REPORTED_AT
    descending: bool = True

    def place(self, row: Standing) -> Place:
        """Where `row` stands in a list of this order; what is after it begins there."""
        rank = URGENCIES.index(Urgency(row.urgency)) + 1 if self.by is By.URGENCY else None
        at = row.reported_at if rank else getattr(row, self.by.lower())
        assert at is not None, "what is not due or closed is not listed by it"
        return Place(rank, at, row.incident_id)


NEWEST = Order()
"""The newest report first."""


async def some(connection: asyncpg.Connection, reader: Reader, ids: Collection[UUID]) -> dict[UUID, Standing]:
    """Those of the incidents `ids` that `reader` may see."""
    found = SQL.some(connection, **reader.values(), ids=list(ids))
    rows = [_row.decode(record["row"]) async for record in found]
    return {row.incident_id: row for row in rows}


async def one(connection: asyncpg.Connection, reader: Reader, incident_id: UUID) -> Standing | None:
    """One incident, if `reader` may see it."""
    return (await some(connection, reader, [incident_id])).get(incident_id)


async def listed(
    connection: asyncpg.Connection,
    reader: Reader,
    wanted: IncidentFilter,
    *,
    first: int,
    order: Order = NEWEST,
    after: Place | None = None,
) -> list[Standing]:
    """At most `first` incidents that `reader` may see, in `order`, beyond the place `after`; InvalidError of `wanted.text`."""
    rank, at, incident = after or (None, None, None)
    async with planned(connection):
        rows = SQL.listed(
            connection,
            **reader.values(),
            **wanted.values(),
            by=order.by,
            descending=order.descending,
            urgencies=list(URGENCIES),
            first=first,
            after_rank=rank,
            after_at=at,
            after_id=incident,
        )
        return [_row.decode(record["row"]) async for record in rows]


async def counted(connection: asyncpg.Connection, reader: Reader, wanted: IncidentFilter) -> dict[str, int]:
    """How many incidents are in each state, of those that `listed` would list; states without any are left out."""
    async with planned(connection):
        rows = SQL.counted(connection, **reader.values(), **wanted.values())
        return {record["state"]: record["incidents"] async for record in rows}
