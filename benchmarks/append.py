"""Appends a second: Anju's log beside the stock `eventsourcing` application, on one PostgreSQL, in one run.

One append is the same on both sides: an Incident is built, its event encoded, and the client waits until it is durable.
Clients are tasks here and threads there, each with a connection of its own in the stock pool.
"""

import asyncio
import statistics
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

import uvloop
from eventsourcing.application import Application
from harness import Row, arguments, compare, show

from adapters.database import create_pool
from adapters.embedded import postgres
from adapters.event_log import PostgresLog, event_log
from adapters.migrate import migrate
from domain.incident import Incident, Source
from domain.people import Person, Role
from domain.ports import Request
from domain.site import Site

NOW = datetime(2026, 3, 1, tzinfo=UTC)
BY = Person("bench", frozenset({Role.ADMIN, Role.INTAKE}))
SITE = Site.plan(code="bench", name="bench", township="bench", by=BY, at=NOW)
CLIENTS = {1: (300, 1.2), 8: (400, 8.0), 64: (1200, 20.0)}
"""Clients -> (appends of the stock application in a run, how many times as many a second ours must do)."""


def incident() -> Incident:
    return Incident.report(
        id=uuid4(),
        site=SITE,
        by=BY,
        at=NOW,
        source=Source.CITIZEN,
        category="noise",
        description="夜间施工噪声, from about eleven at night until after one, on the east side",
    )


async def ours(log: PostgresLog, clients: int, count: int, latencies: list[float] | None = None) -> float:
    """Appends a second of `clients` tasks, `count` in all; `latencies` takes the seconds of each."""

    async def client() -> None:
        for _ in range(count // clients):
            asked = time.perf_counter()
            await log.append(Request(uuid4(), incident().collect_events(), {"correlation": "bench"}))
            if latencies is not None:
                latencies.append(time.perf_counter() - asked)

    began = time.perf_counter()
    await asyncio.gather(*(client() for _ in range(clients)))
    return count // clients * clients / (time.perf_counter() - began)


def stock(url: str, clients: int) -> Application:
    parts = urlsplit(url)
    return Application(
        env={
            "PERSISTENCE_MODULE": "eventsourcing.postgres",
            "POSTGRES_DBNAME": parts.path.lstrip("/"),
            "POSTGRES_HOST": parse_qs(parts.query)["host"][0],
            "POSTGRES_PORT": "5432",
            "POSTGRES_USER": parts.username or "",
            "POSTGRES_PASSWORD": "",
            "POSTGRES_POOL_SIZE": str(clients),
            "POSTGRES_MAX_OVERFLOW": "8",
        }
    )


async def peer(
    application: Application, clients: int, count: int, latencies: list[float] | None = None
) -> float:
    """Appends a second of `clients` threads, `count` in all; `latencies` takes the seconds of each."""

    def client() -> None:
        for _ in range(count // clients):
            asked = time.perf_counter()
            application.save(incident())
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
        await ours(log, 64, 6400, seconds)
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
        async with postgres(Path(folder)) as server:
            await asyncio.to_thread(migrate, server.url)
            async with create_pool(server.url) as pool, event_log(pool, server.url) as log:
                rows = [await rate(log, server.url, clients) for clients in CLIENTS]
                return [*rows, await tail_latency(log, server.url)]


if __name__ == "__main__":
    given = arguments(__doc__)
    show(uvloop.run(main()), as_json=given.json)
