"""办结率 is what one counts by hand, on calendar days of Asia/Shanghai, and shows what it counted."""

from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from itertools import count

import pytest
from given import build_site
from histories import TO_CLOSURE, append, driven, everything, reported
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from wandering import wander

from domain.incident import Incident
from domain.people import CITY, Scope
from projections.closure import PROJECTION, ClosureRate, Cohort, closure_rate, lineage
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


def by_hand(entries, cohort):
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
            cohort.start <= in_shanghai <= cohort.end
            and cohort.scope.township in {None, event.township}
            and cohort.scope.site_id in {None, event.site_id}
            and cohort.township in {None, event.township}
            and cohort.site_id in {None, event.site_id}
            and cohort.category in {None, event.category}
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
    cohort = Cohort(
        start=min(days),
        end=max(days),
        scope=data.draw(st.sampled_from(scopes)),
        township=data.draw(st.sampled_from([None, None, *TOWNSHIPS])),
        site_id=data.draw(st.sampled_from([None, None, *(site.id for site in sites)])),
        category=data.draw(st.sampled_from([None, None, *CATEGORIES])),
    )
    expected = by_hand(await everything(log), cohort)
    closed = sum(position is not None for _, _, position in expected)
    async with pool.acquire() as connection:
        figure = await closure_rate(connection, cohort)
        pages = await paged(connection, cohort, data.draw(st.integers(1, 5)))
    assert figure == ClosureRate(len(expected), closed, await log.position())
    assert figure.open == len(expected) - closed
    assert figure.rate == (closed / len(expected) if expected else None)
    assert pages == expected


async def paged(connection, cohort, first):
    """The whole lineage, `first` rows at a time."""
    rows = []
    while page := await lineage(connection, cohort, first=first, after=rows[-1][1] if rows else 0):
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
            cohorts = [Cohort(start=day, end=day, category=f"case-{n}") for day in around]
            counted = [(await closure_rate(connection, cohort)).received for cohort in cohorts]
            assert counted == [0, 1, 0], at


async def test_an_incident_that_is_closed_after_the_period_is_closed_of_those_reported_in_it(log, pool, site):
    last_day = datetime(2018, 11, 30, 4, tzinfo=UTC)
    late = driven(reported(1, site, last_day), TO_CLOSURE, every=timedelta(days=20))
    await append(log, [late, reported(2, site, last_day)])
    await catch_up(PROJECTION, pool, log)
    async with pool.acquire() as connection:
        figure = await closure_rate(connection, Cohort(start=date(2018, 11, 1), end=date(2018, 11, 30)))
    assert (figure.received, figure.closed, figure.open) == (2, 1, 1)


async def test_nothing_reported_gives_no_rate_also_before_anything_was_ever_folded(pool):
    async with pool.acquire() as connection:
        figure = await closure_rate(connection, Cohort(start=date(2018, 1, 1), end=date(2018, 1, 31)))
    assert figure == ClosureRate(0, 0, 0)
    assert (figure.rate, figure.percent) == (None, None)


@pytest.mark.parametrize(
    ("closed", "received", "percent"),
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
def test_per_cent_has_two_places_and_rounds_a_half_up(closed, received, percent):
    assert str(ClosureRate(received, closed, 0).percent) == percent
    assert ClosureRate(received, closed, 0).rate == closed / received


def test_the_story_has_457_open():
    story = ClosureRate(351_129, 350_672, 0)
    assert (story.open, story.percent) == (457, Decimal("99.87"))
