"""A report from its source: the whole period beside 同比 and 环比, then by stretches of time and parts, then the definitions."""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import islice
from typing import Any
from uuid import UUID

import asyncpg

from api.reports.asked import Asked
from api.reports.measures import Bucket, Compared, Measure, compared, series
from api.reports.produce import paged
from domain.errors import InvalidError, NotFoundError
from domain.people import CITY
from projections import runner, sites
from projections.period import Period
from projections.report import Chart, Column, Kind, Report, Row, Section

MOST_STRETCHES = 4_000
"""Of time in one report: ten years of days."""
PAGE = 5_000
"""Rows of a lineage that are read at once."""
EVERYTHING = 1_000_000
_UUID = 36
"""Characters."""
_COMMON = {
    "period": "Calendar days in Asia/Shanghai, both ends included. A fact counts when it was done, not when it was told.",
    "year_before": "同比: the same days of the year before; the last day of a month stays one.",
    "before": "环比: the period just before; whole months before whole months, else as many days.",
    "change": "Counts change in per cent of the base, rates in percentage points; a base of 0 gives no figure.",
    "as_of": "Only what was done by the end of this day counts; without it, everything.",
    "cut_off": "The end of the period, or of the as-of day, or now, whichever comes first.",
    "log position": "How far of the log was counted, at least.",
}

_Figure = Callable[[asyncpg.Connection, Asked], Awaitable[Any]]
_Parts = Callable[[asyncpg.Connection, Asked], Awaitable[Mapping[str | None, Any]]]
Counted = Callable[[float], None]
"""Told what share of the counting is done, 0 to 1."""
_Buckets = Callable[[asyncpg.Connection, Asked, Counted], Awaitable[list[Bucket]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Where the figures of a report come from, and how they are shown.

    reads: the projections. narrows: the fields of Where that it knows. figure: of the whole of what is asked; buckets: the same, with the
    measures `parts`, for each stretch of time and part of the whole. drawn: the measure in the chart. lineage: for each of `counts`, at
    most PAGE rows beyond a log position, which is the second of the columns `traced`.
    """

    title: str
    definitions: Mapping[str, str]
    reads: tuple[str, ...]
    narrows: frozenset[str]
    groups: type[StrEnum]
    measures: tuple[Measure, ...]
    parts: tuple[Measure, ...]
    drawn: str
    figure: _Figure
    buckets: _Buckets
    counts: tuple[str, ...] = ()
    lineage: Callable[[asyncpg.Connection, Asked, str, int], Awaitable[Sequence[Any]]] | None = None
    traced: tuple[str, ...] = ()


async def build(
    connection: asyncpg.Connection, source: Source, asked: Asked, counted: Counted = lambda _share: None
) -> Report:
    """The report, counted in the connection's transaction.

    What is asked is known to the report: `asked.require_known`. InvalidError if it gives too many rows; NotFoundError if there is no
    such site.
    """
    codes = await _codes(connection, asked)
    period = asked.period
    now, year_before, before = [
        await source.figure(connection, replace(asked, period=each))
        for each in (period, period.year_before(), period.before())
    ]
    sections = compared(source.measures, Compared(now, year_before, before))
    chart = None
    if asked.by or asked.group:
        buckets = _ordered(await source.buckets(connection, asked, counted), codes)
        sections.append(series(source.parts, buckets, asked.group))
        chart = _chart(source, asked)
    return await _report(connection, source, asked, tuple(sections), chart)


def require_lineage(source: Source, asked: Asked, count: str) -> None:
    """InvalidError if the report cannot tell what `count` was counted from."""
    if source.lineage is None or count not in source.counts:
        known = ", ".join(source.counts) or "nothing"
        raise InvalidError(f"the report {asked.name} has no lineage of {count!r}, but of {known}")
    if asked.by or asked.group:
        raise InvalidError("a lineage is of the whole period: ask for it without by and group")


async def trace(connection: asyncpg.Connection, source: Source, asked: Asked, count: str) -> Report:
    """What `count` was counted from, read while it is written. Errors as `build`."""
    await _codes(connection, asked)
    require_lineage(source, asked, count)
    lineage = source.lineage
    assert lineage is not None

    async def page(after: int) -> list[Row]:
        return [
            (str(row[0]), *row[1 : len(source.traced)])
            for row in await lineage(connection, asked, count, after)
        ]

    first, *others = source.traced
    section = Section(
        "lineage",
        f"Lineage of {count}",
        (
            Column(first, first.replace("_", " "), Kind.TEXT),
            *(Column(k, k.replace("_", " ")) for k in others),
        ),
        paged(page),
    )
    return await _report(connection, source, asked, (section,), None)


async def _report(
    connection: asyncpg.Connection,
    source: Source,
    asked: Asked,
    sections: tuple[Section, ...],
    chart: Chart | None,
) -> Report:
    return Report(
        name=asked.name,
        title=source.title,
        period=asked.period,
        cut_off=min(asked.ends, asked.now),
        as_of=asked.as_of,
        position=min([await runner.SQL.position(connection, name=name) or 0 for name in source.reads]),
        scope=asked.where.given() | ({} if asked.scope == CITY else {"inside": str(asked.scope)}),
        generated_at=asked.now,
        sections=sections,
        definitions=tuple((dict(source.definitions) | _COMMON).items()),
        chart=chart,
    )


async def _codes(connection: asyncpg.Connection, asked: Asked) -> Mapping[UUID, str]:
    """The code of each site inside the scope. NotFoundError if the site that is asked for is none of them."""
    rows = await sites.listed(connection, asked.scope, sites.SiteFilter(), first=EVERYTHING, after=None)
    codes = {row["site_id"]: row["code"] for row in rows}
    if asked.where.site is not None and asked.where.site_id not in codes:
        raise NotFoundError(f"there is no site {asked.where.site!r}, or none that you may see")
    return codes


def _ordered(buckets: Iterable[Bucket], codes: Mapping[UUID, str]) -> list[Bucket]:
    """By part and then time, those of no part last; a part that begins with the id of a site begins with its code."""
    named = [(period, part and _named(part, codes), figure) for period, part, figure in buckets]
    return sorted(named, key=lambda bucket: (bucket[1] is None, bucket[1] or "", bucket[0].start))


def _named(part: str, codes: Mapping[UUID, str]) -> str:
    try:
        return codes[UUID(part[:_UUID])] + part[_UUID:]
    except (ValueError, KeyError):
        return part


def _chart(source: Source, asked: Asked) -> Chart:
    drawn = next(measure for measure in source.parts if measure.key == source.drawn)
    over = " and ".join(str(each).lower() for each in (asked.by, asked.group) if each)
    return Chart(
        f"{drawn.term or drawn.key} by {over}",
        section="series",
        x="from" if asked.by else "part",
        y=drawn.key,
        series="part" if asked.by and asked.group else None,
    )


def apart(figure: _Figure, parts: _Parts, empty: object) -> _Buckets:
    """Buckets, each counted by a question of its own; a part that had nothing in a stretch of time is `empty`."""

    async def buckets(connection: asyncpg.Connection, asked: Asked, counted: Counted) -> list[Bucket]:
        questions = [replace(asked, period=period) for period in stretches(asked)]
        found: dict[Period, Mapping[str | None, Any]] = {}
        for done, each in enumerate(questions):
            counted(done / len(questions))
            if asked.group is None:
                found[each.period] = {None: await figure(connection, each)}
            else:
                found[each.period] = await parts(connection, each)
        return filled(found, empty)

    return buckets


def stretches(asked: Asked) -> list[Period]:
    """The period, cut by what is asked. InvalidError if that gives too many."""
    if asked.by is None:
        return [asked.period]
    found = list(islice(asked.period.buckets(asked.by), MOST_STRETCHES + 1))
    if len(found) > MOST_STRETCHES:
        raise InvalidError(
            f"{asked.period.days:,} days by {asked.by} are more than {MOST_STRETCHES:,} rows: "
            "ask for a shorter period or longer stretches"
        )
    return found


def filled(found: Mapping[Period, Mapping[str | None, Any]], empty: object) -> list[Bucket]:
    """A bucket for each part at each time: `empty` where there was nothing of it, so that lines in a chart have the same points."""
    parts = {part for by in found.values() for part in by}
    return [(period, part, by.get(part, empty)) for period, by in found.items() for part in parts]
