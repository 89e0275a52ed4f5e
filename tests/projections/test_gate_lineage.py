"""Every pass that was counted is named, with the event that made it count, a page at a time, from the stretches where passes stand."""

from datetime import timedelta

import pytest
from given import NOW, build_site, person
from histories import a_pass, append, request
from lives import DAY

from domain.access import Decision
from domain.gatepass import RefusalGround
from domain.people import Role, Scope
from projections.gate_lineage import lineage
from projections.gate_traffic import PROJECTION, passes
from projections.period import Period, day_of
from projections.question import Question
from projections.runner import catch_up

TODAY = day_of(NOW)
ASKED = Question(period=Period(TODAY, TODAY), now=NOW + 9 * DAY)
GUARD = person(Role.GUARD)


@pytest.fixture
async def site(log):
    """润锦苑, operating, with an open gate `main` and a guarded gate `garage`."""
    return await build_site(log, garage=True)


async def positions(pool, question=ASKED, decision=None, *, first=100, after=0):
    async with pool.acquire() as connection:
        return [
            source.position
            for source in await lineage(connection, question, decision, first=first, after=after)
        ]


async def test_what_a_guard_decided_counts_by_the_decision_and_before_that_by_the_pass(log, pool, site):
    held = [a_pass(site, NOW, number=n, gate="garage") for n in range(2)]
    open_ = a_pass(site, NOW, number=2)
    await append(log, [*held, open_])
    passed = [(await log.history(one.id))[0].position for one in (*held, open_)]
    held[0].refuse(by=GUARD, at=NOW + DAY, ground=RefusalGround.CLOSED)
    await log.append(request(held[0], 9))
    await catch_up(PROJECTION, pool, log)
    decided = await log.position()

    assert await positions(pool) == passed
    assert await positions(pool, decision=Decision.RECORDED) == passed[2:]
    assert await positions(pool, decision=Decision.HELD) == passed[1:2]
    assert await positions(pool, decision=Decision.REFUSED_BY_GUARD) == [decided]
    then = Question(period=ASKED.period, now=ASKED.now, as_of=TODAY)
    assert await positions(pool, then, Decision.HELD) == passed[:2]
    assert await positions(pool, then, Decision.REFUSED_BY_GUARD) == []


async def test_pages_go_on_over_gaps_in_the_log_in_which_others_pass(log, pool, site):
    """One hour of ours, a stretch of another site, another hour of ours, and one that was told late."""
    other = await build_site(log, "gaoqiao", "xianjiang")
    hours = [(site, 0, 5), (other, 0, 9), (site, 3, 4), (other, 2, 9), (site, 0, 1)]
    number = 0
    for place, hour, many in hours:
        made = [a_pass(place, NOW + timedelta(hours=hour), number=number + n) for n in range(many)]
        await append(log, made, first_number=number)
        number += many
    await catch_up(PROJECTION, pool, log)
    first = await log.position() - number + 1

    ours = [first + n for n in (*range(5), *range(14, 18), 27)]
    for question in (
        Question(period=ASKED.period, now=NOW, site_id=site.id),
        Question(period=ASKED.period, now=NOW, scope=Scope("yuhai")),
        Question(period=ASKED.period, now=NOW, scope=Scope(site_id=site.id)),
        Question(period=ASKED.period, now=NOW, township="yuhai"),
    ):
        for size in (1, 3, 100):
            listed, after = [], 0
            while page := await positions(pool, question, first=size, after=after):
                assert len(page) <= size
                listed += page
                after = page[-1]
            assert listed == ours
    assert len(await positions(pool, first=1_000)) == number


async def test_what_is_not_folded_yet_is_not_in_the_lineage_either(log, pool, site):
    await append(log, [a_pass(site, NOW, number=1)])
    await catch_up(PROJECTION, pool, log)
    await append(log, [a_pass(site, NOW, number=2)], first_number=2)
    async with pool.acquire() as connection:
        assert await passes(connection, ASKED) == len(await positions(pool)) == 1
