"""Whoever waits for the log is woken when it grows, and waits for ever for nothing."""

import asyncio
from uuid import uuid4

import asyncpg
import pytest
from given import NOW, person, until

from adapters import tail as module
from adapters.tail import Tail
from domain.people import Role
from domain.ports import Request
from domain.site import Site

LONG = 10.0


@pytest.fixture
async def tail(database_url):
    async with Tail(database_url) as started:
        await listening(database_url)
        yield started


async def append(log):
    site = Site.plan(code=f"s{uuid4().hex}", name="x", township="t", by=person(Role.ADMIN), at=NOW)
    return (await log.append(Request(uuid4(), site.collect_events(), {}))).last


async def ask(database_url, statement):
    connection = await asyncpg.connect(database_url)
    try:
        return await connection.fetchval(statement)
    finally:
        await connection.close()


LISTENING = "from pg_stat_activity where query ilike 'listen%' and datname = current_database() and pid <> pg_backend_pid()"


async def listening(database_url):
    """Return once somebody listens to both channels."""
    await until(lambda: ask(database_url, f"select count(*) {LISTENING} and query ilike '%projections%'"))


async def seconds(waiting):
    loop = asyncio.get_running_loop()
    started = loop.time()
    await waiting
    return loop.time() - started


async def test_an_append_wakes_whoever_waits(tail, log):
    for _ in range(3):
        position = await log.position()
        waiting = [asyncio.create_task(tail.wait("log", position, LONG)) for _ in range(5)]
        await asyncio.sleep(0)
        await append(log)
        assert await seconds(asyncio.gather(*waiting)) < 2


async def test_what_was_heard_before_is_not_waited_for(tail, log):
    last = await append(log)
    await tail.wait("log", last - 1, LONG)
    assert await seconds(tail.wait("log", last - 1, LONG)) < 0.1
    assert await seconds(tail.wait("log", 0, LONG)) < 0.1


async def test_without_news_the_wait_ends_after_its_time(tail, log):
    last = await append(log)
    assert 0.25 < await seconds(tail.wait("log", last, 0.3)) < 2
    assert 0.25 < await seconds(tail.wait("nobody", 0, 0.3)) < 2
    assert not tail._waiting


async def test_a_projection_wakes_its_own_waiters_only(tail, database_url):
    own = asyncio.create_task(tail.wait("gate_traffic", 6, LONG))
    beyond = asyncio.create_task(tail.wait("gate_traffic", 7, LONG))
    other = asyncio.create_task(tail.wait("incidents", 6, LONG))
    await asyncio.sleep(0)
    await ask(database_url, "select pg_notify('projections', 'gate_traffic 7')")
    assert await seconds(own) < 2
    assert not beyond.done()
    assert not other.done()
    beyond.cancel()
    other.cancel()


async def test_a_notice_that_is_none_of_ours_is_passed_over(tail, log, database_url):
    for payload in ("", "soon", "projection", "a b c"):
        await ask(
            database_url, f"select pg_notify('log', '{payload}'), pg_notify('projections', '{payload}')"
        )
    waiting = asyncio.create_task(tail.wait("log", 0, LONG))
    await asyncio.sleep(0)
    await append(log)
    assert await seconds(waiting) < 2


async def test_it_listens_again_after_its_connection_was_killed(tail, log, database_url, monkeypatch):
    monkeypatch.setattr(module, "RETRY", 0.05)
    for _ in range(3):
        assert await ask(database_url, f"select count(pg_terminate_backend(pid)) {LISTENING}") == 1
        await listening(database_url)
        waiting = asyncio.create_task(tail.wait("log", await log.position(), LONG))
        await asyncio.sleep(0)
        await append(log)
        assert await seconds(waiting) < 2


async def test_what_was_appended_while_nobody_listened_does_not_wait_for_the_next(
    tail, log, database_url, monkeypatch
):
    monkeypatch.setattr(module, "RETRY", 0.3)
    waiting = asyncio.create_task(tail.wait("log", await log.position(), LONG))
    await asyncio.sleep(0)
    await ask(database_url, f"select count(pg_terminate_backend(pid)) {LISTENING}")
    await append(log)
    assert await seconds(waiting) < 3


async def test_a_connection_that_went_silent_is_found_out(database_url, log, monkeypatch):
    """As after a network that lost it: it looks open, and nothing comes."""
    monkeypatch.setattr(module, "HEARTBEAT", 0.2)
    monkeypatch.setattr(module, "RETRY", 0.05)
    made = []
    real = module.connect

    async def connect(url):
        made.append(await real(url))
        return made[-1]

    async def made_again():
        return len(made) > 1

    monkeypatch.setattr(module, "connect", connect)
    async with Tail(database_url) as tail:
        await listening(database_url)
        made[0]._transport.pause_reading()
        await until(made_again)
        await listening(database_url)
        waiting = asyncio.create_task(tail.wait("log", await log.position(), LONG))
        await asyncio.sleep(0)
        await append(log)
        assert await seconds(waiting) < 2


async def test_a_database_that_is_not_there_delays_nobody_beyond_their_time():
    async with Tail("postgresql://anju@127.0.0.1:9/anju") as tail:
        assert await seconds(tail.wait("log", 0, 0.2)) < 2


async def test_nothing_is_left_running_or_connected(database_url):
    before = asyncio.all_tasks()
    async with Tail(database_url):
        await listening(database_url)
    assert asyncio.all_tasks() <= before
    await until(lambda: ask(database_url, f"select count(*) = 0 {LISTENING}"))
