"""Passes are counted for each gate, decision and hour or day of Asia/Shanghai, whenever they arrive and however they wrote the time."""

from collections import Counter
from datetime import UTC, datetime, timedelta, timezone
from random import Random
from zoneinfo import ZoneInfo

import pytest
from given import NOW, build_site
from histories import a_pass, append, everything

from domain.gatepass import GatePass
from projections.gate_traffic import PROJECTION, traffic
from projections.runner import catch_up

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
SHANGHAI = ZoneInfo("Asia/Shanghai")
MIDNIGHT = datetime(2020, 2, 28, 16, tzinfo=UTC)  # in Shanghai the leap day begins


def by_hand(entries, site, start, end, unit):
    """The rows of the figure, counted pass by pass."""
    counted = Counter()
    for entry in entries:
        event = entry.event
        if isinstance(event, GatePass.Passed) and event.site_id == site.id:
            local = event.timestamp.astimezone(SHANGHAI).replace(minute=0, second=0, microsecond=0)
            if start <= local < end:
                begun = local if unit == "hour" else local.replace(hour=0)
                counted[begun, event.gate, str(event.decision)] += 1
    return sorted((*key, passes) for key, passes in counted.items())


async def counted(pool, site, start, end, unit):
    async with pool.acquire() as connection:
        return [
            tuple(row) for row in await traffic(connection, site_id=site.id, start=start, end=end, unit=unit)
        ]


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
