"""Leads: those that wait for a reviewer, the oldest first; and those that were decided, how and by whom."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import aiosql
import asyncpg

from domain.lead import Lead
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
        "lead_id": event.originator_id,
        "entry_id": event.entry_id,
        "case_number": event.case,
        "requested_by": event.requested_by,
        "pass_id": event.pass_id,
        "site_id": event.site_id,
        "township": event.township,
        "gate": event.gate,
        "reference_sha256": event.evidence.reference_sha256,
        "probe_sha256": event.evidence.probe_sha256,
        "score": event.evidence.score,
        "model": event.model,
        "model_sha256": event.model_sha256,
        "proposed_at": event.timestamp,
        "reviewer": None,
        "decided_at": None,
        "linked": False,
    }


def _reviewed(_row: Row, entry: Entry) -> Row:
    return {"reviewer": entry.event.actor, "decided_at": entry.event.timestamp}


_CHANGES: Changes = {
    Lead.Confirmed: _reviewed,
    Lead.Rejected: _reviewed,
    Lead.Expired: lambda _, entry: {"decided_at": entry.event.timestamp},
    Lead.Linked: lambda *_: {"linked": True},
}


async def fold(connection: asyncpg.Connection, entries: Sequence[Entry]) -> None:
    await fold_rows(connection, entries, table="leads", take=SQL.take, begin=_begin, changes=_CHANGES)


PROJECTION = Projection("leads", 1, frozenset(event_classes(Lead)), fold, ("leads",))


@dataclass(frozen=True, slots=True, kw_only=True)
class LeadFilter:
    """Which leads; None is any."""

    site_id: UUID | None = None
    township: str | None = None
    case_number: str | None = None


async def one(connection: asyncpg.Connection, scope: Scope, lead_id: UUID) -> Any | None:
    """One lead, if it lies inside `scope`."""
    return await SQL.one(connection, id=lead_id, **inside(scope))


async def to_review(
    connection: asyncpg.Connection,
    scope: Scope,
    wanted: LeadFilter,
    *,
    reviewer: str | None = None,
    first: int,
    after: tuple[datetime, UUID] | None,
) -> list[Any]:
    """At most `first` proposed leads inside `scope`, the oldest first, beyond the row `after` (proposed_at, lead_id).

    reviewer: only those that this person may review: nobody reviews what their own entry finds.
    """
    rows = SQL.to_review(connection, **_which(scope, wanted, after), reviewer=reviewer, first=first)
    return [row async for row in rows]


async def decided(
    connection: asyncpg.Connection,
    scope: Scope,
    wanted: LeadFilter,
    *,
    outcome: str | None = None,
    reviewer: str | None = None,
    first: int,
    after: tuple[datetime, UUID] | None,
) -> list[Any]:
    """At most `first` leads that were confirmed, rejected or expired, the latest first, beyond the row `after` (decided_at, lead_id)."""
    rows = SQL.decided(
        connection, **_which(scope, wanted, after), outcome=outcome, reviewer=reviewer, first=first
    )
    return [row async for row in rows]


def _which(scope: Scope, wanted: LeadFilter, after: tuple[datetime, UUID] | None) -> dict[str, Any]:
    time, lead = after or (None, None)
    return inside(scope) | asdict(wanted) | {"after_time": time, "after_id": lead}
