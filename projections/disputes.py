"""The board of disputes: one row for each, as it stands now, with nothing about its parties but how many they are."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Any
from uuid import UUID

import aiosql
import asyncpg

from domain.dispute import Dispute
from domain.model import event_classes
from domain.people import Scope
from domain.ports import Entry
from projections.inside import inside
from projections.plans import planned
from projections.question import Question
from projections.rows import Changes, Row, fold_rows
from projections.runner import Projection

SQL: Any = aiosql.from_path(Path(__file__).with_suffix(".sql"), "asyncpg", mandatory_parameters=False)


def _begin(entry: Entry) -> Row:
    event = entry.event
    return dict.fromkeys(_LATER) | {
        "dispute_id": event.originator_id,
        "township": event.township,
        "site_id": event.site_id,
        "category": event.category,
        "incident_id": event.incident_id,
        "mechanism": event.mechanism,
        "parties": 0,
        "sessions": 0,
        "overdue": False,
        "registered_at": event.timestamp,
        "registered_position": entry.position,
    }


_LATER = (
    *("mediator", "room", "form", "route", "satisfied", "due", "due_at"),
    *("accepted_at", "accepted_position", "agreed_at", "agreed_position", "failed_at", "failed_position"),
    *("withdrawn_at", "withdrawn_position", "confirmation_requested_at", "confirmation_requested_position"),
    *("confirmed_at", "confirmed_position", "confirmation_refused_at", "confirmation_refused_position"),
    *("performing_at", "performing_position", "breached_at", "breached_position", "urged_at"),
    *("fulfilled_at", "fulfilled_position", "referred_at", "referred_position", "closed_at"),
)
"""What is not known of a dispute when it is registered."""


def _done(what: str, entry: Entry) -> Row:
    """When something that the figures count was done, and where the log says so."""
    return {f"{what}_at": entry.event.timestamp, f"{what}_position": entry.position}


def _confirmation_decided(_row: Row, entry: Entry) -> Row:
    return _done("confirmed" if entry.event.confirmed else "confirmation_refused", entry)


def _breached(row: Row, entry: Entry) -> Row:
    return _done("breached", entry) if row["breached_at"] is None else {}


_CHANGES: Changes = {
    Dispute.PartyAdded: lambda row, _: {"parties": row["parties"] + 1},
    Dispute.Accepted: lambda _, entry: _done("accepted", entry),
    Dispute.Assigned: lambda _, entry: {"mediator": entry.event.mediator, "room": entry.event.room},
    Dispute.MediatorRecused: lambda *_: {"mediator": None, "room": None},
    Dispute.SessionHeld: lambda _, entry: {"sessions": entry.event.session},
    Dispute.DeadlinePassed: lambda *_: {"overdue": True},
    Dispute.Agreed: lambda _, entry: {**_done("agreed", entry), "form": entry.event.form},
    Dispute.Failed: lambda _, entry: _done("failed", entry),
    Dispute.Withdrawn: lambda _, entry: _done("withdrawn", entry),
    Dispute.ConfirmationRequested: lambda _, entry: _done("confirmation_requested", entry),
    Dispute.ConfirmationDecided: _confirmation_decided,
    Dispute.PerformanceStarted: lambda _, entry: _done("performing", entry),
    Dispute.Breached: _breached,
    Dispute.Urged: lambda row, entry: {"urged_at": row["urged_at"] or entry.event.timestamp},
    Dispute.Fulfilled: lambda _, entry: _done("fulfilled", entry),
    Dispute.Referred: lambda _, entry: {**_done("referred", entry), "route": entry.event.route},
    Dispute.Closed: lambda _, entry: {
        "closed_at": entry.event.timestamp,
        "satisfied": entry.event.satisfied,
    },
}


async def fold(connection: asyncpg.Connection, entries: Sequence[Entry]) -> None:
    await fold_rows(connection, entries, table="disputes", take=SQL.take, begin=_begin, changes=_CHANGES)
    assigned = [
        entry for entry in entries if isinstance(entry.event, Dispute.Assigned | Dispute.MediatorRecused)
    ]
    given = [entry.event if isinstance(entry.event, Dispute.Assigned) else None for entry in assigned]
    await SQL.assign(
        connection,
        ids=[entry.event.originator_id for entry in assigned],
        positions=[entry.position for entry in assigned],
        times=[entry.event.timestamp for entry in assigned],
        mediators=[event and event.mediator for event in given],
        rooms=[event and event.room for event in given],
    )


PROJECTION = Projection(
    "disputes", 2, frozenset(event_classes(Dispute)), fold, ("disputes", "dispute_assignments")
)


@dataclass(frozen=True, slots=True, kw_only=True)
class DisputeFilter:
    """What to list; None is everything. overdue: a deadline of it has passed. due_by: those whose next deadline is at this moment or before."""

    state: str | None = None
    site_id: UUID | None = None
    township: str | None = None
    category: str | None = None
    mechanism: str | None = None
    mediator: str | None = None
    room: str | None = None
    overdue: bool | None = None
    due_by: datetime | None = None


class DisputeOrder(StrEnum):
    """NEWEST registration first, or what is DUE first, and nothing that is not due."""

    NEWEST = "NEWEST"
    DUE = "DUE"

    @property
    def column(self) -> str:
        """By what it goes; what is after a row begins there."""
        return {DisputeOrder.NEWEST: "registered_at", DisputeOrder.DUE: "due_at"}[self]


async def one(connection: asyncpg.Connection, scope: Scope, dispute_id: UUID) -> Any | None:
    """The row of one dispute, if it lies inside `scope`."""
    return await SQL.one(connection, dispute_id=dispute_id, **inside(scope))


async def listed(
    connection: asyncpg.Connection,
    scope: Scope,
    wanted: DisputeFilter,
    *,
    first: int,
    order: DisputeOrder = DisputeOrder.NEWEST,
    after: tuple[datetime, UUID] | None,
) -> list[Any]:
    """At most `first` disputes inside `scope`, in `order`, beyond the row `after` (`order.column`, dispute_id)."""
    time, dispute = after or (None, None)
    async with planned(connection):
        rows = SQL.listed(
            connection,
            **inside(scope),
            **asdict(wanted),
            order=order,
            after_time=time,
            after_id=dispute,
            first=first,
        )
        return [row async for row in rows]


async def registrations(connection: asyncpg.Connection, question: Question) -> int:
    """How many disputes were registered in the period."""
    found: int = await SQL.registrations(connection, **question.values())
    return found


async def registered(
    connection: asyncpg.Connection, question: Question, *, first: int, after: int
) -> list[Any]:
    """The disputes registered in the period, in the order of the log: at most `first` rows of (dispute_id, registered_position),
    beyond log position `after`.
    """
    return [row async for row in SQL.registered(connection, **question.values(), first=first, after=after)]
