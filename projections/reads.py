"""Audit of reads: who looked at what of persons or of the past, by what right, when, and how much was shown. For privacy officers and auditors.

The log records three kinds of looks: those of an inquiry 查询, those of a reviewer who saw the images of a lead 线索, and readings 调阅,
which somebody's role lets them take. The first two have a ground; of a reading the purpose is its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any
from uuid import UUID

import aiosql
import asyncpg
import msgspec

from domain.errors import CorruptError
from domain.inquiry import Inquiry, Records
from domain.lead import Lead
from domain.model import event_classes
from domain.people import CITY, Scope
from domain.ports import Entry
from domain.reading import Reading
from projections.inside import inside
from projections.period import Period, day_of
from projections.runner import Projection

SQL: Any = aiosql.from_path(Path(__file__).with_suffix(".sql"), "asyncpg", mandatory_parameters=False)
DECISIONS = (Inquiry.Approved, Inquiry.Refused, Lead.Confirmed, Lead.Rejected)
"""Whose actor answers for it."""


class Kind(StrEnum):
    """By what right somebody looks."""

    INQUIRY = "INQUIRY"
    LEAD = "LEAD"
    ROLE = "ROLE"  # of a look only: it has no ground


class Ground(msgspec.Struct, kw_only=True):
    """A row of `look_grounds`: what looks are justified by."""

    ground_id: UUID
    kind: Kind
    township: str | None
    site_id: UUID | None
    case_number: str
    purpose: str | None = None
    requested_by: str
    requested_at: datetime
    expires_at: datetime
    state: str
    decided_by: str | None = None
    position: int


class Look(msgspec.Struct, kw_only=True):
    """A row of `looks`. site_id: None where it is the one of the ground, or where a reading was of no one site."""

    position: int
    ground_id: UUID | None = None
    looked_by: str
    looked_at: datetime
    looked_on: date
    records: str
    township: str | None = None
    site_id: UUID | None = None
    since: datetime | None = None
    until: datetime | None = None
    searched: bool = False
    subjects: tuple[UUID, ...] = ()
    asked: str | None = None
    fields: tuple[str, ...] = ()
    purpose: str | None = None
    found: int | None = None


async def fold(connection: asyncpg.Connection, entries: Sequence[Entry]) -> None:
    grounds = [ground for entry in entries if (ground := _ground(entry))]
    looks = [look for entry in entries if (look := _look(entry))]
    states = {entry.event.originator_id: entry.event.TO for entry in entries if entry.event.TO}
    deciders = {
        entry.event.originator_id: entry.event.actor
        for entry in entries
        if isinstance(entry.event, DECISIONS)
    }
    await SQL.insert_grounds(connection, rows=_json(grounds))
    decided = await SQL.decide(
        connection,
        ids=list(states),
        states=list(states.values()),
        deciders=[deciders.get(ground) for ground in states],
    )
    if decided < len(states) or await SQL.insert_looks(connection, rows=_json(looks)) < len(looks):
        raise CorruptError(
            f"somebody looked by a right that was never asked for, at or before position {entries[-1].position}"
        )


def _json(rows: Iterable[msgspec.Struct]) -> str:
    return msgspec.json.encode(list(rows)).decode()


def _ground(entry: Entry) -> Ground | None:
    event = entry.event
    purpose: str | None
    match event:
        case Inquiry.Requested():
            kind, purpose, expires_at = Kind.INQUIRY, event.purpose, event.expires_at
        case Lead.Proposed():
            kind, purpose, expires_at = Kind.LEAD, None, event.deadlines[0].due_at
        case _:
            return None
    return Ground(
        ground_id=event.originator_id,
        kind=kind,
        township=event.township,
        site_id=event.site_id,
        case_number=event.case,
        purpose=purpose,
        requested_by=event.requested_by if kind is Kind.LEAD else event.actor,
        requested_at=event.timestamp,
        expires_at=expires_at,
        state=event.TO,
        position=entry.position,
    )


def _look(entry: Entry) -> Look | None:
    event = entry.event
    match event:
        case Inquiry.Looked():
            what: dict[str, Any] = {
                "records": event.records,
                "site_id": event.at_site,
                "since": event.since,
                "until": event.until,
                "searched": event.what is not None,
                "subjects": event.subjects,
                "found": event.found,
            }
        case Lead.Confirmed() | Lead.Rejected():
            images = (event.seen.reference_sha256, event.seen.probe_sha256)
            what = {"records": Records.IMAGES, "found": sum(image is not None for image in images)}
        case Reading.Recorded():
            what = {
                "records": event.shown,
                "township": event.township,
                "site_id": event.site_id,
                "subjects": event.subjects,
                "asked": event.asked,
                "fields": event.fields,
                "purpose": event.purpose,
                "found": event.found,
            }
        case _:
            return None
    return Look(
        position=entry.position,
        ground_id=event.inquiry_id if isinstance(event, Reading.Recorded) else event.originator_id,
        looked_by=event.actor,
        looked_at=event.timestamp,
        looked_on=day_of(event.timestamp),
        **what,
    )


PROJECTION = Projection(
    "reads",
    2,
    frozenset(topic for kind in (Inquiry, Lead, Reading) for topic in event_classes(kind)),
    fold,
    ("look_grounds", "looks"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class GroundFilter:
    """Which grounds; None is any. `scope` is where they lie."""

    scope: Scope = CITY
    kind: Kind | None = None
    state: str | None = None
    requested_by: str | None = None
    case_number: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LookFilter:
    """Which looks; None is any. `scope` is where their grounds lie (of a reading by no ground: what was read), `site_id` the site that
    was looked at, `subject` one thing that was.
    """

    scope: Scope = CITY
    ground_id: UUID | None = None
    kind: Kind | None = None
    looked_by: str | None = None
    records: StrEnum | None = None  # of Records or of Shown
    subject: UUID | None = None
    site_id: UUID | None = None
    period: Period | None = None

    def values(self) -> dict[str, object]:
        """The filter as the parameters of its queries."""
        return {
            **inside(self.scope),
            "ground_id": self.ground_id,
            "kind": self.kind,
            "looked_by": self.looked_by,
            "records": self.records,
            "subject": self.subject,
            "site_id": self.site_id,
            "start": self.period and self.period.start,
            "end": self.period and self.period.end,
        }


class By(StrEnum):
    """What looks are counted by. A day is one of Asia/Shanghai."""

    GROUND = "GROUND"
    PERSON = "PERSON"
    DAY = "DAY"


@dataclass(frozen=True, slots=True)
class Count:
    """`looks` were taken, and `found` records shown; key: the ground's id, the person's or the day's date, as text;
    of looks without a ground it is ROLE. What found nobody knows counts as 0.
    """

    key: str
    looks: int
    found: int


async def grounds(
    connection: asyncpg.Connection, wanted: GroundFilter, *, first: int, after: int | None = None
) -> list[Any]:
    """At most `first` grounds, the newest request first, beyond log position `after`: rows of `look_grounds` and (looks, found, last_at)."""
    rows = SQL.grounds(
        connection,
        **inside(wanted.scope),
        kind=wanted.kind,
        state=wanted.state,
        requested_by=wanted.requested_by,
        case_number=wanted.case_number,
        first=first,
        after=after,
    )
    return [row async for row in rows]


async def looks(
    connection: asyncpg.Connection, wanted: LookFilter, *, first: int, after: int | None = None
) -> list[Any]:
    """At most `first` looks, newest first, beyond log position `after`: rows of `looks` and (kind, case_number, purpose, decided_by).

    purpose is that of the reading itself, or of its ground.
    """
    return [row async for row in SQL.looks(connection, **wanted.values(), first=first, after=after)]


async def counted(connection: asyncpg.Connection, wanted: LookFilter, by: By) -> list[Count]:
    """How often was looked, and how much was shown, by ground, person or day; what has no looks is left out."""
    return [Count(**row) async for row in SQL.counted(connection, **wanted.values(), by=by)]
