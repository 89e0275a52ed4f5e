"""Deadlines count office hours of Chinese working days, or every hour, as the most particular limit says."""

from datetime import date, datetime, timedelta
from random import Random
from zoneinfo import ZoneInfo

import pytest

from domain.deadlines import DEFAULT_LIMITS, Clock, Limit, Limits, Urgency
from domain.errors import InvalidError
from domain.working_time import DAY, HOURS, ZONE, after_working_time, is_working_day, working_time


def moment(text):
    return datetime.fromisoformat(text).replace(tzinfo=ZONE)


@pytest.mark.parametrize(
    ("start", "hours", "end"),
    [
        ("2026-03-02 09:00", 2, "2026-03-02 11:00"),
        ("2026-03-02 11:00", 2, "2026-03-02 15:00"),  # over noon
        ("2026-03-02 17:00", 1, "2026-03-03 09:00"),  # over night
        ("2026-03-06 17:00", 1, "2026-03-09 09:00"),  # over a weekend
        ("2026-03-07 03:00", 1, "2026-03-09 09:30"),  # from a Saturday night
        ("2026-03-02 09:00", 3, "2026-03-02 12:00"),  # to the end of the morning, not to the afternoon
        ("2026-03-02 14:00", 3.5, "2026-03-02 17:30"),
        ("2026-09-30 17:00", 1, "2026-10-08 09:00"),  # over the National Day holidays
        ("2026-10-09 17:00", 1, "2026-10-10 09:00"),  # a Saturday that is worked, 调休
    ],
)
def test_working_hours_are_those_of_offices(start, hours, end):
    assert after_working_time(moment(start), timedelta(hours=hours)) == moment(end)


def test_the_zone_of_the_start_is_kept_and_does_not_matter():
    start = moment("2026-03-06 17:00")
    elsewhere = start.astimezone(ZoneInfo("America/New_York"))
    found = after_working_time(elsewhere, timedelta(hours=1))
    assert (found, found.tzinfo) == (moment("2026-03-09 09:00"), elsewhere.tzinfo)


def test_a_year_that_is_not_announced_has_working_weeks():
    assert [is_working_day(date(2099, 3, day)) for day in range(2, 9)] == [True] * 5 + [False] * 2


def minute_by_minute(start, end):
    """The working time between two full minutes, counted one by one."""
    found, at = timedelta(), start
    while at < end:
        found += timedelta(minutes=is_working_day(at.date()) and any(a <= at.time() < b for a, b in HOURS))
        at += timedelta(minutes=1)
    return found


@pytest.mark.parametrize("seed", range(20))
def test_the_time_that_was_asked_for_lies_in_between_and_ends_in_it(seed):
    random = Random(seed)
    start = moment("2026-01-01 00:00") + timedelta(minutes=random.randrange(500_000))
    amount = timedelta(minutes=random.randrange(1, 3_000))
    end = after_working_time(start, amount)
    assert working_time(start, end) == amount == minute_by_minute(start, end)
    assert minute_by_minute(end - timedelta(minutes=1), end) == timedelta(minutes=1)
    assert working_time(end, start) == timedelta()


GIVEN = {"category": "noise", "urgency": Urgency.NORMAL, "township": "yuhai"}


def due(limits, step="handle", **changed):
    return limits.deadline(step, moment("2026-03-02 09:00"), **(GIVEN | changed))


def test_the_limit_that_names_most_of_what_is_given_counts():
    limits = Limits(
        "7",
        (
            Limit("handle", Clock.WALL, hours=1),
            Limit("handle", Clock.WALL, hours=2, category="noise"),
            Limit("handle", Clock.WALL, hours=3, category="noise", township="yuhai"),
            Limit("handle", Clock.WALL, hours=4, category="theft", township="yuhai", urgency=Urgency.URGENT),
        ),
    )
    hours = {
        (category, township): (due(limits, category=category, township=township).due_at.hour - 9)
        for category in ("noise", "theft")
        for township in ("yuhai", "tangxia")
    }
    assert hours == {
        ("noise", "yuhai"): 3,
        ("noise", "tangxia"): 2,
        ("theft", "yuhai"): 1,
        ("theft", "tangxia"): 1,
    }
    assert due(limits, category="theft", urgency=Urgency.URGENT).due_at == moment("2026-03-02 13:00")


def test_a_deadline_names_its_step_whose_it_is_and_the_version_of_the_limits():
    found = DEFAULT_LIMITS.deadline("sign", moment("2026-03-02 09:00"), of="water", **GIVEN)
    assert (found.name, found.rule) == ("sign:water", f"limits-{DEFAULT_LIMITS.version}")
    assert found.due_at == moment("2026-03-02 15:00")  # four working hours, over noon


def test_days_are_working_days_or_calendar_days():
    five = [Limits("1", (Limit("handle", clock, days=5),)) for clock in (Clock.WORKING, Clock.WALL)]
    assert [due(limits).due_at for limits in five] == [moment("2026-03-09 09:00"), moment("2026-03-07 09:00")]
    assert timedelta(hours=7) == DAY


def test_limits_without_an_answer_or_without_a_time_are_refused():
    with pytest.raises(InvalidError, match="say nothing of 'cook' for noise in yuhai"):
        due(DEFAULT_LIMITS, "cook")
    with pytest.raises(InvalidError, match="must take some days or hours"):
        Limits("8", (Limit("sign", Clock.WALL),))
