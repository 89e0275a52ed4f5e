"""From figures to tables: a report names its measures once, and every table of it follows. Pure."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from projections.period import Period, change, points
from projections.report import Column, Kind, Rate, Row, Section, Value


@dataclass(frozen=True, slots=True)
class Measure:
    """`of` takes it from a figure. `key`: what the definitions call it; `term`: what the field does."""

    key: str
    term: str
    kind: Kind
    of: Callable[[Any], Value]


def count(key: str, term: str = "") -> Measure:
    """A count that the figure has under this name."""
    return Measure(key, term, Kind.COUNT, lambda figure: getattr(figure, key))


def rate(key: str, term: str, part: str, *whole: str) -> Measure:
    """The count `part` over the sum of the counts `whole`, by their names."""
    return Measure(
        key,
        term,
        Kind.RATE,
        lambda figure: Rate(getattr(figure, part), sum(getattr(figure, name) for name in whole)),
    )


def number(key: str, term: str = "") -> Measure:
    """A number that is neither a count nor a rate; its unit stands in its name."""
    return Measure(key, term, Kind.NUMBER, lambda figure: getattr(figure, key))


@dataclass(frozen=True, slots=True)
class Compared:
    """A figure, and the same of the year before 同比 and of the period before 环比."""

    now: Any
    year_before: Any
    before: Any


_NAMES = (Column("measure", "Measure", Kind.TEXT), Column("term", "Term 术语", Kind.TEXT))


def compared(measures: Sequence[Measure], figures: Compared) -> list[Section]:
    """Tables of what is counted, of the rates and of the other figures: now, 同比 and 环比. Counts change in per cent, rates in points."""
    kinds = {
        kind: [measure for measure in measures if measure.kind is kind]
        for kind in (Kind.COUNT, Kind.RATE, Kind.NUMBER)
    }
    sections = [
        Section(
            "counts",
            "Counts",
            _beside(Kind.COUNT, Kind.CHANGE),
            [_counted(measure, figures) for measure in kinds[Kind.COUNT]],
        ),
        Section(
            "rates",
            "Rates",
            (
                *_NAMES,
                Column("part", "Part"),
                Column("whole", "Of"),
                *_beside(Kind.RATE, Kind.POINTS)[len(_NAMES) :],
            ),
            [_rated(measure, figures) for measure in kinds[Kind.RATE]],
        ),
        Section(
            "numbers",
            "Other figures",
            _beside(Kind.NUMBER, Kind.CHANGE),
            [_counted(measure, figures) for measure in kinds[Kind.NUMBER]],
        ),
    ]
    return [section for section in sections if section.rows]


def _beside(value: Kind, change: Kind) -> tuple[Column, ...]:
    return (
        *_NAMES,
        Column("now", "This period", value),
        Column("year_before", "Year before", value),
        Column("year_on_year", "同比", change),
        Column("before", "Period before", value),
        Column("period_on_period", "环比", change),
    )


def _counted(measure: Measure, figures: Compared) -> Row:
    now, year_before, before = _of(measure, figures)
    return (
        measure.key,
        measure.term,
        now,
        year_before,
        _change(now, year_before),
        before,
        _change(now, before),
    )


def _rated(measure: Measure, figures: Compared) -> Row:
    now, year_before, before = _of(measure, figures)
    return (
        measure.key,
        measure.term,
        now.part,
        now.whole,
        now,
        year_before,
        points(now.value, year_before.value),
        before,
        points(now.value, before.value),
    )


def _of(measure: Measure, figures: Compared) -> tuple[Any, Any, Any]:
    return measure.of(figures.now), measure.of(figures.year_before), measure.of(figures.before)


def _change(now: float | None, base: float | None) -> float | None:
    return None if now is None or base is None else change(now, base)


Bucket = tuple[Period, str | None, Any]
"""A stretch of time, a part of the whole (None: all of it, or what belongs to none), and its figure."""


def series(measures: Sequence[Measure], buckets: Iterable[Bucket], part: str | None) -> Section:
    """A row for each bucket. part: what the parts are, None if there is only the whole."""
    named = () if part is None else (Column("part", part.capitalize(), Kind.TEXT),)
    return Section(
        "series",
        "Series" if part is None else f"By {part.lower()}",
        (
            Column("from", "From", Kind.DAY),
            Column("to", "To", Kind.DAY),
            *named,
            *(
                Column(one.key, f"{one.key.replace('_', ' ')} {one.term}".strip(), one.kind)
                for one in measures
            ),
        ),
        [
            (
                period.start,
                period.end,
                *([] if part is None else [name]),
                *(measure.of(figure) for measure in measures),
            )
            for period, name, figure in buckets
        ],
    )
