"""The report on closure 办结."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import asyncpg

from api.reports.asked import Asked
from api.reports.build import PAGE, Counted, Source, stretches
from api.reports.measures import Bucket, Measure, count, rate
from projections import closure_figures
from projections.closure_figures import DEFINITIONS, Closure, Group, Question, Times
from projections.report import Kind

_PARTS = (
    count("received", "受理"),
    count("rejected", "不予受理"),
    count("merged", "合并"),
    count("cohort_closed", "受理件办结"),
    count("opening", "期初未结"),
    count("closings", "办结次数"),
    count("reopened", "重新打开"),
    count("closed", "办结"),
    count("backlog", "期末未结"),
    count("on_time", "按期办结"),
    count("late", "超期办结"),
    count("overdue", "超期未办结"),
    count("dispatches", "派单"),
    count("returned", "退单"),
    count("extended", "延期"),
    count("verifications", "核查"),
    count("failed", "返工"),
    count("ratings", "评价"),
    count("satisfied", "满意"),
    count("closings_reopened", "办结后重开"),
    rate("COHORT", "办结率 COHORT", "cohort_closed", "received"),
    rate("FLOW", "办结率 FLOW", "closed", "opening", "received"),
    rate("DUE", "办结率 DUE", "closed", "closed", "overdue"),
    rate("on_time_rate", "按期办结率", "on_time", "closed", "overdue"),
    rate("return_rate", "退单率", "returned", "dispatches"),
    rate("rework_rate", "返工率", "failed", "verifications"),
    rate("extension_rate", "延期率", "extended", "dispatches"),
    rate("satisfaction_rate", "满意率", "satisfied", "ratings"),
    rate("response_rate", "评价率", "ratings", "closings"),
    rate("reopen_rate", "重开率", "closings_reopened", "closings"),
)


def _question(asked: Asked) -> Question:
    where = asked.where
    return Question(**asked.place(), category=where.category, unit=where.unit, mechanism=where.mechanism)


@dataclass(frozen=True, slots=True)
class _Whole:
    """What is counted of the whole period only, beside what is counted of its parts too."""

    closure: Closure
    times: Times
    repeats: int

    @property
    def received(self) -> int:
        """What the repeats are of."""
        return self.closure.received


async def _figure(connection: asyncpg.Connection, asked: Asked) -> _Whole:
    question = _question(asked)
    return _Whole(
        await closure_figures.closure(connection, question),
        await closure_figures.times(connection, question),
        await closure_figures.repeats(connection, question),
    )


def _of_closure(measure: Measure) -> Measure:
    return replace(measure, of=lambda whole: measure.of(whole.closure))


def _of_times(name: str, term: str) -> list[Measure]:
    """Median and p90, by the wall and in working time."""
    return [
        Measure(
            f"hours_{name}_{which}",
            f"{term}时间 {which.replace('_', ' ')}",
            Kind.NUMBER,
            lambda whole, which=which: getattr(getattr(whole.times, name), which),  # type: ignore[misc]  # mypy cannot infer a lambda with a default
        )
        for which in ("median", "p90", "working_median", "working_p90")
    ]


_MEASURES = (
    *map(_of_closure, _PARTS),
    Measure("signed", "签收", Kind.COUNT, lambda whole: whole.times.to_sign.count),
    Measure("handled", "处置", Kind.COUNT, lambda whole: whole.times.to_handle.count),
    count("repeats", "重复"),
    rate("repeat_rate", "重复率", "repeats", "received"),
    *(
        measure
        for name, term in (("to_sign", "签收"), ("to_handle", "处置"), ("to_close", "办结"))
        for measure in _of_times(name, term)
    ),
    Measure("hours_parked", "挂账时间", Kind.NUMBER, lambda whole: whole.times.parked_hours),
)
_TIMES = {
    "repeat_rate": "重复率: repeats / received.",
    "hours_to_sign": "Dispatch to its first sign-in, of the dispatches signed in the period: these are `signed`.",
    "hours_to_handle": (
        "The last dispatch to the last feedback before the closing, of the closings of the period that had one: these are `handled`."
    ),
    "hours_to_close": "Report, or reopening, to closing, of the closings of the period.",
    "working": "In hours of working time (the Chinese working calendar with 调休) instead of hours by the wall.",
    "median, p90": "Interpolated between the two nearest values. Parked time is part of them.",
    "hours_parked": "How long in all the incidents closed were parked 挂账 before it.",
}


async def _buckets(connection: asyncpg.Connection, asked: Asked, _counted: Counted) -> list[Bucket]:
    stretches(asked)  # not too many
    group = None if asked.group is None else Group(asked.group)
    found = await closure_figures.series(connection, _question(asked), asked.by, group)
    return [(bucket.period, bucket.value, bucket.closure) for bucket in found]


async def _lineage(connection: asyncpg.Connection, asked: Asked, of: str, after: int) -> Sequence[Any]:
    return await closure_figures.lineage(connection, _question(asked), of, first=PAGE, after=after)


SOURCE = Source(
    title="Closure 办结",
    definitions={**DEFINITIONS, **_TIMES},
    reads=("closure",),
    narrows=frozenset({"township", "site", "category", "unit", "mechanism"}),
    groups=Group,
    measures=_MEASURES,
    parts=_PARTS,
    drawn="COHORT",
    figure=_figure,
    buckets=_buckets,
    counts=tuple(measure.key for measure in _MEASURES if measure.kind is Kind.COUNT),
    lineage=_lineage,
    traced=("incident_id", "reported_position", "closing_position"),
)
