"""Observations become gate passes, once each; what cannot become one is put away with the reason."""

import asyncio
import base64
import json
from contextlib import AsyncExitStack, asynccontextmanager
from uuid import uuid4

import asyncpg
import nats as nats_client
import pytest
from given import NOW, build_site, observation, order, until

from adapters.bus import bus, headers_of
from adapters.database import create_pool
from adapters.embedded import postgres
from adapters.event_log import event_log
from adapters.migrate import migrate
from adapters.verify import verify
from api import ingest as module
from api.ingest import ingest, settle
from domain import commands
from domain.access import Decision
from domain.errors import CorruptError, UnavailableError
from domain.gatepass import GatePass, decide
from domain.people import Role
from domain.ports import Request
from domain.site import Site


@asynccontextmanager
async def ingesting(connection, log):
    """The worker, running."""
    task = asyncio.create_task(ingest(connection, log))
    yield task
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


@pytest.fixture
async def connection(bus_url):
    async with bus(bus_url) as connected:
        yield connected


@pytest.fixture
async def batches(connection):
    deliveries = connection.deliveries(100)
    yield deliveries
    await deliveries.aclose()


@pytest.fixture
async def stream(bus_url, connection):
    client = await nats_client.connect(bus_url)
    yield client.jetstream()
    await client.close()


async def settled(connection):
    """Return once nothing waits on the bus."""

    async def empty():
        return await connection.backlog() == 0

    await until(empty)


async def letters(stream):
    count = (await stream.stream_info("DEAD_LETTERS")).state.messages
    return [await stream.get_msg("DEAD_LETTERS", number) for number in range(1, count + 1)]


async def decisions(log):
    page = await log.read(0, 10_000, frozenset({"gate.passed"}))
    return [entry.event.decision for entry in page.entries]


@pytest.fixture
async def site(log):
    """润锦苑, operating, with an open gate `main` and a guarded gate `garage`."""
    return await build_site(log, garage=True)


async def test_observations_become_passes_as_the_gate_decides(connection, log, site):
    seen = [observation("runjinyuan.main"), observation("runjinyuan.garage"), observation("runjinyuan.main")]
    async with ingesting(connection, log):
        for one in seen:
            await connection.publish(one)
        await settled(connection)
    assert await decisions(log) == [Decision.RECORDED, Decision.HELD, Decision.RECORDED]
    for one in seen:
        (entry,) = await log.history(one.id)
        assert entry.metadata == {"causation": f"observation:{one.id}"}
        assert entry.event.timestamp == NOW
        assert isinstance(await log.load(GatePass, one.id), GatePass)
    assert await connection.counts() == {"OBSERVATIONS": 3, "DEAD_LETTERS": 0}


async def test_a_batch_that_is_settled_again_changes_nothing(connection, batches, log, site):
    for number in range(5):
        await connection.publish(observation(native=str(number)))
    batch = await anext(batches)
    for _ in range(3):
        await settle(batch, log)
        assert await log.position() == site.version + 5
    assert (await connection.counts())["DEAD_LETTERS"] == 0


async def test_observations_that_come_again_change_nothing(connection, batches, log, site):
    for number in range(5):
        await connection.publish(observation(native=str(number)))
    batch = await anext(batches)
    await settle(batch[:3], log)
    for delivery in batch:
        await delivery.again(0)
    async with ingesting(connection, log):
        await settled(connection)
    assert await log.position() == site.version + 5
    assert (await connection.counts())["DEAD_LETTERS"] == 0


async def test_a_pass_that_was_appended_under_another_request_is_done_all_the_same(
    connection, batches, log, site
):
    seen = observation()
    await log.append(Request(uuid4(), decide(seen, site).collect_events(), {}))
    await connection.publish(seen)
    await settle(await anext(batches), log)
    assert await log.position() == site.version + 1
    assert (await connection.counts())["DEAD_LETTERS"] == 0
    await settled(connection)


async def test_what_is_said_of_a_delivery_has_nothing_of_the_face(connection, batches, log, site, caplog):
    await connection.publish(observation())
    (delivery,) = await anext(batches)
    await delivery.again(5)
    await settle([delivery, delivery], log)
    await delivery.dead("x")
    await delivery.again(5)
    assert "embedding" not in caplog.text
    assert await decisions(log) == [Decision.RECORDED]


async def test_garbage_is_put_away_with_the_reason_and_the_good_beside_it_is_taken_in(
    connection, log, site, stream
):
    good = [observation(native=str(number)) for number in range(6)]
    bad = {
        "obs.v1.runjinyuan.main.face": (b"\x00garbage", {}, "INVALID: ce-type is None"),
        "obs.v1.runjinyuan.garage.face": (
            b"{",
            headers_of(good[0]),
            "INVALID: the data is not an observation",
        ),
    }
    for number, one in enumerate(good):
        await connection.publish(one)
        if number == 2:
            for subject, (data, headers, _) in bad.items():
                await stream.publish(
                    subject, data, headers={k: v for k, v in headers.items() if k != "Nats-Msg-Id"}
                )
    async with ingesting(connection, log):
        await settled(connection)
    assert len(await decisions(log)) == 6
    found = await letters(stream)
    assert {letter.headers["Anju-Subject"]: letter.data for letter in found} == {
        subject: data for subject, (data, _, _) in bad.items()
    }
    for letter in found:
        assert letter.subject == f"dlq.v1.{letter.headers['Anju-Subject']}"
        assert letter.headers["Anju-Reason"].startswith(bad[letter.headers["Anju-Subject"]][2])


async def test_what_no_site_or_gate_wants_is_put_away(connection, log, site, stream):
    await commands.plan_site(log, order(Role.ADMIN), code="planned", name="x", township="t")
    wrong = {
        "nowhere.main": "NOT_FOUND: there is no site 'nowhere'",
        "runjinyuan.back": "NOT_FOUND: site runjinyuan has no gate 'back'; its gates: garage, main",
        "planned.main": "INVALID: site planned is PLANNED: only an operating site records passes",
    }
    sent = {gate: observation(gate) for gate in wrong}
    for one in sent.values():
        await connection.publish(one)
    async with ingesting(connection, log):
        await settled(connection)
    found = {
        letter.headers["ce-source"].removeprefix("/anju/").replace("/", "."): letter
        for letter in await letters(stream)
    }
    assert {gate: letter.headers["Anju-Reason"] for gate, letter in found.items()} == wrong
    for gate, letter in found.items():
        assert letter.headers["ce-id"] == str(sent[gate].id)
        assert json.loads(letter.data)["id"] == str(sent[gate].id)
    assert await decisions(log) == []


async def test_an_observation_with_the_id_of_a_site_takes_nothing_from_the_site(
    connection, log, site, stream
):
    await connection.publish(observation(id=site.id))
    async with ingesting(connection, log):
        await settled(connection)
    assert await log.load(Site, site.id) == site
    (letter,) = await letters(stream)
    assert letter.headers["Anju-Reason"] == f"NOT_FOUND: {site.id} is Site, not GatePass"


async def test_a_dead_letter_that_cannot_be_kept_does_not_hold_up_the_good(
    connection, batches, log, site, stream
):
    await connection.publish(observation("nowhere.main"))
    await connection.publish(observation())
    batch = list(await anext(batches))
    if len(batch) < 2:
        batch += await anext(batches)
    await stream.delete_stream("DEAD_LETTERS")
    with pytest.raises(UnavailableError, match="keep a dead letter"):
        await settle(batch, log)
    assert await decisions(log) == [Decision.RECORDED]

    async def one_left():
        return await connection.backlog() == 1

    await until(one_left)


async def test_a_site_that_cannot_be_read_is_not_the_observations_fault(
    connection, log, site, database_url, stream
):
    await connection.publish(observation())
    admin = await asyncpg.connect(database_url)
    await admin.execute(
        "set session_replication_role = replica; update events set state = 'x' where notification_id = 1"
    )
    await admin.close()
    async with ingesting(connection, log) as worker:
        with pytest.raises(CorruptError):
            await asyncio.wait_for(asyncio.shield(worker), 10)
    assert await letters(stream) == []
    assert await connection.backlog() == 1


async def test_a_database_that_is_lost_in_the_middle_costs_nothing_and_doubles_nothing(
    connection, tmp_path, monkeypatch
):
    monkeypatch.setattr(module, "BATCH", 50)
    monkeypatch.setattr(module, "PAUSE", 0.1)
    monkeypatch.setattr("adapters.writer.PATIENCE", 0.3)
    seen = [observation(native=str(number)) for number in range(1000)]
    async with AsyncExitStack() as stack:
        async with postgres(tmp_path) as server:
            await asyncio.to_thread(migrate, server.url)
            # The socket's folder is another after each start: the worker knows one name for it.
            place = tmp_path / "postgres" / "sockets"
            url = f"postgresql://anju@/anju?host={place}&port=5432"
            pool = await stack.enter_async_context(create_pool(url))
            log = await stack.enter_async_context(event_log(pool, url))
            await build_site(log)
            worker = await stack.enter_async_context(ingesting(connection, log))
            for one in seen[:500]:
                await connection.publish(one)

            async def half_done():
                return await log.position() > 200

            await until(half_done)
        for one in seen[500:]:
            await connection.publish(one)
        await asyncio.sleep(0.5)
        assert await connection.backlog() > 0
        async with postgres(tmp_path) as server:
            await settled(connection)
            assert not worker.done()
            plain = await asyncpg.connect(server.url)
            assert await plain.fetchval("select count(*) from events where topic = 'gate.passed'") == 1000
            assert (
                await plain.fetchval(
                    "select count(distinct originator_id) from events where topic = 'gate.passed'"
                )
                == 1000
            )
            assert (await verify(url)).holds
            await plain.close()
            assert (await connection.counts())["DEAD_LETTERS"] == 0
            await stack.aclose()


async def test_nothing_of_a_face_is_in_any_column_of_any_table(connection, log, site, database_url):
    seen = [observation(gate) for gate in ("runjinyuan.main", "runjinyuan.garage", "nowhere.main")]
    async with ingesting(connection, log):
        for one in seen:
            await connection.publish(one)
        await settled(connection)
    face = seen[0].embedding
    forms = [
        form.encode()
        for part in (face[:24], face[240:264])
        for form in (part.hex(), part.hex().upper(), base64.b64encode(part).decode(), base64.urlsafe_b64encode(part).decode())
    ] + [face[:16], face[256:272], b"embedding", b'"box"']  # fmt: skip
    admin = await asyncpg.connect(database_url)
    tables = await admin.fetch(
        "select oid::regclass::text as name from pg_class where relkind = 'r' and oid >= 16384"
    )
    assert {"events_case", "events_observation_0", "log_head"} <= {table["name"] for table in tables}
    looked = 0
    for table in tables:
        async with admin.transaction():
            async for row in admin.cursor(f"select * from {table['name']}"):
                for value in row.values():
                    stored = value if isinstance(value, bytes) else str(value).encode()
                    assert not [form for form in forms if form in stored], table["name"]
                    looked += 1
    await admin.close()
    assert looked > 50


async def test_a_bus_that_is_closed_for_good_ends_the_worker(bus_url, log):
    async with bus(bus_url) as connection:
        worker = asyncio.create_task(ingest(connection, log))
        await asyncio.sleep(0.1)
    async with asyncio.timeout(10):
        with pytest.raises(UnavailableError, match="closed"):
            await worker


async def test_a_cancelled_worker_leaves_nothing_running(connection, log):
    before = asyncio.all_tasks()
    async with ingesting(connection, log):
        await asyncio.sleep(0.1)
    await asyncio.sleep(0.05)
    assert {task for task in asyncio.all_tasks() if not task.done()} <= before
