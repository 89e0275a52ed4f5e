"""The report on the traffic through gates."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from enum import StrEnum
from typing import Any

import asyncpg

from api.reports.asked import Asked
from api.reports.build import PAGE, Source, apart
from api.reports.measures import Measure
from domain.access import Decision
from projections import gate_lineage, gate_traffic
from projections.question import Question
from projections.report import Kind, Rate

_PASSES = "passes"
_TERMS = {
    Decision.OPENED: "放行",
    Decision.HELD: "待核验",
    Decision.RECORDED: "记录",
    Decision.REFUSED_BY_GUARD: "拒绝",
}


class _Group(StrEnum):
    SITE = "SITE"
    GATE = "GATE"


def _of(decision: Decision) -> Measure:
    return Measure(decision.lower(), _TERMS[decision], Kind.COUNT, lambda passes: passes[decision])


_MEASURES = (
    Measure(_PASSES, "通行", Kind.COUNT, lambda passes: passes.total()),
    *map(_of, Decision),
    Measure("held_rate", "待核验率", Kind.RATE, lambda passes: Rate(passes[Decision.HELD], passes.total())),
)


async def _figure(connection: asyncpg.Connection, asked: Asked) -> Counter[str]:
    """Passes by decision."""
    return sum((await _parts(connection, replace(asked, group=_Group.SITE))).values(), Counter[str]())


async def _parts(connection: asyncpg.Connection, asked: Asked) -> Mapping[str | None, Counter[str]]:
    by_gate = asked.group == _Group.GATE
    found: defaultdict[str | None, Counter[str]] = defaultdict(Counter)
    for row in await gate_traffic.totals(connection, Question(**asked.place())):
        part = f"{row['site_id']}/{row['gate']}" if by_gate else str(row["site_id"])
        found[part][row["decision"]] += row["passes"]
    return found


async def _lineage(connection: asyncpg.Connection, asked: Asked, of: str, after: int) -> Sequence[Any]:
    decision = None if of == _PASSES else Decision(of.upper())
    question = Question(**asked.place())
    return await gate_lineage.lineage(connection, question, decision, first=PAGE, after=after)


SOURCE = Source(
    title="Gate traffic 通行",
    definitions={
        _PASSES: gate_traffic.DEFINITION,
        "opened .. refused_by_guard": "Of them, those that were decided so.",
        "held_rate": "held / passes: those that wait for a guard, or waited on the as-of day.",
    },
    reads=("gate_traffic",),
    narrows=frozenset({"township", "site"}),
    groups=_Group,
    measures=_MEASURES,
    parts=_MEASURES,
    drawn=_PASSES,
    figure=_figure,
    buckets=apart(_figure, _parts, Counter()),
    counts=(_PASSES, *(decision.lower() for decision in Decision)),
    lineage=_lineage,
    traced=("pass_id", "position"),
)
