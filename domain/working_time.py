"""Working time: office hours of Chinese working days, with public holidays and make-up days 调休.

The days are those of `chinesecalendar` (the State Council's yearly notices). A year that is not published yet is taken as Monday to
Friday, so a due time can always be computed; it is stored with the event and never moves afterwards.
"""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from functools import cache
from zoneinfo import ZoneInfo

import chinese_calendar

ZONE = ZoneInfo("Asia/Shanghai")
HOURS = ((time(8, 30), time(12, 0)), (time(14, 0), time(17, 30)))
"""Office hours of a working day: seven in all."""
DAY = sum(
    (datetime.combine(date.min, end) - datetime.combine(date.min, start) for start, end in HOURS), timedelta()
)
"""Working time of one working day."""
_STRETCHES = tuple(
    tuple(timedelta(hours=edge.hour, minutes=edge.minute) for edge in stretch) for stretch in HOURS
)
"""HOURS, as time since midnight."""


@cache
def is_working_day(day: date) -> bool:
    """Whether offices are open on `day`."""
    try:
        return bool(chinese_calendar.is_workday(day))
    except NotImplementedError:  # before 2004, or not announced yet
        return day.weekday() < 5  # noqa: PLR2004  (Saturday)


def after_working_time(start: datetime, amount: timedelta) -> datetime:
    """When `amount` (more than zero) of working time has passed since `start`; in UTC, at the end of the last working minute."""
    left, moment = amount, start.astimezone(ZONE)
    day = moment.date()
    while True:
        if is_working_day(day):
            for opens, closes in HOURS:
                begin = max(moment, datetime.combine(day, opens, ZONE))
                end = datetime.combine(day, closes, ZONE)
                if begin >= end:
                    continue
                if left <= end - begin:
                    return (begin + left).astimezone(start.tzinfo)
                left -= end - begin
        day += timedelta(days=1)


def working_time(start: datetime, end: datetime) -> timedelta:
    """How much working time lies between `start` and `end`; zero if `end` is not later."""
    return max(_worked(end.astimezone(ZONE)) - _worked(start.astimezone(ZONE)), timedelta())


def _worked(moment: datetime) -> timedelta:
    """The working time since the beginning of 1970."""
    found = _worked_before(moment.date())
    if is_working_day(moment.date()):
        passed = timedelta(0, moment.hour * 3600 + moment.minute * 60 + moment.second, moment.microsecond)
        for begins, ends in _STRETCHES:
            if passed > begins:
                found += min(passed, ends) - begins
    return found


@cache
def _worked_before(day: date) -> timedelta:
    """The working time of all days from 1970 to the one before `day`."""
    years = sum(_working_days(year)[-1] for year in range(1970, day.year))
    return (years + _working_days(day.year)[day.timetuple().tm_yday - 1]) * DAY


@cache
def _working_days(year: int) -> tuple[int, ...]:
    """How many working days of `year` lie before each of its days; the last number is all of them."""
    day, found = date(year, 1, 1), [0]
    while day.year == year:
        found.append(found[-1] + is_working_day(day))
        day += timedelta(days=1)
    return tuple(found)
