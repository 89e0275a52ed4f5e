"""调解成功率: what came of the disputes that were accepted in a period. docs/figures.md says what is counted."""

from datetime import date, datetime
from decimal import Decimal
from typing import Any, Self
from uuid import UUID

import strawberry

from api.graphql.context import Info
from api.graphql.figures import ClosureFilter
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
from projections import disputes, mediation
from projections.mediation import DEFINITIONS, MediationGroup
from projections.period import percent
from projections.question import Question

strawberry.enum(MediationGroup, description="By what mediation figures are divided.")
_READS = (disputes.PROJECTION,)


@strawberry.type(description="A dispute that was counted, and the events that say so.")
class MediationSource:
    dispute_id: UUID = strawberry.field(description="The dispute.")
    position: Position = strawberry.field(description="Where its acceptance stands in the log.")
    agreed_position: Position | None = strawberry.field(description="Where its agreement stands.")
    failed_position: Position | None = strawberry.field(description="Where its failure stands.")


@strawberry.type(description="调解: what came of the disputes that were accepted in the period.")
class MediationCounts:
    accepted: int = strawberry.field(description="受理. " + DEFINITIONS["accepted"])
    handled: int = strawberry.field(description="办理. " + DEFINITIONS["handled"])
    agreed: int = strawberry.field(description="达成协议: that came to an agreement.")
    failed: int = strawberry.field(description="调解不成: of which mediation failed.")
    withdrawn: int = strawberry.field(description="撤回: that a party withdrew.")
    referred: int = strawberry.field(description="引导: to a court, an arbitrator or an office.")
    performing: int = strawberry.field(description="履行: agreements of which the performance began.")
    breached: int = strawberry.field(description="违约: agreements that a party broke, once or more often.")
    fulfilled: int = strawberry.field(description="履行完毕: agreements that were fulfilled.")
    confirmations_requested: int = strawberry.field(description="申请司法确认: asked of a court.")
    confirmed: int = strawberry.field(description="司法确认: agreements that a court confirmed.")
    confirmations_refused: int = strawberry.field(description="不予确认: that the court refused.")
    success_of_handled: float | None = strawberry.field(
        description=f"调解成功率 of handled: {DEFINITIONS['success_of_handled']} 0 to 1; null of nothing."
    )
    percent_of_handled: Decimal | None = strawberry.field(
        description="The same in per cent, to two places, a half rounded up."
    )
    success_of_accepted: float | None = strawberry.field(
        description=f"调解成功率 of accepted: {DEFINITIONS['success_of_accepted']} 0 to 1; null of nothing."
    )
    percent_of_accepted: Decimal | None = strawberry.field(
        description="The same in per cent, to two places, a half rounded up."
    )
    fulfilment: float | None = strawberry.field(
        description=f"履行率: {DEFINITIONS['fulfilment']} 0 to 1; null of nothing."
    )
    median_days_to_agreement: float | None = strawberry.field(
        description=DEFINITIONS["median_days_to_agreement"]
    )
    position: Position = strawberry.field(description="How far of the log was counted.")

    @classmethod
    def of(cls, found: mediation.Mediation, **more: Any) -> Self:
        """The figures, as they are shown."""
        shown = {
            name: getattr(found, name)
            for name in MediationCounts.__annotations__
            if not name.startswith("percent_")
        }
        return cls(
            **shown,
            percent_of_handled=percent(found.agreed, found.handled),
            percent_of_accepted=percent(found.agreed, found.accepted),
            **more,
        )


@strawberry.type(description="The same of one township, room, mediator or mechanism.")
class MediationPart:
    group: str | None = strawberry.field(
        description="Its code. " + DEFINITIONS["by room and mediator"] + " Null: of those that have none."
    )
    figures: MediationCounts = strawberry.field(description="What came of its disputes.")


@strawberry.type(
    description="调解成功率 on both bases, with all that was counted, its parts and its lineage."
)
class MediationFigures(MediationCounts):
    cut_off: datetime = strawberry.field(
        description="The end of the period, or of the as-of day, or now; at a position, not after that was written."
    )
    as_of: date | None = strawberry.field(description="The as-of day; null when everything counts.")
    at_position: Position | None = strawberry.field(
        description="Of what was known there; null of what is known now."
    )
    question: strawberry.Private[Question]

    @strawberry.field(description="The same for each township, room, mediator or mechanism that has any.")
    async def parts(self, info: Info, by: MediationGroup) -> list[MediationPart]:
        async with reading(info, self.question.at_position, _READS) as connection:
            found = await mediation.mediation_by(connection, self.question, by)
        return [MediationPart(group=part, figures=MediationCounts.of(one)) for part, one in found.items()]

    @strawberry.field(description="The disputes that were counted, in the order of their acceptance.")
    async def lineage(
        self, info: Info, first: First = 50, after: After = None
    ) -> Connection[MediationSource]:
        info.context.allow("read.disputes")
        size = page_size(first)
        (start,) = (0,) if after is None else parts_of(after, lambda text: position_of(int(text)))
        async with reading(info, self.question.at_position, _READS) as connection:
            rows = await mediation.lineage(connection, self.question, first=size + 1, after=start)
        nodes = [
            (
                MediationSource(
                    dispute_id=row["dispute_id"],
                    position=row["accepted_position"],
                    agreed_position=row["agreed_position"],
                    failed_position=row["failed_position"],
                ),
                cursor(row["accepted_position"]),
            )
            for row in rows
        ]
        return Connection[MediationSource].of(nodes, size)


@strawberry.type
class Mediations:
    """The query of mediation figures."""

    @strawberry.field(description="调解成功率 of the disputes that were accepted in a period, on both bases.")
    async def mediation_figures(
        self,
        info: Info,
        period: Period,
        township: str | None = None,
        site: str | None = None,
        as_of: AsOf = None,
        at_position: AtPosition = None,
        after_position: AfterPosition = None,
    ) -> MediationFigures:
        person = info.context.allow("read.figures")
        wanted = ClosureFilter(township=township, site=site)
        question: Question = wanted.question(period, person, info.context.system.now(), as_of)
        await caught_up(info, _READS, as_of, at_position, after_position)
        question = await known(info, question, at_position)
        async with reading(info, at_position, _READS) as connection:
            found = await mediation.mediation(connection, question)
        return MediationFigures.of(
            found, cut_off=question.cut_off, as_of=as_of, at_position=at_position, question=question
        )
