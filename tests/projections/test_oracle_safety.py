"""Mediation, alarms, passes and households are counted as docs/figures.md defines them: compared with the plain oracle, and with known figures."""

from collections import Counter
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from fractions import Fraction
from itertools import count
from random import Random
from uuid import UUID, uuid5

import oracle
import pytest
from comparing import EXAMPLES, LATER, TOWNSHIPS, Torn, built, days, emptied, lives, periods, places
from given import order, person
from histories import a_pass, append, append_requests, everything
from hypothesis import given
from hypothesis import strategies as st
from tangles import DAYS, moment

from domain import commands
from domain.access import Decision
from domain.alarm import Alarm, AlarmState, FalseCause, Trigger
from domain.dispute import AgreementForm, Dispute, DisputeState, Objection, Route
from domain.errors import AnjuError
from domain.gatepass import RefusalGround, ReleaseGround
from domain.model import EVENTS
from domain.observation import NAMESPACE
from domain.people import Role
from domain.personal import Personal, of_subject
from domain.ports import Request
from domain.site import Site
from projections import alarms, at_position, disputes, gate_lineage, gate_traffic, mediation, safety
from projections.all import PROJECTIONS
from projections.period import Period, day_of, midnight, percent
from projections.question import Question
from projections.runner import catch_up

LIVES = 30
PARTIES = tuple(uuid5(NAMESPACE, name) for name in ("one", "two"))
INTAKE, LI = person(Role.INTAKE), person(Role.MEDIATOR, name="li")
PANEL, GUARD, REVIEWER = person(Role.DEVICE), person(Role.GUARD), person(Role.REVIEWER)
D, A = DisputeState, AlarmState


def about(subject):
    return Personal(of_subject(subject), "某事")


def agreement(dispute, at):
    terms = dict.fromkeys(("facts", "duties", "method", "place"), about(dispute.id))
    return {"agreed_by": PARTIES, "form": AgreementForm.ORAL, "perform_by": at + timedelta(days=9), **terms}


MEDIATING = {
    "accept": lambda *_: {},
    "decline": lambda *_: {"reason": "no rule"},
    "assign": lambda *_: {"mediator": "li", "room": "lao-li"},
    "recuse_mediator": lambda *_: {"objection": Objection.PARTIALITY, "party": PARTIES[0]},
    "hold_session": lambda *_: {},
    "withdraw": lambda *_: {"party": PARTIES[1]},
    "agree": agreement,
    "fail": lambda *_: {"reason": "no way"},
    "start_performance": lambda *_: {},
    "report_breach": lambda *_: {"party": PARTIES[0]},
    "fulfil": lambda *_: {},
    "refer": lambda *_: {"route": Route.LITIGATION},
}
"""What each command to a dispute takes."""
NEXT = {
    D.REGISTERED: (*6 * ("accept",), "decline", "withdraw"),
    D.ACCEPTED: (*4 * ("assign",), "withdraw"),
    D.ASSIGNED: (*4 * ("hold_session",), "recuse_mediator"),
    D.MEDIATING: (*3 * ("agree", "fail"), "hold_session", "recuse_mediator", "withdraw"),
    D.AGREED: ("start_performance",),
    D.PERFORMING: ("report_breach", "fulfil"),
    D.FAILED: ("refer",),
    A.TRIPPED: ("acknowledge",),
    A.ACKED: ("review",),
    A.REVIEWED: ("find_real", *2 * ("find_false",), "find_test"),
    A.REAL: ("go_normal", "restore"),
    A.FALSE: ("go_normal", "restore"),
    A.TEST: ("go_normal", "restore"),
}
"""What may come next, the likelier the more often it stands here."""
WATCHING = {
    "acknowledge": (GUARD, {}),
    "review": (REVIEWER, {}),
    "find_real": (REVIEWER, {"incident_id": UUID(int=9)}),
    "find_false": (REVIEWER, {"cause": FalseCause.PLANT}),
    "find_test": (REVIEWER, {}),
    "go_normal": (PANEL, {}),
    "restore": (GUARD, {}),
}
"""Who gives each command to an alarm, and what it takes."""


def dispute(number, at, **place):
    """A dispute whose parties consent."""
    found = Dispute.register(
        id=UUID(int=(1 << 70) + number),
        by=INTAKE,
        at=at,
        category="neighbours",
        description=about(UUID(int=(1 << 70) + number)),
        **place,
    )
    for party in PARTIES:
        found.add_party(by=INTAKE, at=at, party=party, details=about(party))
        found.give_consent(by=INTAKE, at=at, party=party)
    return found


def alarm(number, at, site):
    return Alarm.trip(
        id=UUID(int=(1 << 71) + number), site=site, by=PANEL, at=at, sensor="wall-3", trigger=Trigger.SENSOR
    )


def do(aggregate, name, at):
    """Give the command `name` to a dispute or an alarm."""
    if isinstance(aggregate, Alarm):
        by, fields = WATCHING[name]
        getattr(aggregate, name)(by=by, at=at, **fields)
    else:
        getattr(aggregate, name)(by=LI, at=at, **MEDIATING[name](aggregate, at))


def lived(seed, steps, number, sites):
    """A dispute or an alarm, after as many steps, whose clocks do not run back."""
    random = Random(seed)
    site = random.choice(sites)
    at = midnight(random.choice(DAYS)) + random.choice((-1, 0, 40_000_000_000)) * timedelta.resolution
    at = at.astimezone(UTC)
    place = random.choice(({"site": site}, {"township": site.township}))
    found = alarm(number, at, site) if random.random() < 0.5 else dispute(number, at, **place)
    for _ in range(steps):
        if found.state in NEXT:
            try:
                do(found, random.choice(NEXT[found.state]), max(moment(random, found), found.modified_on))
            except AnjuError:
                continue
    return found


@pytest.fixture
async def sites(log):
    return await built(log)


@pytest.fixture
def numbers():
    """The first number of each example."""
    return count(step=LIVES)


async def folded(pool, log, random, start):
    """The read models of what came after `start`, folded in pages of random size."""
    for projection in (disputes.PROJECTION, alarms.PROJECTION):
        await emptied(pool, projection, start)
        await catch_up(projection, pool, Torn(log, random))


@given(lives=lives(LIVES, 12), random=st.randoms(use_true_random=False), data=st.data())
@EXAMPLES
async def test_mediation_and_alarms_are_what_the_definitions_give(
    log, pool, sites, numbers, lives, random, data
):
    start, first = await log.position(), next(numbers)
    made = [lived(seed, steps, number, sites) for number, (seed, steps) in enumerate(lives, start=first)]
    await append(log, made, first_number=first)
    await folded(pool, log, random, start)
    entries = (await log.read(start, 1_000_000, frozenset(EVENTS))).entries
    questions = st.builds(
        lambda period, as_of, place: Question(period=period, as_of=as_of, now=LATER, **place),
        periods,
        st.one_of(st.none(), days),
        places(sites),
    )
    async with pool.acquire() as connection:
        for question in data.draw(st.lists(questions, min_size=4, max_size=8)):
            await same_mediation(connection, entries, question)
            await same_alarms(connection, entries, question)
            known, earlier = then(entries, question, data)
            reads = [disputes.PROJECTION, alarms.PROJECTION]
            async with at_position.then(connection, earlier.at_position, reads):
                await same_mediation(connection, known, earlier)
                await same_alarms(connection, known, earlier)


def then(entries, question, data):
    """The events up to some position, and the question as of there."""
    length = data.draw(st.integers(0, len(entries)))
    position = entries[0].position + length - 1
    return entries[:length], replace(question, as_of=None, at_position=position)


def passed(seed, number, sites):
    """A pass, and what a guard decided if the gate held somebody: soon, another day, at midnight, or by a clock that ran back."""
    random = Random(seed)
    at = midnight(random.choice(DAYS)) + random.choice((-1, 0, 40_000_000_000)) * timedelta.resolution
    gate = random.choice(("garage", "garage", "main"))
    found = a_pass(random.choice(sites), at.astimezone(UTC), number=number, gate=gate)
    if found.state is Decision.HELD and random.random() < 0.7:
        minutes = timedelta(minutes=random.choice((0, 3, 500, 1_440, 4_000, -700)))
        decided = random.choice((at + minutes, Period(day_of(at), day_of(at)).over)).astimezone(UTC)
        if random.random() < 0.5:
            found.release(by=GUARD, at=decided, ground=ReleaseGround.HOST_CONFIRMED)
        else:
            found.refuse(by=GUARD, at=decided, ground=RefusalGround.CLOSED)
    return found


@given(
    seeds=st.lists(st.integers(0, 2**32 - 1), min_size=1, max_size=LIVES),
    random=st.randoms(use_true_random=False),
    data=st.data(),
)
@EXAMPLES
async def test_passes_and_their_lineage_are_what_the_definitions_give(
    log, pool, sites, numbers, seeds, random, data
):
    start, first = await log.position(), next(numbers)
    made = [passed(seed, number, sites) for number, seed in enumerate(seeds, start=first)]
    await append_requests(log, scattered(random, made, first))
    await emptied(pool, gate_traffic.PROJECTION, start)
    await catch_up(gate_traffic.PROJECTION, pool, Torn(log, random))
    entries = (await log.read(start, 1_000_000, frozenset(EVENTS))).entries
    questions = st.builds(
        lambda period, as_of, place: Question(period=period, as_of=as_of, now=LATER, **place),
        periods,
        st.one_of(st.none(), days),
        places(sites),
    )
    async with pool.acquire() as connection:
        for question in data.draw(st.lists(questions, min_size=4, max_size=8)):
            await same_passes(connection, entries, question, size=random.randint(1, LIVES))
            known, earlier = then(entries, question, data)
            async with at_position.then(connection, earlier.at_position, [gate_traffic.PROJECTION]):
                await same_passes(connection, known, earlier, size=random.randint(1, LIVES))


def scattered(random, passes, first):
    """Who passed, and what guards decided somewhere later, between other passes: a request for each event."""
    events = [(random.random(), event) for one in passes for event in one.collect_events()]
    order = sorted(events, key=lambda placed: (placed[1].originator_version, placed[0]))
    return [
        Request(uuid5(NAMESPACE, f"{first} {number}"), [event], {}) for number, (_, event) in enumerate(order)
    ]


async def same_passes(connection, entries, question, size):
    expected = oracle.passes(entries, question)
    everybody = [fact.position for facts in expected.values() for fact, _ in facts]
    assert await gate_traffic.passes(connection, question) == len(everybody), question
    counted = Counter(
        (fact.event.site_id, fact.event.gate, decision)
        for decision, facts in expected.items()
        for fact, _ in facts
    )
    stretches = {tuple(row[:3]): row for row in await gate_traffic.totals(connection, question)}
    assert {key: row["passes"] for key, row in stretches.items()} == counted, question
    for decision in (None, *Decision):
        facts = expected.get(decision, [])
        wanted = everybody if decision is None else [last.position for _, last in facts]
        assert await listed(connection, question, decision, size) == sorted(wanted), (decision, question)
        for fact, last in facts:
            row = stretches[fact.event.site_id, fact.event.gate, decision]
            assert row["first_position"] <= last.position <= row["last_position"]


async def listed(connection, question, decision, size):
    """The positions of the whole lineage, `size` at a time."""
    found = []
    while page := await gate_lineage.lineage(
        connection, question, decision, first=size, after=found[-1] if found else 0
    ):
        found += [source.position for source in page]
    return found


async def same_mediation(connection, entries, question):
    expected = oracle.mediation(entries, question)
    accepted, agreed, failed = (len(expected[name]) for name in ("accepted", "agreed", "failed"))
    found = await mediation.mediation(connection, question)
    assert {name: getattr(found, name) for name in expected} == {
        name: len(facts) for name, facts in expected.items()
    }, question
    shares = oracle.rate(agreed, agreed + failed), oracle.rate(agreed, accepted)
    assert (found.success_of_handled, found.success_of_accepted) == tuple(map(as_float, shares))


async def same_alarms(connection, entries, question):
    expected = oracle.alarms(entries, question)
    found = await alarms.alarm_figures(connection, question)
    for name in ("tripped", "real", "false", "test"):
        assert getattr(found, name) == len(expected[name]), (name, question)
    real, false = len(expected["real"]), len(expected["false"])
    assert found.false_rate == as_float(oracle.rate(false, real + false))
    for share, shown in (
        (Fraction(1, 2), found.median_seconds_to_acknowledge),
        (Fraction(9, 10), found.p90_seconds_to_acknowledge),
    ):
        value = oracle.percentile(expected["seconds"], share)
        assert shown == (None if value is None else pytest.approx(float(value), rel=1e-12)), question


def as_float(share):
    return None if share is None else float(share)


async def counted(log, sites, random):
    """Count the households of the sites, some of them late, and some days twice."""
    for _ in range(40):
        at = datetime.combine(random.choice(DAYS), time(15, 59, 59), UTC)
        await commands.act(
            log,
            order(Role.ADMIN, at=at),
            Site,
            Site.count_households,
            random.choice(sites).id,
            households=random.randrange(1, 3000),
            counts_from=day_of(at) - timedelta(days=random.randrange(60)),
        )


async def test_households_are_those_last_counted_by_the_middle_of_the_period(log, pool, sites):
    random = Random(7)
    await counted(log, sites, random)
    for projection in PROJECTIONS.values():
        await catch_up(projection, pool, log)
    entries = await everything(log)
    async with pool.acquire() as connection:
        for _ in range(200):
            start = date(2019, 11, 1) + timedelta(days=random.randrange(150))
            question = Question(
                period=Period(start, start + timedelta(days=random.randrange(70))),
                now=LATER,
                site_id=random.choice([None, *(site.id for site in sites)]),
                township=random.choice([None, *TOWNSHIPS]),
                as_of=random.choice([None, start + timedelta(days=random.randrange(-5, 80))]),
            )
            if question.as_of is None:
                known = entries[: random.randrange(1, len(entries))]
                earlier = replace(question, at_position=known[-1].position)
                async with at_position.then(connection, earlier.at_position):
                    found = await safety.safety(connection, earlier)
                assert found.households == (oracle.households(known, earlier) or None), earlier
            found = await safety.safety(connection, question)
            expected = oracle.households(entries, question)
            assert found.households == (expected or None), question
            days = question.period.days
            for annualised in (False, True):
                wanted = oracle.per_thousand(9, expected, days if annualised else None)
                shown = safety.per_thousand(9, found.households, days, annualised)
                assert shown == (None if wanted is None else pytest.approx(float(wanted), rel=1e-12))


async def test_of_1768_accepted_1717_are_handled_and_1696_agreed(log, pool):
    at = datetime(2018, 3, 5, 1, tzinfo=UTC)
    made = [dispute(number, at, township="yuhai") for number in range(1_768)]
    for number, one in enumerate(made):
        for name in ("accept", "assign", "hold_session"):
            do(one, name, at)
        if number < 1_717:
            do(one, "agree" if number < 1_696 else "fail", at)
    await append(log, made)
    await catch_up(disputes.PROJECTION, pool, log)
    year = Period(date(2018, 1, 1), date(2018, 12, 31))
    async with pool.acquire() as connection:
        found = await mediation.mediation(connection, Question(period=year, now=LATER))
    assert (found.accepted, found.handled, found.agreed) == (1_768, 1_717, 1_696)
    assert percent(found.agreed, found.handled) == Decimal("98.78")
    assert percent(found.agreed, found.accepted) == Decimal("95.93")
