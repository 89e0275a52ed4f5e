"""Events with a personal field, sealed and opened a second, beside the stock library's mapper, which encrypts whole events.

The stock one has one key for everybody, so it cannot forget one person; ours seals one field under the key of its person.
Then what sealing costs an append, and what one more key does: ours is the sealed rate, the peer our own rate of the same
incidents without a reporter.
"""

import asyncio
import base64
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from uuid import UUID, uuid4

import uvloop
from common import TEXT, PersonalAsText, incident, migrated, opened
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from eventsourcing.cryptography import AESCipher
from eventsourcing.persistence import DatetimeAsISO, JSONTranscoder, Mapper, UUIDAsHex
from eventsourcing.utils import Environment
from harness import Measure, Row, arguments, compare, show

from adapters import codec, sealing
from adapters.event_log import PostgresLog
from adapters.sealing import DataKey
from domain.personal import Personal, of_subject
from domain.ports import Request

COUNT, CLIENTS, APPENDS = 20_000, 64, 6_400
SCOPE = of_subject(uuid4())


def stock() -> Mapper[UUID]:
    transcoder = JSONTranscoder()
    for kind in (UUIDAsHex, DatetimeAsISO, PersonalAsText):
        transcoder.register(kind())
    key = base64.b64encode(os.urandom(32)).decode()
    return Mapper(transcoder=transcoder, cipher=AESCipher(Environment(env={"CIPHER_KEY": key})))


def rate(work: Callable[[], object]) -> Measure:
    async def measure() -> float:
        began = time.perf_counter()
        for _ in range(COUNT):
            work()
        return COUNT / (time.perf_counter() - began)

    return measure


async def in_memory() -> list[Row]:
    """No database: the cost of the bytes alone."""
    (event,) = incident(Personal(SCOPE, TEXT)).collect_events()
    keys: sealing.Keys = {SCOPE: DataKey(uuid4(), AESGCM(os.urandom(32)))}
    mapper = stock()
    stored, theirs = codec.encode(sealing.seal(event, keys)), mapper.to_stored_event(event)
    assert sealing.unseal(codec.decode(*stored), keys) == event == mapper.to_domain_event(theirs)
    (plain,) = incident(None).collect_events()
    bare = codec.encode(plain)
    return [
        await compare(
            "events a second, sealed and encoded",
            rate(lambda: codec.encode(sealing.seal(event, keys))),
            rate(lambda: mapper.to_stored_event(event)),
            at_least=1.5,
        ),
        await compare(
            "events a second, decoded and opened",
            rate(lambda: sealing.unseal(codec.decode(*stored), keys)),
            rate(lambda: mapper.to_domain_event(theirs)),
            at_least=1.0,
        ),
        await compare(
            "encoded a second: sealed; peer: nothing personal",
            rate(lambda: codec.encode(sealing.seal(event, keys))),
            rate(lambda: codec.encode(sealing.seal(plain, keys))),
        ),
        await compare(
            "decoded a second: sealed; peer: nothing personal",
            rate(lambda: sealing.unseal(codec.decode(*stored), keys)),
            rate(lambda: sealing.unseal(codec.decode(*bare), keys)),
        ),
    ]


def appends(log: PostgresLog, reporter: Callable[[], Personal | None]) -> Measure:
    async def client() -> None:
        for _ in range(APPENDS // CLIENTS):
            await log.append(Request(uuid4(), incident(reporter()).collect_events(), {}))

    async def measure() -> float:
        began = time.perf_counter()
        await asyncio.gather(*(client() for _ in range(CLIENTS)))
        return APPENDS / (time.perf_counter() - began)

    return measure


async def main() -> list[Row]:
    rows = await in_memory()
    with tempfile.TemporaryDirectory() as folder:
        async with migrated() as server, opened(server.url, Path(folder) / "keys") as log:
            anonymous = appends(log, lambda: None)
            rows += [
                await compare(
                    f"appends a second, {CLIENTS} clients: one person; peer: anonymous",
                    appends(log, lambda: Personal(SCOPE, TEXT)),
                    anonymous,
                    at_least=0.5,
                ),
                await compare(
                    f"appends a second, {CLIENTS} clients: a new person each; peer: anonymous",
                    appends(log, lambda: Personal(of_subject(uuid4()), TEXT)),
                    anonymous,
                    at_least=0.25,
                ),
            ]
    return rows


if __name__ == "__main__":
    given = arguments(__doc__)
    show(uvloop.run(main()), as_json=given.json)
