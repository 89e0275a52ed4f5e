"""Credentials: which there were at a site, by id and never by name; who looks into them does so by an inquiry 查询."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import aiosql
import asyncpg

from domain.credential import Credential
from domain.inquiry import Look
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
        "credential_id": event.originator_id,
        "site_id": event.site_id,
        "township": event.township,
        "kind": event.kind,
        "resident": event.resident,
        "valid_from": event.valid_from,
        "valid_until": event.valid_until,
        "ended_at": None,
    }


def _ended(_row: Row, entry: Entry) -> Row:
    return {"ended_at": entry.event.timestamp}


_CHANGES: Changes = {Credential.Revoked: _ended, Credential.Expired: _ended}


async def fold(connection: asyncpg.Connection, entries: Sequence[Entry]) -> None:
    await fold_rows(connection, entries, table="credentials", take=SQL.take, begin=_begin, changes=_CHANGES)


PROJECTION = Projection("credentials", 1, frozenset(event_classes(Credential)), fold, ("credentials",))


async def during(
    connection: asyncpg.Connection,
    scope: Scope,
    look: Look,
    *,
    first: int,
    after: tuple[datetime, UUID] | None,
) -> list[Any]:
    """At most `first` credentials that were good at some time of the `look`, beyond the row `after` (valid_from, credential_id)."""
    rows = SQL.during(
        connection,
        **inside(scope),
        site_id=look.site_id,
        since=look.since,
        until=look.until,
        after_time=after and after[0],
        after_id=after and after[1],
        first=first,
    )
    return [row async for row in rows]
