"""A report as data: figures with their definitions, the period, the cut-off and the log position. It knows no file format. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum

from projections.period import ZONE, Period, percent


class Kind(StrEnum):
    """What the cells of a column are. None is a figure that there is not."""

    TEXT = "TEXT"  # str
    COUNT = "COUNT"  # int
    NUMBER = "NUMBER"  # float
    RATE = "RATE"  # Rate
    HOURS = "HOURS"  # float
    DAY = "DAY"  # date
    CHANGE = "CHANGE"  # float: by how much of its base a figure changed, -0.9787
    POINTS = "POINTS"  # float: by how many percentage points a rate changed


@dataclass(frozen=True, slots=True)
class Rate:
    """`part` of `whole`, kept exact."""

    part: int
    whole: int

    @property
    def value(self) -> float | None:
        """Part / whole; None when there is nothing to divide by."""
        return self.part / self.whole if self.whole else None

    @property
    def percent(self) -> Decimal | None:
        """The same in per cent to two places, a half rounded up."""
        return percent(self.part, self.whole)


Value = str | int | float | date | Rate | None
Row = Sequence[Value]


@dataclass(frozen=True, slots=True)
class Column:
    """`key` is stable, for programs; `title` is for people."""

    key: str
    title: str
    kind: Kind = Kind.COUNT


@dataclass(frozen=True, slots=True)
class Section:
    """A table. `rows` may be an iterator, which is read once and never held as a whole."""

    key: str
    title: str
    columns: tuple[Column, ...]
    rows: Iterable[Row]

    def index(self, key: str) -> int:
        """Which column has this key."""
        return [column.key for column in self.columns].index(key)


@dataclass(frozen=True, slots=True)
class Chart:
    """Draw column `y` of a section over its column `x`, one line for each stretch of rows with the same value in column `series`.

    Without `series` there are columns instead of lines.
    """

    title: str
    section: str
    x: str
    y: str
    series: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What was asked (`period`, `as_of`, `scope`: which part, {} is the whole city), at which log position, and the answer."""

    name: str
    title: str
    period: Period
    cut_off: datetime
    as_of: date | None
    position: int
    scope: Mapping[str, str]
    generated_at: datetime
    sections: tuple[Section, ...]
    definitions: tuple[tuple[str, str], ...]
    chart: Chart | None = None


def heading(report: Report) -> Iterator[tuple[str, str | int]]:
    """What stands above the tables: (label, words)."""
    yield "Report", report.title
    yield "Period", f"{report.period.start} to {report.period.end}, both included"
    yield "Cut-off", moment(report.cut_off)
    yield "As of", f"the end of {report.as_of}" if report.as_of else "everything that is known"
    yield "Scope", ", ".join(f"{what} {which}" for what, which in report.scope.items()) or "the whole city"
    yield "Log position", report.position
    yield "Generated", moment(report.generated_at)


def moment(at: datetime) -> str:
    """A time in the zone of the place, to the second."""
    return at.astimezone(ZONE).isoformat(sep=" ", timespec="seconds")
