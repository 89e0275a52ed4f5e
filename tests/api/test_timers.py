"""Time itself acts: what is overdue is recorded once, by whichever worker sees it first, and goes up a level by itself."""

import asyncio
from contextlib import AsyncExitStack
from datetime import timedelta
from uuid import uuid4

import pytest
from given import NOW, order, person, report

from adapters.event_log import event_log
from api import timers
from api.timers import pass_deadlines
from domain import commands
from domain.commands import subject_id
from domain.incident import Incident, IncidentState
from domain.people import Role
from domain.personal import Personal, of_subject
from domain.visitor import Requester, Visitor, VisitorState
from domain.watch import WatchEntry, WatchKind, WatchState
from projections.deadlines import PROJECTION, passed
from projections.runner import catch_up

UNIT = "water"
LATER = NOW + timedelta(days=60)
HANDLER = person(Role.UNIT_HANDLER, units=(UNIT,))


@pytest.fixture
async def dispatched(log, site):
    """The id of an incident that was handed to a unit."""
    done = await report(log, site)
    await commands.act(log, order(Role.INTAKE), Incident, Incident.accept, done.id)
    await commands.act(log, order(Role.DISPATCHER), Incident, Incident.dispatch, done.id, lead_unit=UNIT)
    return done.id


async def topics(log, incident_id):
    return [type(entry.event).TOPIC.removeprefix("incident.") for entry in await log.history(incident_id)]


async def test_what_runs_is_what_the_last_event_says(log, pool, dispatched):
    async def names():
        await catch_up(PROJECTION, pool, log)
        async with pool.acquire() as connection:
            return [row["name"] for row in await passed(connection, LATER, first=10, after=None)]

    assert await names() == ["sign:water", "handle:water"]
    await commands.act(log, order(by=HANDLER), Incident, Incident.sign, dispatched)
    assert await names() == ["handle:water"]
    await commands.act(log, order(by=HANDLER), Incident, Incident.start_handling, dispatched)
    await commands.act(log, order(by=HANDLER), Incident, Incident.give_feedback, dispatched, result="done")
    assert await names() == ["verify"]
    verified = {"passed": True, "note": "seen"}
    await commands.act(log, order(Role.VERIFIER), Incident, Incident.verify, dispatched, **verified)
    assert await names() == []


async def test_a_passed_deadline_is_recorded_when_it_was_due_and_handling_goes_up_a_level(
    log, pool, dispatched
):
    await catch_up(PROJECTION, pool, log)
    due = {one.name: one.due_at for one in (await log.load(Incident, dispatched)).deadlines}
    assert await pass_deadlines(pool, log, due["sign:water"] - timedelta(seconds=1)) == 0
    assert await pass_deadlines(pool, log, due["sign:water"]) == 1
    # the other one: the first is not folded yet, and is over
    assert await pass_deadlines(pool, log, LATER) == 1
    assert (await topics(log, dispatched))[3:] == ["overdue", "overdue", "escalated"]
    first, second, _ = (entry.event for entry in (await log.history(dispatched))[3:])
    assert (first.name, first.timestamp, first.rule) == ("sign:water", due["sign:water"], "limits-2026-1")
    assert (second.name, second.timestamp) == ("handle:water", due["handle:water"])
    assert first.actor == second.actor == "worker:timers"
    found = await log.load(Incident, dispatched)
    assert (found.state, found.level, found.overdue) == (
        IncidentState.DISPATCHED,
        1,
        {"sign:water", "handle:water"},
    )


async def test_many_workers_and_restarts_record_each_once(log, pool, site, database_url):
    ids = []
    for _ in range(10):
        done = await report(log, site)
        await commands.act(log, order(Role.INTAKE), Incident, Incident.accept, done.id)
        await commands.act(log, order(Role.DISPATCHER), Incident, Incident.dispatch, done.id, lead_unit=UNIT)
        ids.append(done.id)
    await catch_up(PROJECTION, pool, log)
    async with AsyncExitStack() as stack:
        others = [await stack.enter_async_context(event_log(pool, database_url)) for _ in range(3)]
        for _ in range(3):  # what lost a race is tried again at the next look
            acted = await asyncio.gather(*(pass_deadlines(pool, other, LATER) for other in others))
    assert await pass_deadlines(pool, log, LATER) == 0
    for found in ids:
        assert sorted((await topics(log, found))[3:]) == ["escalated", "overdue", "overdue"]
    assert acted


async def test_a_visitor_overstays_and_a_watch_entry_expires_by_themselves(log, pool, site):
    asked, host = order(Role.GUARD), uuid4()
    visit = subject_id(asked)
    await commands.create(
        log,
        asked,
        Visitor.request,
        site_id=site.id,
        host=host,
        requester=Requester.HOST,
        valid_from=NOW,
        valid_until=NOW + timedelta(hours=4),
        name=Personal(of_subject(visit), "王某"),
    )
    await commands.act(log, order(Role.GUARD), Visitor, Visitor.approve, visit, host=host)
    await commands.act(log, order(Role.GUARD), Visitor, Visitor.check, visit, gate="main")
    await commands.act(log, order(Role.GUARD), Visitor, Visitor.enter, visit, gate="main")
    wanted = order(Role.INVESTIGATOR)
    entry = subject_id(wanted)
    await commands.create(
        log,
        wanted,
        WatchEntry.request,
        kind=WatchKind.PLATE,
        subject=Personal(of_subject(entry), "浙C12345"),
        legal_basis="刑事诉讼法 第一百五十条",
        case="2026-17",
        purpose="find a stolen car",
        expires_at=NOW + timedelta(days=30),
        plate_digest=b"p" * 32,
    )
    await commands.act(log, order(Role.SUPERVISOR), WatchEntry, WatchEntry.approve, entry)
    await catch_up(PROJECTION, pool, log)
    assert await pass_deadlines(pool, log, NOW + timedelta(hours=3)) == 0
    assert await pass_deadlines(pool, log, NOW + timedelta(hours=4)) == 1
    assert (await log.load(Visitor, visit)).state is VisitorState.OVERSTAY
    assert await pass_deadlines(pool, log, NOW + timedelta(days=31)) == 1
    assert [one[-1].event.timestamp for one in (await log.history(visit), await log.history(entry))] == [
        NOW + timedelta(hours=4),
        NOW + timedelta(days=30),
    ]
    assert (await log.load(WatchEntry, entry)).state is WatchState.EXPIRED


async def test_one_that_is_refused_holds_up_no_other(log, pool, dispatched, monkeypatch, caplog):
    monkeypatch.setattr(timers, "PAGE", 1)
    await catch_up(PROJECTION, pool, log)
    await pool.execute("""
        insert into deadlines
        select gen_random_uuid(), 'incident', 'sign:nobody', due_at - interval '1 day', rule from deadlines""")
    assert await pass_deadlines(pool, log, LATER) == 2
    assert caplog.text.count("is refused") == 2
    assert "there is no incident" in caplog.text


async def test_the_worker_follows_its_clock(running, dispatched):
    now = [NOW]
    await catch_up(PROJECTION, running.pool, running.log)
    worker = asyncio.create_task(timers.run(running.pool, running.log, lambda: now[0]))
    await asyncio.sleep(0.2)
    assert "overdue" not in await topics(running.log, dispatched)
    now[0] = LATER
    async with asyncio.timeout(15):
        while "escalated" not in await topics(running.log, dispatched):
            await asyncio.sleep(0.05)
    worker.cancel()
    await asyncio.gather(worker, return_exceptions=True)
