"""Alarms are listed by how much they matter, and counted as one counts them by hand, whatever the batches, as of any day."""

from datetime import timedelta
from random import Random
from uuid import UUID

import pytest
from given import NOW
from histories import append
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from lives import DAY, HOUR, STAFF, batches, lived, site

from domain.alarm import ACK, Alarm, FalseCause, Trigger
from domain.people import CITY, Scope
from projections.alarms import (
    PROJECTION,
    AlarmFigures,
    AlarmFilter,
    AlarmGroup,
    AlarmOrder,
    alarm_figures,
    alarm_figures_by,
    lineage,
    listed,
    one,
)
from projections.period import Period, day_of, midnight
from projections.question import Question
from projections.runner import catch_up

PLACES = [site(), site("gaoqiao", "tangxia")]
ANN, BOB, CAI = STAFF
FIRST = day_of(NOW)
SECOND = timedelta(seconds=1)
VERDICTS = (Alarm.FoundReal, Alarm.FoundFalse, Alarm.FoundTest)
questions = st.builds(
    lambda start, days, as_of, scope, place: Question(
        period=Period(FIRST + start * DAY, FIRST + (start + days) * DAY),
        now=NOW,
        scope=scope,
        site_id=place,
        as_of=None if as_of is None else FIRST + as_of * DAY,
    ),
    start=st.integers(-1, 2),
    days=st.integers(0, 3),
    as_of=st.none() | st.integers(0, 3),
    scope=st.sampled_from([CITY, CITY, Scope("yuhai"), Scope(site_id=PLACES[1].id)]),
    place=st.sampled_from([None, None, PLACES[0].id]),
)


def interpolated(values, part):
    """The value below which `part` of them lie, between the two nearest ones; None of none."""
    if not values:
        return None
    ordered = sorted(values)
    below, between = divmod(part * (len(ordered) - 1), 1)
    low, high = ordered[int(below)], ordered[min(int(below) + 1, len(ordered) - 1)]
    return pytest.approx(low + (high - low) * between)


def by_hand(question, lives):
    """AlarmFigures, counted life by life; its position aside."""
    tripped, verdicts, seconds = 0, [], []
    for life in lives:
        it = life.it
        known = [
            entry.event
            for entry in life.entries
            if question.as_of is None or day_of(entry.event.timestamp) <= question.as_of
        ]
        if not (
            known
            and question.scope.covers(it.township, it.site_id)
            and question.site_id in (None, it.site_id)
            and question.period.start <= day_of(it.created_on) <= question.period.end
        ):
            continue
        tripped += 1
        verdicts += [event.TO for event in known if isinstance(event, VERDICTS)]
        seconds += [
            (event.timestamp - it.created_on).total_seconds()
            for event in known
            if isinstance(event, Alarm.Acknowledged)
        ]
    return AlarmFigures(
        tripped=tripped,
        real=verdicts.count("REAL"),
        false=verdicts.count("FALSE"),
        test=verdicts.count("TEST"),
        median_seconds_to_acknowledge=interpolated(seconds, 0.5),
        p90_seconds_to_acknowledge=interpolated(seconds, 0.9),
        position=0,
    )


PART = {
    AlarmGroup.TOWNSHIP: lambda it: it.township,
    AlarmGroup.SITE: lambda it: str(it.site_id),
    AlarmGroup.SENSOR: lambda it: f"{it.site_id}/{it.sensor}",
}


@given(seed=st.integers(0, 2**32), question=questions, by=st.sampled_from(AlarmGroup))
@hypothesis_settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
async def test_the_figures_and_their_lineage_are_those_counted_by_hand(pool, seed, question, by):
    random = Random(seed)
    lives, entries = lived("alarms", random, PLACES, 30, spread=3 * DAY)
    async with pool.acquire() as connection:
        transaction = connection.transaction()
        await transaction.start()
        for part in batches(random, entries):
            await PROJECTION.fold(connection, part)
        figures = await alarm_figures(connection, question)
        parts = await alarm_figures_by(connection, question, by)
        counted = []
        while page := await lineage(
            connection, question, first=3, after=counted[-1]["tripped_position"] if counted else 0
        ):
            counted += page
        await transaction.rollback()
    assert figures == by_hand(question, lives)
    groups = {}
    for life in lives:
        groups.setdefault(PART[by](life.it), []).append(life)
    expected = {part: by_hand(question, members) for part, members in groups.items()}
    assert parts == {part: figure for part, figure in expected.items() if figure.tripped}
    assert len(counted) == figures.tripped
    assert [row["verdict"] for row in counted].count("FALSE") == figures.false
    for row in counted:
        assert isinstance(entries[row["tripped_position"] - 1].event, Alarm.Tripped)
        if row["verdict_position"]:
            assert row["verdict"] == entries[row["verdict_position"] - 1].event.TO
        if row["acknowledged_position"]:
            assert isinstance(entries[row["acknowledged_position"] - 1].event, Alarm.Acknowledged)


def tripped(number, at=NOW, *, place=PLACES[0], sensor="wall-1"):
    return Alarm.trip(
        id=UUID(int=number + 1), site=place, by=ANN, at=at, sensor=sensor, trigger=Trigger.SENSOR
    )


def acknowledged(alarm, after):
    alarm.acknowledge(by=ANN, at=alarm.created_on + after)
    return alarm


def judged(alarm, verdict, after=30 * SECOND, **fields):
    acknowledged(alarm, after)
    alarm.review(by=BOB, at=alarm.created_on + after)
    getattr(alarm, verdict)(by=BOB, at=alarm.created_on + after, **fields)
    return alarm


async def test_the_false_rate_is_of_the_real_and_the_false_and_tests_are_on_neither_side(log, pool):
    made = [
        judged(tripped(0), "find_real", 10 * SECOND, incident_id=UUID(int=9)),
        judged(tripped(1), "find_false", 20 * SECOND, cause=FalseCause.ANIMAL),
        judged(tripped(2), "find_false", 30 * SECOND, cause=FalseCause.PLANT),
        judged(tripped(3), "find_test", 40 * SECOND),
        tripped(4),
    ]
    await append(log, made)
    await catch_up(PROJECTION, pool, log)
    async with pool.acquire() as connection:
        figures = await alarm_figures(connection, Question(period=Period(FIRST, FIRST), now=NOW))
        day_before = Period(FIRST - DAY, FIRST - DAY)
        nothing = await alarm_figures(connection, Question(period=day_before, now=NOW))
    assert (figures.tripped, figures.real, figures.false, figures.test) == (5, 1, 2, 1)
    assert figures.false_rate == 2 / 3
    assert (figures.median_seconds_to_acknowledge, figures.p90_seconds_to_acknowledge) == (25, 37)
    assert figures.position == await log.position()
    assert (nothing.tripped, nothing.false_rate, nothing.median_seconds_to_acknowledge) == (0, None, None)


async def test_an_acknowledgement_by_a_clock_that_ran_back_took_no_time(log, pool):
    await append(log, [acknowledged(tripped(0), -5 * SECOND)])
    await catch_up(PROJECTION, pool, log)
    async with pool.acquire() as connection:
        figures = await alarm_figures(connection, Question(period=Period(FIRST, FIRST), now=NOW))
    assert figures.median_seconds_to_acknowledge == 0


async def test_as_of_a_day_an_alarm_has_the_verdict_it_had_then_and_counts_on_the_day_it_tripped(log, pool):
    late = judged(tripped(0, midnight(FIRST)), "find_false", DAY, cause=FalseCause.ANIMAL)
    await append(log, [late])
    await catch_up(PROJECTION, pool, log)
    async with pool.acquire() as connection:
        shown = []
        for start, as_of in ((-1, 1), (0, -1), (0, 0), (0, 1), (1, 1)):
            day = FIRST + start * DAY
            question = Question(period=Period(day, day), now=NOW, as_of=FIRST + as_of * DAY)
            figures = await alarm_figures(connection, question)
            rows = await lineage(connection, question, first=9, after=0)
            shown.append((figures.tripped, figures.false, [row["verdict"] for row in rows]))
            assert (figures.median_seconds_to_acknowledge is None) == (not figures.false)
    assert shown == [(0, 0, []), (0, 0, []), (1, 0, [None]), (1, 1, ["FALSE"]), (0, 0, [])]


@pytest.fixture
async def shift(log, pool):
    """Alarms 0 to 6: two that just call, one that nobody heard, a real one, one shelved, one at work, one over."""
    unheard = tripped(2, NOW + 5 * SECOND)
    unheard.pass_deadline(by=ANN, at=NOW + HOUR, name=ACK)
    shelved = tripped(4, sensor="wall-2")
    shelved.shelve(by=CAI, at=NOW, until=NOW + HOUR, reason="works")
    over = judged(tripped(6), "find_test")
    for step in ("go_normal", "restore", "clear"):
        getattr(over, step)(by=ANN, at=NOW + HOUR)
    made = [
        tripped(0, NOW + SECOND),
        tripped(1),
        unheard,
        judged(tripped(3, place=PLACES[1]), "find_real", incident_id=UUID(int=9)),
        shelved,
        acknowledged(tripped(5), SECOND),
        over,
    ]
    await append(log, made)
    await catch_up(PROJECTION, pool, log)


async def active(pool, scope=CITY, order=AlarmOrder.PRIORITY, **wanted):
    """The numbers of the alarms that are listed, page by page of two."""
    found, after = [], None
    async with pool.acquire() as connection:
        while page := await listed(
            connection, scope, AlarmFilter(**wanted), first=2, order=order, after=after
        ):
            found += [row["alarm_id"].int - 1 for row in page]
            after = (page[-1]["priority"], page[-1]["tripped_at"], page[-1]["alarm_id"])
    return found


async def test_danger_comes_first_and_then_what_calls_and_what_is_over_is_not_listed(pool, shift):
    assert await active(pool) == [3, 2, 1, 0, 5, 4]
    assert await active(pool, annunciated=True) == [3, 2, 1, 0, 5]
    assert await active(pool, annunciated=False) == [4]
    assert await active(pool, state="TRIPPED") == [2, 1, 0, 4]
    assert await active(pool, sensor="wall-2") == [4]
    assert await active(pool, township="tangxia") == [3]
    assert await active(pool, site_id=PLACES[0].id) == [2, 1, 0, 5, 4]
    assert await active(pool, Scope("tangxia")) == [3]
    assert await active(pool, Scope(site_id=PLACES[0].id), township="tangxia") == []


async def test_the_newest_first_shows_what_is_over_too_and_stretches_of_time(pool, shift):
    newest = AlarmOrder.NEWEST
    everything = await active(pool, order=newest)
    assert everything[:2] == [2, 0]
    assert sorted(everything[2:]) == [1, 3, 4, 5, 6]
    assert await active(pool, order=newest, state="CLEARED") == [6]
    assert await active(pool, order=newest, annunciated=False, sensor="wall-1") == [6]
    assert await active(pool, order=newest, tripped_from=NOW + SECOND) == [2, 0]
    assert await active(pool, order=newest, tripped_from=NOW + SECOND, tripped_until=NOW + 5 * SECOND) == [0]
    assert await active(pool, Scope("tangxia"), order=newest) == [3]


async def test_one_alarm_is_read_with_its_priority_inside_the_scope(pool, shift):
    async with pool.acquire() as connection:
        over = await one(connection, CITY, UUID(int=7))
        assert (over["state"], over["priority"]) == ("CLEARED", 5)
        assert (await one(connection, Scope("tangxia"), UUID(int=4)))["priority"] == 1
        assert await one(connection, Scope("tangxia"), UUID(int=1)) is None
        assert await one(connection, CITY, UUID(int=99)) is None
