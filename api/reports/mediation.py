"""The report on mediation 调解."""

from collections.abc import Mapping, Sequence
from typing import Any

import asyncpg

from api.reports.asked import Asked
from api.reports.build import PAGE, Source, apart
from api.reports.measures import count, number, rate
from projections import mediation
from projections.mediation import Mediation, MediationGroup
from projections.question import Question

_MEASURES = (
    count("accepted", "受理"),
    count("handled", "办理"),
    count("agreed", "达成协议"),
    count("failed", "调解失败"),
    count("withdrawn", "撤回"),
    count("referred", "引导诉讼"),
    count("performing", "开始履行"),
    count("breached", "违约"),
    count("fulfilled", "履行完毕"),
    count("confirmations_requested", "申请司法确认"),
    count("confirmed", "司法确认"),
    count("confirmations_refused", "不予确认"),
    rate("success_of_handled", "调解成功率", "agreed", "handled"),
    rate("success_of_accepted", "调解成功率 (受理)", "agreed", "accepted"),
    rate("fulfilment", "履行率", "fulfilled", "agreed"),
    number("median_days_to_agreement", "达成协议天数"),
)
_ZEROES: dict[str, Any] = dict.fromkeys(Mediation.__slots__, 0)
_NOTHING = Mediation(**(_ZEROES | {"median_days_to_agreement": None}))


async def _figure(connection: asyncpg.Connection, asked: Asked) -> Mediation:
    return await mediation.mediation(connection, Question(**asked.place()))


async def _parts(connection: asyncpg.Connection, asked: Asked) -> Mapping[str | None, Mediation]:
    return await mediation.mediation_by(
        connection, Question(**asked.place()), MediationGroup(asked.group or "")
    )


async def _lineage(connection: asyncpg.Connection, asked: Asked, _count: str, after: int) -> Sequence[Any]:
    return await mediation.lineage(connection, Question(**asked.place()), first=PAGE, after=after)


SOURCE = Source(
    title="Mediation 调解",
    definitions=mediation.DEFINITIONS,
    reads=("disputes",),
    narrows=frozenset({"township", "site"}),
    groups=MediationGroup,
    measures=_MEASURES,
    parts=_MEASURES,
    drawn="success_of_handled",
    figure=_figure,
    buckets=apart(_figure, _parts, _NOTHING),
    counts=("accepted",),
    lineage=_lineage,
    traced=("dispute_id", "accepted_position", "agreed_position", "failed_position"),
)
