"""The SQL counts what the definitions of docs/figures.md count: compared with the plain oracle over random histories, and with known figures."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import count
from uuid import UUID

import oracle
import pytest
from comparing import EXAMPLES, LATER, Torn, built, days, emptied, lives, mostly, periods, places
from given import person
from histories import TO_CLOSURE, append, append_requests, driven, reported, step
from hypothesis import given
from hypothesis import strategies as st
from tangles import CATEGORIES, tangled
from wandering import UNITS

from domain.mechanisms import JointMechanism
from domain.model import EVENTS
from domain.people import Role
from domain.ports import Request
from projections import at_position, closure_figures, runner
from projections.closure import PROJECTION
from projections.closure_figures import Basis, Group, Question
from projections.period import Grain, Period, change, midnight, percent
from projections.runner import catch_up

LIVES = 40
COUNTS = (
    "received",
    "rejected",
    "merged",
    "cohort_closed",
    "opening",
    "closings",
    "reopened",
    "closed",
    "on_time",
    "late",
    "overdue",
    "dispatches",
    "returned",
    "extended",
    "verifications",
    "failed",
    "ratings",
    "satisfied",
    "closings_reopened",
)
OF_CLOSINGS = {
    "closings",
    "closed",
    "on_time",
    "late",
    "ratings",
    "satisfied",
    "closings_reopened",
    "cohort_closed",
}


@st.composite
def questions(draw, sites, moments):
    """A question about anything; `now` is often exactly when something was done or due."""
    return Question(
        period=draw(periods),
        now=draw(st.one_of(st.just(LATER), st.sampled_from(moments))),
        **draw(places(sites)),
        category=draw(mostly(st.sampled_from(CATEGORIES))),
        unit=draw(mostly(st.sampled_from(UNITS))),
        mechanism=draw(mostly(st.sampled_from(JointMechanism))),
        as_of=draw(st.one_of(st.none(), days)),
    )


@pytest.fixture
async def sites(log):
    return await built(log)


@pytest.fixture
def numbers():
    """The first number of an incident of each example."""
    return count(step=LIVES)


def moments_of(told):
    """When anything was done, or due."""
    facts = [fact for history in told for fact in history]
    due = [deadline.due_at for fact in facts for deadline in getattr(fact.event, "deadlines", ())]
    return sorted({fact.at for fact in facts} | set(due))


async def folded(log, pool, monkeypatch, requests, random, data):
    """Append, and fold just that, in batches of some size; what was appended."""
    start = await log.position()
    await emptied(pool, PROJECTION, start)
    await append_requests(log, requests)
    monkeypatch.setattr(runner, "BATCH", data.draw(st.sampled_from([3, 40, 2000])))
    await catch_up(PROJECTION, pool, Torn(log, random))
    return (await log.read(start, 1_000_000, frozenset(EVENTS))).entries


@given(lives=lives(LIVES, 45), random=st.randoms(use_true_random=False), data=st.data())
@EXAMPLES
async def test_every_figure_of_every_question_is_the_one_that_the_definitions_give(
    log, pool, sites, numbers, monkeypatch, lives, random, data
):
    entries = await folded(log, pool, monkeypatch, tangled(sites, lives, next(numbers)), random, data)
    told = oracle.histories(entries, oracle.Incident.Event)
    moments = moments_of(told)
    async with pool.acquire() as connection:
        for question in data.draw(st.lists(questions(sites, moments), min_size=4, max_size=8)):
            await same_figures(connection, told, question, entries[-1].position)
            await same_lineage(connection, told, question, data.draw(st.sampled_from(COUNTS)))
            await same_times(connection, told, question, data.draw(st.sampled_from([0, 1, 7, 30])))
        question = data.draw(questions(sites, moments))
        group = data.draw(st.sampled_from([None, *Group]))
        await same_series(connection, told, question, data.draw(st.sampled_from(Grain)), group, random)


@given(lives=lives(LIVES, 45), random=st.randoms(use_true_random=False), data=st.data())
@EXAMPLES
async def test_at_any_position_every_figure_is_the_one_that_the_events_up_to_there_give(
    log, pool, sites, numbers, monkeypatch, lives, random, data
):
    entries = await folded(log, pool, monkeypatch, tangled(sites, lives, next(numbers)), random, data)
    moments = moments_of(oracle.histories(entries, oracle.Incident.Event))
    async with pool.acquire() as connection:
        for length in data.draw(st.lists(st.integers(0, len(entries)), min_size=2, max_size=4)):
            position = entries[0].position + length - 1
            known = oracle.histories(entries[:length], oracle.Incident.Event)
            question = replace(data.draw(questions(sites, moments)), as_of=None, at_position=position)
            grain, group = (
                data.draw(st.sampled_from(Grain)),
                data.draw(st.sampled_from([None, *Group])),
            )
            async with at_position.then(connection, position, [PROJECTION]):
                await same_figures(connection, known, question, position)
                for name in data.draw(st.lists(st.sampled_from(COUNTS), min_size=2, max_size=4)):
                    await same_lineage(connection, known, question, name)
                await same_times(connection, known, question, data.draw(st.sampled_from([0, 1, 7, 30])))
                await same_series(connection, known, question, grain, group, random)
            await same_figures(
                connection,
                oracle.histories(entries, oracle.Incident.Event),
                replace(question, at_position=None),
                entries[-1].position,
            )


def numbers_of(counted):
    return {name: len(counted[name]) for name in COUNTS}


def figures_of(found):
    return {name: getattr(found, name) for name in COUNTS}


async def same_figures(connection, told, question, position):
    expected = numbers_of(oracle.counts(told, question))
    found = await closure_figures.closure(connection, question)
    assert figures_of(found) == expected, question
    assert (found.backlog, found.position) == (len(oracle.still_open(told, question)), position)
    rates = {basis: found.rate(Basis(basis)) for basis in ("COHORT", "FLOW", "DUE")} | {
        name: getattr(found, f"{name}_rate")
        for name in ("on_time", "return", "rework", "extension", "satisfaction", "response", "reopen")
    }
    wanted = {name: rate if rate is None else float(rate) for name, rate in oracle.rates(expected).items()}
    assert rates == wanted, question


async def same_lineage(connection, told, question, name):
    """A row for each fact that was counted, in the order of the reports, whatever the size of the pages."""
    reports = {history[0].event.originator_id: history[0].position for history in told}
    facts = oracle.counts(told, question)[name]
    expected = sorted((reports[fact.event.originator_id], fact.event.originator_id) for fact in facts)
    rows = await paged(connection, question, name, 7)
    assert [(row["reported_position"], row["incident_id"]) for row in rows] == expected, (name, question)
    if name in OF_CLOSINGS:
        assert sorted(row["closing_position"] for row in rows) == sorted(fact.position for fact in facts)


async def paged(connection, question, name, first):
    """The whole lineage, about `first` rows at a time."""
    rows, after = [], 0
    while page := await closure_figures.lineage(connection, question, name, first=first, after=after):
        rows += page
        after = page[-1]["reported_position"]
    return rows


async def same_times(connection, told, question, within):
    expected, parked = oracle.times(told, question)
    found = await closure_figures.times(connection, question)
    for name, spans in expected.items():
        number, *hours = oracle.spread(spans)
        spread = getattr(found, name)
        shown = [spread.median, spread.p90, spread.working_median, spread.working_p90]
        assert spread.count == number, (name, question)
        assert shown == [hour if hour is None else exactly(hour) for hour in hours], (name, question)
    assert found.parked_hours == exactly(parked / oracle.HOUR)
    again = oracle.repeats(told, question, within)
    assert await closure_figures.repeats(connection, question, within) == len(again), (within, question)


def exactly(value):
    """A float of as many digits as arithmetic with floats keeps."""
    return pytest.approx(float(value), rel=1e-12)


async def same_series(connection, told, question, grain, group, random):
    """A bucket is the answer to the question for its period and its group; what has no bucket has nothing to count."""
    buckets = await closure_figures.series(connection, question, grain, group)
    found = {(bucket.period, bucket.value): figures_of(bucket.closure) for bucket in buckets}
    part = oracle.PARTS[group] if group else None
    values = oracle.groups(told, question, group) if group else {None}
    assert {value for _, value in found} <= {value and str(value) for value in values}
    periods_of_it = list(question.period.buckets(grain))
    for period in random.sample(periods_of_it, min(len(periods_of_it), 5)):
        for value in values:
            if part and (value is None or getattr(question, part) not in {None, value}):
                continue
            asked = replace(question, period=period, **({part: value} if part else {}))
            expected = numbers_of(oracle.counts(told, asked))
            assert found.get((period, value and str(value)), dict.fromkeys(COUNTS, 0)) == expected, asked


# Figures that are known from practice

YEAR = Period(date(2018, 1, 1), date(2018, 12, 31))
MONDAY = datetime(2018, 3, 5, 1, tzinfo=UTC)


async def in_bulk(log, incidents):
    """Append the events of many incidents, in a few large requests."""
    events = [event for incident in incidents for event in incident.collect_events()]
    parts = range(0, len(events), 2000)
    await append_requests(
        log, [Request(UUID(int=start), events[start : start + 2000], {}) for start in parts]
    )


async def asked(pool, log, **fields):
    """The figures of the year, or of what `fields` say."""
    await catch_up(PROJECTION, pool, log)
    async with pool.acquire() as connection:
        return await closure_figures.closure(connection, Question(**{"period": YEAR, "now": LATER} | fields))


def closed_on_the_spot(incident):
    incident.accept(by=person(Role.INTAKE), at=MONDAY)
    incident.close_on_the_spot(by=person(Role.GRID_WORKER), at=MONDAY, photo_sha256="0" * 64, note="done")
    return incident


async def test_of_972_due_911_are_closed_and_737_on_time(log, pool, site):
    in_time = [driven(reported(n, site, MONDAY), TO_CLOSURE) for n in range(737)]
    late = [driven(reported(n, site, MONDAY), TO_CLOSURE, every=timedelta(days=20)) for n in range(737, 911)]
    overdue = [driven(reported(n, site, MONDAY), 2) for n in range(911, 972)]
    await in_bulk(log, [*in_time, *late, *overdue])
    figure = await asked(pool, log)
    due = figure.closed + figure.overdue
    assert (figure.closed, figure.on_time, figure.late, due) == (911, 737, 174, 972)
    assert (percent(figure.closed, due), percent(figure.on_time, due)) == (Decimal("93.72"), Decimal("75.82"))
    assert (figure.rate(Basis.DUE), figure.on_time_rate) == (911 / 972, 737 / 972)


async def test_of_14577_received_2159_are_open(log, pool, site):
    incidents = [reported(n, site, MONDAY) for n in range(14_577)]
    for incident in incidents[2_159:]:
        closed_on_the_spot(incident)
    await in_bulk(log, incidents)
    figure = await asked(pool, log)
    assert (figure.received, figure.backlog) == (14_577, 2_159)
    assert percent(figure.cohort_closed, figure.received) == Decimal("85.19")
    assert figure.rate(Basis.COHORT) == (14_577 - 2_159) / 14_577


async def test_what_was_open_when_the_year_began_is_in_the_base_of_its_flow(log, pool, site):
    before = midnight(YEAR.start) - timedelta.resolution
    old = [reported(n, site, before) for n in range(4_629)]
    new = [reported(n, site, midnight(YEAR.start)) for n in range(4_629, 4_629 + 78_589)]
    for incident in (old[0], new[0], new[1]):
        closed_on_the_spot(incident)
    await in_bulk(log, [*old, *new])
    figure = await asked(pool, log)
    assert (figure.opening, figure.received, figure.backlog) == (4_629, 78_589, 83_218 - 3)
    assert figure.rate(Basis.FLOW) == 3 / 83_218


async def test_from_47_to_1_is_97_9_per_cent_less_and_from_0_is_no_figure(log, pool, site):
    cases = [reported(n, site, datetime(2016, 5, 1, tzinfo=UTC), category="criminal-case") for n in range(47)]
    others = [reported(n, site, datetime(2015, 5, 1, tzinfo=UTC)) for n in range(47, 60)]
    last = reported(60, site, datetime(2017, 5, 1, tzinfo=UTC), category="criminal-case")
    await append(log, [*cases, *others, last])
    years = [
        await asked(pool, log, period=Period(date(year, 1, 1), date(year, 12, 31)), category="criminal-case")
        for year in (2015, 2016, 2017)
    ]
    none, many, one = (figure.received for figure in years)
    assert (none, many, one) == (0, 47, 1)
    assert round(Decimal(change(one, many) * 100), 1) == Decimal("-97.9")
    assert change(many, none) is None
    assert [years[0].rate(basis) for basis in Basis] == [None, None, None]


async def test_what_was_due_before_it_was_dispatched_is_overdue_at_that_very_moment(log, pool, site):
    incident = driven(reported(1, site, MONDAY), 1)
    step(incident, MONDAY - timedelta(days=60))  # a clock that runs back: it counts when it was accepted
    dispatched = incident.created_on + timedelta(hours=1)
    await append(log, [incident])
    overdue = [
        (await asked(pool, log, now=dispatched + shift)).overdue for shift in (-oracle.HOUR, 0 * oracle.HOUR)
    ]
    assert overdue == [0, 1]
    async with pool.acquire() as connection:
        question = Question(period=YEAR, now=dispatched)
        assert len(await paged(connection, question, "overdue", 1)) == 1
