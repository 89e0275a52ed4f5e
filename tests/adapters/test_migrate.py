"""The schema is brought up to date once, whoever else is at it."""

import asyncio
import sys
from pathlib import Path

import asyncpg
import pytest

import migrations
from adapters.migrate import migrate
from domain.errors import UnavailableError

HEAD = max(path.name[1:5] for path in Path(migrations.__file__).parent.glob("versions/v*.sql"))
MIGRATOR = "import sys; from adapters.migrate import migrate; migrate(sys.argv[1])"

SCHEMA = (
    """select table_name, column_name, data_type, is_nullable, column_default
         from information_schema.columns where table_schema = 'public' order by 1, 2""",
    "select indexdef from pg_indexes where schemaname = 'public' order by 1",
    """select tgrelid::regclass::text, pg_get_triggerdef(oid) from pg_trigger where not tgisinternal order by 1, 2""",
    "select proname, prosrc from pg_proc where pronamespace = 'public'::regnamespace order by 1",
    """select table_name, grantee, privilege_type
         from information_schema.table_privileges where table_schema = 'public' order by 1, 2, 3""",
    "select version_num from alembic_version",
)


async def schema(database_url):
    """Every column, index, trigger and function of the database, and what is granted."""
    connection = await asyncpg.connect(database_url)
    try:
        return [[tuple(row) for row in await connection.fetch(query)] for query in SCHEMA]
    finally:
        await connection.close()


async def test_an_empty_database_is_brought_up_to_date(empty):
    assert await asyncio.to_thread(migrate, empty) == (None, HEAD)
    connection = await asyncpg.connect(empty)
    assert await connection.fetchval("select position from log_head") == 0
    assert await connection.fetchval("select count(*) from events") == 0
    await connection.close()


async def test_a_second_time_changes_nothing(empty):
    await asyncio.to_thread(migrate, empty)
    before = await schema(empty)
    assert await asyncio.to_thread(migrate, empty) == (HEAD, HEAD)
    assert await schema(empty) == before


async def test_four_processes_at_the_same_time_all_succeed(empty, database_url):
    root = Path(__file__).parents[2]
    started = [
        await asyncio.create_subprocess_exec(sys.executable, "-c", MIGRATOR, empty, cwd=root)
        for _ in range(4)
    ]
    assert await asyncio.gather(*(process.wait() for process in started)) == [0] * 4
    assert await schema(empty) == await schema(database_url)


async def test_four_threads_at_the_same_time_all_succeed(empty, database_url):
    done = await asyncio.gather(*(asyncio.to_thread(migrate, empty) for _ in range(4)))
    assert sorted(done, key=str) == sorted([(None, HEAD), *[(HEAD, HEAD)] * 3], key=str)
    assert await schema(empty) == await schema(database_url)


async def test_both_ways_to_write_the_address_are_understood(empty):
    await asyncio.to_thread(migrate, empty.replace("postgresql://", "postgres://"))
    assert await asyncio.to_thread(migrate, empty) == (HEAD, HEAD)


@pytest.mark.parametrize(
    "address",
    [
        "postgresql://anju@127.0.0.1:9/anju",
        "postgresql://anju@/anju?host=/nowhere",
        "postgresql://anju@nowhere.invalid/anju",
    ],
)
async def test_a_database_that_is_not_there_is_said_to_be(address):
    async with asyncio.timeout(20):
        with pytest.raises(UnavailableError, match="cannot be reached to migrate it"):
            await asyncio.to_thread(migrate, address)
