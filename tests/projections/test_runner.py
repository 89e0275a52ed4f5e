"""Read models keep up with the log: each event once, whoever is killed when; one that cannot be folded stops its projection alone."""

import asyncio
import itertools
import os
import sys
from collections import Counter
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
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
from projections import leader, runner
from projections import status as projection_status
from projections.all import PROJECTIONS
from projections.runner import catch_up, run
from projections.status import reconcile, statuses

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
async def process(*arguments):
    """A Python process in the project's folder, killed at the end if it still runs."""
    root = Path(__file__).parents[2]
    started = await asyncio.create_subprocess_exec(
        sys.executable, *arguments, cwd=root, env={**os.environ, "PYTHONPATH": str(root)}
    )
    try:
        yield started
    finally:
        if started.returncode is None:
            started.kill()
        await started.wait()


@asynccontextmanager
async def task(coroutine):
    """`coroutine` at work, until the block is left."""
    started = asyncio.create_task(coroutine)
    try:
        yield started
    finally:
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


async def _run_all(pool, log, tail):
    await asyncio.gather(*(run(projection, pool, log, tail) for projection in PROJECTIONS.values()))


async def test_killed_at_any_moment_it_counts_everything_once(log, pool, site, tail, monkeypatch):
    monkeypatch.setattr(runner, "BATCH", 10)
    await mixed(log, site, incidents=60, passes=200)
    for n in range(25):
        async with task(_run_all(pool, log, tail)):
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


async def test_what_has_stopped_is_tried_again_and_goes_on_once_the_cause_is_mended(
    running, superuser, site, log, monkeypatch
):
    monkeypatch.setattr(leader, "POLL", 0.05)
    monkeypatch.setattr(leader, "RETRY", 0.3)
    await mixed(log, site)
    for table in TABLES:
        await superuser.execute(f"alter table {table} rename to {table}_hidden")
    async with task(work(running, ingesting=False, projecting=True)) as working:
        for name in PROJECTIONS:
            await until(lambda name=name: failed(running.pool, name))
        assert all("UndefinedTableError" in row["error"] for row in await statuses(running.pool))
        for table in TABLES:
            await superuser.execute(f"alter table {table}_hidden rename to {table}")
        for name in PROJECTIONS:
            await until(lambda name=name: caught_up(running, name))
        assert not working.done()
    assert not any(row["error"] for row in await statuses(running.pool))


async def test_what_has_stopped_is_tried_again_as_soon_as_its_row_changes(
    running, superuser, site, log, monkeypatch
):
    """As after a rebuild, though the next try would be in a minute."""
    monkeypatch.setattr(leader, "POLL", 0.05)
    await superuser.execute("alter table closures add constraint poison check (category <> 'poison')")
    await append(log, [reported(1, site, NOW, category="poison"), reported(2, site, NOW)])
    async with task(work(running, ingesting=False, projecting=True)):
        await until(lambda: failed(running.pool, "closure"))
        await superuser.execute("update projections set position = 7 where name = 'closure'")  # past it
        await until(lambda: caught_up(running, "closure"))


async def test_tables_of_another_version_are_left_alone_and_what_to_do_is_said(
    running, superuser, site, log, monkeypatch
):
    monkeypatch.setattr(leader, "POLL", 0.05)
    await append(log, [reported(1, site, NOW)])
    await folded(running.pool, log)
    await superuser.execute("update projections set version = 99 where name = 'incidents'")
    before = await status(running.pool, "incidents")
    await append(log, [reported(2, site, NOW)], first_number=1)
    async with task(work(running, ingesting=False, projecting=True)):
        await until(lambda: caught_up(running, "closure"))
        await until(lambda: failed(running.pool, "incidents"))
        stopped = await status(running.pool, "incidents")
        assert stopped["position"] == before["position"]
        assert stopped["error"] == (
            f"the tables of incidents are of version 99, this program has version {PROJECTIONS['incidents'].version}: "
            "run `anju rebuild incidents`"
        )
        await superuser.execute("update projections set version = $1", PROJECTIONS["incidents"].version)
        await until(lambda: caught_up(running, "incidents"))
    assert (await status(running.pool, "incidents"))["error"] is None


async def leaders(superuser):
    """The backends that hold the locks, each with how many."""
    rows = await superuser.fetch(
        "select pid, count(*) from pg_locks where locktype = 'advisory' and granted "
        "and database = (select oid from pg_database where datname = current_database()) group by pid"
    )
    return {row["pid"]: row["count"] for row in rows}


async def test_without_the_connection_that_says_so_nobody_folds(running, superuser, site, log, monkeypatch):
    """Its worker stops at once, in the middle of a batch; another one takes over, and the first may be it again."""
    monkeypatch.setattr(leader, "POLL", 0.1)
    await append(log, [reported(1, site, NOW)])
    stuck, cancelled, calls = asyncio.Event(), asyncio.Event(), itertools.count()

    async def slow(connection, entries):
        if next(calls) == 0:
            stuck.set()
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                cancelled.set()
                raise
        await PROJECTIONS["incidents"].fold(connection, entries)

    projection = replace(PROJECTIONS["incidents"], fold=slow)
    async with task(leader.lead([projection], running.pool, log, running.tail)):
        await stuck.wait()
        ((pid, _),) = (await leaders(superuser)).items()
        await superuser.execute("select pg_terminate_backend($1)", pid)
        async with asyncio.timeout(2):
            await cancelled.wait()
        await until(lambda: caught_up(running, "incidents"))
    assert await superuser.fetchval("select count(*) from incidents") == 1


async def test_of_two_workers_one_folds_and_the_other_takes_over_when_it_ends(
    running, superuser, site, log, monkeypatch
):
    monkeypatch.setattr(leader, "POLL", 0.05)
    folders = []

    def worker(name):
        async def fold(connection, entries):
            folders.append(name)
            await PROJECTIONS["incidents"].fold(connection, entries)

        return leader.lead([replace(PROJECTIONS["incidents"], fold=fold)], running.pool, log, running.tail)

    async with task(worker("second")) as second, task(worker("first")) as first:
        await until(lambda: leaders(superuser))
        for n in range(10):
            await append(log, [reported(n, site, NOW)], first_number=n)
            await until(lambda: caught_up(running, "incidents"))
        (leading,) = set(folders)
        (first if leading == "first" else second).cancel()
        await append(log, [reported(10, site, NOW)], first_number=10)
        await until(lambda: caught_up(running, "incidents"))
    assert set(folders[:-1]) == {leading}
    assert folders[-1] != leading


async def test_a_worker_that_is_killed_is_followed_by_another_and_every_event_counts_once(
    pool, superuser, site, log, database_url, tmp_path, monkeypatch
):
    """Real processes, and kill -9 in the middle, again and again; at the end one of them has folded it all."""
    monkeypatch.setenv("ANJU_DATABASE_URL", database_url)
    monkeypatch.setenv("ANJU_DATA_DIR", str(tmp_path))
    requests = interleaved(Random(8), site, 120)
    command = (
        "-c",
        "from projections import runner; runner.BATCH = 20; from api.cli import main; main()",
        "work",
    )
    async with AsyncExitStack() as stack:
        leading = await stack.enter_async_context(process(*command, "--projections"))
        # not just any lock: a process that starts migrates under one
        await until(lambda: _leads(superuser), 30)
        for part in range(4):
            standing_by = await stack.enter_async_context(process(*command, "--projections"))
            await append_requests(log, requests[len(requests) * part // 4 : len(requests) * (part + 1) // 4])
            ((pid, held),) = (await leaders(superuser)).items()
            assert held == len(PROJECTIONS)
            leading.kill()
            await leading.wait()
            leading = standing_by
            # the server lets the locks of the dead one go when it notices
            await until(lambda pid=pid: _leads(superuser, after=pid), 30)
        for name in PROJECTIONS:
            await until(lambda name=name: _there(pool, log, name), 30)
    survived = await digest(pool)
    assert {row["missing"] for row in await statuses(pool)} == {0}
    await forget(pool)
    await folded(pool, log)
    assert await digest(pool) == survived


async def _leads(superuser, after=None):
    found = await leaders(superuser)
    return after not in found and list(found.values()) == [len(PROJECTIONS)]


async def _there(pool, log, name):
    return await reached(pool, name, await log.position())


async def test_what_was_passed_over_is_missed(log, pool, site, superuser):
    await append(log, [driven(reported(n, site, NOW), TO_CLOSURE) for n in range(5)])
    await folded(pool, log)
    row = await status(pool, "incidents")
    assert (row["folded"], row["missing"], row["lag"], row["lag_seconds"]) == (5 * (TO_CLOSURE + 1), 0, 0, 0)

    await append(log, [driven(reported(n, site, NOW), 2) for n in range(5, 7)], first_number=5)
    row = await status(pool, "incidents")
    assert (row["missing"], row["lag"]) == (0, 6)
    assert 0 < row["lag_seconds"] < 60
    await superuser.execute("update projections set position = position + 3 where name = 'incidents'")
    await folded(pool, log)
    assert (await status(pool, "incidents"))["missing"] == 3
    assert {row["missing"] for row in await statuses(pool) if row["name"] != "incidents"} == {0}

    async with pool.acquire() as connection:
        await reconcile(connection, "incidents")
    assert (await status(pool, "incidents"))["missing"] == 3
    assert await pool.fetchval("select appended_through from projections where name = 'incidents'") == (
        await log.position()
    )


async def test_what_was_folded_twice_is_seen_too(log, pool, site, superuser):
    await append(log, [a_pass(site, NOW, number=n) for n in range(5)])
    await folded(pool, log)
    await superuser.execute("update projections set position = position - 2 where name = 'gate_traffic'")
    await folded(pool, log)
    assert (await status(pool, "gate_traffic"))["missing"] == -2


async def test_what_the_log_has_is_counted_a_window_at_a_time(log, pool, site, superuser, monkeypatch):
    monkeypatch.setattr(projection_status, "WINDOW", 7)
    await append(log, [driven(reported(n, site, NOW), TO_CLOSURE) for n in range(5)])
    await folded(pool, log)
    assert (await status(pool, "incidents"))["missing"] is None
    async with pool.acquire() as connection:
        await reconcile(connection, "incidents")
    assert (await status(pool, "incidents"))["missing"] == 0


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
