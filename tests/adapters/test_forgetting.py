"""After a key is destroyed, what was sealed under it, and the key itself, are nowhere: neither in a table, nor in a file, nor in a dump.

A server of its own, so that every file of it can be read; without compression of its write-ahead log, which would hide things.
"""

import asyncio
import base64
import os
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import asyncpg
import pytest
from given import NOW, build_site, destroy, order, person

from adapters.embedded import postgres
from adapters.embedded.database import programs
from adapters.migrate import migrate
from adapters.rotation import rotate
from adapters.verify import verify
from api.bootstrap import System, system
from api.settings import Settings
from domain import commands
from domain.errors import AnjuError
from domain.incident import Incident, Source
from domain.people import Role
from domain.personal import Personal, of_subject
from projections import runner
from projections.all import PROJECTIONS


@dataclass
class Place:
    """Where to look: a running system, and the folder of its server."""

    running: System
    folder: Path
    url: str


@pytest.fixture
async def place(tmp_path):
    folder = tmp_path / "server"
    folder.mkdir()
    async with postgres(folder, settings={"wal_compression": "off"}) as server:
        await asyncio.to_thread(migrate, server.url)
        settings = Settings(database_url=server.url, data_dir=tmp_path / "anju")
        async with system(settings, with_bus=False) as running:
            yield Place(running, folder, server.url)


def shapes(needle):
    """The ways in which bytes may stand somewhere: as they are, in hexadecimal, in base64 at any offset, escaped in JSON."""
    yield needle
    yield needle.hex().encode()
    for offset in range(3):
        yield base64.b64encode(bytes(offset) + needle)[(0, 2, 3)[offset] : -4]
    text = needle.decode(errors="ignore")
    if text.encode() == needle:
        yield text.encode("unicode_escape")
        yield text.encode("utf-16-le")


async def cells(url):
    """(table.column, bytes) of everything in every table, the server's own too, read as the owner."""
    connection = await asyncpg.connect(url)
    tables = await connection.fetch(
        "select format('%I.%I', schemaname, tablename) as name, schemaname = 'public' as ours from pg_tables"
    )
    for table, ours in tables:
        for row in await connection.fetch(
            f"select t::text as row{', t.*' if ours else ''} from {table} as t"
        ):
            for column, value in row.items():
                yield f"{table}.{column}", value if isinstance(value, bytes) else str(value).encode()
    await connection.close()


async def dump(url):
    process = await asyncio.create_subprocess_exec(
        programs() / "pg_dump", "--dbname", url, stdout=asyncio.subprocess.PIPE
    )
    text, _ = await process.communicate()
    assert process.returncode == 0
    return text


async def everything(place):
    """(where, bytes) of all there is."""
    found = [(f"table {name}", value) async for name, value in cells(place.url)]
    found += [
        (f"file {path.relative_to(place.folder)}", path.read_bytes())
        for path in sorted(place.folder.rglob("*"))
        if path.is_file()
    ]
    return [*found, ("dump", await dump(place.url))]


def search(haystack, needle):
    wanted = list(shapes(needle))
    return {where for where, data in haystack if any(shape in data for shape in wanted)}


def kinds(places):
    """What kinds of places they are, without their names."""
    return {
        "wal" if "pg_wal/" in where else where.split()[0] for where in places if "server.log" not in where
    }


async def fold(running):
    for projection in PROJECTIONS.values():
        await runner.catch_up(projection, running.pool, running.log)


async def test_a_destroyed_scope_leaves_neither_its_text_nor_its_key_anywhere(place):
    # given somebody who reported an incident, twice, and whose key was used, rotated and read
    running, log = place.running, place.running.log
    scope = of_subject(uuid4())
    secret_text, public_text = f"李某 {uuid4().hex}", f"施工噪声 {uuid4().hex}"
    site = await build_site(log)
    given = order(Role.INTAKE)
    for attempt in (given, order(Role.INTAKE), given):
        done = await commands.report_incident(
            log,
            attempt,
            site_id=site.id,
            source=Source.CITIZEN,
            category="noise",
            description=public_text,
            reporter=Personal(scope, secret_text),
        )
    row = await running.pool.fetchrow("select * from vault_keys where scope = $1", scope)
    ring = await running.vault.master_keys()
    data_key = ring.unwrap(row["wrapped"], row["master_key"], row["key_id"], scope)
    await rotate(running.pool, running.vault)
    await fold(running)
    with pytest.raises(AnjuError):
        await commands.report_incident(
            log,
            order(Role.INTAKE),
            site_id=uuid4(),
            source=Source.CITIZEN,
            category="noise",
            description="x",
            reporter=Personal(scope, secret_text),
        )
    assert (await log.load(Incident, done.id)).reporter.text == secret_text
    planted = os.urandom(32)
    await plant(place.url, planted)

    # when the key is destroyed and the server has written everything out
    await destroy(log, scope)
    await fold(running)
    owner = await asyncpg.connect(place.url)
    await owner.execute("checkpoint")
    await owner.fetch("select pg_switch_wal()")
    await owner.execute("checkpoint")
    await owner.close()
    haystack = await everything(place)

    # then neither is found, where the same search finds a text that was not sealed and a key that was not wrapped
    everywhere = {"table", "wal", "file", "dump"}
    assert kinds(search(haystack, public_text.encode())) == everywhere
    assert kinds(search(haystack, planted)) == everywhere
    assert search(haystack, secret_text.encode()) == set()
    assert search(haystack, secret_text.split()[1].encode()) == set()
    assert search(haystack, data_key) == set()
    # nor is the master key, without which the wrapped copies in the write-ahead log open to nobody
    for line in (running.settings.keyring).read_text().splitlines()[1:]:
        assert search(haystack, base64.b64decode(line.split()[1])) == set()
    # and what is left is whole
    assert (await log.load(Incident, done.id)).reporter == Personal(scope, None)
    assert (await verify(place.url)).holds


async def plant(url, secret):
    owner = await asyncpg.connect(url)
    await owner.execute("create table planted (secret bytea)")
    await owner.execute("insert into planted values ($1)", secret)
    await owner.close()


async def test_the_read_models_are_the_same_before_and_after_and_when_rebuilt(place):
    running, log = place.running, place.running.log
    site = await build_site(log)
    scope = of_subject(uuid4())
    incident = Incident.report(
        id=uuid4(),
        site=site,
        by=person(Role.INTAKE),
        at=NOW,
        source=Source.CITIZEN,
        category="noise",
        description="x",
        reporter=Personal(scope, "李某"),
    )
    await log.append(commands.Request(uuid4(), incident.collect_events(), {}))
    await fold(running)
    tables = [table for projection in PROJECTIONS.values() for table in projection.tables]
    before = [await running.pool.fetch(f"select * from {table}") for table in tables]
    await destroy(log, scope)
    for table in (*tables, "projections"):
        await running.pool.execute(f"delete from {table}")
    await fold(running)
    assert before == [await running.pool.fetch(f"select * from {table}") for table in tables]
