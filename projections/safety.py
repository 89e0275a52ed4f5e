"""How safe a period was: incidents, disputes, alarms and passes, for each 1,000 households, and against the year before."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import NamedTuple
from uuid import UUID

import asyncpg

from projections import alarms, closure_figures, disputes, gate_lineage, gate_traffic, sites
from projections.period import Period, change, points
from projections.question import Question

CRIMINAL_CASE, SAFETY_ACCIDENT = "criminal-case", "safety-accident"
"""Categories of incidents: 刑事案件, 安全事故."""
DAYS_A_YEAR = 365
DEFINITIONS = {
    "incidents": "Incidents reported in the period; neither rejected nor merged ones.",
    "criminal_cases": f"Of them, those of the category {CRIMINAL_CASE}.",
    "safety_accidents": f"Of them, those of the category {SAFETY_ACCIDENT}.",
    "disputes": "Disputes registered in the period.",
    "alarms": alarms.DEFINITIONS["tripped"],
    "false_alarm_rate": alarms.DEFINITIONS["false_rate"],
    "gate_passes": "Gate passes in the period, whatever was decided, each once.",
    "households": (
        "Of all sites, on the day in the middle of the period, each as last counted for that day or before; "
        "none when no site was counted by then."
    ),
    "per_thousand": "events × 1,000 / households; annualised: × 365 / days of the period.",
    "changes": (
        "Against the same days of the year before: counts as a part of the base, the rate in percentage points. "
        "A base of 0 gives no change."
    ),
}


class Count(StrEnum):
    """What is counted of incidents, disputes and alarms."""

    INCIDENTS = "incidents"
    CRIMINAL_CASES = "criminal_cases"
    SAFETY_ACCIDENTS = "safety_accidents"
    DISPUTES = "disputes"
    ALARMS = "alarms"
    GATE_PASSES = "gate_passes"


_CATEGORIES = {
    Count.INCIDENTS: None,
    Count.CRIMINAL_CASES: CRIMINAL_CASE,
    Count.SAFETY_ACCIDENTS: SAFETY_ACCIDENT,
}


@dataclass(frozen=True, slots=True)
class Safety:
    """The figures of one period, as DEFINITIONS say. households: None when none were counted."""

    period: Period
    counts: Mapping[Count, int]
    false_alarm_rate: float | None
    households: int | None

    def per_thousand(self, count: Count, *, annualised: bool = False) -> float | None:
        """So many for each 1,000 households."""
        return per_thousand(self.counts[count], self.households, self.period.days, annualised=annualised)


@dataclass(frozen=True, slots=True)
class SafetyStatistics:
    """A period beside the same days of the year before 同比."""

    this: Safety
    year_before: Safety

    @property
    def changes(self) -> dict[Count, float | None]:
        """By how much of the base each count has changed: 47 to 1 is -0.9787. None when the base is 0."""
        return {count: change(self.this.counts[count], self.year_before.counts[count]) for count in Count}

    @property
    def false_alarm_points(self) -> float | None:
        """By how many percentage points the false alarm rate has changed; None when one of the two is None."""
        return points(self.this.false_alarm_rate, self.year_before.false_alarm_rate)


class Source(NamedTuple):
    """Something that was counted, and the position of the event that made it count."""

    id: UUID
    position: int


def per_thousand(events: int, households: int | None, days: int, annualised: bool = False) -> float | None:
    """Events for each 1,000 households; `annualised`: as many as it would be in 365 days. None without households."""
    if not households:
        return None
    return events * 1000 / households * (DAYS_A_YEAR / days if annualised else 1)


async def safety_statistics(connection: asyncpg.Connection, question: Question) -> SafetyStatistics:
    """The figures of the period that is asked about, and of the year before."""
    before = question.during(question.period.year_before())
    return SafetyStatistics(await safety(connection, question), await safety(connection, before))


async def safety(connection: asyncpg.Connection, question: Question) -> Safety:
    """The figures of one period."""
    counts = {
        count: await _received(connection, question, category) for count, category in _CATEGORIES.items()
    }
    of_alarms = await alarms.alarm_figures(connection, question)
    counted = await households(connection, question)
    return Safety(
        period=question.period,
        counts=counts
        | {
            Count.DISPUTES: await disputes.registrations(connection, question),
            Count.ALARMS: of_alarms.tripped,
            Count.GATE_PASSES: await gate_traffic.passes(connection, question),
        },
        false_alarm_rate=of_alarms.false_rate,
        households=sum(one.households for one in counted) if counted else None,
    )


class Counted(NamedTuple):
    """A count of a site's households, and the position of its event."""

    site_id: UUID
    households: int
    position: int


async def households(connection: asyncpg.Connection, question: Question) -> list[Counted]:
    """The count of each site that holds in the middle of the period: what "per 1,000 households" is divided by."""
    period = question.period
    rows = await sites.households(
        connection,
        question.scope,
        period.start + timedelta(days=period.days // 2),
        until=question.until,
        township=question.township,
        site_id=question.site_id,
    )
    return [Counted(row["site_id"], row["households"], row["position"]) for row in rows]


async def lineage(
    connection: asyncpg.Connection, question: Question, count: Count, *, first: int, after: int
) -> list[Source]:
    """What was counted, in the order of the log: at most `first` of them beyond position `after`.

    UnavailableError of passes that are in an archive.
    """
    match count:
        case Count.DISPUTES:
            rows = await disputes.registered(connection, question, first=first, after=after)
        case Count.ALARMS:
            rows = await alarms.lineage(connection, question, first=first, after=after)
        case Count.GATE_PASSES:
            rows = await gate_lineage.lineage(connection, question, first=first, after=after)
        case Count.INCIDENTS | Count.CRIMINAL_CASES | Count.SAFETY_ACCIDENTS:
            asked = _incidents(question, _CATEGORIES[count])
            rows = await closure_figures.lineage(connection, asked, "received", first=first, after=after)
    return [Source(row[0], row[1]) for row in rows]


async def _received(connection: asyncpg.Connection, question: Question, category: str | None) -> int:
    return (await closure_figures.closure(connection, _incidents(question, category))).received


def _incidents(question: Question, category: str | None) -> closure_figures.Question:
    """The question about incidents."""
    return closure_figures.Question(
        period=question.period,
        now=question.now,
        scope=question.scope,
        township=question.township,
        site_id=question.site_id,
        category=category,
        as_of=question.as_of,
        at_position=question.at_position,
    )
