"""Verifying the log beside the stock `eventsourcing` recorder merely reading the same events, on one PostgreSQL.

Ours recomputes every hash and checks positions, versions and the head; the processes that do it are started anew in each run. The
peer only fetches, with select_notifications, page by page: by 10, as a stock application's notification log does, and by 500, as its
subscriptions do. Then what a signed checkpoint and a proof of one incident cost when the log has grown a little.
"""

import asyncio
import tempfile
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from urllib.parse import parse_qs, urlsplit
from uuid import UUID, uuid4

import asyncpg
import uvloop
from common import BY, NOW, incident
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from eventsourcing.postgres import PostgresApplicationRecorder, PostgresDatastore
from harness import Row, arguments, compare, show

from adapters.checkpoints import make
from adapters.database import create_pool
from adapters.embedded import postgres
from adapters.event_log import PostgresLog, event_log
from adapters.migrate import migrate
from adapters.proof import bundle
from adapters.signing import Signer
from adapters.verify import verify
from domain.ports import Event, Request

EVENTS = 300_000
EACH = 4
AT_ONCE = 2_000
PAGES = {10: 20_000, 500: 200_000}
"""Events in a page of the stock recorder -> how many it reads in a run."""


@dataclass(frozen=True)
class Filled:
    """A log of `EVENTS` events here, and the same ones in a stock table."""

    url: str
    stock: PostgresApplicationRecorder
    some: UUID


async def fill(log: PostgresLog, count: int) -> UUID:
    """Append `count` events of incidents with `EACH` events; the id of one of them."""
    gathered: list[Event] = []
    for _ in range(count // EACH):
        one = incident()
        one.accept(by=BY, at=NOW)
        one.dispatch(by=BY, at=NOW, lead_unit="housing")
        one.lead_unit = None  # so that anybody may sign
        one.sign(by=BY, at=NOW)
        gathered += one.collect_events()
        if len(gathered) >= AT_ONCE:
            await log.append(Request(uuid4(), gathered, {"correlation": "bench"}))
            gathered = []
    if gathered:
        await log.append(Request(uuid4(), gathered, {"correlation": "bench"}))
    return one.id


async def fill_stock(url: str) -> PostgresApplicationRecorder:
    parts = urlsplit(url)
    recorder = PostgresApplicationRecorder(
        PostgresDatastore(
            dbname=parts.path.lstrip("/"),
            host=parse_qs(parts.query)["host"][0],
            port="5432",
            user=parts.username or "",
            password="",
        ),
        events_table_name="stock_events",
    )
    recorder.create_table()
    owner = await asyncpg.connect(url, command_timeout=600)
    await owner.execute("""
        insert into stock_events (originator_id, originator_version, topic, state, notification_id)
        select originator_id, originator_version, topic, state, notification_id from events order by notification_id""")
    await owner.execute("vacuum analyze")
    await owner.close()
    return recorder


async def ours(filled: Filled) -> float:
    began = time.perf_counter()
    verdict = await verify(filled.url, lend_a_hand=True)
    rate = verdict.events / (time.perf_counter() - began)
    assert verdict.holds
    assert verdict.events >= EVENTS
    return rate


async def peer(filled: Filled, page: int) -> float:
    def read() -> float:
        start, seen, began = 1, 0, time.perf_counter()
        while seen < PAGES[page]:
            notifications = filled.stock.select_notifications(start, page)
            seen += len(notifications)
            start = notifications[-1].id + 1
        return seen / (time.perf_counter() - began)

    return await asyncio.to_thread(read)


async def seconds_to_sign(filled: Filled, log: PostgresLog, signer: Signer) -> float:
    await fill(log, 400)
    began = time.perf_counter()
    await make(filled.url, signer, NOW)
    return time.perf_counter() - began


async def seconds_to_prove(filled: Filled, signer: Signer) -> float:
    began = time.perf_counter()
    await bundle(filled.url, signer, filled.some, NOW)
    return time.perf_counter() - began


async def seconds_to_verify(filled: Filled) -> float:
    began = time.perf_counter()
    await verify(filled.url, lend_a_hand=True)
    return time.perf_counter() - began


async def main() -> list[Row]:
    signer = Signer("bench/log", Ed25519PrivateKey.generate())
    with tempfile.TemporaryDirectory() as folder:
        async with postgres(Path(folder)) as server:
            await asyncio.to_thread(migrate, server.url)
            async with create_pool(server.url) as pool, event_log(pool, server.url) as log:
                some = await fill(log, EVENTS)
                filled = Filled(server.url, await fill_stock(server.url), some)
                rows = [
                    await compare(
                        f"verify {EVENTS:,} events, events a second; peer: stock select_notifications by {page}",
                        lambda: ours(filled),
                        partial(peer, filled, page),
                        at_least=5 if page == min(PAGES) else None,
                    )
                    for page in PAGES
                ]
                await make(filled.url, signer, NOW)
                for what, measure in {
                    "sign a checkpoint 400 events later": lambda: seconds_to_sign(filled, log, signer),
                    "prove one incident": lambda: seconds_to_prove(filled, signer),
                }.items():
                    rows.append(
                        await compare(
                            f"{what}, seconds; peer: verifying the whole log",
                            measure,
                            lambda: seconds_to_verify(filled),
                            at_most=0.5,
                        )
                    )
                return rows


if __name__ == "__main__":
    given = arguments(__doc__)
    show(uvloop.run(main()), as_json=given.json)
