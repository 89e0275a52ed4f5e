"""Figures of closure 办结: counts, rates and series, as docs/figures.md defines them.

They are summed from the counts of the days (closure_days) where those suffice. Of a site, of two of category, unit and mechanism at once,
of a unit or mechanism as of a day, and of anything at a position, they are counted from the rows of incidents and dispatches; both give the same.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from itertools import pairwise
from pathlib import Path
from typing import Any

import aiosql
import asyncpg

from projections.closure import PROJECTION
from projections.closure_days import CITY
from projections.closure_definitions import DEFINITIONS
from projections.closure_lineage import lineage, repeats
from projections.closure_question import Cut, Question, cuts
from projections.closure_times import Spread, Times, times
from projections.period import Grain, Period, midnight
from projections.snapshot import snapshot

__all__ = [
    "DEFINITIONS",
    "Basis",
    "Bucket",
    "Closure",
    "Compared",
    "Group",
    "Question",
    "Spread",
    "Times",
    "closure",
    "compared",
    "lineage",
    "repeats",
    "series",
    "times",
]

SQL: Any = aiosql.from_path(Path(__file__).with_suffix(".sql"), "asyncpg", mandatory_parameters=False)


class Basis(StrEnum):
    """What a closure rate 办结率 is taken of."""

    COHORT = "COHORT"
    FLOW = "FLOW"
    DUE = "DUE"


class Group(StrEnum):
    """By what a series is divided."""

    TOWNSHIP = "TOWNSHIP"
    SITE = "SITE"
    CATEGORY = "CATEGORY"
    UNIT = "UNIT"
    MECHANISM = "MECHANISM"


@dataclass(frozen=True, slots=True, kw_only=True)
class Closure:
    """The counts of one period; DEFINITIONS says what each is. `position` is how far of the log was counted."""

    received: int = 0
    rejected: int = 0
    merged: int = 0
    cohort_closed: int = 0
    opening: int = 0
    closings: int = 0
    reopened: int = 0
    closed: int = 0
    on_time: int = 0
    late: int = 0
    overdue: int = 0
    dispatches: int = 0
    returned: int = 0
    extended: int = 0
    verifications: int = 0
    failed: int = 0
    ratings: int = 0
    satisfied: int = 0
    closings_reopened: int = 0
    position: int

    @property
    def backlog(self) -> int:
        """Open at the end of the period."""
        return self.opening + self.received + self.reopened - self.closings

    def fraction(self, basis: Basis) -> tuple[int, int]:
        """(part, whole) of the closure rate."""
        match basis:
            case Basis.COHORT:
                return self.cohort_closed, self.received
            case Basis.FLOW:
                return self.closed, self.opening + self.received
            case Basis.DUE:
                return self.closed, self.closed + self.overdue

    def rate(self, basis: Basis) -> float | None:
        """办结率, 0..1; None of nothing."""
        return _rate(*self.fraction(basis))

    @property
    def on_time_rate(self) -> float | None:
        """按期办结率."""
        return _rate(self.on_time, self.closed + self.overdue)

    @property
    def return_rate(self) -> float | None:
        """退单率."""
        return _rate(self.returned, self.dispatches)

    @property
    def rework_rate(self) -> float | None:
        """返工率."""
        return _rate(self.failed, self.verifications)

    @property
    def extension_rate(self) -> float | None:
        """延期率."""
        return _rate(self.extended, self.dispatches)

    @property
    def satisfaction_rate(self) -> float | None:
        """满意率."""
        return _rate(self.satisfied, self.ratings)

    @property
    def response_rate(self) -> float | None:
        """评价率: how many of the closings were rated."""
        return _rate(self.ratings, self.closings)

    @property
    def reopen_rate(self) -> float | None:
        """重开率."""
        return _rate(self.closings_reopened, self.closings)


@dataclass(frozen=True, slots=True)
class Bucket:
    """The counts of a stretch of the period, of one township, site .. (None: of all, or of those that have none)."""

    period: Period
    value: str | None
    closure: Closure


@dataclass(frozen=True, slots=True)
class Compared:
    """The counts of the period, of the same days a year before 同比, and of the period just before 环比."""

    now: Closure
    year_before: Closure
    before: Closure


def _rate(part: int, whole: int) -> float | None:
    return part / whole if whole else None


async def closure(connection: asyncpg.Connection, question: Question) -> Closure:
    """The counts of the period."""
    (bucket,) = await series(connection, question, None, None)
    return bucket.closure


async def compared(connection: asyncpg.Connection, question: Question) -> Compared:
    """The counts of the period beside those of its neighbours; what is as of a day is so for all three."""
    period = question.period
    async with snapshot(connection, PROJECTION.tables):
        return Compared(
            *[
                await closure(connection, replace(question, period=one))
                for one in (period, period.year_before(), period.before())
            ]
        )


async def series(
    connection: asyncpg.Connection, question: Question, grain: Grain | None, group: Group | None
) -> list[Bucket]:
    """The counts of every bucket of the period (grain None: of the whole), in order; with a group, of every value that has any."""
    buckets = [question.period] if grain is None else list(question.period.buckets(grain))
    async with snapshot(connection, PROJECTION.tables):
        position: int = await SQL.position(connection)
        sums = await (_of_days if _days_suffice(question, group) else _of_rows)(
            connection, question, buckets, group
        )
    values = sorted({value for value, counts in sums.items() if any(any(one.values()) for one in counts)})
    if group is None:
        values = [""]
    figures = {value: _closures(sums[value], position) for value in values}
    return [
        Bucket(period, value or None, figures[value][number])
        for number, period in enumerate(buckets)
        for value in values
    ]


Sums = defaultdict[str, list[Counter[str]]]
"""Of each value the sums of bucket 0, which is all before the period, and of the others; `overdue` is that at the cut-off."""
_ATTRIBUTES = (Group.CATEGORY, Group.UNIT, Group.MECHANISM)


def _asked(question: Question, group: Group | None) -> dict[Group, str | None]:
    """The attributes that a question tells apart, with the value it asks for."""
    values = zip(_ATTRIBUTES, (question.category, question.unit, question.mechanism), strict=True)
    return {one: value for one, value in values if value is not None or one is group}


def _days_suffice(question: Question, group: Group | None) -> bool:
    asked = _asked(question, group)
    return (
        question.site_id is None
        and question.scope.site_id is None
        and group is not Group.SITE
        and len(asked) <= 1
        and (question.as_of is None or asked.keys() <= {Group.CATEGORY})
        and question.at_position is None
    )


async def _of_days(
    connection: asyncpg.Connection, question: Question, buckets: Sequence[Period], group: Group | None
) -> Sums:
    """Summed from the counts of days; what is not a sum comes from few rows."""
    ((dimension, value),) = _asked(question, group).items() or [("ALL", "")]
    given = question.filters() | {"edges": _edges(buckets), "group": group}
    sums = _no_sums(len(buckets))
    rows = SQL.of_days(
        connection,
        **given,
        starts=[period.start for period in buckets],
        last=min(question.period.end, question.as_of or question.period.end),
        place=question.township or question.scope.township or (None if group is Group.TOWNSHIP else CITY),
        dimension=dimension,
        value=value,
        grouping="TOWNSHIP" if group is Group.TOWNSHIP else "VALUE" if group else None,
    )
    await _collect(sums, rows)
    midday = [cut for cut in cuts(question, buckets) if cut.at < buckets[cut.bucket - 1].over]
    for counts in sums.values():
        for earlier, later in pairwise(counts):
            later["overdue"] += earlier["overdue"]
        for cut in midday:  # in the middle of a day
            counts[cut.bucket]["overdue"] = 0
    if question.as_of is not None:
        for query in (SQL.left_later, SQL.open_then, SQL.rated_later, SQL.reopened_later):
            await _collect(sums, query(connection, **given))
        for count in (count for counts in sums.values() for count in counts):
            count["cohort_closed"] = count["received"] - count["open_then"]
    await _collect(sums, SQL.superseded(connection, **given))
    if midday:
        await _collect(sums, _overdue(connection, given, midday))
    return sums


async def _of_rows(
    connection: asyncpg.Connection, question: Question, buckets: Sequence[Period], group: Group | None
) -> Sums:
    """Counted from the rows of cycles, dispatches and failed verifications."""
    given = question.filters() | {"edges": _edges(buckets), "group": group}
    sums = _no_sums(len(buckets))
    for query in (SQL.of_beginnings, SQL.of_closings, SQL.of_dispatches, SQL.of_failures):
        await _collect(sums, query(connection, **given))
    await _collect(sums, _overdue(connection, given, cuts(question, buckets)))
    return sums


def _overdue(
    connection: asyncpg.Connection, given: Mapping[str, object], at: Sequence[Cut]
) -> AsyncIterator[Any]:
    rows: AsyncIterator[Any] = SQL.overdue(
        connection,
        **given,
        buckets=[cut.bucket for cut in at],
        cuts=[cut.at for cut in at],
        dones=[cut.done for cut in at],
    )
    return rows


async def _collect(sums: Sums, rows: AsyncIterator[Any]) -> None:
    async for row in rows:
        counts = dict(row)
        sums[counts.pop("value")][counts.pop("bucket")].update(counts)


def _no_sums(buckets: int) -> Sums:
    return defaultdict(lambda: [Counter() for _ in range(buckets + 1)])


def _edges(buckets: Sequence[Period]) -> list[datetime]:
    return [midnight(buckets[0].start), *(period.over for period in buckets)]


def _closures(sums: Sequence[Counter[str]], position: int) -> list[Closure]:
    """The counts of each bucket; what was open before it is carried on from bucket to bucket."""
    opening, found = 0, []
    for number, counts in enumerate(sums):
        if number:
            closed = counts["closings"] - counts["superseded"]
            on_time = counts["closings_on_time"] - counts["superseded_on_time"]
            found.append(
                Closure(
                    **{name: counts[name] for name in _SUMMED},
                    opening=opening,
                    closed=closed,
                    on_time=on_time,
                    late=closed - on_time,
                    position=position,
                )
            )
        opening += counts["received"] + counts["reopened"] - counts["closings"]
    return found


_SUMMED = (
    "received", "rejected", "merged", "cohort_closed", "closings", "reopened", "overdue", "dispatches", "returned", "extended",
    "verifications", "failed", "ratings", "satisfied", "closings_reopened",
)  # fmt: skip
