"""A read model is built anew beside the running one and takes its place, and nobody who asks notices; a difference is explained."""

import asyncio
import itertools
from dataclasses import replace
from datetime import timedelta
from random import Random

import asyncpg
import pytest
from given import NOW, until
from histories import TO_CLOSURE, append, append_requests, driven, interleaved, mixed, reported
from test_runner import digest, folded, status, task

from adapters.database import connect_as_login, create_pool
from adapters.tail import Tail
from domain.errors import CorruptError, UnavailableError
from projections import at_position, runner
from projections import rebuild as rebuilding
from projections.all import PROJECTIONS
from projections.closure_figures import Question, closure
from projections.period import Period
from projections.rebuild import rebuild, schema_of, tables_of
from projections.runner import OutdatedError, catch_up, run

CLOSURE, INCIDENTS = PROJECTIONS["closure"], PROJECTIONS["incidents"]
NEWER = replace(INCIDENTS, version=INCIDENTS.version + 1)


@pytest.fixture
async def owner(database_url):
    """The owner of the tables."""
    connection = await connect_as_login(database_url)
    yield connection
    await connection.close()


@pytest.fixture
def anew(owner, log, database_url):
    """Rebuild a projection."""

    async def start(projection, *, login=owner, **options):
        settings = {"search_path": f"{schema_of(projection)}, public", "synchronous_commit": "off"}
        async with create_pool(database_url, largest=2, settings=settings) as builders:
            return await rebuild(projection, login, builders, log, **options)

    return start


@pytest.fixture
def wider(monkeypatch):
    """The next version of the incidents, whose table has one column more."""
    made = tables_of(INCIDENTS) + "alter table incidents add column added integer;"
    monkeypatch.setattr(rebuilding, "tables_of", lambda _projection: made)
    return NEWER


async def schemas(owner):
    return {
        row[0] for row in await owner.fetch("select nspname from pg_namespace where nspname like 'rebuild%'")
    }


async def privileges(owner, table):
    return await owner.fetch(
        "select grantee, privilege_type from information_schema.table_privileges where table_schema = 'public' and table_name = $1 "
        "order by 1, 2",
        table,
    )


async def indexes(owner, table):
    return await owner.fetch(
        "select indexdef from pg_indexes where schemaname = 'public' and tablename = $1 order by 1", table
    )


@pytest.mark.parametrize("name", sorted(PROJECTIONS))
async def test_every_projection_rebuilt_equals_the_running_one_and_takes_its_place(
    log, pool, site, owner, anew, name
):
    await mixed(log, site)
    await folded(pool, log)
    before = await digest(pool)
    tables = PROJECTIONS[name].tables
    made = [(await privileges(owner, table), await indexes(owner, table)) for table in tables]
    oids = [await owner.fetchval("select $1::regclass::oid", table) for table in tables]

    outcome = await anew(PROJECTIONS[name])

    assert outcome.switched
    assert outcome.equal
    assert outcome.position == await log.position()
    assert await digest(pool) == before
    assert [(await privileges(owner, table), await indexes(owner, table)) for table in tables] == made
    assert not {await owner.fetchval("select $1::regclass::oid", table) for table in tables} & set(oids)
    row = await status(pool, name)
    assert (row["digest"], row["proved_position"]) == (outcome.digest, outcome.position)
    assert row["missing"] == 0
    assert await schemas(owner) == set()

    more = [driven(reported(n, site, NOW), TO_CLOSURE) for n in range(900, 905)]
    await append(log, more, first_number=5_000_000)
    await folded(pool, log)  # the runner goes on with the new tables
    assert (await anew(PROJECTIONS[name], check=True)).equal


async def test_the_digest_is_the_same_for_the_same_log_and_another_for_another(log, pool, site, anew):
    await append(log, [driven(reported(1, site, NOW), 2)])
    await folded(pool, log)
    one = await anew(INCIDENTS, check=True)
    again = await anew(INCIDENTS)
    assert one.digest == again.digest
    await append(log, [reported(2, site, NOW)], first_number=1)
    await folded(pool, log)
    assert (await anew(INCIDENTS, check=True)).digest != one.digest


async def test_a_check_switches_nothing_and_finds_the_rows_that_differ(log, pool, site, owner, anew):
    await append(log, [driven(reported(n, site, NOW), TO_CLOSURE) for n in range(30)])
    await folded(pool, log)
    ids = [row[0] for row in await owner.fetch("select incident_id from incidents order by 1 limit 3")]
    await owner.execute("update incidents set state = 'OPEN', round = 9 where incident_id = $1", ids[0])
    await owner.execute("delete from incidents where incident_id = $1", ids[1])
    await owner.execute(
        'insert into incidents select (jsonb_populate_record(i, \'{"incident_id": "ffffffff-0000-0000-0000-000000000000"}\')).* '
        "from incidents as i where incident_id = $1",
        ids[2],
    )
    before = await digest(pool)

    outcome = await anew(INCIDENTS, check=True)

    assert not outcome.equal
    assert not outcome.switched
    table = next(one for one in outcome.tables if one.name == "incidents")
    assert (table.rows, table.running_rows) == (30, 30)
    assert table.differences == [
        (f"({ids[0]})", "round, state differ"),
        (f"({ids[1]})", "only in the rebuilt one"),
        ("(ffffffff-0000-0000-0000-000000000000)", "only in the running one"),
    ]
    assert await digest(pool) == before
    assert (await status(pool, "incidents"))["digest"] is None


async def test_a_difference_is_only_switched_to_when_that_is_said(log, pool, site, owner, anew):
    await append(log, [driven(reported(n, site, NOW), TO_CLOSURE) for n in range(3)])
    await folded(pool, log)
    right = await digest(pool)
    await owner.execute("delete from incidents where state = 'CLOSED'")
    assert not (await anew(INCIDENTS)).switched
    assert await owner.fetchval("select count(*) from incidents") == 0
    outcome = await anew(INCIDENTS, accept_difference=True)
    assert outcome.switched
    assert not outcome.equal
    assert await digest(pool) == right


async def test_it_compares_where_the_running_one_stands_although_the_log_is_further(log, pool, site, anew):
    await append(log, [reported(n, site, NOW) for n in range(5)])
    await folded(pool, log)
    stood = await log.position()
    await append(log, [reported(n, site, NOW) for n in range(5, 9)], first_number=5)
    outcome = await anew(INCIDENTS)
    assert (outcome.position, outcome.equal) == (stood, True)
    await folded(pool, log)
    assert (await status(pool, "incidents"))["position"] == await log.position()


async def test_another_version_goes_to_the_end_of_the_log_and_the_old_program_folds_no_more(
    log, pool, site, owner, anew, wider
):
    await append(log, [reported(n, site, NOW) for n in range(5)])
    await folded(pool, log)
    await append(log, [reported(n, site, NOW) for n in range(5, 9)], first_number=5)
    with pytest.raises(OutdatedError, match="run `anju rebuild incidents`"):
        await catch_up(wider, pool, log)

    outcome = await anew(wider)

    assert (outcome.running_version, outcome.version, outcome.switched) == (
        INCIDENTS.version,
        NEWER.version,
        True,
    )
    assert outcome.position == await log.position()
    assert await owner.fetchval("select count(*) from incidents where added is null") == 9
    with pytest.raises(
        OutdatedError, match=f"are of version {NEWER.version}, this program has version {INCIDENTS.version}"
    ):
        await catch_up(INCIDENTS, pool, log)
    await append(log, [reported(20, site, NOW)], first_number=20)
    assert await catch_up(wider, pool, log) == await log.position()


async def test_a_program_that_folds_while_the_version_changes_stops_at_once(
    log, pool, site, anew, wider, monkeypatch
):
    monkeypatch.setattr(runner, "BATCH", 1)
    await append(log, [reported(n, site, NOW) for n in range(5)])
    between, go_on = asyncio.Event(), asyncio.Event()
    batches = itertools.count()

    async def slow(connection, entries):
        await INCIDENTS.fold(connection, entries)

    class Pausing:
        """The log, whose third page takes until the rebuild is done."""

        async def read(self, *arguments, **options):
            page = await log.read(*arguments, **options)
            if next(batches) == 2:
                between.set()
                await go_on.wait()
            return page

    async with task(catch_up(replace(INCIDENTS, fold=slow), pool, Pausing())) as old:
        await between.wait()
        assert (await anew(wider)).switched
        go_on.set()
        with pytest.raises(OutdatedError):
            await old
    assert await pool.fetchval("select count(*) from incidents") == 5


async def test_readers_get_an_answer_all_the_while(log, pool, site, anew, wider):
    """Eight readers through the pool, with its cached statements, over many switches, one of which adds a column."""
    await append(log, [driven(reported(n, site, NOW + timedelta(minutes=n)), TO_CLOSURE) for n in range(100)])
    await folded(pool, log)
    answers, done = 0, False

    async def ask():
        nonlocal answers
        while not done:
            assert len(await pool.fetch("select * from incidents")) == 100
            assert await pool.fetchval("select count(*) from incidents where state = $1", "CLOSED") == 100
            answers += 2

    readers = [asyncio.create_task(ask()) for _ in range(8)]
    for _ in range(3):
        seen = answers
        assert (await anew(wider)).switched
        await until(lambda seen=seen: _more(lambda: answers, seen), 5)
    done = True
    await asyncio.gather(*readers)
    assert answers > 50


async def _more(now, seen):
    return now() > seen + 16


async def test_it_waits_for_a_long_query_a_moment_at_a_time_and_others_go_on(
    log, pool, site, owner, anew, monkeypatch
):
    monkeypatch.setattr(rebuilding, "LOCK_PAUSE", 0.05)
    monkeypatch.setattr(rebuilding, "LOCK_WAITS", ("50ms",) * 100)
    await append(log, [reported(n, site, NOW) for n in range(5)])
    await folded(pool, log)
    before = await digest(pool)
    async with pool.acquire() as long_query, long_query.transaction():
        await long_query.fetch("select * from incidents")
        async with task(anew(INCIDENTS)) as waiting:
            for _ in range(20):
                async with asyncio.timeout(1.0):
                    assert await pool.fetchval("select count(*) from incidents") == 5
                await asyncio.sleep(0.02)
            assert not waiting.done()
            await long_query.execute("rollback; begin")
            assert (await waiting).switched
    assert await digest(pool) == before


async def test_when_the_tables_are_in_use_for_too_long_nothing_is_switched(
    log, pool, site, owner, anew, monkeypatch
):
    monkeypatch.setattr(rebuilding, "LOCK_PAUSE", 0.01)
    monkeypatch.setattr(rebuilding, "LOCK_WAITS", ("10ms", "10ms"))
    await append(log, [reported(n, site, NOW) for n in range(5)])
    await folded(pool, log)
    before = await digest(pool)
    async with pool.acquire() as long_query, long_query.transaction():
        await long_query.fetch("select * from incidents")
        with pytest.raises(UnavailableError, match="nothing was switched"):
            await anew(INCIDENTS)
    assert await digest(pool) == before
    assert await schemas(owner) == set()
    assert (await anew(INCIDENTS)).switched


async def test_two_at_a_time_are_refused(log, pool, site, anew, database_url):
    await append(log, [reported(1, site, NOW)])
    other = await connect_as_login(database_url)
    assert await rebuilding.SQL.take(other, name="incidents")
    with pytest.raises(UnavailableError, match="incidents is being rebuilt already"):
        await anew(INCIDENTS)
    await other.close()
    await until(lambda: _switched(anew))


async def _switched(anew):
    try:
        return (await anew(INCIDENTS)).switched
    except UnavailableError:  # the other connection is still being closed
        return False


async def test_killed_midway_it_leaves_the_running_one_alone_and_the_next_begins_anew(
    log, pool, site, owner, anew, database_url, monkeypatch
):
    monkeypatch.setattr(runner, "BATCH", 4)
    await append(log, [reported(n, site, NOW) for n in range(20)])
    await folded(pool, log)
    before = await digest(pool)
    victim = await connect_as_login(database_url)
    batches = itertools.count()

    async def mortal(connection, entries):
        if next(batches) == 2:
            await owner.execute("select pg_terminate_backend($1)", victim.get_server_pid())
        await INCIDENTS.fold(connection, entries)

    with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError, OSError)):
        await anew(replace(INCIDENTS, fold=mortal), login=victim)
    assert await schemas(owner) == {"rebuild_incidents"}
    assert await digest(pool) == before
    assert (await anew(INCIDENTS)).switched
    assert await digest(pool) == before
    assert await schemas(owner) == set()


async def test_an_event_that_cannot_be_folded_ends_the_rebuild_and_nothing_else(log, pool, site, owner, anew):
    await append(log, [reported(n, site, NOW) for n in range(5)])
    await folded(pool, log)
    before = await digest(pool)

    async def picky(connection, entries):
        raise ValueError("not these")

    with pytest.raises(CorruptError, match=r"incidents cannot go on: position 7: incident\.reported"):
        await anew(replace(INCIDENTS, fold=picky))
    assert await digest(pool) == before
    assert (await status(pool, "incidents"))["error"] is None
    assert await schemas(owner) == set()


async def test_a_version_that_is_mended_passes_the_event_at_which_the_old_one_stopped(
    log, pool, site, anew, wider
):
    await append(log, [reported(n, site, NOW) for n in range(5)])

    async def picky(connection, entries):
        raise ValueError("not these")

    with pytest.raises(CorruptError):
        await catch_up(replace(INCIDENTS, fold=picky), pool, log)
    assert (await status(pool, "incidents"))["error"]
    assert (await anew(wider)).switched
    row = await status(pool, "incidents")
    assert (row["error"], row["position"], row["version"]) == (None, await log.position(), NEWER.version)


async def test_events_are_appended_and_folded_all_the_while(log, pool, site, database_url, anew, monkeypatch):
    monkeypatch.setattr(runner, "BATCH", 16)
    requests = interleaved(Random(5), site, 60)
    async with Tail(database_url) as tail, task(run(INCIDENTS, pool, log, tail)):
        for start in range(0, len(requests), 150):
            appending = asyncio.create_task(append_requests(log, requests[start : start + 150]))
            outcome = await anew(INCIDENTS)
            assert outcome.switched
            assert outcome.equal
            await appending
        await until(lambda: _reached(pool, log))
    rows = await pool.fetch("select * from incidents order by 1")
    assert (await anew(INCIDENTS, accept_difference=True)).equal
    assert await pool.fetch("select * from incidents order by 1") == rows


async def test_a_figure_that_is_being_counted_while_the_tables_change_is_still_of_one_position(
    log, pool, site, database_url, anew
):
    """Each event after the site's own is a report: what was received is told by the position alone."""
    before = await log.position()
    question = Question(period=Period(NOW.date(), NOW.date()), now=NOW)
    answers, done = [], False

    async def ask():
        while not done:
            async with pool.acquire() as connection:
                answers.append(await closure(connection, question))

    async def report():
        for number in itertools.count():
            if done:
                return
            await append(log, [reported(number, site, NOW)], first_number=number)

    await catch_up(CLOSURE, pool, log)
    async with Tail(database_url) as tail, task(run(CLOSURE, pool, log, tail)):
        busy = [asyncio.create_task(work()) for work in (ask, ask, ask, report)]
        for _ in range(6):
            assert (await anew(CLOSURE)).switched
        done = True
        await asyncio.gather(*busy)
    assert len({answer.position for answer in answers}) > 6
    assert [answer.received for answer in answers] == [answer.position - before for answer in answers]


async def _reached(pool, log):
    return (await status(pool, "incidents"))["position"] == await log.position()


async def test_what_was_known_at_a_position_is_asked_of_the_tables_that_a_rebuild_put_there(
    log, pool, site, anew
):
    await append(log, [driven(reported(1, site, NOW), TO_CLOSURE)])
    before = await log.position()
    await append(log, [driven(reported(2, site, NOW), TO_CLOSURE)], first_number=9)
    await catch_up(CLOSURE, pool, log)
    question = Question(period=Period(NOW.date(), NOW.date()), now=NOW, at_position=before)

    assert (await anew(CLOSURE)).switched
    async with pool.acquire() as connection, at_position.then(connection, before, [CLOSURE]):
        assert (await closure(connection, question)).received == 1
