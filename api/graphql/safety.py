"""How safe a year was, against the year before, with what was counted for it. docs/figures.md says what is counted."""

from datetime import date
from typing import Self
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
from domain.errors import InvalidError
from projections import period, safety
from projections.at_position import COUNTED_FROM
from projections.closure_figures import Question
from projections.period import day_of
from projections.safety import Count

strawberry.enum(Count, description="What is counted for each 1,000 households.")


@strawberry.type(description="An incident, dispute, alarm or gate pass that a figure was counted from.")
class SafetySource:
    id: UUID = strawberry.field(description="Of the incident, dispute, alarm or gate pass.")
    position: Position = strawberry.field(description="Where the event that made it count stands in the log.")


@strawberry.type(description="How safe a period was, and the change against the year before in each count.")
class SafetyStatistics:
    incidents: int = strawberry.field(description=safety.DEFINITIONS["incidents"])
    criminal_cases: int = strawberry.field(description="刑事案件. " + safety.DEFINITIONS["criminal_cases"])
    safety_accidents: int = strawberry.field(
        description="安全事故. " + safety.DEFINITIONS["safety_accidents"]
    )
    disputes: int = strawberry.field(description="矛盾纠纷. " + safety.DEFINITIONS["disputes"])
    alarms: int = strawberry.field(description="报警. " + safety.DEFINITIONS["alarms"])
    gate_passes: int = strawberry.field(description="通行. " + safety.DEFINITIONS["gate_passes"])
    false_alarm_rate: float | None = strawberry.field(
        description="误报率. " + safety.DEFINITIONS["false_alarm_rate"]
    )
    households: int | None = strawberry.field(description="户数. " + safety.DEFINITIONS["households"])
    year_on_year: "SafetyChange" = strawberry.field(description="同比. " + safety.DEFINITIONS["changes"])
    figures: strawberry.Private[safety.Safety]
    question: strawberry.Private[Question]

    @strawberry.field(description="每千户. " + safety.DEFINITIONS["per_thousand"])
    def per1000_households(self, count: Count = Count.INCIDENTS, annualised: bool = False) -> float | None:
        return self.figures.per_thousand(count, annualised=annualised)

    @strawberry.field(description="What a count was counted from, in the order of the log.")
    async def lineage(
        self, info: Info, count: Count = Count.INCIDENTS, first: First = 50, after: After = None
    ) -> Connection[SafetySource]:
        info.context.allow("read.incidents")
        size = page_size(first)
        (start,) = (0,) if after is None else parts_of(after, lambda text: position_of(int(text)))
        async with reading(info, self.question.at_position, COUNTED_FROM) as connection:
            rows = await safety.lineage(connection, self.question, count, first=size + 1, after=start)
        nodes = [
            (SafetySource(id=row.id, position=Position(row.position)), cursor(row.position)) for row in rows
        ]
        return Connection[SafetySource].of(nodes, size)

    @classmethod
    def of(cls, found: safety.SafetyStatistics, question: Question) -> Self:
        """The figures, as they are shown, with the question they answer."""
        changes = {count.value: change for count, change in found.changes.items()}
        return cls(
            **{count.value: number for count, number in found.this.counts.items()},
            false_alarm_rate=found.this.false_alarm_rate,
            households=found.this.households,
            year_on_year=SafetyChange(**changes, false_alarm_rate=found.false_alarm_points),
            figures=found.this,
            question=question,
        )


@strawberry.type(
    description="By which part of the base each count has changed; the rate in percentage points."
)
class SafetyChange:
    incidents: float | None = strawberry.field(description="事件.")
    criminal_cases: float | None = strawberry.field(description="刑事案件.")
    safety_accidents: float | None = strawberry.field(description="安全事故.")
    disputes: float | None = strawberry.field(description="矛盾纠纷.")
    alarms: float | None = strawberry.field(description="报警.")
    gate_passes: float | None = strawberry.field(description="通行.")
    false_alarm_rate: float | None = strawberry.field(description="误报率, in percentage points.")


@strawberry.type
class Safety:
    """The query of safety figures."""

    @strawberry.field(
        description="How safe a calendar year was, so far as it has passed, against the year before; of a site, a township or all."
    )
    async def safety_statistics(
        self,
        info: Info,
        year: int,
        site: str | None = None,
        township: str | None = None,
        as_of: AsOf = None,
        at_position: AtPosition = None,
        after_position: AfterPosition = None,
    ) -> SafetyStatistics:
        person = info.context.allow("read.figures")
        wanted, now = ClosureFilter(township=township, site=site), info.context.system.now()
        question = wanted.question(_whole(year), person, now, as_of)
        await caught_up(info, COUNTED_FROM, as_of, at_position, after_position)
        question = await known(info, question, at_position)
        question = question.during(_so_far(question.period, as_of or day_of(question.now)))
        async with reading(info, at_position, COUNTED_FROM) as connection:
            found = await safety.safety_statistics(connection, question)
        return SafetyStatistics.of(found, question)


def _whole(year: int) -> Period:
    """The days of `year`. InvalidError if there is no such year."""
    try:
        return Period(from_=date(year, 1, 1), to=date(year, 12, 31))
    except ValueError as error:
        raise InvalidError(f"{year} is not a year of the calendar") from error


def _so_far(year: period.Period, today: date) -> period.Period:
    """The days of `year` that have come; all of it before it begins."""
    return period.Period(year.start, min(year.end, today)) if year.start <= today else year
