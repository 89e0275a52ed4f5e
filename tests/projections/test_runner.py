"""Read models keep up with the log: each event once, whoever is killed when; one that cannot be folded stops its projection alone."""

import asyncio
from collections import Counter
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from random import Random
from uuid import uuid4

import asyncpg
import pytest
from given import NOW, person, until
from histories import TO_CLOSURE, a_pass, append, append_requests, driven, interleaved, mixed, reported

from adapters.tail import Tail
from api.workers import work
from domain.errors import CorruptError, UnavailableError
from domain.incident import Incident
from domain.people import Role
from domain.ports import Request
from projections import runner
from projections.all import PROJECTIONS
from projections.runner import catch_up, run, statuses

TABLES = sorted(table for projection in PROJECTIONS.values() for table in projection.tables)


async def digest(pool):
    """The rows of all read models, and how far they are."""
    async with pool.acquire() as connection:
        rows = {
            table: [row[0] for row in await connection.fetch(f"select t::text from {table} t order by 1")]
            for table in TABLES
        }
    return rows | {"positions": {row["name"]: row["position"] for row in await statuses(pool)}}


async def folded(pool, log, name=None):
    """Fold all projections (or one) to the end of the log."""
    for projection in PROJECTIONS.values():
        if name in {None, projection.name}:
            await catch_up(projection, pool, log)


async def forget(pool):
    """Throw every read model away."""
    async with pool.acquire() as connection:
        for table in (*TABLES, "projections"):
            await connection.execute(f"delete from {table}")


async def status(pool, name):
    return next(row for row in await statuses(pool) if row["name"] == name)


@asynccontextmanager
async def task(coroutine):
    """`coroutine` at work, until the block is left."""
    started = asyncio.create_task(coroutine)
    yield started
    started.cancel()
    await asyncio.gather(started, return_exceptions=True)


@pytest.fixture
async def superuser(database_url):
    """A connection that may do anything to the database, as nobody may in operation."""
    connection = await asyncpg.connect(database_url)
    yield connection
    await connection.close()


@pytest.fixture
async def tail(database_url):
    async with Tail(database_url) as listening:
        yield listening


async def test_stopped_anywhere_and_started_again_it_goes_on_where_it_was(log, pool, site):
    requests = interleaved(Random(3), site, 25)
    for end in range(0, len(requests), 10):
        await append_requests(log, requests[:end])
        await folded(pool, log)
        await folded(pool, log)
    await append_requests(log, requests)
    await folded(pool, log)
    stepwise = await digest(pool)
    assert set(stepwise["positions"].values()) == {await log.position()}
    await forget(pool)
    await folded(pool, log)
    assert await digest(pool) == stepwise


async def test_batches_of_any_size_give_equal_tables(log, pool, site, monkeypatch):
    await mixed(log, site)
    await folded(pool, log)
    in_one = await digest(pool)
    for batch in (1, 2, 7, 50):
        await forget(pool)
        monkeypatch.setattr(runner, "BATCH", batch)
        await folded(pool, log)
        assert await digest(pool) == in_one, batch


async def test_many_workers_of_the_same_projections_count_nothing_twice(log, pool, site, monkeypatch):
    await mixed(log, site, incidents=60, passes=200)
    await folded(pool, log)
    alone = await digest(pool)
    await forget(pool)
    monkeypatch.setattr(runner, "BATCH", 5)
    await asyncio.gather(*(folded(pool, log) for _ in range(4)))
    assert await digest(pool) == alone


@pytest.mark.parametrize("name", sorted(PROJECTIONS))
async def test_killed_between_folding_and_committing_it_has_done_nothing(log, pool, site, name):
    await mixed(log, site)
    before = await digest(pool)
    reached = asyncio.Event()

    async def stuck(connection, entries):
        await PROJECTIONS[name].fold(connection, entries)
        reached.set()
        await asyncio.Event().wait()

    async with task(catch_up(replace(PROJECTIONS[name], fold=stuck), pool, log)):
        await reached.wait()
    after = await digest(pool)
    assert {**after, "positions": {}} == {**before, "positions": {}}
    assert after["positions"] == {name: 0}

    await folded(pool, log, name)
    assert (await status(pool, name))["position"] == await log.position()
    once = await digest(pool)
    await forget(pool)
    await folded(pool, log, name)
    assert await digest(pool) == once


async def test_killed_at_any_moment_it_counts_everything_once(log, pool, site, tail, monkeypatch):
    monkeypatch.setattr(runner, "BATCH", 10)
    await mixed(log, site, incidents=60, passes=200)
    for n in range(25):
        async with task(
            asyncio.wait([asyncio.ensure_future(run(p, pool, log, tail)) for p in PROJECTIONS.values()])
        ):
            await asyncio.sleep(0.002 * n)
    await folded(pool, log)
    survived = await digest(pool)
    await forget(pool)
    await folded(pool, log)
    assert await digest(pool) == survived


async def test_what_is_appended_while_it_runs_is_folded_too(log, pool, site, tail):
    async with task(run(PROJECTIONS["incidents"], pool, log, tail)):
        for n in range(5):
            await append(log, [reported(n, site, NOW)], first_number=n)
            end = await log.position()
            await until(lambda end=end: reached(pool, "incidents", end))


async def reached(pool, name, position):
    return any(row["name"] == name and row["position"] >= position for row in await statuses(pool))


async def test_an_event_that_cannot_be_folded_stops_only_its_projection_right_before_it(
    running, superuser, site, log
):
    pool = running.pool
    await superuser.execute("alter table closures add constraint poison check (category <> 'poison')")
    good = [driven(reported(n, site, NOW), TO_CLOSURE) for n in range(20)]
    bad = reported(20, site, NOW, category="poison")
    later = [driven(reported(n, site, NOW), TO_CLOSURE) for n in range(21, 40)]
    await append(log, [*good, bad, *later, a_pass(site, NOW, number=1)])
    end = await log.position()
    poisoned = (await log.history(bad.id))[0].position

    async with task(work(running, ingesting=False, projecting=True)) as working:
        await until(lambda: failed(pool, "closure"))
        await until(lambda: reached(pool, "incidents", end))
        await until(lambda: reached(pool, "gate_traffic", end))
        await append(log, [reported(50, site, NOW)], first_number=50)
        await until(lambda: reached(pool, "incidents", end + 1))
        assert not working.done()

    stopped = await status(pool, "closure")
    assert stopped["position"] == poisoned - 1
    assert (
        f"closure cannot go on: position {poisoned}: incident.reported: CheckViolationError"
        in stopped["error"]
    )
    assert (await status(pool, "incidents"))["error"] is None
    rows = await superuser.fetch("select incident_id, closed_position from closures")
    assert {row["incident_id"] for row in rows} == {incident.id for incident in good}
    assert all(row["closed_position"] < poisoned for row in rows)

    await superuser.execute("alter table closures drop constraint poison")
    await folded(pool, log)
    mended = await digest(pool)
    assert (await status(pool, "closure"))["error"] is None
    await forget(pool)
    await folded(pool, log)
    assert await digest(pool) == mended


async def caught_up(system, name):
    try:
        return await reached(system.pool, name, await system.log.position())
    except UnavailableError:  # this connection was killed too
        return False


async def failed(pool, name):
    return any(row["name"] == name and row["error"] for row in await statuses(pool))


async def test_the_event_is_found_wherever_in_a_batch_it_stands(log, pool, site, monkeypatch):
    monkeypatch.setattr(runner, "BATCH", 64)
    await append(log, [reported(n, site, NOW) for n in range(64)])
    first = await log.position() - 63
    for bad in (0, 1, 6, 31, 63):
        await forget(pool)
        await stops_at(first, first + bad, pool, log)


async def stops_at(first, bad, pool, log):
    """A fold that refuses the event at `bad` is given everything from `first` to it, once, and nothing else."""
    applied = Counter()

    async def picky(connection, entries):
        if any(entry.position == bad for entry in entries):
            raise ValueError("not this one")
        applied.update(entry.position for entry in entries)

    with pytest.raises(
        CorruptError, match=rf"position {bad}: incident.reported: ValueError\('not this one'\)"
    ):
        await catch_up(replace(PROJECTIONS["incidents"], fold=picky), pool, log)
    assert applied == Counter(range(first, bad))
    assert (await status(pool, "incidents"))["position"] == (bad - 1 if applied else 0)


async def test_stored_bytes_that_do_not_decode_stop_those_who_read_them_right_there(
    log, pool, site, superuser
):
    incident = driven(reported(1, site, NOW), TO_CLOSURE)
    await append(log, [incident, a_pass(site, NOW, number=1)])
    damaged = (await log.history(incident.id))[-1].position
    await superuser.execute("set session_replication_role = replica")
    await superuser.execute("update events set state = '{}' where notification_id = $1", damaged)

    for name in ("closure", "incidents"):
        with pytest.raises(
            CorruptError, match=f"{name} cannot go on: position {damaged}: incident.closed does not decode"
        ):
            await folded(pool, log, name)
        stands = await status(pool, name)
        assert 0 < stands["position"] < damaged
        assert f"position {damaged}: incident.closed does not decode" in stands["error"]
    assert await superuser.fetchval("select count(*) from closures") == 1
    await folded(pool, log, "gate_traffic")
    assert await reached(pool, "gate_traffic", await log.position())


async def test_a_hole_in_the_log_is_not_stepped_over(log, pool, site, superuser):
    await append(log, [reported(n, site, NOW) for n in range(10)])
    hole = await log.position() - 4
    await superuser.execute("set session_replication_role = replica")
    await superuser.execute("delete from events where notification_id = $1", hole)
    with pytest.raises(CorruptError, match=f"position {hole} is missing"):
        await folded(pool, log, "incidents")
    assert (await status(pool, "incidents"))["position"] == hole - 1
    assert "is missing" in (await status(pool, "incidents"))["error"]


async def test_a_closing_without_a_report_is_refused_and_not_passed_over(log, pool, site):
    stray = Incident.Closed(
        originator_id=uuid4(),
        originator_version=1,
        timestamp=NOW,
        actor=person(Role.VERIFIER).id,
        deadlines=(),
        note="?",
    )
    await log.append(Request(uuid4(), [stray], {}))
    for name in ("closure", "incidents"):
        with pytest.raises(CorruptError, match="never reported"):
            await folded(pool, log, name)


async def test_when_all_have_stopped_the_worker_says_so_and_ends(running, superuser, site, log):
    await mixed(log, site)
    for table in TABLES:
        await superuser.execute(f"alter table {table} rename to {table}_hidden")
    with pytest.raises(CorruptError, match="every projection has stopped"):
        async with asyncio.timeout(15):
            await work(running, ingesting=False, projecting=True)
    assert all("UndefinedTableError" in row["error"] for row in await statuses(running.pool))


async def test_killed_connections_are_made_again_and_nothing_is_lost(running, superuser, site, log):
    pool = running.pool
    async with task(work(running, ingesting=False, projecting=True)) as working:
        for n in range(6):
            await append(log, [driven(reported(n, site, NOW), TO_CLOSURE)], first_number=n)
            await superuser.execute(
                "select pg_terminate_backend(pid) from pg_stat_activity "
                "where datname = current_database() and pid <> pg_backend_pid()"
            )
        for name in PROJECTIONS:
            await until(lambda name=name: caught_up(running, name))
        assert not working.done()
    assert not any(row["error"] for row in await statuses(pool))
    survived = await digest(pool)
    await forget(pool)
    await folded(pool, log)
    assert await digest(pool) == survived


@pytest.mark.parametrize(
    "passing",
    [asyncpg.DeadlockDetectedError, asyncpg.AdminShutdownError, asyncpg.TooManyConnectionsError, OSError],
)
async def test_a_trouble_of_the_database_is_not_held_against_the_event(
    log, pool, site, tail, passing, monkeypatch
):
    monkeypatch.setattr(runner, "POLL", 0.01)
    await append(log, [driven(reported(1, site, NOW), TO_CLOSURE)])
    troubles = iter([passing("once"), passing("twice")])

    async def unlucky(connection, entries):
        if trouble := next(troubles, None):
            raise trouble
        await PROJECTIONS["closure"].fold(connection, entries)

    async with task(run(replace(PROJECTIONS["closure"], fold=unlucky), pool, log, tail)):
        await until(lambda: closed(pool))
    assert (await status(pool, "closure"))["error"] is None


async def closed(pool):
    async with pool.acquire() as connection:
        return await connection.fetchval("select count(closed_position) from closures") == 1


async def test_a_long_log_is_folded_in_batches(log, pool, site):
    incidents = [driven(reported(n, site, NOW + timedelta(minutes=n)), TO_CLOSURE) for n in range(2860)]
    await append(log, incidents)
    assert await log.position() > 20_000
    sizes = []

    async def counting(connection, entries):
        sizes.append(len(entries))
        await PROJECTIONS["incidents"].fold(connection, entries)

    await catch_up(replace(PROJECTIONS["incidents"], fold=counting), pool, log)
    await folded(pool, log, "closure")
    assert len(sizes) == -(-await log.position() // runner.BATCH)
    assert sum(sizes) == len(incidents) * (TO_CLOSURE + 1)
    async with pool.acquire() as connection:
        assert await connection.fetchval("select count(*) from incidents where state = 'CLOSED'") == len(
            incidents
        )
        assert await connection.fetchval("select count(closed_position) from closures") == len(incidents)
