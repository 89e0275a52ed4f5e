"""The report on the traffic through gates."""

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import replace
from enum import StrEnum

import asyncpg

from api.reports.asked import Asked
from api.reports.build import Source, apart
from api.reports.measures import Measure
from domain.access import Decision
from domain.errors import InvalidError
from projections import gate_traffic
from projections.question import Question
from projections.report import Kind, Rate

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
    Measure("passes", "通行", Kind.COUNT, lambda passes: passes.total()),
    *map(_of, Decision),
    Measure("held_rate", "待核验率", Kind.RATE, lambda passes: Rate(passes[Decision.HELD], passes.total())),
)


async def _figure(connection: asyncpg.Connection, asked: Asked) -> Counter[str]:
    """Passes by decision."""
    return sum((await _parts(connection, replace(asked, group=_Group.SITE))).values(), Counter[str]())


async def _parts(connection: asyncpg.Connection, asked: Asked) -> Mapping[str | None, Counter[str]]:
    if asked.as_of is not None:
        raise InvalidError(
            "the report gates has no as-of: passes are counted under what is known of them now"
        )
    by_gate = asked.group == _Group.GATE
    found: defaultdict[str | None, Counter[str]] = defaultdict(Counter)
    for row in await gate_traffic.totals(connection, Question(**asked.place())):
        part = f"{row['site_id']}/{row['gate']}" if by_gate else str(row["site_id"])
        found[part][row["decision"]] += row["passes"]
    return found


SOURCE = Source(
    title="Gate traffic 通行",
    definitions={
        "passes": gate_traffic.DEFINITION,
        "opened .. refused_by_guard": "Of them, those that were decided so.",
        "held_rate": "held / passes: those that still wait for a guard.",
    },
    reads=("gate_traffic",),
    narrows=frozenset({"township", "site"}),
    groups=_Group,
    measures=_MEASURES,
    parts=_MEASURES,
    drawn="passes",
    figure=_figure,
    buckets=apart(_figure, _parts, Counter()),
)
