"""Appends a second: Anju's log beside the stock `eventsourcing` application, on one PostgreSQL, in one run.

One append is the same on both sides: an Incident is built, its event encoded, and the client waits until it is durable. Ours also
seals the reporter, one of a thousand residents, under their own key; the stock application writes the reporter as plain text.
Clients are tasks here and threads there, each with a connection of its own in the stock pool.
"""

import asyncio
import statistics
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from uuid import UUID, uuid4

import uvloop
from common import migrated, opened, reported, stock
from eventsourcing.application import Application
from harness import Row, arguments, compare, show

from adapters.event_log import PostgresLog
from domain.ports import Request

CLIENTS = {1: (300, 1.2), 8: (400, 8.0), 64: (1200, 20.0)}
"""Clients -> (appends of the stock application in a run, how many times as many a second ours must do)."""


async def ours(log: PostgresLog, clients: int, count: int, latencies: list[float] | None = None) -> float:
    """Appends a second of `clients` tasks, `count` in all; `latencies` takes the seconds of each."""

    async def client() -> None:
        for _ in range(count // clients):
            asked = time.perf_counter()
            await log.append(Request(uuid4(), reported().collect_events(), {"correlation": "bench"}))
            if latencies is not None:
                latencies.append(time.perf_counter() - asked)

    began = time.perf_counter()
    await asyncio.gather(*(client() for _ in range(clients)))
    return count // clients * clients / (time.perf_counter() - began)


async def peer(
    application: Application[UUID], clients: int, count: int, latencies: list[float] | None = None
) -> float:
    """Appends a second of `clients` threads, `count` in all; `latencies` takes the seconds of each."""

    def client() -> None:
        for _ in range(count // clients):
            asked = time.perf_counter()
            application.save(reported())
            if latencies is not None:
                latencies.append(time.perf_counter() - asked)

    def run() -> float:
        with ThreadPoolExecutor(clients) as threads:
            began = time.perf_counter()
            for future in [threads.submit(client) for _ in range(clients)]:
                future.result()
            return count // clients * clients / (time.perf_counter() - began)

    return await asyncio.to_thread(run)


async def rate(log: PostgresLog, url: str, clients: int) -> Row:
    """Appends a second, ours and the stock application's."""
    count, at_least = CLIENTS[clients]
    application = stock(url, clients)
    try:
        return await compare(
            f"appends a second, {clients} client{'s' * (clients > 1)}",
            lambda: ours(log, clients, count * (1 if clients == 1 else 8)),
            lambda: peer(application, clients, count),
            at_least=at_least,
        )
    finally:
        application.close()


async def tail_latency(log: PostgresLog, url: str) -> Row:
    """Our 99th percentile under a heavy load beside the stock application's median under a light one."""
    application = stock(url, 8)

    async def p99() -> float:
        seconds: list[float] = []
        await ours(log, 64, 25_600, seconds)
        return statistics.quantiles(seconds, n=100)[98] * 1000

    async def median() -> float:
        seconds: list[float] = []
        await peer(application, 8, 400, seconds)
        return statistics.median(seconds) * 1000

    try:
        return await compare("ms: our p99 at 64 clients; peer: its median at 8", p99, median, at_most=1.0)
    finally:
        application.close()


async def main() -> list[Row]:
    with tempfile.TemporaryDirectory() as folder:
        async with migrated() as server, opened(server.url, Path(folder) / "keys") as log:
            await ours(log, 64, 6400)  # every resident has reported once
            rows = [await rate(log, server.url, clients) for clients in CLIENTS]
            return [*rows, await tail_latency(log, server.url)]


if __name__ == "__main__":
    given = arguments(__doc__)
    show(uvloop.run(main()), as_json=given.json)
