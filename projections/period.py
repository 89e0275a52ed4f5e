"""Periods of calendar days in Asia/Shanghai, their neighbours 同比 and 环比, and how two figures of theirs compare. Pure."""

from __future__ import annotations

import calendar
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import ROUND_HALF_UP, Decimal
from enum import StrEnum
from zoneinfo import ZoneInfo

from domain.errors import InvalidError

ZONE = ZoneInfo("Asia/Shanghai")
_DAY = timedelta(days=1)
_MONTHS = 12


class Grain(StrEnum):
    """How long one bucket of a series is."""

    DAY = "DAY"
    WEEK = "WEEK"  # from Monday, ISO 8601
    MONTH = "MONTH"
    QUARTER = "QUARTER"
    YEAR = "YEAR"


def day_of(at: datetime) -> date:
    """The calendar day of `at`."""
    return at.astimezone(ZONE).date()


def midnight(day: date) -> datetime:
    """When `day` begins."""
    return datetime.combine(day, time(), ZONE)


@dataclass(frozen=True, slots=True)
class Period:
    """The days from `start` to `end`, both included; InvalidError if it ends before it starts."""

    start: date
    end: date

    def __post_init__(self) -> None:
        if self.end < self.start:
            raise InvalidError(f"the period ends on {self.end}, before it starts on {self.start}")

    @property
    def days(self) -> int:
        """How many days it has."""
        return (self.end - self.start).days + 1

    @property
    def over(self) -> datetime:
        """The moment when its last day is over."""
        return midnight(self.end + _DAY)

    def year_before(self) -> Period:
        """同比: the same days of the year before. The last day of a month stays the last day of that month."""
        return Period(_months_back(self.start, _MONTHS), _months_back(self.end, _MONTHS, ending=True))

    def before(self) -> Period:
        """环比: the period just before. As many whole months before whole months, else as many days before.

        InvalidError if the calendar does not go back so far.
        """
        try:
            end = self.start - _DAY
            if self.start.day == 1 and _ends_month(self.end):
                return Period(_months_back(self.start, _month(self.end) - _month(self.start) + 1), end)
            return Period(self.start - timedelta(days=self.days), end)
        except (ValueError, OverflowError) as error:
            raise InvalidError(
                f"as long a period as from {self.start} to {self.end} before it begins before the calendar"
            ) from error

    def buckets(self, grain: Grain) -> Iterator[Period]:
        """The period cut at the borders of days, weeks .. years; the first and the last may be shorter."""
        start = self.start
        while start <= self.end:
            end = min(_last_of(start, grain), self.end)
            yield Period(start, end)
            start = end + _DAY


def percent(part: int, whole: int) -> Decimal | None:
    """Part / whole in per cent to two places, a half rounded up; None when there is nothing to divide by."""
    return (Decimal(100 * part) / whole).quantize(Decimal("0.01"), ROUND_HALF_UP) if whole else None


def change(now: float, base: float) -> float | None:
    """By how much of `base` a count has changed: 47 to 1 is -0.9787. None when the base is 0."""
    return (now - base) / base if base else None


def points(now: float | None, base: float | None) -> float | None:
    """The change of a rate in percentage points: 0.90 to 0.95 is 5. None when one of them is None."""
    return None if now is None or base is None else (now - base) * 100


def _month(day: date) -> int:
    return day.year * _MONTHS + day.month - 1


def _last_of_month(month: int) -> date:
    year, number = divmod(month, _MONTHS)
    return date(year, number + 1, calendar.monthrange(year, number + 1)[1])


def _ends_month(day: date) -> bool:
    return (day + _DAY).day == 1


def _months_back(day: date, months: int, *, ending: bool = False) -> date:
    last = _last_of_month(_month(day) - months)
    return last if ending and _ends_month(day) else last.replace(day=min(day.day, last.day))


def _last_of(day: date, grain: Grain) -> date:
    """The last day of the week, month .. that `day` is in."""
    match grain:
        case Grain.DAY:
            return day
        case Grain.WEEK:
            return day + timedelta(days=6 - day.weekday())
        case Grain.MONTH:
            return _last_of_month(_month(day))
        case Grain.QUARTER:
            return _last_of_month(_month(day) // 3 * 3 + 2)
        case Grain.YEAR:
            return date(day.year, 12, 31)
