"""The log appends, refuses, repeats and reads."""

import asyncio
from collections import Counter
from contextlib import AsyncExitStack
from datetime import timedelta
from urllib.parse import urlsplit
from uuid import uuid4

import asyncpg
import pytest
from given import NOW, build_site, named, observation, order, person, report

from adapters import commit, database, writer
from adapters.database import create_pool
from adapters.embedded import postgres
from adapters.event_log import event_log
from adapters.migrate import migrate
from adapters.verify import verify
from domain import commands
from domain.errors import (
    BusyError,
    ConflictError,
    CorruptError,
    InvalidError,
    NotFoundError,
    RuleError,
    UnavailableError,
)
from domain.gatepass import GatePass, decide
from domain.incident import Incident
from domain.people import Role
from domain.ports import Appended, Request
from domain.site import Direction, Gate, GateMode, Site, SiteState, site_id

ADMIN = person(Role.ADMIN)


def plan(code, request_id=None, **metadata):
    """A request that plans the site `code`."""
    site = Site.plan(code=code, name=code, township="t", by=ADMIN, at=NOW)
    return Request(request_id or uuid4(), site.collect_events(), metadata)


def unstorable():
    """A request whose event cannot be encoded."""
    request = plan("never")
    request.events[0].__dict__["name"] = "\ud800"
    return request


def next_event(site):
    """A request with the next event of `site`, as it was loaded: one more gate."""
    site.add_gate(by=ADMIN, at=NOW, gate=Gate(f"g{uuid4().hex}", "门", GateMode.OPEN, Direction.IN))
    return Request(uuid4(), site.collect_events(), {})


@pytest.fixture
async def two(pool, database_url):
    """Two logs on one database, each with a writer of its own."""
    async with event_log(pool, database_url) as one, event_log(pool, database_url) as other:
        yield one, other


async def kill(database_url, what="true"):
    """Terminate every other connection to the database for which `what` is true; how many."""
    connection = await asyncpg.connect(database_url)
    killed = await connection.fetchval(
        f"select count(pg_terminate_backend(pid)) from pg_stat_activity"
        f" where datname = current_database() and pid <> pg_backend_pid() and {what}"
    )
    await connection.close()
    return killed


WRITERS = "query like any (array['%log_head%', '%commit%', '%append%'])"


async def rows(pool, columns="*"):
    return await pool.fetch(f"select {columns} from events order by notification_id")


@pytest.fixture
def holds(pool, database_url):
    """Asks whether the chain verifies, positions are 1..n, and the versions of every aggregate 1..m in the order of positions."""

    async def ask():
        verdict = await verify(database_url)
        found = await rows(pool, "notification_id, originator_id, originator_version")
        seen = Counter()
        for place, row in enumerate(found, start=1):
            seen[row["originator_id"]] += 1
            if (row["notification_id"], row["originator_version"]) != (place, seen[row["originator_id"]]):
                return False
        return verdict.holds and verdict.events == len(found)

    return ask


async def test_a_loaded_aggregate_is_the_one_that_was_appended(log, site):
    assert site == await log.load(Site, site.id)
    assert site.version == 6
    assert set(site.gates) == {"main"}


async def test_positions_are_gapless_and_in_the_order_of_appending(log, site):
    done = await report(log, site)
    assert done.position == 7 == await log.position()


async def test_a_conflict_fails_alone_and_the_requests_beside_it_are_appended(log, site):
    stale = await log.load(Site, site.id)
    stale._version = 1
    stale.state = SiteState.PLANNED
    stale.start_construction(by=ADMIN, at=NOW)
    results = await log.append_all([Request(uuid4(), stale.collect_events(), {}), plan("gaoqiao")])
    assert isinstance(results[0], ConflictError)
    assert results[0].current == 6
    assert results[1].first == 7


async def test_the_same_request_given_twice_is_appended_once(log):
    given = order(Role.ADMIN)
    first = await commands.plan_site(log, given, code="a", name="A", township="t")
    again = await commands.plan_site(log, given, code="a", name="A", township="t")
    assert (again.position, again.repeated) == (first.position, True)
    assert await log.position() == 1


async def test_the_same_request_twice_in_one_call_is_appended_once(log):
    request = plan("a")
    first, again = await log.append_all([request, request])
    assert (first, again) == (Appended(1, 1), Appended(1, 1, repeated=True))
    assert await log.find(request.id) == Appended(1, 1, repeated=True)
    assert await log.find(uuid4()) is None


async def test_a_request_id_is_good_for_one_thing_only(log, site):
    given = order(Role.ADMIN)
    await commands.plan_site(log, given, code="a", name="A", township="t")
    with pytest.raises(InvalidError, match="was used for something else"):
        await commands.plan_site(log, given, code="b", name="B", township="t")
    with pytest.raises(RuleError):
        await commands.act(log, given, Site, Site.start_operation, site.id)
    assert await log.position() == 7


async def test_a_request_without_events_is_refused(log):
    with pytest.raises(InvalidError, match="no events"):
        await log.append(Request(uuid4(), [], {}))
    assert await log.append_all([]) == []


async def test_what_was_never_appended_is_not_found(log):
    with pytest.raises(NotFoundError, match="there is no incident"):
        await log.load(Incident, uuid4())
    assert await log.history(uuid4()) == []


async def test_a_site_is_not_an_incident(log):
    site = await build_site(log)
    with pytest.raises(NotFoundError, match="is Site, not Incident"):
        await log.load(Incident, site.id)


async def test_the_metadata_and_the_time_of_recording_stand_beside_each_event(log):
    await log.append(plan("a", causation="人", actor="x"))
    (entry,) = await log.history(site_id("a"))
    assert (entry.position, entry.metadata) == (1, {"actor": "x", "causation": "人"})
    assert entry.recorded_at.utcoffset() is not None


async def test_a_page_has_the_topics_asked_for_and_says_how_far_it_looked(log, site):
    page = await log.read(1, 2, frozenset({"site.accepted", "site.gate_added"}))
    assert [entry.position for entry in page.entries] == [3, 5]
    assert page.through == 5
    end = await log.read(6, 100, frozenset({"site.accepted"}))
    assert (list(end.entries), end.through) == ([], 6)


async def test_a_missing_position_is_not_read_over(log, site, pool, database_url):
    connection = await asyncpg.connect(database_url)
    await connection.execute(
        "set session_replication_role = replica; delete from events where notification_id = 3"
    )
    await connection.close()
    with pytest.raises(CorruptError, match="position 3 is missing"):
        await log.read(0, 100, frozenset())


async def test_one_that_cannot_be_encoded_leaves_the_others(log):
    results = await log.append_all([plan("a"), unstorable(), plan("b"), plan("c", reason="\udfff")])
    assert [type(result) for result in results] == [Appended, InvalidError, Appended, InvalidError]
    assert [result.first for result in results if isinstance(result, Appended)] == [1, 2]
    with pytest.raises(InvalidError, match="cannot be stored"):
        await log.append(unstorable())


async def test_an_observation_with_the_id_of_a_case_does_not_touch_the_case(log, site):
    """Its events lie in another partition, which knows nothing of the versions in the first."""
    passed = decide(observation(id=site.id), site).collect_events()
    with pytest.raises(ConflictError):
        await log.append(Request(uuid4(), passed, {}))
    assert await log.load(Site, site.id) == site


async def test_many_callers_of_two_writers_are_each_appended_once(holds, two, pool):
    sites = [await build_site(two[0], f"s{number}") for number in range(3)]

    async def caller(number):
        log = two[number % 2]
        done = [await log.append(plan(f"own-{number}-{step}")) for step in range(10)]
        for step in range(5):
            gate = Gate(f"g{number}-{step}", "门", GateMode.OPEN, Direction.IN)
            while True:
                try:
                    done.append(await commands.act(
                        log, order(Role.ADMIN), Site, Site.add_gate, sites[step % 3].id, gate=gate))  # fmt: skip
                    break
                except ConflictError:
                    continue
        return done

    done = [result for results in await asyncio.gather(*map(caller, range(40))) for result in results]
    places = [result.last if isinstance(result, Appended) else result.position for result in done]
    assert sorted(places) == list(range(19, 19 + 600))
    assert await holds()


async def test_of_racing_commands_exactly_one_wins_each_version(holds, two, pool):
    site = await build_site(two[0])
    for version in range(7, 17):
        loaded = [await two[number % 2].load(Site, site.id) for number in range(12)]
        results = await asyncio.gather(
            *(two[number % 2].append(next_event(one)) for number, one in enumerate(loaded)),
            return_exceptions=True,
        )
        won = [result for result in results if isinstance(result, Appended)]
        lost = [result for result in results if isinstance(result, ConflictError)]
        assert (len(won), len(lost)) == (1, 11)
        assert {error.current for error in lost} == {version}
    assert await holds()


async def test_a_command_without_an_expected_version_is_decided_anew(two):
    site = await build_site(two[0])
    gates = [Gate(f"g{number}", "门", GateMode.OPEN, Direction.IN) for number in range(commands.RETRIES)]
    done = await asyncio.gather(
        *(
            commands.act(two[number % 2], order(Role.ADMIN), Site, Site.add_gate, site.id, gate=gate)
            for number, gate in enumerate(gates)
        )
    )
    assert sorted(result.version for result in done) == list(range(7, 7 + len(gates)))


async def test_a_command_with_an_expected_version_is_told_the_current_one(two):
    site = await build_site(two[0])
    results = await asyncio.gather(
        *(
            commands.act(
                two[number % 2], order(Role.ADMIN), Site, Site.add_gate, site.id,
                expected_version=6, gate=Gate(f"g{number}", "门", GateMode.OPEN, Direction.IN),
            )
            for number in range(6)
        ),
        return_exceptions=True,
    )  # fmt: skip
    assert sorted(type(result).__name__ for result in results) == ["ConflictError"] * 5 + ["Done"]
    assert {result.current for result in results if isinstance(result, ConflictError)} == {7}
    with pytest.raises(ConflictError, match="is at version 7, not 3: read it again") as refused:
        await commands.act(
            two[0], order(Role.ADMIN), Site, Site.add_gate, site.id,
            expected_version=3, gate=Gate("late", "门", GateMode.OPEN, Direction.IN),
        )  # fmt: skip
    assert refused.value.current == 7


async def test_a_repeated_command_is_done_once_whoever_repeats_it(two):
    site = await build_site(two[0])
    given = order(Role.ADMIN)
    gate = Gate("back", "后门", GateMode.OPEN, Direction.OUT)
    done = await asyncio.gather(
        *(
            commands.act(two[number % 2], given, Site, Site.add_gate, site.id, gate=gate)
            for number in range(10)
        )
    )
    assert {result.position for result in done} == {7}
    assert [result.repeated for result in done].count(False) == 1
    assert await two[0].position() == 7


async def test_a_writer_whose_backend_is_killed_appends_everything_once(holds, pool, database_url):
    requests = [plan(f"s{number}") for number in range(3000)]
    async with event_log(pool, database_url) as log:
        appending = [asyncio.create_task(log.append(request)) for request in requests[:50]]
        killed = 0
        for start in range(50, len(requests), 50):
            appending += [
                asyncio.create_task(log.append(request)) for request in requests[start : start + 50]
            ]
            if start % 250 == 0:
                killed += await kill(
                    database_url,
                    f"pid <> all(select pid from pg_stat_activity where query = '') and {WRITERS}",
                )
            await asyncio.sleep(0.002)
        async with asyncio.timeout(30):
            results = await asyncio.gather(*appending)
    assert killed > 0
    stored = {row["request_id"]: row["notification_id"] for row in await rows(pool)}
    assert len(stored) == len(await rows(pool)) == len(requests)
    assert [stored[request.id] for request in requests] == [result.first for result in results]
    assert await holds()


async def test_an_idle_writer_whose_backend_was_killed_appends_the_next(log, database_url):
    await log.append(plan("a"))
    assert await kill(database_url) > 0
    assert (await log.append(plan("b"))).first == 2


async def test_a_stuck_holder_of_the_lock_is_not_waited_for_for_ever(log, monkeypatch, database_url):
    monkeypatch.setitem(database._SETTINGS, "lock_timeout", "100ms")
    monkeypatch.setattr(writer, "PATIENCE", 0.5)
    stuck = await asyncpg.connect(database_url)
    async with stuck.transaction():
        await stuck.execute("select from log_head for update")
        async with asyncio.timeout(5):
            with pytest.raises(UnavailableError, match="lost and did not come back"):
                await log.append(plan("a"))
    await stuck.close()
    monkeypatch.undo()
    assert (await log.append(plan("b"))).first == 1


async def test_a_database_that_stays_away_is_told_to_every_caller_in_time(tmp_path, monkeypatch):
    monkeypatch.setattr(writer, "PATIENCE", 0.5)
    monkeypatch.setattr(writer, "LARGEST_BATCH", 10)
    async with AsyncExitStack() as stack:
        async with postgres(tmp_path) as server:
            await asyncio.to_thread(migrate, server.url)
            pool = await stack.enter_async_context(create_pool(server.url))
            log = await stack.enter_async_context(event_log(pool, server.url))
            await log.append(plan("a"))
            await pool.expire_connections()
        started = asyncio.get_running_loop().time()
        async with asyncio.timeout(10):
            results = await asyncio.gather(
                *(log.append(plan(f"s{number}")) for number in range(500)), return_exceptions=True
            )
            assert {type(result) for result in results} == {UnavailableError}
            assert "the database is lost and did not come back" in str(results[0])
            with pytest.raises(UnavailableError, match="cannot be read"):
                await log.position()
        assert asyncio.get_running_loop().time() - started < 3
        late = asyncio.create_task(log.append(plan("late")))
        await asyncio.sleep(0)
        monkeypatch.setattr(writer, "LAST_PATIENCE", 0.2)
        monkeypatch.setattr(writer, "PATIENCE", 600)
        async with asyncio.timeout(5):
            await stack.aclose()  # leaving does not hang either
            with pytest.raises(UnavailableError):
                await late


async def test_a_read_only_database_is_said_to_be_one(log, pool, postgres_url, database_url):
    await log.append(plan("a"))
    name = urlsplit(database_url).path[1:]
    admin = await asyncpg.connect(postgres_url)
    await admin.execute(f"alter database {name} set default_transaction_read_only = on")
    await kill(database_url)
    for _ in range(2):
        with pytest.raises(UnavailableError, match="SQLSTATE 25006"):
            await log.append(plan("b"))
    assert await log.position() == 1

    await admin.execute(f"alter database {name} reset default_transaction_read_only")
    await admin.close()
    assert (await log.append(plan("b"))).first == 2


async def test_leaving_writes_what_waits(holds, pool, database_url, monkeypatch):
    monkeypatch.setattr(writer, "LARGEST_BATCH", 7)
    async with event_log(pool, database_url) as log:
        appending = [asyncio.create_task(log.append(plan(f"s{number}"))) for number in range(100)]
        await asyncio.sleep(0)
    results = await asyncio.gather(*appending)
    assert [result.first for result in results] == list(range(1, 101))
    assert await holds()


async def test_leaving_writes_what_waits_although_the_connection_was_lost_meanwhile(pool, database_url):
    async with event_log(pool, database_url) as log:
        await log.append(plan("a"))
        await kill(database_url)
        late = asyncio.create_task(log.append(plan("b")))
        await asyncio.sleep(0)
    assert (await late).first == 2


async def test_a_closed_log_takes_nothing_more(pool, database_url):
    async with event_log(pool, database_url) as log:
        pass
    with pytest.raises(UnavailableError, match="the log is closed"):
        await log.append(plan("a"))


async def test_nothing_is_left_running_or_connected(pool, database_url):
    before = asyncio.all_tasks()
    async with event_log(pool, database_url) as log:
        await log.append(plan("a"))
    assert asyncio.all_tasks() <= before
    await asyncio.sleep(0.05)
    assert await pool.fetchval(f"select count(*) from pg_stat_activity where datname = current_database() and {WRITERS}"
                               " and pid <> pg_backend_pid()") == 0  # fmt: skip


async def test_a_full_queue_says_that_it_is_busy_and_takes_more_later(log, monkeypatch):
    monkeypatch.setattr(writer, "LARGEST_QUEUE", 10)
    results = await asyncio.gather(
        *(log.append(plan(f"s{number}")) for number in range(25)), return_exceptions=True
    )
    assert [type(result) for result in results] == [Appended] * 10 + [BusyError] * 15
    assert "the log is busy: 10 events are waiting" in str(results[-1])
    assert (await log.append(plan("later"))).first == 11


async def test_a_cancelled_caller_does_not_disturb_the_others(holds, log, pool):
    requests = [plan(f"s{number}") for number in range(60)]
    appending = [asyncio.create_task(log.append(request)) for request in requests]
    await asyncio.sleep(0)
    for task in appending[::3]:
        task.cancel()
    results = await asyncio.gather(*appending, return_exceptions=True)
    assert [type(result) for result in results] == [asyncio.CancelledError, Appended, Appended] * 20
    assert (
        await log.append(plan("after"))
    ).first == 61  # what was queued is written, whether or not somebody waits for it
    assert (await log.append(requests[0])).repeated
    assert await holds()


@pytest.mark.parametrize("where", ["columns", "decide"])
async def test_a_bug_in_the_writer_is_told_to_those_it_concerns_and_the_log_goes_on(
    holds, two, monkeypatch, where
):
    log, other = two
    taken = plan("a")
    await log.append(taken)
    await other.append(plan("b"))
    with monkeypatch.context() as patch:
        patch.setattr(commit, where, lambda *_given: 1 // 0)
        async with asyncio.timeout(5):
            with pytest.raises(UnavailableError, match="ZeroDivisionError"):
                await log.append(taken)  # decided under the lock, for it is there
    async with asyncio.timeout(5):
        assert (await other.append(plan("c"))).first == 3
        assert (await log.append(taken)).repeated
        assert (await log.append(plan("d"))).first == 4
    assert await holds()


async def test_a_cancelled_writer_keeps_no_lock(holds, pool, database_url):
    async with event_log(pool, database_url) as other:
        async with event_log(pool, database_url) as log:
            appending = [asyncio.create_task(log.append(plan(f"s{number}"))) for number in range(20)]
            await asyncio.sleep(0.002)
            log._writer._task.cancel()
            async with asyncio.timeout(5):
                results = await asyncio.gather(*appending, return_exceptions=True)
            log._writer._task = None
        assert {type(result) for result in results} <= {UnavailableError, Appended}
        async with asyncio.timeout(5):
            await other.append(plan("b"))
    assert await holds()


async def test_two_writers_come_to_the_edge_of_a_leaf_at_the_same_time(holds, two, pool, database_url):
    """Leaves of ten positions: every batch of passes needs one or more that are not there yet."""
    admin = await asyncpg.connect(database_url)
    await admin.execute("""
        drop table events_observation_0;
        create or replace function observation_leaf_size() returns bigint language sql immutable as 'select 10::bigint';
        select ensure_observation_leaf(0);
    """)
    await admin.close()
    site = await build_site(two[0])

    async def passes(log):
        done = []
        for _ in range(20):
            seen = [observation() for _ in range(3)]
            done += await log.append_all(
                [Request(one.id, decide(one, site).collect_events(), {}) for one in seen]
            )
            repeated = await log.append(Request(seen[0].id, decide(seen[0], site).collect_events(), {}))
            assert repeated.repeated
            with pytest.raises(ConflictError):  # another request for the same pass, however far back it lies
                await log.append(Request(uuid4(), decide(seen[0], site).collect_events(), {}))
        return done

    done = [result for results in await asyncio.gather(*map(passes, two)) for result in results]
    assert sorted(result.first for result in done) == list(range(7, 127))
    assert await two[0].load(GatePass, (await rows(pool))[-1]["originator_id"])
    assert await holds()


async def test_a_leaf_that_was_rolled_back_is_made_again(log, pool, database_url, monkeypatch):
    admin = await asyncpg.connect(database_url)
    await admin.execute("""
        drop table events_observation_0;
        create or replace function observation_leaf_size() returns bigint language sql immutable as 'select 10::bigint';
    """)
    site = await build_site(log)
    await admin.execute("alter table log_head add constraint full_disk check (position < 7)")
    one = observation()
    request = Request(one.id, decide(one, site).collect_events(), {})
    with pytest.raises(UnavailableError, match="SQLSTATE 23514"):
        await log.append(request)
    await admin.execute("alter table log_head drop constraint full_disk")
    await admin.close()
    assert (await log.append(request)).first == 7


def test_the_address_of_a_database_keeps_its_query():
    assert named("postgresql://u@/a?host=/s", "b") == "postgresql://u@/b?host=/s"


async def test_an_aggregate_is_loaded_as_it_was_at_a_version(log, site):
    planned = await log.load(Site, site.id, version=1)
    assert (planned.version, planned.state, planned.gates) == (1, SiteState.PLANNED, {})
    assert await log.load(Site, site.id, version=6) == await log.load(Site, site.id, version=99) == site


async def test_an_aggregate_is_loaded_as_the_log_knew_it_at_a_time(log, site):
    """By the time of recording: all of these happened, as their timestamps say, at one and the same moment."""
    recorded = [entry.recorded_at for entry in await log.history(site.id)]
    for version, at in enumerate(recorded, start=1):
        assert (await log.load(Site, site.id, at=at)).version == version
    assert (await log.load(Site, site.id, at=recorded[3], version=2)).version == 2
    assert (await log.load(Site, site.id, at=recorded[1], version=4)).version == 2


async def test_before_its_first_event_there_was_no_aggregate(log, site):
    first = (await log.history(site.id))[0].recorded_at
    with pytest.raises(NotFoundError, match=r"there was no site .* yet"):
        await log.load(Site, site.id, at=first - timedelta(microseconds=1))
    with pytest.raises(NotFoundError, match=r"there was no site .* yet"):
        await log.load(Site, site.id, version=0)


@pytest.fixture
async def incidents(log, site):
    """Three incidents at positions 7, 8 and 10; the first is accepted at 9, the site has another gate at 11."""
    made = [await report(log, site), await report(log, site)]
    await commands.act(log, order(Role.INTAKE), Incident, Incident.accept, made[0].id)
    made.append(await report(log, site))
    gate = Gate("east", "东门", GateMode.OPEN, Direction.IN)
    await commands.act(log, order(Role.ADMIN), Site, Site.add_gate, site.id, gate=gate)
    return made


def positions(page):
    return [entry.position for entry in page.entries], page.through


REPORTED = frozenset({Incident.Reported.TOPIC})


async def test_all_is_read_in_order_and_the_end_is_known(log, incidents):
    assert positions(await log.read(0, 8)) == (list(range(1, 9)), 8)
    assert positions(await log.read(8, 8)) == ([9, 10, 11], 11)
    assert positions(await log.read(11, 8)) == ([], 11)


async def test_only_the_topics_asked_for_are_read_and_the_rest_is_passed_over(log, incidents):
    assert positions(await log.read(0, 2, REPORTED)) == ([7, 8], 8)
    assert positions(await log.read(8, 2, REPORTED)) == ([10], 11)
    assert positions(await log.read(10, 1, REPORTED)) == ([], 11)
    assert positions(await log.read(11, 2, REPORTED)) == ([], 11)
    both = REPORTED | {Site.GateAdded.TOPIC}
    assert positions(await log.read(6, 9, both)) == ([7, 8, 10, 11], 11)
    assert positions(await log.read(0, 9, frozenset())) == ([], 11)


async def test_few_events_are_found_window_by_window(log, incidents, monkeypatch):
    monkeypatch.setattr("adapters.event_log.WINDOW", 3)
    assert positions(await log.read(0, 2, REPORTED)) == ([], 3)
    assert positions(await log.read(6, 2, REPORTED)) == ([7, 8], 8)
    assert positions(await log.read(9, 2, REPORTED)) == ([10], 11)


async def test_reading_beyond_the_end_does_not_go_back(log, site):
    assert positions(await log.read(100, 5, REPORTED)) == ([], 100)
    assert positions(await log.read(100, 5)) == ([], 100)


async def test_the_events_of_categories_are_read(log, incidents):
    assert positions(await log.read(0, 99, categories=frozenset({"incident"}))) == ([7, 8, 9, 10], 11)
    assert positions(await log.read(0, 99, categories=frozenset({"gate"}))) == ([], 11)


@pytest.mark.parametrize("topics", [None, REPORTED])
async def test_entry_after_entry_is_what_one_page_is(log, incidents, topics):
    entries = [entry async for entry in log.entries(topics=topics, stretch=2)]
    assert entries == (await log.read(0, 99, topics)).entries
    assert [entry async for entry in log.entries(11, topics)] == []


async def test_whoever_stops_in_the_middle_of_the_entries_leaves_nothing_behind(log, incidents):
    entries = log.entries(stretch=1)
    async for entry in entries:
        assert entry.position == 1
        break
    await entries.aclose()
    assert await log.position() == 11


async def test_a_long_aggregate_is_loaded_whole(log, site):
    """Longer than what is decoded at a time."""
    for _ in range(4):
        loaded = await log.load(Site, site.id)
        request = Request(uuid4(), [event for _ in range(30) for event in next_event(loaded).events], {})
        await log.append(request)
    loaded = await log.load(Site, site.id)
    assert (loaded.version, len(loaded.gates)) == (126, 121)
