"""Figures of closure over a generated year, in milliseconds, beside counting them again from the incident table and from the events."""

import tempfile
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from random import Random
from uuid import UUID

import asyncpg
import uvloop
from common import BY, migrated, opened
from harness import Row, arguments, compare, show

from adapters.database import create_pool
from domain.deadlines import Clock, Limit, Limits
from domain.incident import Incident, Source
from domain.people import Person, Role
from domain.ports import Request
from domain.site import Site
from projections import closure_figures, incidents
from projections.closure import PROJECTION
from projections.closure_figures import Group, Question
from projections.period import Grain, Period, midnight
from projections.runner import catch_up

YEAR = Period(date(2018, 1, 1), date(2018, 12, 31))
NOW = datetime(2019, 2, 1, tzinfo=UTC)
AS_OF = date(2018, 7, 14)
STAFF = Person("staff", frozenset(Role), units=frozenset({"water"}))
JUDGE = Person("judge", frozenset(Role))
LIMITS = Limits("bench", tuple(Limit(step, Clock.WALL, days=3) for step in ("sign", "handle", "verify")))
AT_ONCE = 500
SITES = [
    Site.plan(code=f"s{n}", name="x", township=f"t{n % 20}", by=BY, at=NOW - timedelta(days=999))
    for n in range(300)
]

FROM_INCIDENTS = """
select count(*) as received, count(closed_at) as closed
  from incidents
 where reported_at >= $1 and reported_at < $2 and state not in ('REJECTED', 'MERGED')
"""
SERIES_FROM_INCIDENTS = """
select date_trunc('month', reported_at at time zone 'Asia/Shanghai') as month, township, count(*) as received, count(closed_at) as closed
  from incidents
 where reported_at >= $1 and reported_at < $2 and state not in ('REJECTED', 'MERGED')
 group by 1, 2
"""
FROM_EVENTS = """
with said as (
    select originator_id, originator_version, topic, (convert_from(state, 'UTF8')::jsonb ->> 'timestamp')::timestamptz as at
      from events
     where category = 'incident'
       and topic in ('incident.reported', 'incident.rejected', 'incident.merged', 'incident.unmerged', 'incident.closed',
                     'incident.closed_on_the_spot', 'incident.reopened')
), latest as (
    select distinct on (originator_id) originator_id, topic, min(at) over (partition by originator_id) as reported_at
      from said where at < $3
     order by originator_id, originator_version desc
)
select count(*) as received, count(*) filter (where topic like 'incident.closed%') as closed
  from latest
 where reported_at >= $1 and reported_at < $2 and topic not in ('incident.rejected', 'incident.merged')
"""


def incident(random: Random, number: int, among: int) -> Incident:
    """One in ten is late, one in fifty reopened, one in eight hundred still open."""
    at = midnight(YEAR.start) + timedelta(days=365) * number / among
    one = Incident.report(
        id=UUID(int=number + 1), site=random.choice(SITES), by=STAFF, at=at, source=Source.CITIZEN,
        category=f"category-{random.randrange(12)}", description="夜间施工噪声",
    )  # fmt: skip
    one.accept(by=STAFF, at=at)
    one.dispatch(by=STAFF, at=at, lead_unit="water", limits=LIMITS)
    one.sign(by=STAFF, at=at)
    one.start_handling(by=STAFF, at=at)
    if random.randrange(800):
        done = at + timedelta(days=4 if not random.randrange(10) else 1, minutes=random.randrange(1000))
        one.give_feedback(by=STAFF, at=done, result="done", limits=LIMITS)
        one.verify(by=JUDGE, at=done + timedelta(hours=3), passed=True, note="seen", limits=LIMITS)
        if not random.randrange(50):
            one.reopen(by=JUDGE, at=done + timedelta(days=2), reason="again")
            one.close_on_the_spot(by=STAFF, at=done + timedelta(days=3), photo_sha256="a" * 64, note="done")
    return one


async def fill(url: str, count: int, keys: Path) -> None:
    """The log and both read models, as they are in service."""
    random = Random(1)
    async with opened(url, keys) as log, create_pool(url) as pool:
        for start in range(0, count, AT_ONCE):
            made = (incident(random, n, count) for n in range(start, min(start + AT_ONCE, count)))
            for result in await log.append_all([Request(one.id, one.collect_events(), {}) for one in made]):
                assert not isinstance(result, Exception), result
        for projection in (PROJECTION, incidents.PROJECTION):
            began, events = time.perf_counter(), await log.position()
            await catch_up(projection, pool, log)
            rate = events / (time.perf_counter() - began)
            print(f"{projection.name}: {events:,} events folded, {rate:,.0f} a second")
        await pool.execute("vacuum analyze")


def timed(work: Callable[[], Awaitable[object]]) -> Callable[[], Awaitable[float]]:
    """Milliseconds of one run."""

    async def run() -> float:
        began = time.perf_counter()
        await work()
        return (time.perf_counter() - began) * 1000

    return run


async def main(count: int) -> list[Row]:
    with tempfile.TemporaryDirectory() as folder:
        async with migrated() as server:
            await fill(server.url, count, Path(folder) / "keys")
            connection = await asyncpg.connect(server.url)
            rows = await measured(connection, f"{count:,} incidents, ms")
            await connection.close()
            return rows


async def measured(connection: asyncpg.Connection, what: str) -> list[Row]:
    question = Question(period=YEAR, now=NOW)
    as_of = Question(period=YEAR, now=NOW, as_of=AS_OF)
    bounds = midnight(YEAR.start), YEAR.over
    until = as_of.until
    for one, (sql, *values) in (
        (question, (FROM_INCIDENTS, *bounds)),
        (as_of, (FROM_EVENTS, *bounds, until)),
    ):
        figure, counted = (
            await closure_figures.closure(connection, one),
            await connection.fetchrow(sql, *values),
        )
        assert (figure.received, figure.cohort_closed) == tuple(counted), (figure, counted)
    return [
        await compare(
            f"closureRate of a year of {what}; peer: from the incident table",
            timed(lambda: closure_figures.closure(connection, question)),
            timed(lambda: connection.fetchrow(FROM_INCIDENTS, *bounds)),
            at_most=1 / 20,
        ),
        await compare(
            f"closureSeries by township and month of {what}; peer: from the incident table",
            timed(lambda: closure_figures.series(connection, question, Grain.MONTH, Group.TOWNSHIP)),
            timed(lambda: connection.fetch(SERIES_FROM_INCIDENTS, *bounds)),
            at_most=1 / 10,
        ),
        await compare(
            f"closureRate as of a day of {what}; peer: from the events",
            timed(lambda: closure_figures.closure(connection, as_of)),
            timed(lambda: connection.fetchrow(FROM_EVENTS, *bounds, until)),
            at_most=1 / 20,
        ),
    ]


if __name__ == "__main__":
    given = arguments(__doc__, incidents=351_129)
    show(uvloop.run(main(given.incidents)), as_json=given.json)
