"""The rows of closures are the same whatever the batches were, and 办结率 is what one counts by hand on days of Asia/Shanghai."""

from datetime import UTC, date, datetime, timedelta, timezone
from itertools import count
from random import Random

import pytest
from given import NOW, build_site, person
from histories import TO_CLOSURE, append, append_requests, driven, everything, interleaved, reported
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from wandering import wander

from domain.incident import Incident
from domain.people import CITY, Role, Scope
from domain.ports import Entry
from projections.closure import PROJECTION, fold
from projections.closure_figures import Basis, Question, closure, lineage
from projections.period import Period, percent
from projections.runner import catch_up

DAYS = [
    date(2017, 12, 31), date(2018, 1, 1), date(2018, 11, 30), date(2018, 12, 1), date(2019, 2, 28), date(2019, 3, 1),
    date(2020, 2, 28), date(2020, 2, 29), date(2020, 3, 1), date(2020, 12, 31), date(2021, 1, 1),
]  # fmt: skip
CATEGORIES = ["noise", "theft"]
TOWNSHIPS = ["yuhai", "tangxia"]
SECOND = timedelta(seconds=1)

moments = st.builds(
    lambda day, shift, offset: (datetime(day.year, day.month, day.day, 16, tzinfo=UTC) + shift).astimezone(
        timezone(timedelta(minutes=offset))
    ),
    day=st.sampled_from(DAYS),
    shift=st.sampled_from([-SECOND, -SECOND / 1_000_000, 0 * SECOND, SECOND, timedelta(hours=7)]),
    offset=st.sampled_from([0, 480, -300, 345]),
)
histories = st.lists(
    st.tuples(
        st.integers(0, 2),
        st.sampled_from(CATEGORIES),
        moments,
        st.sampled_from([0, 3, TO_CLOSURE, TO_CLOSURE]),
    ),
    max_size=12,
)


def by_hand(entries, question):
    """(reported, closed, the positions of both) of the cohort, counted over the events."""
    closed, left = {}, set()
    for entry in entries:
        event = entry.event
        if isinstance(event, Incident.Closed | Incident.ClosedOnTheSpot):
            closed[event.originator_id] = entry.position
        elif isinstance(event, Incident.Reopened):
            del closed[event.originator_id]
        elif isinstance(event, Incident.Rejected | Incident.Merged):
            left.add(event.originator_id)
        elif isinstance(event, Incident.Unmerged):
            left.remove(event.originator_id)
    found = []
    for entry in entries:
        event = entry.event
        if not isinstance(event, Incident.Reported) or event.originator_id in left:
            continue
        in_shanghai = (event.timestamp.astimezone(UTC) + timedelta(hours=8)).date()
        if (
            question.period.start <= in_shanghai <= question.period.end
            and question.scope.township in {None, event.township}
            and question.scope.site_id in {None, event.site_id}
            and question.township in {None, event.township}
            and question.site_id in {None, event.site_id}
            and question.category in {None, event.category}
        ):
            found.append((event.originator_id, entry.position, closed.get(event.originator_id)))
    return found


@pytest.fixture
async def sites(log):
    return [
        await build_site(log, "runjinyuan", "yuhai"),
        await build_site(log, "gaoqiao", "yuhai"),
        await build_site(log, "shaozhai", "tangxia"),
    ]


@pytest.fixture
def numbers():
    return count()


@given(histories=histories, days=st.tuples(st.sampled_from(DAYS), st.sampled_from(DAYS)), data=st.data())
@hypothesis_settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
async def test_the_figure_and_its_lineage_are_those_counted_by_hand(
    log, pool, sites, numbers, histories, days, data
):
    made = [
        driven(reported(next(numbers), sites[where], at, category=category), steps)
        for where, category, at, steps in histories
    ]
    random = data.draw(st.randoms(use_true_random=False))
    for _ in range(len(made) * 3 if len(made) > 1 else 0):
        one = random.choice(made)
        wander(random, one, one.modified_on, [other for other in made if other is not one])
    await append(log, made, first_number=next(numbers) * 1000)
    await catch_up(PROJECTION, pool, log)
    scopes = [CITY, CITY, *map(Scope, TOWNSHIPS), *(Scope(site_id=site.id) for site in sites)]
    scopes.append(Scope("tangxia", sites[0].id))
    question = Question(
        period=Period(min(days), max(days)),
        now=NOW,
        scope=data.draw(st.sampled_from(scopes)),
        township=data.draw(st.sampled_from([None, None, *TOWNSHIPS])),
        site_id=data.draw(st.sampled_from([None, None, *(site.id for site in sites)])),
        category=data.draw(st.sampled_from([None, None, *CATEGORIES])),
    )
    expected = by_hand(await everything(log), question)
    closed = sum(position is not None for _, _, position in expected)
    async with pool.acquire() as connection:
        figure = await closure(connection, question)
        pages = await paged(connection, question, data.draw(st.integers(1, 5)))
    assert (figure.received, figure.cohort_closed) == (len(expected), closed)
    assert figure.position == await log.position()
    assert figure.rate(Basis.COHORT) == (closed / len(expected) if expected else None)
    assert pages == expected


async def paged(connection, question, first):
    """The whole lineage, `first` rows at a time."""
    rows = []
    while page := await lineage(
        connection, question, "received", first=first, after=rows[-1][1] if rows else 0
    ):
        assert len(page) <= first
        rows += [tuple(row) for row in page]
    return rows


MIDNIGHTS = [
    ("2020-02-28T15:59:59Z", date(2020, 2, 28)),
    ("2020-02-28T16:00:00Z", date(2020, 2, 29)),
    ("2020-02-29T15:59:59.999999Z", date(2020, 2, 29)),
    ("2020-02-29T16:00:00Z", date(2020, 3, 1)),
    ("2019-02-28T16:00:00Z", date(2019, 3, 1)),
    ("2018-11-30T15:59:59Z", date(2018, 11, 30)),
    ("2018-11-30T16:00:00Z", date(2018, 12, 1)),
    ("2018-12-31T11:00:00-05:00", date(2019, 1, 1)),
]


async def test_an_incident_counts_on_the_day_it_was_reported_in_shanghai(log, pool, site):
    moments = [datetime.fromisoformat(at) for at, _ in MIDNIGHTS]
    await append(log, [reported(n, site, at, category=f"case-{n}") for n, at in enumerate(moments)])
    await catch_up(PROJECTION, pool, log)
    async with pool.acquire() as connection:
        for n, (at, expected) in enumerate(MIDNIGHTS):
            around = [expected + timedelta(days=shift) for shift in (-1, 0, 1)]
            questions = [Question(period=Period(day, day), now=NOW, category=f"case-{n}") for day in around]
            counted = [(await closure(connection, question)).received for question in questions]
            assert counted == [0, 1, 0], at


async def test_an_incident_that_is_closed_after_the_period_is_closed_of_those_reported_in_it(log, pool, site):
    last_day = datetime(2018, 11, 30, 4, tzinfo=UTC)
    late = driven(reported(1, site, last_day), TO_CLOSURE, every=timedelta(days=20))
    await append(log, [late, reported(2, site, last_day)])
    await catch_up(PROJECTION, pool, log)
    async with pool.acquire() as connection:
        november = Period(date(2018, 11, 1), date(2018, 11, 30))
        figure = await closure(connection, Question(period=november, now=NOW))
    assert (figure.received, figure.cohort_closed, figure.closed, figure.backlog) == (2, 1, 0, 2)


async def test_nothing_reported_gives_no_rate_also_before_anything_was_ever_folded(pool):
    async with pool.acquire() as connection:
        january = Period(date(2018, 1, 1), date(2018, 1, 31))
        figure = await closure(connection, Question(period=january, now=NOW))
    assert (figure.received, figure.position, figure.rate(Basis.COHORT)) == (0, 0, None)


@pytest.mark.parametrize(
    ("closed", "received", "expected"),
    [
        (350_672, 351_129, "99.87"),
        (767, 768, "99.87"),
        (1, 800, "0.13"),  # 0.125: to even it would be 0.12
        (3, 800, "0.38"),
        (1, 3, "33.33"),
        (2, 3, "66.67"),
        (0, 7, "0.00"),
        (7, 7, "100.00"),
        (19_999, 20_000, "100.00"),  # 99.995
    ],
)
def test_per_cent_has_two_places_and_rounds_a_half_up(closed, received, expected):
    assert str(percent(closed, received)) == expected


TABLES = PROJECTION.tables


async def rows(connection):
    return {
        table: [row[0] for row in await connection.fetch(f"select t::text from {table} t order by 1")]
        for table in TABLES
    }


async def test_the_rows_are_the_same_whatever_the_batches_were(log, pool, site):
    await append_requests(log, interleaved(Random(7), site, 40))
    entries = [entry for entry in await everything(log) if type(entry.event).TOPIC in PROJECTION.topics]
    found = []
    async with pool.acquire() as connection:
        for size in (len(entries), 1, 7, 100):
            for table in TABLES:
                await connection.execute(f"delete from {table}")
            for start in range(0, len(entries), size):
                await fold(connection, entries[start : start + size])
            found.append(await rows(connection))
    assert found[1:] == found[:1] * 3
    assert all(found[0][table] for table in TABLES)


async def test_a_day_on_which_nothing_is_left_has_no_row(pool, site):
    incident = reported(1, site, NOW)
    incident.accept(by=person(Role.INTAKE), at=NOW)
    incident.dispatch(by=person(Role.DISPATCHER), at=NOW, lead_unit="water")
    entries = [Entry(n, NOW, event, {}) for n, event in enumerate(incident.collect_events(), 1)]
    days = "select distinct day from closure_days where dimension = 'ALL' order by day"
    async with pool.acquire() as connection:
        await fold(connection, entries)
        assert len(await connection.fetch(days)) == 2  # that of the report, and that on which it is overdue
        incident.request_return(by=person(Role.UNIT_HANDLER, units=("water",)), at=NOW, reason="not ours")
        incident.decide_return(by=person(Role.SUPERVISOR), at=NOW, granted=True, reason="right")
        later = [Entry(n, NOW, event, {}) for n, event in enumerate(incident.collect_events(), 4)]
        await fold(connection, later)
        assert len(await connection.fetch(days)) == 1
