"""The bus carries an observation as it is, says what is wrong with one that is not, and is not stopped by anything on it."""

import asyncio
import json
import socket
import struct
import subprocess
import time
from contextlib import suppress
from datetime import timedelta, timezone
from urllib.parse import urlsplit

import nats as nats_client
import pytest
from given import NOW, observation

from adapters.bus import (
    LARGEST_LETTER,
    STREAMS,
    TYPE,
    Bus,
    bus,
    headers_of,
    parse,
    subject_of,
)
from adapters.embedded.bus import _program
from domain.errors import InvalidError, UnavailableError
from domain.observation import observation_id

SUBJECT = "obs.v1.runjinyuan.main.face"


@pytest.fixture
async def connection(bus_url):
    async with bus(bus_url) as connected:
        yield connected


@pytest.fixture
async def stream(bus_url, connection):
    """JetStream, as any other client sees it."""
    client = await nats_client.connect(bus_url)
    yield client.jetstream()
    await client.close()


@pytest.fixture
async def batches(connection):
    deliveries = connection.deliveries(100)
    yield deliveries
    await deliveries.aclose()


async def some(batches, count):
    """The next `count` deliveries."""
    found = []
    async with asyncio.timeout(15):
        while len(found) < count:
            found += await anext(batches)
    return found


async def letters(stream):
    """What lies in DEAD_LETTERS, oldest first."""
    count = (await stream.stream_info("DEAD_LETTERS")).state.messages
    return [await stream.get_msg("DEAD_LETTERS", number) for number in range(1, count + 1)]


def raw(bus_url, *commands):
    """Say `commands` to the server in its own protocol, as a device that keeps to no library would."""
    address = urlsplit(bus_url)
    with socket.create_connection((address.hostname, address.port)) as device:
        options = {"verbose": False, "pedantic": False, "headers": True, "auth_token": address.username}
        device.sendall(b"CONNECT %s\r\n" % json.dumps(options).encode() + b"".join(commands) + b"PING\r\n")
        heard = b""
        while b"PONG" not in heard:
            heard += device.recv(4096)
    assert b"-ERR" not in heard


def published(subject, data=b"garbage", headers=None):
    if headers is None:
        return b"PUB %s %d\r\n%s\r\n" % (subject, len(data), data)
    block = b"NATS/1.0\r\n" + headers + b"\r\n\r\n"
    return b"HPUB %s %d %d\r\n%s%s\r\n" % (subject, len(block), len(block) + len(data), block, data)


def message(**changed):
    """(subject, headers, data) of an observation, with fields of its data changed."""
    seen = observation()
    data = json.dumps(json.loads(encoded(seen)) | changed).encode()
    return subject_of(seen), headers_of(seen), data


def encoded(seen):
    from adapters.bus import _encoder  # noqa: PLC0415

    return _encoder.encode(seen)


async def test_an_observation_is_delivered_as_it_was_published(connection, batches):
    there = NOW.astimezone(timezone(timedelta(hours=8)))
    sent = [observation(native=str(number), at=there, score=number / 10) for number in range(10)]
    for one in sent:
        await connection.publish(one)
    found = await some(batches, 10)
    assert [delivery.observation() for delivery in found] == sent
    assert await connection.backlog() == 10
    for delivery in found:
        await delivery.done()
    await asyncio.sleep(0.1)
    assert await connection.backlog() == 0


async def test_the_headers_are_those_of_a_cloud_event_and_ascii():
    seen = observation(native="帧-1")
    headers = headers_of(seen)
    assert {name: headers[name] for name in ("ce-specversion", "ce-type", "ce-id", "ce-source")} == {
        "ce-specversion": "1.0",
        "ce-type": TYPE,
        "ce-id": str(seen.id),
        "ce-source": "/anju/runjinyuan/main",
    }
    assert headers["Nats-Msg-Id"] == headers["ce-id"]
    assert headers["ce-time"] == "2026-03-01T08:00:00+00:00"
    assert all(name.isascii() and value.isascii() and value.isprintable() for name, value in headers.items())


async def test_the_subject_and_the_headers_tell_where_and_nothing_of_the_person():
    seen = observation(native="浙C12345-王小明")
    assert subject_of(seen) == SUBJECT
    told = " ".join([subject_of(seen), *headers_of(seen).values()])
    assert "王" not in told
    assert "12345" not in told
    assert seen.embedding.hex() not in told


def test_a_message_is_taken_for_what_it_says():
    seen = observation()
    assert parse(subject_of(seen), headers_of(seen), encoded(seen)) == seen


@pytest.mark.parametrize("found", [None, "", "anju.observation.face.v2", "com.example.thing"])
def test_another_type_is_refused(found):
    subject, headers, data = message()
    headers = {name: value for name, value in headers.items() if name != "ce-type"}
    if found is not None:
        headers["ce-type"] = found
    with pytest.raises(InvalidError, match=f"ce-type is {found!r}; '{TYPE}' is understood"):
        parse(subject, headers, data)


@pytest.mark.parametrize("data", [b"", b"{", b"null", b"[]", b"{}", b"\xff", b"0" * 100_000, b"[" * 100_000])
def test_data_that_is_no_observation_is_refused(data):
    subject, headers, _ = message()
    with pytest.raises(InvalidError, match="the data is not an observation"):
        parse(subject, headers, data)


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"embedding": "AAAA"}, "embedding has 3 bytes"),
        ({"embedding": "?"}, "embedding"),
        ({"embedding": [0.1] * 128}, "embedding"),
        ({"captured_at": "2026-03-01T08:00:00"}, "no time zone"),
        ({"captured_at": "0001-01-01T00:00:00+08:00"}, "not of the years"),
        ({"captured_at": 1772352000}, "captured_at"),
        ({"score": 1.5}, "score"),
        ({"score": "high"}, "score"),
        ({"score": None}, "score"),
        ({"latency_ms": -1}, "latency_ms"),
        ({"box": [1, 2, 3]}, "box"),
        ({"at": {"site": "a.b", "gate": "c"}}, "is not a code"),
        ({"at": {"site": "x" * 65, "gate": "c"}}, "a code has at most 64"),
        ({"detector": {"name": "", "sha256": "a" * 64}}, "model name is empty"),
        ({"id": "1"}, "id"),
    ],
)
def test_a_field_that_cannot_be_is_refused_by_name(changed, why):
    with pytest.raises(InvalidError, match=why):
        parse(*message(**changed))


def test_an_id_or_a_subject_that_is_not_the_one_in_the_data_is_refused():
    subject, headers, data = message()
    with pytest.raises(InvalidError, match="is not the id in the data"):
        parse(subject, {**headers, "ce-id": str(observation().id)}, data)
    with pytest.raises(InvalidError, match=r"it came on obs\.v1\.gaoqiao\.main\.face and says it belongs on"):
        parse("obs.v1.gaoqiao.main.face", headers, data)


async def test_the_same_observation_published_twice_is_stored_once(connection):
    for _ in range(3):
        await connection.publish(observation(native="1"))
    await connection.publish(observation(native="2"))
    assert await connection.counts() == {"OBSERVATIONS": 2, "DEAD_LETTERS": 0}


async def test_an_idle_bus_gives_empty_batches_and_then_what_comes(connection, batches):
    assert await anext(batches) == []
    await connection.publish(observation())
    assert len(await some(batches, 1)) == 1


async def test_a_loop_that_was_blocked_past_the_deadline_does_not_end_the_deliveries(connection, batches):
    """nats-py raises the plain TimeoutError then, not its own."""
    for _ in range(3):
        waiting = asyncio.ensure_future(anext(batches))
        await asyncio.sleep(0.1)
        time.sleep(1.3)  # noqa: ASYNC251  (the point of the test)
        assert await waiting == []
    await connection.publish(observation())
    assert len(await some(batches, 1)) == 1


async def test_a_delivery_that_is_to_come_again_comes_again(connection, batches):
    await connection.publish(observation(native="1"))
    (first,) = await some(batches, 1)
    await first.again(0.05)
    (again,) = await some(batches, 1)
    assert again.observation() == first.observation()


async def test_a_dead_letter_keeps_reason_subject_attributes_and_bytes(connection, batches, stream):
    await stream.publish(SUBJECT, b"\x00\xffgarbage", headers={"ce-type": TYPE, "ce-id": "1", "other": "x"})
    (delivery,) = await some(batches, 1)
    await delivery.dead("INVALID: 因为 \r\n x")
    (letter,) = await letters(stream)
    assert letter.subject == f"dlq.v1.{SUBJECT}"
    assert letter.data == b"\x00\xffgarbage"
    assert {name: letter.headers[name] for name in ("ce-type", "ce-id", "Anju-Subject", "Anju-Bytes")} == {
        "ce-type": TYPE,
        "ce-id": "1",
        "Anju-Subject": SUBJECT,
        "Anju-Bytes": "9",
    }
    assert letter.headers["Anju-Reason"] == "INVALID: %E5%9B%A0%E4%B8%BA %0D%0A x"
    assert "other" not in letter.headers
    await asyncio.sleep(0.1)
    assert await connection.backlog() == 0


async def test_a_delivery_is_one_dead_letter_however_often_it_is_put_away(connection, batches, stream):
    await stream.publish(SUBJECT, b"garbage")
    (delivery,) = await some(batches, 1)
    for _ in range(3):
        await delivery._stream.publish("dlq.v1.x", b"", headers={"Nats-Msg-Id": "dead-1"})
    await delivery.dead("x")
    assert len(await letters(stream)) == 1


NASTY = {
    "no headers": published(SUBJECT.encode()),
    "an empty block of headers": published(SUBJECT.encode(), headers=b""),
    "headers without a colon": published(SUBJECT.encode(), headers=b"what is this"),
    "headers that are not UTF-8": published(
        SUBJECT.encode(), headers=b"ce-type: \xff\xfe\r\nce-id: \xe4\xb8"
    ),
    "a folded header": published(SUBJECT.encode(), headers=b"ce-id: a\r\n b: c\r\nce-time: \x01\x02"),
    "a status line": published(SUBJECT.encode(), headers=b"Status: 100"),
    "a word of the server": published(SUBJECT.encode(), b"", headers=b"Status: 503"),
    "the word that nothing is there": published(SUBJECT.encode(), b"", headers=b"Status: 404"),
    "a status in the first line": b"HPUB obs.v1.a.b.face 16 16\r\nNATS/1.0 408\r\n\r\n\r\n",
    "a subject that is not UTF-8": published(b"obs.v1.\xff\xfe.face"),
    "a subject of Chinese": published("obs.v1.润锦苑.大门.face".encode()),
    "a subject too long to be said twice": published(b"obs.v1." + b"a" * 4000),
    "a subject of too many words": published(SUBJECT.encode() + b".and.more"),
    "a header as long as it may be": published(SUBJECT.encode(), headers=b"ce-id: " + b"x" * 65_000),
    "as much as the server takes": published(SUBJECT.encode(), b"x" * (8 << 20)),
    "nothing at all": published(SUBJECT.encode(), b""),
}


@pytest.mark.parametrize("what", NASTY)
async def test_whatever_a_device_sends_can_be_put_away_and_stops_nothing(
    what, bus_url, connection, batches, stream
):
    raw(bus_url, NASTY[what])
    await connection.publish(observation())
    bad, good = await some(batches, 2)
    with pytest.raises(InvalidError) as refused:
        bad.observation()
    await bad.dead(str(refused.value))
    assert good.observation().at.site == "runjinyuan"
    await good.done()
    (letter,) = await letters(stream)
    assert len(letter.data or b"") <= LARGEST_LETTER
    assert letter.headers["Anju-Reason"]
    await asyncio.sleep(0.1)
    assert await connection.backlog() == 0


async def test_no_server_at_the_address_is_said_quickly_and_without_the_password():
    started = time.monotonic()
    with pytest.raises(UnavailableError, match=r"no NATS server answers at 127\.0\.0\.1:9") as refused:
        async with bus("nats://secret@127.0.0.1:9"):
            pass
    assert time.monotonic() - started < 6
    assert "secret" not in str(refused.value)


async def test_a_wrong_password_is_said_to_be_one(nats_url):
    address = nats_url.rpartition("@")[2]
    async with asyncio.timeout(15):
        with pytest.raises(UnavailableError, match=r"is the token or password in its address right\?"):
            async with bus(f"nats://wrong@{address}"):
                pass


async def test_a_server_that_hangs_up_before_its_refusal_is_read_is_said_to_have_refused():
    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(
            b'INFO {"server_id":"x","version":"2.12.0","auth_required":true,"max_payload":1048576}\r\n'
        )
        await reader.readuntil(b"PING\r\n")
        now = struct.pack("ii", 1, 0)
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, now)
        writer.close()

    async with await asyncio.start_server(refuse, "127.0.0.1") as server, asyncio.timeout(15):
        _, port = server.sockets[0].getsockname()
        with pytest.raises(UnavailableError, match=r"hung up.*token or password"):
            async with bus(f"nats://wrong@127.0.0.1:{port}"):
                pass


async def test_a_server_without_jetstream_is_said_to_be_one(tmp_path):
    server = await asyncio.create_subprocess_exec(
        _program(), "-a", "127.0.0.1", "-p", "-1", "--ports_file_dir", tmp_path, stderr=subprocess.DEVNULL
    )
    try:
        async with asyncio.timeout(15):
            while not (found := list(tmp_path.glob("*.ports"))) or not found[0].read_text():
                await asyncio.sleep(0.02)
            (url,) = json.loads(found[0].read_text())["nats"]
            with pytest.raises(UnavailableError, match="start NATS with JetStream"):
                async with bus(url):
                    pass
    finally:
        server.kill()
        await server.wait()


async def test_a_stream_that_somebody_made_otherwise_is_left_alone(bus_url, nats_url):
    client = await nats_client.connect(nats_url)
    await client.jetstream().add_stream(name=STREAMS[0].name, subjects=["obs.v1.>"], max_msgs=5)
    await client.close()
    with pytest.raises(UnavailableError, match="has another configuration"):
        async with bus(bus_url):
            pass


async def test_a_closed_connection_is_told_to_whoever_uses_it(bus_url):
    async with bus(bus_url) as connection:
        batches = connection.deliveries(10)
        assert await anext(batches) == []
        assert connection.connected
    assert not connection.connected
    for use in (connection.publish(observation()), connection.counts(), connection.backlog()):
        with pytest.raises(UnavailableError):
            await use
    async with asyncio.timeout(5):
        with pytest.raises(UnavailableError, match="closed"):
            await anext(batches)


async def test_nothing_is_left_running(bus_url):
    before = asyncio.all_tasks()
    async with bus(bus_url) as connection:
        await connection.publish(observation())
        batches = connection.deliveries(10)
        assert len(await some(batches, 1)) == 1
        await batches.aclose()
    assert isinstance(connection, Bus)
    await asyncio.sleep(0.05)
    assert {task for task in asyncio.all_tasks() if not task.done()} <= before


def test_the_id_of_an_observation_is_that_of_its_source_and_native_id():
    seen = observation(native="frame-7")
    assert seen.id == observation_id(seen.at, "frame-7")


async def test_a_server_that_was_lost_with_all_it_had_is_found_again(tmp_path, monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]

    async def started(store):
        server = await asyncio.create_subprocess_exec(
            _program(), "-js", "-sd", store, "-a", "127.0.0.1", "-p", str(port), stderr=subprocess.DEVNULL
        )
        async with asyncio.timeout(10):
            while True:
                try:
                    _, writer = await asyncio.open_connection("127.0.0.1", port)
                except OSError:
                    await asyncio.sleep(0.02)
                else:
                    writer.close()
                    return server

    server = await started(tmp_path / "one")
    try:
        async with bus(f"nats://127.0.0.1:{port}") as connection:
            batches = connection.deliveries(10)
            await connection.publish(observation(native="1"))
            assert len(await some(batches, 1)) == 1
            server.kill()
            await server.wait()
            for _ in range(2):
                assert await anext(batches) == []
            server = await started(tmp_path / "two")
            async with asyncio.timeout(15):
                while True:
                    await anext(batches)
                    with suppress(UnavailableError):
                        await connection.publish(observation(native="2"))
                        break
            (found,) = await some(batches, 1)
            assert found.observation() == observation(native="2")
            await batches.aclose()
    finally:
        server.kill()
        await server.wait()
