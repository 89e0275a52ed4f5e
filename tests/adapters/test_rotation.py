"""The master key is changed while everything goes on."""

import asyncio
from uuid import uuid4

import pytest
from given import destroy, report

from adapters import keyring, rotation
from adapters.event_log import event_log
from adapters.rotation import inventory, retire, rotate
from adapters.tail import Tail
from adapters.vault import Vault
from domain.errors import RuleError, UnavailableError
from domain.incident import Incident
from domain.personal import Personal, of_subject


def somebody(n):
    return Personal(of_subject(uuid4()), f"居民 {n}")


async def test_after_a_rotation_everything_opens_with_the_new_key_alone(log, site, pool, vault, tmp_path):
    people = [somebody(n) for n in range(5)]
    ids = [(await report(log, site, reporter=one)).id for one in people]
    old = (await vault.master_keys()).newest.id
    done = await rotate(pool, vault)
    assert (done.rewrapped, done.resumed) == (5, False)
    assert list(await retire(pool, vault)) == [old]
    assert list(keyring.load(tmp_path / "master-keys", may_make=False).keys) == [done.master_key]
    assert [(await log.load(Incident, one)).reporter for one in ids] == people


async def test_a_copy_of_a_wrapped_key_is_useless_once_its_master_key_is_retired(log, site, pool, vault):
    await report(log, site, reporter=somebody(1))
    row = await pool.fetchrow("select * from vault_keys")
    await rotate(pool, vault)
    await retire(pool, vault)
    with pytest.raises(UnavailableError, match="lacks the master key"):
        (await vault.master_keys()).unwrap(row["wrapped"], row["master_key"], row["key_id"], row["scope"])


@pytest.mark.parametrize("told", [True, False])
async def test_a_rotation_under_concurrent_appends_loses_nobody(
    log, site, pool, vault, database_url, tmp_path, monkeypatch, told
):
    monkeypatch.setattr(rotation, "BATCH", 7)
    other = Vault(pool, tmp_path / "master-keys")
    people, ids = [], []
    stop = asyncio.Event()

    async def append(to):
        while not stop.is_set():
            one = somebody(len(people))
            people.append(one)
            ids.append(((await report(to, site, reporter=one)).id, one))

    channels = {"keys": other.forget} if told else {}
    async with event_log(pool, database_url, other) as second, Tail(database_url, channels):
        appending = [asyncio.create_task(append(to)) for to in (log, second, second)]
        masters = set()
        for _ in range(4):
            await asyncio.sleep(0.15)
            masters.add((await rotate(pool, vault)).master_key)
            await retire(pool, vault)
        stop.set()
        await asyncio.gather(*appending)
        assert len(masters) == 4
        other.forget("")
        vault.forget("")
        assert len(ids) == len(people) > 20
        for one, reporter in ids:
            assert (await second.load(Incident, one)).reporter == reporter
    assert len(keyring.load(tmp_path / "master-keys", may_make=False).keys) == 1


async def test_an_interrupted_rotation_goes_on_with_the_same_key(log, site, pool, vault, monkeypatch):
    for n in range(10):
        await report(log, site, reporter=somebody(n))
    monkeypatch.setattr(rotation, "BATCH", 3)

    def interrupt(done, _total):
        if done > 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        await rotate(pool, vault, interrupt)
    masters = (await inventory(pool)).masters
    assert [master["wraps"] for master in masters] == [4, 6]
    done = await rotate(pool, vault)
    assert (done.resumed, done.rewrapped, done.master_key) == (True, 4, masters[1]["master_key"])


async def test_a_key_destroyed_during_a_rotation_stays_destroyed(log, site, pool, vault, monkeypatch):
    monkeypatch.setattr(rotation, "BATCH", 1)
    people = [somebody(n) for n in range(30)]
    for one in people:
        await report(log, site, reporter=one)
    gone = people[::3]
    await asyncio.gather(rotate(pool, vault), *(destroy(log, one.scope) for one in gone))
    left = await pool.fetch("select scope from vault_keys where wrapped is not null")
    assert {row["scope"] for row in left} == {one.scope for one in people} - {one.scope for one in gone}


async def test_two_rotations_at_once_are_refused(pool, vault):
    async with rotation._one_at_a_time(pool):
        with pytest.raises(RuleError, match="another rotation"):
            await rotate(pool, vault)
    assert not (await rotate(pool, vault)).resumed


async def test_the_inventory_counts_and_names_no_key(log, site, pool, vault):
    people = [somebody(n) for n in range(3)]
    for one in people:
        await report(log, site, reporter=one)
    await destroy(log, people[0].scope)
    found = await inventory(pool)
    assert found.kinds == [{"kind": "subject", "live": 2, "destroyed": 1}]
    assert [master["wraps"] for master in found.masters] == [2]
    assert found.held == 0
    assert not any(one.scope in repr(found) for one in people)
