"""Whoever changes the log, even as superuser with the triggers off, is found out, and where."""

import asyncpg
import pytest
from given import build_site

from adapters.database import connect
from adapters.verify import verify
from domain.chain import GENESIS


@pytest.fixture
async def forger(database_url):
    """A superuser, for whom no trigger fires."""
    connection = await asyncpg.connect(database_url)
    await connection.execute("set session_replication_role = replica")
    yield connection
    await connection.close()


async def test_an_empty_log_holds(database_url):
    found = await verify(database_url)
    assert (found.holds, found.events, found.hash) == (True, 0, GENESIS)


async def test_a_log_holds_and_its_last_hash_is_that_of_the_head(log, site, database_url, pool):
    found = await verify(database_url)
    assert (found.holds, found.events, found.position, found.problem) == (True, 6, None, None)
    assert found.hash == await pool.fetchval("select hash from log_head")


async def test_whoever_verifies_is_told_how_far_it_is(log, pool, database_url, monkeypatch):
    monkeypatch.setattr("adapters.verify.STEP", 5)
    for number in range(3):
        await build_site(log, f"s{number}")
    told = []
    await verify(database_url, progress=lambda checked, total: told.append((checked, total)))
    assert told[-1] == (18, 18)
    assert [total for _, total in told] == [18] * len(told)


CHANGES = {
    "the state": ("update events set state = replace(convert_from(state, 'utf8'), 'main', 'maim')::bytea where notification_id = 3", 3, "not what was appended"),
    "a space in the state": ("update events set state = state || ' ' where notification_id = 2", 2, "not what was appended"),
    "the metadata": ("update events set metadata = '{\"a\":\"b\"}' where notification_id = 4", 4, "not what was appended"),
    "a space in the metadata": ("update events set metadata = '{ }' where notification_id = 4", 4, "not what was appended"),
    "the topic": ("update events set topic = 'site.rejected' where notification_id = 3", 3, "not what was appended"),
    "the partition": ("update events set category = 'gate' where notification_id = 3", 3, "its topic"),
    "the time": ("update events set recorded_at = recorded_at - interval '1 microsecond' where notification_id = 2", 2, "not what was appended"),
    "the time, to one that is none": ("update events set recorded_at = '-infinity' where notification_id = 2", 2, "not what was appended"),
    "the time, to one before Christ": ("update events set recorded_at = '0044-03-15 12:00+00 BC' where notification_id = 2", 2, "not what was appended"),
    "the aggregate": ("update events set originator_id = gen_random_uuid() where notification_id = 6", 6, "not what was appended"),
    "the version": ("update events set originator_version = 70 where notification_id = 6", 6, "not what was appended"),
    "the request": ("update events set request_id = gen_random_uuid() where notification_id = 1", 1, "not what was appended"),
    "the hash": ("update events set hash = sha256('x') where notification_id = 3", 3, "not what was appended"),
    "the order of two": ("""
        update events set notification_id = 100 where notification_id = 3;
        update events set notification_id = 3 where notification_id = 4;
        update events set notification_id = 4 where notification_id = 100""", 3, "not what was appended"),
    "the first": ("delete from events where notification_id = 1", 1, "position 1 is missing: the next one is 2"),
    "one in the middle": ("delete from events where notification_id = 4", 4, "position 4 is missing: the next one is 5"),
    "one in the middle, closed up": ("""
        delete from events where notification_id = 4;
        update events set notification_id = 4 where notification_id = 5;
        update events set notification_id = 5 where notification_id = 6;
        update log_head set position = 5""", 4, "not what was appended"),
    "the tail": ("delete from events where notification_id > 4", 5, "the log ends at 4, its head says 6"),
    "everything": ("delete from events", 1, "the log ends at 0, its head says 6"),
    "the tail, and the head's position": ("delete from events where notification_id > 4; update log_head set position = 4", 4, "the head's hash"),
    "the head's position": ("update log_head set position = 7", 7, "the log ends at 6, its head says 7"),
    "the head's position, backwards": ("update log_head set position = 5", 6, "the log ends at 6, its head says 5"),
    "the head's hash": ("update log_head set hash = sha256('x')", 6, "the head's hash"),
    "the head": ("delete from log_head", 0, "the head of the log is missing"),
    "one added behind": ("""
        insert into events select 7, gen_random_uuid(), 1, topic, category, recorded_at, request_id, metadata, state, hash
          from events where notification_id = 6""", 7, "not what was appended"),
    "one added before": ("""
        insert into events select 0, gen_random_uuid(), 1, topic, category, recorded_at, request_id, metadata, state, hash
          from events where notification_id = 1""", 1, "position 1 is missing: the next one is 0"),
}  # fmt: skip


@pytest.mark.parametrize("what", CHANGES)
async def test_a_forged_log_does_not_hold_and_the_first_bad_position_is_named(
    what, log, site, forger, database_url
):
    statement, position, problem = CHANGES[what]
    await forger.execute(statement)
    found = await verify(database_url)
    assert not found.holds
    assert found.position == position
    assert problem in found.problem


async def test_a_tail_that_is_cut_with_its_head_put_back_is_seen_by_whoever_kept_the_hash(
    log, site, forger, database_url
):
    """Inside the database nothing is left to compare with: this is what checkpoints that leave the machine are for."""
    before = await verify(database_url)
    await forger.execute("""
        delete from events where notification_id > 4;
        update log_head set (position, hash, recorded_at) =
            (select 4, hash, recorded_at from events where notification_id = 4)""")
    found = await verify(database_url)
    assert found.holds
    assert (found.events, found.hash) != (before.events, before.hash)


@pytest.mark.parametrize(
    "statement",
    [
        "update events set metadata = '{}'",
        "update events_case set metadata = '{}'",
        "update events set notification_id = notification_id",
        "delete from events",
        "delete from events_case where notification_id = 1",
        "truncate events cascade",
        "truncate events_case",
        "truncate events_observation",
        "truncate events_observation_0",
        "delete from log_head",
        "truncate log_head",
        "update log_head set position = position - 1",
        "update log_head set hash = sha256('x')",
        "insert into log_head (only_row, position, hash, recorded_at) values (false, 0, sha256('x'), now())",
        "insert into log_head (position, hash, recorded_at) values (0, sha256('x'), now())",
    ],
)
async def test_the_database_refuses_to_change_what_stands_in_the_log(statement, log, site, database_url):
    owner = await asyncpg.connect(database_url)
    with pytest.raises(asyncpg.IntegrityConstraintViolationError):
        await owner.execute(statement)
    await owner.close()
    assert (await verify(database_url)).holds


@pytest.mark.parametrize(
    "statement",
    [
        "update events set metadata = '{}'",
        "delete from events",
        "truncate events",
        "truncate events_case",
        "delete from log_head",
        "insert into log_head (position, hash, recorded_at) values (0, sha256('x'), now())",
        "alter table events disable trigger all",
        "set session_replication_role = replica",
        "drop table events",
        "drop table events_observation_0",
        "alter table events_observation detach partition events_observation_0",
    ],
)
async def test_the_application_has_no_right_even_to_try(statement, log, site, database_url):
    application = await connect(database_url)
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await application.execute(statement)
    await application.close()
