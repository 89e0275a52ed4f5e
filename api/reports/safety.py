"""The report on safety: cases, accidents, disputes, alarms and passes, also for each 1,000 households."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

import asyncpg

from api.reports.asked import Asked
from api.reports.build import EVERYTHING, PAGE, Source, apart
from api.reports.measures import Measure, count, number, rate
from projections import alarms, safety, sites
from projections.alarms import AlarmFigures
from projections.question import Question
from projections.report import Kind
from projections.safety import Count, Safety

_TERMS = {
    Count.INCIDENTS: "事件",
    Count.CRIMINAL_CASES: "刑事案件",
    Count.SAFETY_ACCIDENTS: "安全事故",
    Count.DISPUTES: "矛盾纠纷",
    Count.ALARMS: "警报",
    Count.GATE_PASSES: "通行",
}


class _Group(StrEnum):
    TOWNSHIP = "TOWNSHIP"
    SITE = "SITE"


@dataclass(frozen=True, slots=True)
class _Figure:
    """What is counted of everything, and what was found of the alarms."""

    safety: Safety
    alarms: AlarmFigures


def _counted(of: Count) -> Measure:
    return Measure(of, _TERMS[of], Kind.COUNT, lambda figure: figure.safety.counts[of])


def _per_thousand(of: Count, *, annualised: bool) -> Measure:
    key = f"{of}_per_1000" + ("_annualised" if annualised else "")
    return Measure(
        key,
        f"每千户{_TERMS[of]}" + (" (年化)" if annualised else ""),
        Kind.NUMBER,
        lambda figure: figure.safety.per_thousand(of, annualised=annualised),
    )


def _of_alarms(measure: Measure) -> Measure:
    return replace(measure, of=lambda figure: measure.of(figure.alarms))


_HAPPENED = tuple(of for of in Count if of is not Count.GATE_PASSES)
_COUNTS = (
    *map(_counted, Count),
    _of_alarms(count("real", "真实警报")),
    _of_alarms(count("false", "误报")),
    _of_alarms(count("test", "测试")),
    Measure("households", "户数", Kind.COUNT, lambda figure: figure.safety.households),
    _of_alarms(rate("false_alarm_rate", "误报率", "false", "real", "false")),
)
_PARTS = (*_COUNTS, *(_per_thousand(of, annualised=False) for of in _HAPPENED))
_MEASURES = (
    *_PARTS,
    *(_per_thousand(of, annualised=True) for of in _HAPPENED),
    _of_alarms(number("median_seconds_to_acknowledge", "确认时间中位数, 秒")),
    _of_alarms(number("p90_seconds_to_acknowledge", "确认时间 p90, 秒")),
)


async def _figure(connection: asyncpg.Connection, asked: Asked) -> _Figure:
    question = Question(**asked.place())
    return _Figure(
        await safety.safety(connection, question), await alarms.alarm_figures(connection, question)
    )


async def _parts(connection: asyncpg.Connection, asked: Asked) -> Mapping[str | None, _Figure]:
    """Of each township or site that there is inside what is asked, also where nothing happened."""
    known = await sites.listed(
        connection, asked.scope, sites.SiteFilter(township=asked.where.township), first=EVERYTHING, after=None
    )
    part, column = ("township", "township") if asked.group == _Group.TOWNSHIP else ("site", "code")
    names = {row[column] for row in known if asked.where.site in {None, row["code"]}}
    return {
        name: await _figure(connection, replace(asked, where=replace(asked.where, **{part: name})))
        for name in names
    }


async def _lineage(connection: asyncpg.Connection, asked: Asked, of: str, after: int) -> Sequence[Any]:
    return await safety.lineage(connection, Question(**asked.place()), Count(of), first=PAGE, after=after)


SOURCE = Source(
    title="Safety 平安",
    definitions={
        **{
            term: text for term, text in safety.DEFINITIONS.items() if term not in {"per_thousand", "changes"}
        },
        "real, false, test": "Of the alarms tripped in the period, those found to be so.",
        "per_1000": safety.DEFINITIONS["per_thousand"],
        "seconds_to_acknowledge": alarms.DEFINITIONS["seconds_to_acknowledge"],
    },
    reads=("closure", "disputes", "alarms", "gate_traffic", "sites"),
    narrows=frozenset({"township", "site"}),
    groups=_Group,
    measures=_MEASURES,
    parts=_PARTS,
    drawn="incidents",
    figure=_figure,
    buckets=apart(_figure, _parts, None),
    counts=tuple(Count),
    lineage=_lineage,
    traced=("id", "position"),
)
