"""A projection folds every event once, whoever else folds beside it and whatever happens to the database."""

import asyncio
from uuid import uuid4

import asyncpg
import pytest
from given import NOW, build_site, observation, person, until

from adapters.database import create_pool
from adapters.tail import Tail
from domain.errors import CorruptError
from domain.gatepass import decide
from domain.people import Role
from domain.ports import Request
from domain.site import Site
from projections import gate_traffic, incidents, runner
from projections.runner import Projection, catch_up, run

TOPICS = frozenset({"site.planned"})


async def sites(log, count):
    """Append the planning of `count` sites."""
    planned = [
        Site.plan(code=f"s{uuid4().hex}", name="x", township="t", by=person(Role.ADMIN), at=NOW)
        for _ in range(count)
    ]
    await log.append_all([Request(uuid4(), site.collect_events(), {}) for site in planned])


async def passes(log, site, count):
    """Append `count` gate passes."""
    seen = [observation() for _ in range(count)]
    await log.append_all([Request(one.id, decide(one, site).collect_events(), {}) for one in seen])


class Spy:
    """A fold that writes down what it was given, and fails at a position if it is told to."""

    def __init__(self, bad=None, error=ValueError):
        self.batches, self.bad, self.error = [], bad, error

    async def __call__(self, connection, entries):
        positions = [entry.position for entry in entries]
        if self.bad in positions:
            raise self.error("bad")
        self.batches.append(positions)

    @property
    def folded(self):
        return [position for batch in self.batches for position in batch]


async def status(pool, name="spy"):
    (row,) = [row for row in await runner.statuses(pool) if row["name"] == name]
    return row["position"], row["error"]


async def test_a_batch_is_folded_once_and_in_order(log, pool):
    await sites(log, 7)
    spy = Spy()
    projection = Projection("spy", 1, TOPICS, spy)
    assert await catch_up(projection, pool, log) == 7
    assert await catch_up(projection, pool, log) == 7
    assert spy.batches == [list(range(1, 8))]
    assert await status(pool) == (7, None)


async def test_events_of_other_topics_are_passed_over(log, pool):
    site = await build_site(log)
    spy = Spy()
    assert await catch_up(Projection("spy", 1, frozenset({"site.accepted"}), spy), pool, log) == site.version
    assert spy.folded == [3]


async def test_an_event_that_cannot_be_folded_stops_it_there_and_says_so(log, pool, monkeypatch):
    monkeypatch.setattr(runner, "BATCH", 10)
    await sites(log, 40)
    spy = Spy(bad=23)
    projection = Projection("spy", 1, TOPICS, spy)
    for _ in range(2):
        with pytest.raises(CorruptError, match=r"spy cannot fold position 23 \(site\.planned\): bad"):
            await catch_up(projection, pool, log)
        assert spy.folded == list(range(1, 23))
        position, error = await status(pool)
        assert position == 22
        assert "position 23" in error

    spy.bad = None
    assert await catch_up(projection, pool, log) == 40
    assert spy.folded == list(range(1, 41))
    assert await status(pool) == (40, None)


async def reached(pool, position, name="spy"):
    """Return once the projection has got there."""

    async def there():
        return (await status(pool, name))[0] >= position

    await until(there)


class Deaf:
    """A tail that hears nothing: the poll alone finds what is new."""

    async def wait(self, name, beyond, timeout):  # noqa: ASYNC109  (as the protocol has it)
        await asyncio.sleep(timeout)


@pytest.mark.parametrize(
    "error", [asyncpg.AdminShutdownError, asyncpg.DiskFullError, asyncpg.DeadlockDetectedError, TimeoutError]
)
async def test_what_is_the_databases_fault_does_not_stop_it(log, pool, monkeypatch, error):
    monkeypatch.setattr(runner, "POLL", 0.05)
    await sites(log, 5)
    spy = Spy(bad=3, error=error)
    running = asyncio.create_task(run(Projection("spy", 1, TOPICS, spy), pool, log, Deaf()))
    await asyncio.sleep(0.3)
    assert not running.done()
    spy.bad = None
    await reached(pool, 5)
    running.cancel()
    assert spy.folded == [1, 2, 3, 4, 5]
    assert await status(pool) == (5, None)


async def test_after_an_error_that_passed_it_does_not_go_one_by_one(log, pool, monkeypatch):
    monkeypatch.setattr(runner, "BATCH", 64)
    await sites(log, 300)
    spy = Spy()

    async def once(connection, entries):
        if not spy.batches and len(entries) > 1:
            raise ValueError("this time only")
        await spy(connection, entries)

    await catch_up(Projection("spy", 1, TOPICS, once), pool, log)
    assert spy.folded == list(range(1, 301))
    assert len(spy.batches) < 20


async def test_two_that_start_at_the_same_moment_fold_each_event_once(log, pool, database_url):
    site = await build_site(log)
    await passes(log, site, 50)
    for number in range(20):
        spies = [Spy() for _ in range(6)]
        places = await asyncio.gather(
            *(
                catch_up(Projection(f"spy-{number}", 1, frozenset({"gate.passed"}), spy), pool, log)
                for spy in spies
            )
        )
        assert set(places) == {56}
        assert sorted(position for spy in spies for position in spy.folded) == list(range(7, 57))


async def test_a_killed_backend_costs_no_event_and_doubles_none(log, pool, database_url, monkeypatch):
    monkeypatch.setattr(runner, "POLL", 0.02)
    monkeypatch.setattr(runner, "BATCH", 10)
    site = await build_site(log)
    async with create_pool(database_url) as own, Tail(database_url) as tail:
        projections = (gate_traffic.PROJECTION, incidents.PROJECTION)
        running = [asyncio.create_task(run(projection, own, log, tail)) for projection in projections]
        for _ in range(20):
            await passes(log, site, 30)
            await asyncio.sleep(0.03)
            admin = await asyncpg.connect(database_url)
            await admin.execute(
                "select pg_terminate_backend(pid) from pg_stat_activity"
                " where datname = current_database() and pid <> pg_backend_pid()"
            )
            await admin.close()
        for projection in projections:
            await reached(pool, 606, projection.name)
            assert await status(pool, projection.name) == (606, None)
        assert not any(task.done() for task in running)
        for task in running:
            task.cancel()
    assert await pool.fetchval("select sum(passes) from gate_traffic") == 600
