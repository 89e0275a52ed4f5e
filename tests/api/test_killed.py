"""Processes that are killed at any moment lose nothing that was acknowledged and double nothing."""

import asyncio
import os
import sys
from collections import Counter
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from uuid import UUID, uuid4

import asyncpg
import nats as nats_client
import pytest
from given import build_site, observation, until

from adapters.bus import CONSUMER, bus
from adapters.event_log import event_log
from adapters.verify import verify

ROOT = Path(__file__).parents[2]
WORKER = ("-c", "from api.cli import main; main()", "work", "--ingest")
WRITER = """
import asyncio, sys
from datetime import UTC, datetime
from uuid import UUID

from adapters.database import create_pool
from adapters.event_log import event_log
from domain.people import Person, Role
from domain.ports import Request
from domain.site import Site

BY, AT = Person("p", frozenset({Role.ADMIN})), datetime(2026, 3, 1, tzinfo=UTC)

async def client(log, ids):
    while ids:
        request_id = ids.pop()
        site = Site.plan(code=f"s{request_id}", name="x", township="t", by=BY, at=AT)
        site.start_construction(by=BY, at=AT)
        result = await log.append(Request(request_id, site.collect_events(), {}))
        print(request_id, result.first, result.last, int(result.repeated), flush=True)

async def main(url):
    ids = [UUID(line.strip()) for line in sys.stdin][::-1]
    async with create_pool(url) as pool, event_log(pool, url) as log, asyncio.TaskGroup() as group:
        for _ in range(32):
            group.create_task(client(log, ids))

asyncio.run(main(sys.argv[1]))
"""


@asynccontextmanager
async def process(*arguments, **given):
    """A Python process in the project's folder, killed at the end if it still runs."""
    started = await asyncio.create_subprocess_exec(
        sys.executable, *arguments, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, **given
    )
    try:
        yield started
    finally:
        if started.returncode is None:
            started.kill()
        await started.wait()


async def intact(database_url):
    """The rows of the log, once it is seen that positions are gapless and the chain holds."""
    connection = await asyncpg.connect(database_url)
    try:
        verdict = await verify(database_url)
        assert verdict.holds, verdict.problem
        rows = await connection.fetch("select * from events order by notification_id")
        assert [row["notification_id"] for row in rows] == list(range(1, len(rows) + 1))
        return rows
    finally:
        await connection.close()


@pytest.fixture
async def work(database_url, bus_url, tmp_path, monkeypatch):
    """Start the ingest worker, as a process of its own; what a killed one held is delivered again after a second."""
    monkeypatch.setenv("ANJU_DATABASE_URL", database_url)
    monkeypatch.setenv("ANJU_NATS_URL", bus_url)
    monkeypatch.setenv("ANJU_DATA_DIR", str(tmp_path))
    client = await nats_client.connect(bus_url)

    @asynccontextmanager
    async def started():
        async with process(*WORKER, stderr=asyncio.subprocess.PIPE) as worker:
            async with asyncio.timeout(30):
                while b"working" not in (line := await worker.stderr.readline()):
                    assert line, "the worker ended"
            await client.jetstream().add_consumer("OBSERVATIONS", replace(CONSUMER, ack_wait=1))
            yield worker

    yield started
    await client.close()


async def test_an_ingest_worker_that_is_killed_again_and_again_takes_every_observation_in_once(
    work, log, database_url, bus_url
):
    site = await build_site(log, garage=True)
    sent = [
        observation(f"runjinyuan.{'main' if number % 3 else 'garage'}", native=str(number))
        for number in range(3000)
    ]

    async def passes():
        return await log.position() - site.version

    async with bus(bus_url) as connection:

        async def publish():
            for start in range(0, len(sent), 50):
                await asyncio.gather(*map(connection.publish, sent[start : start + 50]))

        publishing = asyncio.create_task(publish())
        killed_in_the_middle = 0
        for part in (0.1, 0.3, 0.5, 0.7):
            async with work() as worker:
                wanted = part * len(sent)

                async def far_enough(wanted=wanted):
                    return await passes() >= wanted

                await until(far_enough, 40)
                worker.kill()
                await worker.wait()
            killed_in_the_middle += await passes() < len(sent)
        assert killed_in_the_middle == 4
        await publishing
        async with work() as worker:

            async def settled():
                return await connection.backlog() == 0

            await until(settled, 40)
            worker.terminate()
            assert await worker.wait() == 0
        counts = await connection.counts()

    rows = await intact(database_url)
    stored = Counter(row["originator_id"] for row in rows if row["topic"] == "gate.passed")
    assert stored == Counter(one.id for one in sent)
    assert counts == {"OBSERVATIONS": len(sent), "DEAD_LETTERS": 0}


async def test_a_writer_that_is_killed_again_and_again_keeps_what_it_acknowledged(pool, database_url):
    asked = [uuid4() for _ in range(8_000)]
    todo = "\n".join(map(str, asked)).encode()
    acknowledged = {}
    repeated = 0

    def take(line):
        name, first, last, again = line.split()
        place = (int(first), int(last))
        assert acknowledged.setdefault(UUID(name.decode()), place) == place
        return int(again)

    for round_number in range(1, 5):
        async with process(
            "-c", WRITER, database_url, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
        ) as writer:
            writer.stdin.write(todo)
            writer.stdin.close()
            enough = len(asked) * round_number // 5
            async with asyncio.timeout(30):
                while len(acknowledged) < enough:
                    repeated += take(await writer.stdout.readline())
            writer.kill()
            rest = await writer.stdout.read()
            for line in rest.split(b"\n")[:-1]:  # the last may be half a line
                repeated += take(line)
    assert len(acknowledged) < len(asked)
    before = await intact(database_url)

    async with process(
        "-c", WRITER, database_url, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    ) as writer:
        out, _ = await asyncio.wait_for(writer.communicate(todo), 60)
        assert writer.returncode == 0
    for line in out.splitlines():
        repeated += take(line)

    rows = await intact(database_url)
    assert [tuple(row) for row in rows[: len(before)]] == [tuple(row) for row in before]
    stored = {}
    for row in rows:
        stored.setdefault(row["request_id"], []).append(row["notification_id"])
    assert {key: (places[0], places[-1]) for key, places in stored.items()} == acknowledged
    assert all(len(places) == 2 and places[1] == places[0] + 1 for places in stored.values())
    assert set(stored) == set(asked)
    assert repeated > 0
    async with event_log(pool, database_url) as log:
        assert (await log.position()) == 2 * len(asked)
