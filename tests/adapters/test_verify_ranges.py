"""The log is verified in ranges, side by side, and the first bad position of all of them is named."""

import asyncio

import pytest
from forging import rewrite
from given import build_site

from adapters.verify import Anchor, verify
from adapters.verify_range import Range, check
from domain.errors import InvalidError, UnavailableError

SITES = 3
EVENTS = 6 * SITES


@pytest.fixture(autouse=True)
def short_ranges(monkeypatch):
    monkeypatch.setattr("adapters.verify.STEP", 4)
    cores(monkeypatch, 1)


def cores(monkeypatch, count):
    """As many workers: with one, a thread does it all, and no process is started."""
    monkeypatch.setattr("adapters.verify_workers.os.cpu_count", lambda: count)


@pytest.fixture
async def filled(log):
    for number in range(SITES):
        await build_site(log, f"s{number}")
    return log


@pytest.mark.parametrize("workers", [(1, False), (2, False), (3, True)])
async def test_a_log_of_several_ranges_holds_whoever_checks_them(
    filled, database_url, pool, monkeypatch, workers
):
    count, lend_a_hand = workers
    cores(monkeypatch, count)
    told = []
    found = await verify(
        database_url, lend_a_hand=lend_a_hand, progress=lambda done, total: told.append((done, total))
    )
    assert (found.holds, found.events) == (True, EVENTS)
    assert found.hash == await pool.fetchval("select hash from log_head")
    assert len(told) == 5
    assert told[-1] == (EVENTS, EVENTS)


async def test_a_payload_changed_anywhere_is_found(filled, forger, database_url):
    for position in range(1, EVENTS + 1):
        state = await forger.fetchval("select state from events where notification_id = $1", position)
        await forger.execute("update events set state = state || ' ' where notification_id = $1", position)
        found = await verify(database_url)
        assert (found.events, found.position) == (position - 1, position)
        await forger.execute("update events set state = $2 where notification_id = $1", position, state)
    assert (await verify(database_url)).holds


@pytest.mark.parametrize("count", [1, 2])
async def test_of_many_bad_positions_the_first_is_named(filled, forger, database_url, monkeypatch, count):
    cores(monkeypatch, count)
    await forger.execute("update events set state = 'x' where notification_id in (17, 10, 6, 12)")
    await forger.execute("delete from events where notification_id = 14")
    assert (await verify(database_url)).position == 6


async def test_two_payloads_swapped_are_found(filled, forger, database_url):
    await forger.execute("""
        update events set state = (select state from events as other where other.notification_id = 18 - events.notification_id)
         where notification_id in (8, 10)""")
    assert (await verify(database_url)).position == 8


async def test_those_deleted_where_ranges_meet_are_found(filled, forger, database_url):
    for position in (13, 12, 9, 8):
        await forger.execute("delete from events where notification_id = $1", position)
        found = await verify(database_url)
        assert found.position == position
        assert found.problem.startswith(f"position {position} is missing")


async def test_a_column_that_is_null_is_found(filled, forger, database_url):
    await forger.execute("alter table events alter column topic drop not null")
    await forger.execute("alter table events alter column request_id drop not null")
    await forger.execute("update events set topic = null where notification_id = 9")
    await forger.execute("update events set request_id = null where notification_id = 13")
    assert (await verify(database_url)).position == 9
    await forger.execute("delete from events where notification_id = 9")
    assert (await verify(database_url, first=11)).position == 13


async def test_only_the_positions_asked_for_are_checked(filled, forger, database_url):
    await forger.execute("update events set state = 'x' where notification_id = 9")
    assert (await verify(database_url, last=8)).holds
    assert (await verify(database_url, first=10)).events == EVENTS - 9
    assert (await verify(database_url, first=3, last=11)).position == 9
    assert (await verify(database_url, first=9, last=9)).position == 9


@pytest.mark.parametrize(("first", "last"), [(0, None), (5, 4), (1, EVENTS + 1), (EVENTS + 2, None)])
async def test_positions_that_are_not_there_are_refused(filled, database_url, first, last):
    with pytest.raises(InvalidError, match="the log has 1 to 18"):
        await verify(database_url, first=first, last=last)


@pytest.mark.parametrize("first", [1, 9])
async def test_a_version_left_out_is_found_even_with_every_hash_recomputed(
    filled, forger, database_url, first
):
    await forger.execute("update events set originator_version = 10 where notification_id = 10")
    await rewrite(forger, 10)
    found = await verify(database_url, first=first)
    assert (found.position, "version" in found.problem) == (10, True)


async def test_a_version_repeated_is_found_even_with_every_hash_recomputed(filled, forger, database_url):
    await forger.execute("drop index events_case_version")
    await forger.execute("update events set originator_version = 2 where notification_id = 9")
    await rewrite(forger, 9)
    assert (await verify(database_url)).position == 9


async def test_a_log_rewritten_with_every_hash_recomputed_is_seen_by_whoever_kept_a_hash(
    filled, forger, database_url, pool
):
    hashes = {row[0]: row[1] for row in await pool.fetch("select notification_id, hash from events")}
    kept = [Anchor(f"the note of {size}", size, hashes[size]) for size in (16, 5, 10)]
    await forger.execute("update events set state = state || ' ' where notification_id = 8")
    await rewrite(forger, 8)
    assert (await verify(database_url)).holds
    found = await verify(database_url, anchors=kept)
    assert found.position == 6
    assert "rewritten somewhere in positions 6 to 10: the note of 10" in found.problem


async def test_a_tail_cut_with_its_head_is_seen_by_whoever_kept_a_hash(filled, forger, database_url, pool):
    kept = Anchor("the note", EVENTS, await pool.fetchval("select hash from log_head"))
    await forger.execute("delete from events where notification_id > 15")
    await rewrite(forger, 15)
    assert (await verify(database_url)).holds
    found = await verify(database_url, anchors=[kept])
    assert (found.position, found.problem) == (
        16,
        "the log was cut: it ends at 15, and the note saw position 18",
    )


async def test_the_log_may_grow_while_it_is_verified(filled, database_url):
    growing = asyncio.create_task(build_site(filled, "late"))
    found = await verify(database_url)
    await growing
    assert found.holds
    assert (await verify(database_url)).events == EVENTS + 6


async def test_a_database_that_does_not_answer_is_said_so():
    with pytest.raises(UnavailableError, match="does not answer"):
        await verify("postgresql://nobody@localhost:1/none")


def test_no_rows_where_some_should_be_is_a_missing_position():
    assert check(iter([]), Range(4, 8)).position == 4
    assert check(iter([]), Range(0, 8)).position == 1
    assert check(iter([]), Range(0, 0)).problem is None
