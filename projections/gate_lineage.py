"""The passes behind a figure of gate traffic, one by one, read from the log: a table of them would be the log again."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple
from uuid import UUID

import aiosql
import asyncpg

from domain.access import Decision
from domain.errors import UnavailableError
from domain.inquiry import Look
from domain.people import Scope
from projections.question import Question

SQL: Any = aiosql.from_path(Path(__file__).with_suffix(".sql"), "asyncpg", mandatory_parameters=False)


class CountedPass(NamedTuple):
    """A pass, and the position of the event that made it count."""

    pass_id: UUID
    position: int


async def lineage(
    connection: asyncpg.Connection,
    question: Question,
    decision: Decision | None = None,
    *,
    first: int,
    after: int,
) -> list[CountedPass]:
    """The passes that were counted, in the order of the log: at most `first` of them beyond position `after`.

    decision: only those counted under it, at the position of the event that decided so; None: all, where they passed.
    UnavailableError if a part of the log that has to be read is in an archive.
    """
    return await _read(
        connection, {**question.values(), "decision": decision, "first": first, "after": after}
    )


async def during(
    connection: asyncpg.Connection, scope: Scope, look: Look, *, first: int, after: int
) -> list[CountedPass]:
    """The passes at some time of the `look`, in the order of the log: at most `first` beyond position `after`. UnavailableError, as above."""
    asked = {
        "start": look.since,
        "over": look.until,
        "until": None,
        "scope_township": scope.township,
        "scope_site": scope.site_id,
        "township": None,
        "site_id": look.site_id,
        "decision": None,
    }
    return await _read(connection, {**asked, "first": first, "after": after})


async def _read(connection: asyncpg.Connection, asked: Mapping[str, object]) -> list[CountedPass]:
    rows = [row async for row in SQL.lineage(connection, **asked)]
    if (archived := rows[0]["archived"]) is not None:
        raise UnavailableError(
            f"passes at position {archived} of the log and beyond are in an archive: bring them back with `anju archive attach`"
        )
    return [CountedPass(row["pass_id"], row["position"]) for row in rows if row["pass_id"] is not None]
