"""Passes are counted for each gate, decision and hour or day of Asia/Shanghai, whenever they arrive and however they wrote the time."""

from collections import Counter
from datetime import UTC, datetime, timedelta, timezone
from random import Random
from zoneinfo import ZoneInfo

import pytest
from given import NOW, build_site, person
from histories import a_pass, append, append_requests, everything, request

from domain.access import Decision
from domain.errors import CorruptError
from domain.gatepass import GatePass, RefusalGround, ReleaseGround
from domain.people import Role, Scope
from projections.gate_traffic import PROJECTION, passes, totals, traffic
from projections.period import Period
from projections.question import Question
from projections.runner import catch_up

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
SHANGHAI = ZoneInfo("Asia/Shanghai")
MIDNIGHT = datetime(2020, 2, 28, 16, tzinfo=UTC)  # in Shanghai the leap day begins


def by_hand(entries, site, start, end, unit, until=None):
    """The rows of the figure, counted pass by pass, each under what was decided last, before `until`."""
    entries = [entry for entry in entries if until is None or entry.event.timestamp < until]
    decided = {
        entry.event.originator_id: entry.event.TO or entry.event.decision
        for entry in entries
        if isinstance(entry.event, GatePass.Event)
    }
    counted = Counter()
    for entry in entries:
        event = entry.event
        if isinstance(event, GatePass.Passed) and event.site_id == site.id:
            local = event.timestamp.astimezone(SHANGHAI).replace(minute=0, second=0, microsecond=0)
            if start <= local < end:
                begun = local if unit == "hour" else local.replace(hour=0)
                counted[begun, event.gate, str(decided[event.originator_id])] += 1
    return sorted((*key, passes) for key, passes in counted.items())


async def counted(pool, site, start, end, unit, until=None):
    async with pool.acquire() as connection:
        rows = await traffic(connection, site_id=site.id, start=start, end=end, unit=unit, until=until)
    return [tuple(row) for row in rows]


@pytest.fixture
async def site(log):
    """润锦苑, operating, with an open gate `main` and a guarded gate `garage`."""
    return await build_site(log, garage=True)


@pytest.mark.parametrize("seed", range(2))
async def test_hours_and_days_are_those_counted_by_hand(log, pool, site, seed):
    random = Random(seed)
    other = await build_site(log, "gaoqiao", "xianjiang", garage=True)
    offsets = [timezone(timedelta(minutes=m)) for m in (0, 480, 330, -210, 345)]
    seen = [
        a_pass(
            random.choice([site, site, other]),
            (MIDNIGHT + timedelta(seconds=random.randrange(-90_000, 180_000))).astimezone(
                random.choice(offsets)
            ),
            number=n,
            gate=random.choice(["main", "garage"]),
        )
        for n in range(200)
    ]
    await append(log, seen[:120])
    await catch_up(PROJECTION, pool, log)
    await append(log, seen[120:], first_number=120)
    await catch_up(PROJECTION, pool, log)
    entries = await everything(log)
    for unit in ("hour", "day"):
        for start, end in ((MIDNIGHT, MIDNIGHT + DAY), (MIDNIGHT - 2 * DAY, MIDNIGHT + 3 * DAY)):
            expected = by_hand(entries, site, start, end, unit)
            assert len(expected) > 1
            assert await counted(pool, site, start, end, unit) == expected


async def test_the_last_second_of_a_day_and_the_first_of_the_next_are_two_days(log, pool, site):
    await append(
        log, [a_pass(site, MIDNIGHT - timedelta(seconds=1), number=1), a_pass(site, MIDNIGHT, number=2)]
    )
    await catch_up(PROJECTION, pool, log)
    assert await counted(pool, site, MIDNIGHT, MIDNIGHT + DAY, "day") == [(MIDNIGHT, "main", "RECORDED", 1)]
    assert await counted(pool, site, MIDNIGHT - DAY, MIDNIGHT, "day") == [
        (MIDNIGHT - DAY, "main", "RECORDED", 1)
    ]


async def test_a_pass_that_arrives_late_counts_in_the_hour_it_happened(log, pool, site):
    await append(log, [a_pass(site, NOW, number=1), a_pass(site, NOW + 5 * HOUR, number=2)])
    await catch_up(PROJECTION, pool, log)
    await append(log, [a_pass(site, NOW + timedelta(minutes=59), number=3)], first_number=3)
    await catch_up(PROJECTION, pool, log)
    assert await counted(pool, site, NOW, NOW + HOUR, "hour") == [(NOW, "main", "RECORDED", 2)]


async def test_who_is_held_at_a_guarded_gate_is_counted_apart(log, pool, site):
    await append(log, [a_pass(site, NOW, number=1), a_pass(site, NOW, number=2, gate="garage")])
    await catch_up(PROJECTION, pool, log)
    assert await counted(pool, site, NOW, NOW + HOUR, "hour") == [
        (NOW, "garage", "HELD", 1),
        (NOW, "main", "RECORDED", 1),
    ]


GUARD = person(Role.GUARD)


def ended(one, at=NOW + timedelta(minutes=2), *, let_in=True):
    """The pass after the guard decided."""
    if let_in:
        one.release(by=GUARD, at=at, ground=ReleaseGround.RESIDENT_KNOWN)
    else:
        one.refuse(by=GUARD, at=at, ground=RefusalGround.NOT_EXPECTED)
    return one


async def test_who_was_held_counts_once_under_what_the_guard_decided_and_in_the_hour_of_the_pass(
    log, pool, site
):
    in_one_batch = ended(a_pass(site, NOW, number=1, gate="garage"), NOW + 3 * HOUR)
    later = a_pass(site, NOW, number=2, gate="garage")
    await append(log, [in_one_batch, later, a_pass(site, NOW, number=3, gate="garage")])
    await catch_up(PROJECTION, pool, log)
    await append(log, [ended(later, let_in=False)], first_number=3)
    await catch_up(PROJECTION, pool, log)
    assert await counted(pool, site, NOW, NOW + 9 * HOUR, "hour") == [
        (NOW, "garage", "HELD", 1),
        (NOW, "garage", "OPENED", 1),
        (NOW, "garage", "REFUSED_BY_GUARD", 1),
    ]


@pytest.mark.parametrize("seed", range(3))
async def test_with_guards_deciding_whenever_each_pass_is_counted_once_in_batches_of_any_size(
    log, pool, site, seed, monkeypatch
):
    random = Random(seed)
    seen = [
        a_pass(site, MIDNIGHT + timedelta(minutes=random.randrange(4000)), number=n, gate="garage")
        for n in range(80)
    ]
    requests = [request(one, n) for n, one in enumerate(seen)]
    for n, one in enumerate(random.sample(seen, 50), start=100):
        at = one.created_on + random.randrange(40) * HOUR
        requests.append(request(ended(one, at, let_in=random.random() < 0.5), n))
    await append_requests(log, requests)
    monkeypatch.setattr("projections.runner.BATCH", random.choice([1, 3, 17, 64]))
    await catch_up(PROJECTION, pool, log)
    entries = await everything(log)
    for unit in ("hour", "day"):
        for until in (None, *(MIDNIGHT + days * DAY for days in range(6))):
            rows = await counted(pool, site, MIDNIGHT, MIDNIGHT + 3 * DAY, unit, until)
            assert rows == by_hand(entries, site, MIDNIGHT, MIDNIGHT + 3 * DAY, unit, until)
            if until is None or until > MIDNIGHT + 3 * DAY:
                assert sum(row[3] for row in rows) == 80


async def test_as_of_a_day_before_the_guard_decided_a_pass_is_held(log, pool, site):
    at = MIDNIGHT + 23 * HOUR
    # the last moment of the day, and the next
    decided = (MIDNIGHT + DAY - timedelta.resolution, MIDNIGHT + DAY)
    made = [
        ended(a_pass(site, at, number=n, gate="garage"), moment, let_in=False)
        for n, moment in enumerate(decided)
    ]
    await append(log, made)
    await catch_up(PROJECTION, pool, log)
    day = at.astimezone(SHANGHAI).date()
    shown = {}
    async with pool.acquire() as connection:
        for as_of in (day - DAY, day, day + DAY, None):
            question = Question(period=Period(day, day), now=NOW, as_of=as_of)
            rows = await totals(connection, question)
            shown[as_of] = {row["decision"]: row["passes"] for row in rows}
            assert await passes(connection, question) == sum(shown[as_of].values())
    assert shown == {
        day - DAY: {},
        day: {Decision.HELD: 1, Decision.REFUSED_BY_GUARD: 1},
        day + DAY: {Decision.REFUSED_BY_GUARD: 2},
        None: {Decision.REFUSED_BY_GUARD: 2},
    }


async def test_a_pass_is_decided_once(log, pool, site):
    held = ended(a_pass(site, NOW, number=1, gate="garage"))
    passed, decided = await everything_of(log, held)
    for batches in ([[passed, decided, decided]], [[passed], [decided], [decided]]):
        async with pool.acquire() as connection:
            attempt = connection.transaction()
            await attempt.start()
            for batch in batches[:-1]:
                await PROJECTION.fold(connection, batch)
            with pytest.raises(CorruptError, match="nobody held"):
                await PROJECTION.fold(connection, batches[-1])
            await attempt.rollback()


async def test_a_decision_on_a_pass_that_nobody_held_is_refused(log, pool, site):
    held = ended(a_pass(site, NOW, number=1, gate="garage"))
    entries = [entry for entry in await everything_of(log, held) if entry.event.TO]
    async with pool.acquire() as connection:
        with pytest.raises(CorruptError, match="nobody held"):
            await PROJECTION.fold(connection, entries)


async def everything_of(log, aggregate):
    """The entries of one aggregate."""
    await append(log, [aggregate])
    return await log.history(aggregate.id)


async def test_a_month_and_a_period_sum_what_its_hours_have(log, pool, site):
    other = await build_site(log, "gaoqiao", "xianjiang")
    moments = [MIDNIGHT - HOUR, MIDNIGHT, MIDNIGHT + HOUR, MIDNIGHT + 2 * DAY]  # the last is in March
    await append(log, [a_pass(site, at, number=n) for n, at in enumerate(moments)])
    await append(log, [a_pass(other, MIDNIGHT, number=9)], first_number=9)
    await catch_up(PROJECTION, pool, log)
    february = datetime(2020, 1, 31, 16, tzinfo=UTC)
    march = datetime(2020, 2, 29, 16, tzinfo=UTC)
    assert await counted(pool, site, february, march + DAY * 9, "month") == [
        (february, "main", "RECORDED", 3),
        (march, "main", "RECORDED", 1),
    ]
    leap = Period(MIDNIGHT.astimezone(SHANGHAI).date(), MIDNIGHT.astimezone(SHANGHAI).date())
    asked = Question(period=leap, now=NOW)
    async with pool.acquire() as connection:
        assert await passes(connection, asked) == 3
        assert await passes(connection, Question(period=leap, now=NOW, scope=Scope("xianjiang"))) == 1
        assert await passes(connection, Question(period=leap, now=NOW, site_id=site.id)) == 2
        assert await passes(connection, Question(period=leap, now=NOW, as_of=leap.start - DAY)) == 0
        rows = await totals(connection, Question(period=leap, now=NOW, site_id=site.id))
    (row,) = rows
    assert (row["gate"], row["decision"], row["passes"]) == ("main", Decision.RECORDED, 2)
    found = [
        entry.position
        for entry in await everything(log)
        if isinstance(entry.event, GatePass.Passed)
        and entry.event.site_id == site.id
        and row["first_position"] <= entry.position <= row["last_position"]
    ]
    assert len(found) == 2
