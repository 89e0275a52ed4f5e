"""Calendar days in Asia/Shanghai, periods beside their neighbours, and how figures compare."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.errors import InvalidError
from projections.period import Grain, Period, change, day_of, percent, points

DAYS = st.dates(date(2000, 1, 1), date(2035, 12, 31))
PERIODS = st.builds(
    lambda start, days: Period(start, start + timedelta(days=days)), DAYS, st.integers(0, 1000)
)


def test_a_day_begins_at_four_in_the_afternoon_of_utc():
    assert day_of(datetime(2018, 11, 30, 15, 59, 59, tzinfo=UTC)) == date(2018, 11, 30)
    assert day_of(datetime(2018, 11, 30, 16, tzinfo=UTC)) == date(2018, 12, 1)


def test_a_period_is_over_when_its_last_day_is():
    assert Period(date(2018, 1, 1), date(2018, 11, 30)).over == datetime(2018, 11, 30, 16, tzinfo=UTC)


def test_a_period_that_ends_before_it_starts_is_refused():
    with pytest.raises(InvalidError, match="before it starts"):
        Period(date(2018, 2, 1), date(2018, 1, 31))


@pytest.mark.parametrize(
    ("start", "end", "before_start", "before_end"),
    [
        ("2018-01-01", "2018-11-30", "2017-01-01", "2017-11-30"),
        ("2020-02-01", "2020-02-29", "2019-02-01", "2019-02-28"),  # the end of a month stays one
        ("2021-02-01", "2021-02-28", "2020-02-01", "2020-02-29"),
        ("2020-02-29", "2020-02-29", "2019-02-28", "2019-02-28"),
        ("2020-03-05", "2020-03-11", "2019-03-05", "2019-03-11"),
    ],
)
def test_the_same_period_of_the_year_before(start, end, before_start, before_end):
    assert Period(date.fromisoformat(start), date.fromisoformat(end)).year_before() == Period(
        date.fromisoformat(before_start), date.fromisoformat(before_end)
    )


@pytest.mark.parametrize(
    ("start", "end", "before_start", "before_end"),
    [
        ("2020-03-01", "2020-03-31", "2020-02-01", "2020-02-29"),
        ("2020-01-01", "2020-03-31", "2019-10-01", "2019-12-31"),
        ("2018-01-01", "2018-12-31", "2017-01-01", "2017-12-31"),
        ("2018-01-01", "2018-11-30", "2017-02-01", "2017-12-31"),
        ("2020-03-02", "2020-03-08", "2020-02-24", "2020-03-01"),  # a week is no month: seven days before
        ("2020-03-01", "2020-03-30", "2020-01-31", "2020-02-29"),
    ],
)
def test_the_period_just_before(start, end, before_start, before_end):
    assert Period(date.fromisoformat(start), date.fromisoformat(end)).before() == Period(
        date.fromisoformat(before_start), date.fromisoformat(before_end)
    )


@given(PERIODS, st.sampled_from(Grain))
def test_buckets_cover_the_period_without_gap_or_overlap(period, grain):
    buckets = list(period.buckets(grain))

    assert (buckets[0].start, buckets[-1].end) == (period.start, period.end)
    assert all(after.start == before.end + timedelta(days=1) for before, after in pairwise(buckets))


@given(PERIODS)
def test_the_period_before_ends_where_this_one_starts(period):
    assert period.before().end + timedelta(days=1) == period.start


@pytest.mark.parametrize(
    ("grain", "starts"),
    [
        (Grain.WEEK, ["2019-12-30", "2020-01-06"]),
        (Grain.MONTH, ["2019-12-30", "2020-01-01"]),
        (Grain.QUARTER, ["2019-12-30", "2020-01-01"]),
        (Grain.YEAR, ["2019-12-30", "2020-01-01"]),
    ],
)
def test_buckets_begin_at_the_borders_of_the_calendar(grain, starts):
    buckets = Period(date(2019, 12, 30), date(2020, 1, 8)).buckets(grain)

    assert [bucket.start.isoformat() for bucket in buckets] == starts


@pytest.mark.parametrize(
    ("part", "whole", "figure"),
    [
        (350_672, 351_129, "99.87"),
        (911, 972, "93.72"),
        (737, 972, "75.82"),
        (14_577 - 2_159, 14_577, "85.19"),
        (1_696, 1_717, "98.78"),
        (1_696, 1_768, "95.93"),
        (1, 800, "0.13"),  # 0.125: a half is rounded up
    ],
)
def test_per_cent_to_two_places(part, whole, figure):
    assert percent(part, whole) == Decimal(figure)


def test_nothing_to_divide_by_is_no_figure():
    assert percent(0, 0) is None
    assert change(1, 0) is None
    assert points(None, 0.5) is None


def test_forty_seven_to_one_is_almost_all_gone():
    assert change(1, 47) == pytest.approx(-0.97872, abs=1e-5)
    assert points(0.95, 0.90) == pytest.approx(5)
