"""How safe a year was, for each 1,000 households, and against the year before: 47 cases, then 1, are 97.9 per cent fewer."""

from datetime import date

import pytest
from given import NOW, build_site, order, person
from histories import a_pass, append, reported
from hypothesis import given
from hypothesis import strategies as st
from lives import DAY
from test_alarms import judged, tripped
from test_mediation import opened

from domain import commands
from domain.alarm import FalseCause
from domain.people import Role, Scope
from domain.site import Site
from projections import alarms, closure, disputes, gate_traffic, sites
from projections.period import Period
from projections.question import Question
from projections.runner import catch_up
from projections.safety import (
    CRIMINAL_CASE,
    SAFETY_ACCIDENT,
    Count,
    households,
    lineage,
    per_thousand,
    safety,
    safety_statistics,
)

THIS = Period(date(2026, 1, 1), date(2026, 12, 31))
ASKED = Question(period=THIS, now=NOW + 400 * DAY)
HELD = (alarms, closure, disputes, gate_traffic, sites)


async def caught_up(pool, log):
    for module in HELD:
        await catch_up(module.PROJECTION, pool, log)


async def count(log, site, number, counts_from, at=NOW):
    await commands.act(
        log,
        order(Role.ADMIN, at=at),
        Site,
        Site.count_households,
        site.id,
        households=number,
        counts_from=counts_from,
    )


@pytest.fixture
async def story(log, pool, site):
    """润锦苑: 47 criminal cases in 2025 and one in 2026, and what else there was of each."""
    last_year = NOW - 300 * DAY
    await count(log, site, 1600, date(2025, 1, 1))
    await count(log, site, 2000, date(2026, 1, 1))
    incidents = [
        *(reported(n, site, last_year, category=CRIMINAL_CASE) for n in range(47)),
        *(reported(n, site, last_year, category=SAFETY_ACCIDENT) for n in range(47, 50)),
        reported(50, site, NOW, category=CRIMINAL_CASE),
        *(reported(n, site, NOW) for n in range(51, 54)),
    ]
    incidents[-1].reject(by=person(Role.INTAKE), at=NOW, reason="not ours")
    others = [
        judged(tripped(600, last_year, place=site), "find_false", cause=FalseCause.ANIMAL),
        judged(tripped(601, NOW, place=site), "find_false", cause=FalseCause.ANIMAL),
        judged(tripped(602, NOW, place=site), "find_real", incident_id=incidents[50].id),
        opened(700, NOW, place=site),
        *(a_pass(site, NOW, number=n) for n in range(4)),
        a_pass(site, last_year, number=9),
    ]
    await append(log, [*incidents, *others])
    await caught_up(pool, log)


async def test_a_year_is_shown_beside_the_year_before(pool, story):
    async with pool.acquire() as connection:
        found = await safety_statistics(connection, ASKED)
    assert found.this.counts == {
        Count.INCIDENTS: 3,
        Count.CRIMINAL_CASES: 1,
        Count.SAFETY_ACCIDENTS: 0,
        Count.DISPUTES: 1,
        Count.ALARMS: 2,
        Count.GATE_PASSES: 4,
    }
    assert found.year_before.counts[Count.CRIMINAL_CASES] == 47
    assert found.changes[Count.CRIMINAL_CASES] == pytest.approx(-0.979, abs=5e-4)
    assert found.changes[Count.SAFETY_ACCIDENTS] == -1
    assert found.changes[Count.GATE_PASSES] == 3
    assert found.changes[Count.DISPUTES] is None  # there was none the year before
    assert (found.this.false_alarm_rate, found.year_before.false_alarm_rate) == (0.5, 1)
    assert found.false_alarm_points == -50
    assert (found.this.households, found.year_before.households) == (2000, 1600)
    assert found.this.per_thousand(Count.INCIDENTS) == 1.5
    assert found.year_before.per_thousand(Count.CRIMINAL_CASES) == 47 / 1.6


async def test_figures_are_of_the_place_that_is_asked_for_and_inside_the_scope(log, pool, site, story):
    other = await build_site(log, "gaoqiao", "tangxia")
    await count(log, other, 500, date(2026, 2, 1))
    await append(log, [reported(900, other, NOW), tripped(901, place=other)], first_number=900)
    await caught_up(pool, log)
    async with pool.acquire() as connection:

        async def figures(**where):
            found = await safety(connection, Question(period=THIS, now=NOW, **where))
            return found.counts[Count.INCIDENTS], found.counts[Count.ALARMS], found.households

        assert await figures() == (4, 3, 2500)
        assert await figures(township="tangxia") == await figures(scope=Scope("tangxia")) == (1, 1, 500)
        assert await figures(site_id=site.id) == (3, 2, 2000)
        assert await figures(scope=Scope("tangxia"), site_id=site.id) == (0, 0, None)


async def test_as_of_a_day_what_was_done_later_does_not_count(log, pool, site, story):
    await count(log, site, 2400, date(2026, 2, 1), at=NOW + 9 * DAY)
    await append(log, [reported(900, site, NOW + 9 * DAY)], first_number=900)
    await caught_up(pool, log)
    eve, day, later = (date(2026, 3, day) for day in (1, 9, 10))
    async with pool.acquire() as connection:
        shown = []
        for as_of in (eve - DAY, eve, day, later):
            found = await safety(connection, Question(period=THIS, now=NOW, as_of=as_of))
            shown.append((found.counts[Count.INCIDENTS], found.counts[Count.GATE_PASSES], found.households))
    assert shown == [(0, 0, None), (3, 4, 2000), (3, 4, 2000), (4, 4, 2400)]


async def test_households_are_those_of_the_day_in_the_middle_and_say_where_they_were_counted(log, pool, site):
    june = Period(date(2026, 6, 1), date(2026, 6, 30))  # its middle is where the 16th begins
    await count(log, site, 100, date(2026, 6, 15), at=NOW + 200 * DAY)
    await count(log, site, 200, date(2026, 6, 16), at=NOW + 200 * DAY)
    await count(log, site, 300, date(2026, 6, 17), at=NOW + 200 * DAY)
    await caught_up(pool, log)
    last = await log.position()
    async with pool.acquire() as connection:
        assert await households(connection, Question(period=june, now=NOW)) == [(site.id, 200, last - 1)]
        may = Period(date(2026, 5, 1), date(2026, 5, 31))
        assert await households(connection, Question(period=may, now=NOW)) == []
        assert (await safety(connection, Question(period=may, now=NOW))).per_thousand(Count.ALARMS) is None


async def test_each_count_names_what_it_was_counted_from(log, pool, story):
    async with pool.acquire() as connection:
        this = await safety(connection, ASKED)
        for count_of in Count:
            sources = []
            while page := await lineage(
                connection, ASKED, count_of, first=2, after=sources[-1].position if sources else 0
            ):
                sources += page
            assert len(sources) == this.counts[count_of]
            for source in sources:
                history = await log.history(source.id)
                assert history[0].position == source.position


@given(events=st.integers(0, 10**6), number=st.integers(1, 10**6), days=st.integers(1, 800))
def test_per_thousand_is_proportional_and_a_year_of_365_days_is_annualised_already(events, number, days):
    assert per_thousand(events, number, days) * number == pytest.approx(events * 1000)
    assert per_thousand(events, number, 365, annualised=True) == pytest.approx(
        per_thousand(events, number, 365)
    )
    assert per_thousand(events, number, days, annualised=True) * days == pytest.approx(
        per_thousand(events, number, days) * 365
    )


def test_without_households_there_is_no_figure():
    assert per_thousand(3, None, 30) is None
    assert per_thousand(3, 0, 30) is None
    assert per_thousand(3, 2000, 73, annualised=True) == 7.5
