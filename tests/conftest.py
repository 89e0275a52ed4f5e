"""The servers that the tests talk to: real ones, started once per run, or those that the environment names."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg
import httpx
import msgspec
import nats as nats_client
import pytest
from asking import Asker
from given import build_site, named
from typer.testing import CliRunner

from adapters import codec
from adapters.bus import STREAMS
from adapters.database import create_pool
from adapters.embedded import nats, postgres
from adapters.event_log import PostgresLog, event_log
from adapters.migrate import migrate
from adapters.vault import Vault
from api.bootstrap import System, system
from api.cli import app
from api.http import application
from api.settings import Settings
from api.workers import work
from domain.errors import AnjuError
from domain.site import Site

DIRECTORY = Path(__file__).resolve().parents[1] / ".anju" / "test" / os.environ.get("PYTEST_XDIST_WORKER", "")


@pytest.fixture(scope="session")
async def postgres_url() -> AsyncIterator[str]:
    """A PostgreSQL whose role may create databases: ANJU_TEST_DATABASE_URL or an embedded one, stopped with the run."""
    if url := os.environ.get("ANJU_TEST_DATABASE_URL"):
        yield url
        return
    # Processes are killed in these tests, the machine is not: what was written survives without fsync, and databases are made faster.
    async with postgres(DIRECTORY, settings={"fsync": "off"}) as server:
        yield server.url


@pytest.fixture(scope="session")
async def nats_url() -> AsyncIterator[str]:
    """A NATS with JetStream: ANJU_TEST_NATS_URL or an embedded one, stopped with the run."""
    if url := os.environ.get("ANJU_TEST_NATS_URL"):
        yield url
        return
    async with nats(DIRECTORY) as server:
        yield server.url


@pytest.fixture(scope="session")
async def template(postgres_url: str) -> AsyncIterator[str]:
    """A database with the schema and nothing in it, to be copied."""
    async with _database(postgres_url, f"template_{uuid4().hex}") as name:
        await asyncio.to_thread(migrate, named(postgres_url, name))
        yield name


@pytest.fixture
async def database_url(postgres_url: str, template: str) -> AsyncIterator[str]:
    """A fresh database with the schema, gone after the test."""
    copied = f"template {template} strategy wal_log"
    async with _database(postgres_url, f"test_{uuid4().hex}", copied) as name:
        yield named(postgres_url, name)


@pytest.fixture
async def empty(postgres_url: str) -> AsyncIterator[str]:
    """A database with nothing in it, gone after the test."""
    async with _database(postgres_url, f"empty_{uuid4().hex}") as name:
        yield named(postgres_url, name)


@asynccontextmanager
async def _database(postgres_url: str, name: str, how: str = "") -> AsyncIterator[str]:
    admin = await asyncpg.connect(postgres_url)
    await admin.execute(f"create database {name} {how}")
    yield name
    await admin.execute(f"drop database {name} with (force)")
    await admin.close()


@pytest.fixture
async def bus_url(nats_url: str) -> AsyncIterator[str]:
    """A bus without streams: the test's own are made when it connects, and gone after it."""

    async def clear() -> None:
        client = await nats_client.connect(nats_url)
        stream = client.jetstream()
        for found in await stream.streams_info():
            if found.config.name in {config.name for config in STREAMS}:
                await stream.delete_stream(found.config.name)
        await client.close()

    await clear()
    yield nats_url
    await clear()


@pytest.fixture
async def pool(database_url: str) -> AsyncIterator[asyncpg.Pool]:
    """Connections to the test's database."""
    async with create_pool(database_url) as connections:
        yield connections


@pytest.fixture
def vault(pool: asyncpg.Pool, tmp_path: Path) -> Vault:
    """The key vault of the test's database, with its master keys in the test's folder."""
    return Vault(pool, tmp_path / "master-keys")


@pytest.fixture
async def log(pool: asyncpg.Pool, database_url: str, vault: Vault) -> AsyncIterator[PostgresLog]:
    """The event log on the test's database."""
    async with event_log(pool, database_url, vault) as opened:
        yield opened


@pytest.fixture
async def forger(database_url: str) -> AsyncIterator[asyncpg.Connection]:
    """A superuser of the test's database, for whom no trigger fires."""
    connection = await asyncpg.connect(database_url)
    await connection.execute("set session_replication_role = replica")
    yield connection
    await connection.close()


@pytest.fixture
def settings(database_url: str, bus_url: str, tmp_path: Path) -> Settings:
    """Settings of the test's own servers."""
    return Settings(database_url=database_url, nats_url=bus_url, data_dir=tmp_path, port=0)


@pytest.fixture
async def running(settings: Settings) -> AsyncIterator[System]:
    """The whole system on the test's own servers, without workers."""
    async with system(settings) as started:
        yield started


@pytest.fixture
async def working(running: System) -> AsyncIterator[System]:
    """The whole system with its read models kept up."""
    task = asyncio.create_task(work(running, ingesting=False, projecting=True))
    yield running
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


@pytest.fixture
async def asker(running: System) -> AsyncIterator[Asker]:
    """Asks the API of `running`."""
    transport = httpx.ASGITransport(application(running), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://anju") as client:
        yield Asker(client, running.issuer)


@pytest.fixture
async def site(log: PostgresLog) -> Site:
    """润锦苑, operating, with an open gate `main`."""
    return await build_site(log)


@pytest.fixture
def known(monkeypatch: pytest.MonkeyPatch) -> Callable[[type, str], type]:
    """Makes the codec write and read an event class of the test's own under a topic, instead of any other."""

    def know(event_class: type, topic: str) -> type:
        monkeypatch.setattr(event_class, "TOPIC", topic, raising=False)
        monkeypatch.setitem(codec._decoders, topic, msgspec.json.Decoder(event_class))
        monkeypatch.setattr(codec, "_changed", codec._changed | {topic})
        return event_class

    return know


@pytest.fixture
def invoke(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Run `anju` with arguments in a thread of this process: (exit code, the JSON on its stdout, or all it printed); a refusal is raised."""
    monkeypatch.setenv("ANJU_DATABASE_URL", database_url)
    monkeypatch.setenv("ANJU_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("COLUMNS", "160")

    async def run(*arguments: object) -> tuple[int, Any]:
        done = await asyncio.to_thread(CliRunner().invoke, app, [str(word) for word in arguments])
        if isinstance(done.exception, AnjuError):
            raise done.exception
        return done.exit_code, json.loads(done.stdout) if "--json" in arguments else done.output

    return run
