"""Bulk append, 1,000 events a transaction, beside a raw COPY of the same rows into the same table and indexes."""

import asyncio
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit
from uuid import uuid4

import asyncpg
import uvloop
from common import incident
from harness import Row, arguments, compare, show

from adapters.database import connect, create_pool
from adapters.embedded import postgres
from adapters.event_log import PostgresLog, event_log
from adapters.migrate import migrate
from domain.ports import Request

COLUMNS = (
    "notification_id",
    "originator_id",
    "originator_version",
    "topic",
    "category",
    "recorded_at",
    "request_id",
    "metadata",
    "state",
    "hash",
)
EVENTS = 20_000
AT_ONCE = 1_000


async def ours(logs: Sequence[PostgresLog]) -> float:
    """Events a second: encoded, checked, chained, durable. Two writers take turns: one thousand is sent while another is written."""
    events = [event for _ in range(EVENTS) for event in incident().collect_events()]
    requests = [Request(uuid4(), events[at : at + AT_ONCE], {}) for at in range(0, EVENTS, AT_ONCE)]
    coming = iter(requests)

    async def client(log: PostgresLog) -> None:
        for request in coming:
            await log.append(request)

    began = time.perf_counter()
    await asyncio.gather(*map(client, logs))
    return EVENTS / (time.perf_counter() - began)


async def raw(url: str) -> float:
    """Events a second: the very rows that ours has just made, copied into another database with the same schema."""
    source, target = await connect(url), await asyncpg.connect(named(url, "raw"))
    newest = f"select {', '.join(COLUMNS)} from events order by notification_id desc limit {EVENTS}"
    records = [tuple(row) for row in reversed(await source.fetch(newest))]
    await source.close()
    began = time.perf_counter()
    for at in range(0, EVENTS, AT_ONCE):
        async with target.transaction():
            await target.copy_records_to_table("events", records=records[at : at + AT_ONCE], columns=COLUMNS)
    rate = EVENTS / (time.perf_counter() - began)
    await target.close()
    return rate


def named(url: str, database: str) -> str:
    """The address of another database on the same server."""
    return urlsplit(url)._replace(path=f"/{database}").geturl()


async def main() -> list[Row]:
    with tempfile.TemporaryDirectory() as folder:
        async with postgres(Path(folder)) as server:
            await asyncio.to_thread(migrate, server.url)
            admin = await asyncpg.connect(server.url)
            await admin.execute("create database raw")
            await admin.close()
            await asyncio.to_thread(migrate, named(server.url, "raw"))
            async with (
                create_pool(server.url) as pool,
                event_log(pool, server.url) as one,
                event_log(pool, server.url) as other,
            ):
                what = f"bulk append, {AT_ONCE:,} events a transaction, events a second; peer: raw COPY"
                return [
                    await compare(what, lambda: ours((one, other)), lambda: raw(server.url), at_least=0.6)
                ]


if __name__ == "__main__":
    given = arguments(__doc__)
    show(uvloop.run(main()), as_json=given.json)
