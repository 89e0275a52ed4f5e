"""Figures of closure: rates and series beside their neighbours. docs/figures.md says what is counted."""

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from functools import cache
from itertools import islice
from typing import Any, Self
from uuid import UUID

import asyncpg
import strawberry

from api.graphql.context import Info
from api.graphql.moment import AsOf, AtPosition, caught_up, known, reading
from api.graphql.types import (
    After,
    AfterPosition,
    Connection,
    First,
    Period,
    Position,
    cursor,
    page_size,
    parts_of,
    position_of,
)
from domain.errors import InvalidError
from domain.mechanisms import JointMechanism
from domain.observation import require_code
from domain.people import Person
from domain.site import site_id
from projections import closure, closure_figures, period
from projections.closure_figures import DEFINITIONS, Basis, Closure, Group, Question
from projections.period import Grain

strawberry.enum(Basis, description="办结率: what a closure rate is taken of; `definition` says it in full.")
strawberry.enum(Grain, description="How long one bucket of a series is, by the calendar of Asia/Shanghai.")
strawberry.enum(Group, description="By what a series is divided.")


@strawberry.enum(description="A count whose incidents can be listed.")
class ClosureCount(StrEnum):
    RECEIVED = "received"
    REJECTED = "rejected"
    MERGED = "merged"
    COHORT_CLOSED = "cohort_closed"
    OPENING = "opening"
    BACKLOG = "backlog"
    CLOSINGS = "closings"
    REOPENED = "reopened"
    CLOSED = "closed"
    ON_TIME = "on_time"
    LATE = "late"
    OVERDUE = "overdue"
    DISPATCHES = "dispatches"
    SIGNED = "signed"
    HANDLED = "handled"
    RETURNED = "returned"
    EXTENDED = "extended"
    VERIFICATIONS = "verifications"
    REWORKED = "failed"
    RATINGS = "ratings"
    SATISFIED = "satisfied"
    CLOSINGS_REOPENED = "closings_reopened"
    REPEATS = "repeats"


LARGEST_SERIES = 1000
"""Buckets of time."""
LONGEST_REPEAT = 366
"""Days."""
_READS = (closure.PROJECTION,)


@strawberry.type(description="An incident that a figure was counted from, and the events that say so.")
class LineageEntry:
    incident_id: UUID = strawberry.field(description="The incident that was counted.")
    position: Position = strawberry.field(description="Where its report stands in the log.")
    closed_position: Position | None = strawberry.field(description="Where its closing stands in the log.")


@strawberry.type(
    description="Of so many durations: hours by the wall, and of working time 工作时; null of none."
)
class Spread:
    count: int = strawberry.field(description="How many durations.")
    median: float | None = strawberry.field(description="Half of them are no longer.")
    p90: float | None = strawberry.field(description="Nine in ten are no longer.")
    working_median: float | None = strawberry.field(description="The median, of working time.")
    working_p90: float | None = strawberry.field(description="Nine in ten, of working time.")


@strawberry.type(description="How long it took; docs/figures.md says from where to where.")
class Times:
    to_sign: Spread = strawberry.field(description="签收: from dispatch to the first sign-in.")
    to_handle: Spread = strawberry.field(description="处置: from the last dispatch to the last feedback.")
    to_close: Spread = strawberry.field(description="办结: from the report, or reopening, to the closing.")
    parked_hours: float = strawberry.field(description="挂账: parked in all; part of the times above.")

    @classmethod
    def of(cls, times: closure_figures.Times) -> Self:
        """The times, as they are shown."""
        spreads = (
            Spread(
                count=one.count,
                median=one.median,
                p90=one.p90,
                working_median=one.working_median,
                working_p90=one.working_p90,
            )
            for one in (times.to_sign, times.to_handle, times.to_close)
        )
        to_sign, to_handle, to_close = spreads
        return cls(to_sign=to_sign, to_handle=to_handle, to_close=to_close, parked_hours=times.parked_hours)


def _count(name: str) -> Any:
    return strawberry.field(description=DEFINITIONS[name])


@strawberry.type(description="办结率 on one basis, and what was counted for it.")
class ClosureFigures:
    rate: float | None = strawberry.field(description="0 to 1, on the basis asked for; null of nothing.")
    percent: Decimal | None = strawberry.field(
        description="The rate in per cent, to two places, a half rounded up."
    )
    closed: int = strawberry.field(description="The part of the rate: those closed.")
    open: int = strawberry.field(description="COHORT: those received and not closed. Otherwise the backlog.")
    received: int = _count("received")
    rejected: int = _count("rejected")
    merged: int = _count("merged")
    opening: int = _count("opening")
    closings: int = _count("closings")
    reopened: int = _count("reopened")
    backlog: int = _count("backlog")
    on_time: int = _count("on_time")
    late: int = _count("late")
    overdue: int = _count("overdue")
    dispatches: int = _count("dispatches")
    returned: int = _count("returned")
    extended: int = _count("extended")
    verifications: int = _count("verifications")
    reworked: int = _count("failed")
    ratings: int = _count("ratings")
    satisfied: int = _count("satisfied")
    closings_reopened: int = _count("closings_reopened")
    on_time_rate: float | None = _count("on_time_rate")
    return_rate: float | None = _count("return_rate")
    rework_rate: float | None = _count("rework_rate")
    extension_rate: float | None = _count("extension_rate")
    satisfaction_rate: float | None = _count("satisfaction_rate")
    response_rate: float | None = _count("response_rate")
    reopen_rate: float | None = _count("reopen_rate")
    position: Position = strawberry.field(description="How far of the log was counted.")
    cut_off: datetime = strawberry.field(
        description="The end of the period, or of the as-of day, or now; at a position, not after that was written."
    )
    as_of: date | None = strawberry.field(description="The as-of day; null when everything counts.")
    at_position: Position | None = strawberry.field(
        description="Of what was known there; null of what is known now."
    )
    definition: str = strawberry.field(description="How the rate is taken.")
    basis: strawberry.Private[Basis]
    question: strawberry.Private[Question | None]

    @classmethod
    def of(cls, counts: Closure, basis: Basis, question: Question, *, alone: bool = True) -> Self:
        """The figure, with the question it answers. Not `alone`: there is no question that has just this answer."""
        closed, whole = counts.fraction(basis)
        return cls(
            **{name: getattr(counts, name) for name in _counted()},
            rate=counts.rate(basis),
            percent=period.percent(closed, whole),
            closed=closed,
            open=counts.received - closed if basis is Basis.COHORT else counts.backlog,
            reworked=counts.failed,
            cut_off=question.cut_off,
            as_of=question.as_of,
            at_position=None if question.at_position is None else Position(question.at_position),
            definition=DEFINITIONS[basis],
            basis=basis,
            question=question if alone else None,
        )


@cache
def _counted() -> list[str]:
    """What is shown as it was counted, on whatever basis."""
    return [
        name
        for name in ClosureFigures.__annotations__
        if hasattr(Closure, name) and name not in {"closed", "rate"}
    ]


@strawberry.type(
    description="办结率 on one basis, with all that was counted, its neighbours and its lineage."
)
class ClosureRate(ClosureFigures):
    @strawberry.field(description="How long it took to sign, to handle and to close.")
    async def times(self, info: Info) -> Times:
        async with self._reading(info) as connection:
            return Times.of(await closure_figures.times(connection, self._asked()))

    @strawberry.field(
        description="The median of `times.toClose`, in hours by the wall; null when nothing was closed."
    )
    async def median_hours_to_close(self, info: Info) -> float | None:
        async with self._reading(info) as connection:
            return (await closure_figures.times(connection, self._asked())).to_close.median

    @strawberry.field(
        description="重复: of those received, how many came again to the same site within so many days."
    )
    async def repeats(self, info: Info, days: int = 7) -> int:
        if not 1 <= days <= LONGEST_REPEAT:
            raise InvalidError(f"days is {days}; 1 to {LONGEST_REPEAT} are counted")
        async with self._reading(info) as connection:
            return await closure_figures.repeats(connection, self._asked(), days)

    @strawberry.field(description="同比: beside the same days of the year before.")
    async def year_on_year(self, info: Info) -> "Neighbour":
        return await self._beside(info, self._asked().period.year_before())

    @strawberry.field(description="环比: beside the period just before.")
    async def period_on_period(self, info: Info) -> "Neighbour":
        return await self._beside(info, self._asked().period.before())

    async def _beside(self, info: Info, other: period.Period) -> "Neighbour":
        question = replace(self._asked(), period=other)
        async with self._reading(info) as connection:
            before = await closure_figures.closure(connection, question)
        base = ClosureRate.of(before, self.basis, question)
        return Neighbour(
            rate=base.rate,
            delta=period.points(self.rate, base.rate),
            received=period.change(self.received, base.received),
            figures=base,
        )

    @strawberry.field(
        description="The incidents that a count was counted from, in the order of their report."
    )
    async def lineage(
        self,
        info: Info,
        count: ClosureCount = ClosureCount.RECEIVED,
        first: First = 50,
        after: After = None,
    ) -> Connection[LineageEntry]:
        info.context.allow("read.incidents")
        size = page_size(first)
        (start,) = (0,) if after is None else parts_of(after, lambda text: position_of(int(text)))
        async with self._reading(info) as connection:
            rows = await closure_figures.lineage(
                connection, self._asked(), count, first=size + 1, after=start
            )
        return Connection[LineageEntry].of(_nodes(rows), _whole(rows, size))

    def _reading(self, info: Info) -> AbstractAsyncContextManager[asyncpg.Connection]:
        return reading(info, self._asked().at_position, _READS)

    def _asked(self) -> Question:
        """The question that this answers; InvalidError if it is of those that have no unit or mechanism."""
        if self.question is None:
            raise InvalidError("those that have none cannot be asked about alone: ask without `groupBy`")
        return self.question


def _nodes(rows: Sequence[Any]) -> list[tuple[LineageEntry, str]]:
    return [
        (
            LineageEntry(
                incident_id=row["incident_id"],
                position=Position(row["reported_position"]),
                closed_position=row["closing_position"],
            ),
            cursor(row["reported_position"]),
        )
        for row in rows
    ]


def _whole(rows: Sequence[Any], size: int) -> int:
    """How many of `rows` make a page of `size`: all of an incident's, for the next page begins with another incident."""
    while 0 < size < len(rows) and rows[size]["reported_position"] == rows[size - 1]["reported_position"]:
        size += 1
    return size


@strawberry.type(description="Another period, and how the one asked for differs from it.")
class Neighbour:
    rate: float | None = strawberry.field(description="The closure rate of that period.")
    delta: float | None = strawberry.field(description="The change of the rate, in percentage points.")
    received: float | None = strawberry.field(
        description="The change of `received` as a part of the base: 47 to 1 is -0.9787; null on a base of 0."
    )
    figures: ClosureRate = strawberry.field(description="All that was counted in that period.")


@strawberry.type(description="One stretch of a series, of one township, site, category ..")
class ClosureBucket:
    from_: date = strawberry.field(name="from", description="Its first day.")
    to: date = strawberry.field(description="Its last day.")
    group: str | None = strawberry.field(
        description="A code, or a site's id; null: of all, or of those that have none."
    )
    figures: ClosureRate = strawberry.field(description="What was counted in it.")


@strawberry.input(
    description="Of which incidents; everything given must hold. Places are named by their codes."
)
class ClosureFilter:
    township: str | None = strawberry.field(default=None, description="乡镇街道: where it was reported.")
    site: str | None = strawberry.field(default=None, description="小区: where it was reported.")
    category: str | None = strawberry.field(default=None, description="类别: what it was reported as.")
    unit: str | None = strawberry.field(default=None, description="主办: that leads the latest dispatch.")
    mechanism: JointMechanism | None = strawberry.field(
        default=None, description="六联: under which the latest dispatch works together."
    )

    def question(self, days: Period, person: Person, now: datetime, as_of: date | None) -> Question:
        """The question of `person` that this is."""
        return Question(
            period=period.Period(days.from_, days.to),
            now=now,
            scope=person.scope,
            township=_code(self.township, "township"),
            site_id=None if self.site is None else site_id(require_code(self.site, "site")),
            category=_code(self.category, "category"),
            unit=_code(self.unit, "unit"),
            mechanism=self.mechanism,
            as_of=as_of,
        )


def _code(value: str | None, what: str) -> str | None:
    return None if value is None else require_code(value, what)


_FILTERS: dict[Group, Callable[[str], dict[str, Any]]] = {
    Group.TOWNSHIP: lambda value: {"township": value},
    Group.SITE: lambda value: {"site_id": UUID(value)},
    Group.CATEGORY: lambda value: {"category": value},
    Group.UNIT: lambda value: {"unit": value},
    Group.MECHANISM: lambda value: {"mechanism": value},
}


@strawberry.type
class Figures:
    """The queries of figures."""

    @strawberry.field(description="办结率 of a period, with all the counts behind it.")
    async def closure_rate(
        self,
        info: Info,
        period: Period,
        basis: Basis = Basis.COHORT,
        township: str | None = None,
        site: str | None = None,
        category: str | None = None,
        unit: str | None = None,
        mechanism: JointMechanism | None = None,
        as_of: AsOf = None,
        at_position: AtPosition = None,
        after_position: AfterPosition = None,
    ) -> ClosureRate:
        person = info.context.allow("read.figures")
        wanted = ClosureFilter(
            township=township, site=site, category=category, unit=unit, mechanism=mechanism
        )
        question = wanted.question(period, person, info.context.system.now(), as_of)
        await caught_up(info, _READS, as_of, at_position, after_position)
        question = await known(info, question, at_position)
        async with reading(info, at_position, _READS) as connection:
            counts = await closure_figures.closure(connection, question)
        return ClosureRate.of(counts, basis, question)

    @strawberry.field(
        description="The same in buckets of the calendar, for each township, site .. that has any; in the order of time."
    )
    async def closure_series(
        self,
        info: Info,
        period: Period,
        by: Grain = Grain.MONTH,
        group_by: Group | None = None,
        basis: Basis = Basis.COHORT,
        filter: ClosureFilter | None = None,
        as_of: AsOf = None,
        at_position: AtPosition = None,
        after_position: AfterPosition = None,
    ) -> list[ClosureBucket]:
        person = info.context.allow("read.figures")
        wanted = filter or ClosureFilter()
        question = wanted.question(period, person, info.context.system.now(), as_of)
        if next(islice(question.period.buckets(by), LARGEST_SERIES, None), None) is not None:
            raise InvalidError(
                f"these are more than {LARGEST_SERIES:,} buckets by {by}: ask for less, or for longer ones"
            )
        await caught_up(info, _READS, as_of, at_position, after_position)
        question = await known(info, question, at_position)
        async with reading(info, at_position, _READS) as connection:
            found = await closure_figures.series(connection, question, by, group_by)
        return [
            ClosureBucket(
                from_=bucket.period.start,
                to=bucket.period.end,
                group=bucket.value,
                figures=ClosureRate.of(
                    bucket.closure,
                    basis,
                    _of_bucket(question, bucket, group_by),
                    alone=group_by is None or bucket.value is not None,
                ),
            )
            for bucket in found
        ]


def _of_bucket(question: Question, bucket: closure_figures.Bucket, group: Group | None) -> Question:
    """The question that the bucket answers."""
    given = {} if group is None or bucket.value is None else _FILTERS[group](bucket.value)
    return replace(question, period=bucket.period, **given)
