"""A database that cannot write, lets nobody in or loses its connections: the caller is told what to do, and the log stays whole."""

import asyncio
import os
import shutil
import subprocess
import time
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit
from uuid import uuid4

import asyncpg
import pytest
from given import NOW, build_site, person, until

from adapters import writer
from adapters.database import connect, create_pool
from adapters.embedded import postgres
from adapters.event_log import event_log
from adapters.migrate import migrate
from adapters.verify import verify
from domain.errors import UnavailableError
from domain.people import Role
from domain.ports import Request
from domain.site import Site

ROOM = 3 * 2**20
SMALL = {"max_wal_size": "64MB", "min_wal_size": "32MB", "shared_buffers": "16MB", "max_connections": "30"}


def plan():
    site = Site.plan(code=uuid4().hex[:12], name="园" * 100, township="t", by=person(Role.ADMIN), at=NOW)
    return Request(uuid4(), site.collect_events(), {})


async def owner(url, sql):
    connection = await asyncpg.connect(url)
    try:
        return await connection.fetch(sql)
    finally:
        await connection.close()


@pytest.fixture
def small_disk():
    """A file system of 160 MB, which only root may mount."""
    folder = Path("/tmp") / f"anju-test-disk-{uuid4().hex[:12]}"
    folder.mkdir()
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=160m", "tmpfs", str(folder)],
        check=False,
        capture_output=True,
        text=True,
    )
    if made.returncode:
        folder.rmdir()
        pytest.skip(f"a small file system cannot be mounted here: {made.stderr.strip() or 'not root'}")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)
    folder.rmdir()


def fill(disk):
    """Leave ROOM; what takes the rest."""
    ballast = disk / "ballast"
    with ballast.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, shutil.disk_usage(disk).free - ROOM)
    return ballast


async def append_until_refused(log):
    """How many events were acknowledged, and what was said then."""
    done = 0
    while True:
        try:
            done += sum(
                result.last - result.first + 1
                for result in await log.append_all([plan() for _ in range(500)])
            )
        except UnavailableError as error:
            return done, str(error)


async def test_a_full_disk_refuses_appends_and_room_lets_them_in_again(small_disk):
    async with postgres(small_disk, settings=SMALL) as server:
        await asyncio.to_thread(migrate, server.url)
        async with create_pool(server.url) as pool, event_log(pool, server.url) as log:
            ballast = fill(small_disk)
            done, said = await append_until_refused(log)
            assert "its disk is full: make room" in said
            assert "SQLSTATE 53100" in said
            assert await log.position() == done
            with pytest.raises(UnavailableError, match="disk is full"):
                await log.append_all([plan() for _ in range(500)])

            ballast.unlink()
            assert (await log.append(plan())).first == done + 1
            verdict = await verify(server.url)
            assert (verdict.holds, verdict.events) == (True, done + 1)


async def test_a_disk_without_room_for_wal_stops_the_server_and_nothing_acknowledged_is_lost(
    small_disk, tmp_path, monkeypatch
):
    """PostgreSQL shuts down when it cannot write its log; once there is room and it is started, everything is as acknowledged."""
    monkeypatch.setattr(writer, "PATIENCE", 2.0)
    async with postgres(tmp_path):
        pass
    data, wal = tmp_path / "postgres" / "data", small_disk / "wal"
    account = data.stat()
    shutil.move(data / "pg_wal", wal)
    (data / "pg_wal").symlink_to(wal)
    for path in (small_disk, wal, *wal.rglob("*")):
        os.chown(path, account.st_uid, account.st_gid)
    async with postgres(tmp_path, settings=SMALL) as server:
        await asyncio.to_thread(migrate, server.url)
        ballast = fill(small_disk)
        async with create_pool(server.url) as pool, event_log(pool, server.url) as log:
            done, said = await append_until_refused(log)
            assert "the database is lost and did not come back" in said
            assert "is its disk full?" in said
            with pytest.raises(UnavailableError, match="does not answer"):
                await log.position()
    ballast.unlink()
    async with (
        postgres(tmp_path, settings=SMALL) as server,
        create_pool(server.url) as pool,
        event_log(pool, server.url) as log,
    ):
        assert await log.position() == done
        assert (await log.append(plan())).first == done + 1
        assert (await verify(server.url)).holds


async def test_a_read_only_database_says_where_to_point(database_url, log):
    await build_site(log)
    name = urlsplit(database_url).path[1:]
    await owner(database_url, f"alter database {name} set default_transaction_read_only = on")
    await owner(
        database_url,
        "select pg_terminate_backend(pid) from pg_stat_activity where usename <> '' and pid <> pg_backend_pid()"
        f" and datname = '{name}'",
    )
    with pytest.raises(UnavailableError, match=r"read-only.*point ANJU_DATABASE_URL at the primary.*25006"):
        await log.append(plan())
    assert await log.position() == 6
    writable = await asyncpg.connect(database_url, server_settings={"default_transaction_read_only": "off"})
    await writable.execute(f"alter database {name} reset default_transaction_read_only")
    await writable.close()
    assert (await log.append(plan())).first == 7


async def test_time_never_goes_back_when_the_database_clock_did(database_url, log):
    """The head was written by a clock an hour ahead: what follows carries its time until the clock has caught up."""
    await build_site(log)
    (ahead,) = await owner(database_url, "select clock_timestamp() + interval '1 hour' as at")
    connection = await asyncpg.connect(database_url)
    await connection.execute("set session_replication_role = replica")
    await connection.execute("update log_head set recorded_at = $1", ahead["at"])
    await connection.close()
    for _ in range(3):
        await log.append(plan())
    rows = await owner(database_url, "select recorded_at from events order by notification_id")
    times = [row["recorded_at"] for row in rows]
    assert times == sorted(times)
    assert times[6:] == [ahead["at"]] * 3
    assert times[5] < ahead["at"] - timedelta(minutes=50)
    assert (await verify(database_url)).holds


async def test_our_own_clock_does_not_matter(database_url, log, monkeypatch):
    monkeypatch.setattr(time, "time", lambda: 0.0)
    await build_site(log)
    (row,) = await owner(
        database_url,
        "select bool_and(recorded_at between now() - interval '1 minute' and now()) as well from events",
    )
    assert row["well"]


async def test_a_login_that_may_not_become_the_application_is_told_what_to_grant(database_url):
    login = f"stranger_{uuid4().hex}"
    await owner(database_url, f"create role {login} login")
    try:
        with pytest.raises(UnavailableError, match=r"may not become anju_app.*grant anju_app to"):
            await connect(database_url.replace("//anju@", f"//{login}@"))
    finally:
        await owner(database_url, f"drop role {login}")


async def test_a_setting_that_a_pooler_swallows_is_noticed(database_url, monkeypatch):
    """PgBouncer with ignore_startup_parameters = role: everything would run as the login."""
    monkeypatch.setattr("adapters.database._SETTINGS", {"application_name": "anju"})
    with pytest.raises(UnavailableError, match=r"we are anju in the database and not anju_app.*set role"):
        await connect(database_url)


async def test_a_role_that_the_login_has_by_itself_is_as_good(database_url, monkeypatch):
    monkeypatch.setattr("adapters.database._SETTINGS", {"application_name": "anju"})
    login = f"clerk_{uuid4().hex}"
    await owner(database_url, f"create role {login} login in role anju_app; ")
    await owner(database_url, f"alter role {login} set role = 'anju_app'")
    try:
        connection = await connect(database_url.replace("//anju@", f"//{login}@"))
        assert await connection.fetchval("select current_user") == "anju_app"
        await connection.close()
    finally:
        await owner(database_url, f"drop role {login}")


async def test_the_writer_goes_on_after_it_was_not_let_in(database_url, log, monkeypatch):
    await build_site(log)
    monkeypatch.setattr("adapters.database._SETTINGS", {"application_name": "anju"})
    await disconnect_all(database_url)
    with pytest.raises(UnavailableError, match="and not anju_app"):
        await log.append(plan())
    monkeypatch.undo()
    assert (await log.append(plan())).first == 7


async def disconnect_all(url):
    await owner(
        url,
        "select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()",
    )


async def test_connections_that_were_dropped_while_idle_are_made_again(database_url, log):
    await build_site(log)
    for expected in (7, 8):
        await disconnect_all(database_url)
        assert (await log.append(plan())).first == expected
        await disconnect_all(database_url)
        await until(lambda: reads(log), seconds=5)
        assert await log.position() == expected


async def reads(log):
    try:
        return await log.position()
    except UnavailableError:
        return None


async def test_a_forgotten_prepared_statement_refuses_one_append_and_names_the_pooler(database_url, log):
    """What a pooler in transaction mode does to us: the next statement runs where ours was not prepared."""
    await build_site(log)
    committer = log._writer._committer
    await committer._connection.execute("deallocate all")
    with pytest.raises(UnavailableError, match="a pooler between us"):
        await log.append(plan())
    assert (await log.append(plan())).first == 7
