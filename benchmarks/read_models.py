"""Projections: a rebuild beside the library's own runner, and how fast a log may grow with all of them on.

(a) The closure projection over one log: ours, in batches; the peer is `eventsourcing.projection.ProjectionRunner` with the same fold
called with one event at a time, rows and tracking in one transaction, on the same tables. The stock application holds the same events
in a table of its own. (b) Events are appended at a steady rate with every projection on; how late the last of them is, is sampled.
"""

import argparse
import asyncio
import math
import multiprocessing
import random
import statistics
import tempfile
import time
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg
import uvloop
from common import SITE, Stock, reported, stock
from eventsourcing.persistence import Tracking
from eventsourcing.postgres import PostgresTrackingRecorder
from eventsourcing.projection import Projection as LibraryProjection
from eventsourcing.projection import ProjectionRunner
from harness import RUNS, Row, compare, show
from passes import gate_pass

from adapters.database import connect_as_login, create_pool
from adapters.embedded import postgres
from adapters.event_log import PostgresLog, event_log
from adapters.migrate import migrate
from adapters.tail import Tail
from adapters.vault import Vault
from domain.people import Person, Role
from domain.ports import Entry, Event, Request
from projections.all import PROJECTIONS
from projections.leader import lead
from projections.rebuild import rebuild, schema_of, tables_of

UNIT = "water"
WORKER = Person("worker", frozenset({Role.UNIT_HANDLER}), units=frozenset({UNIT}))
STAFF = Person("staff", frozenset({Role.INTAKE, Role.DISPATCHER}), units=frozenset({UNIT}))
VERIFIER = Person("verifier", frozenset({Role.VERIFIER}))
PASSES = 3
"""For each incident."""
PER_SECOND = 20
"""Transactions in which events are appended while the lag is measured."""
IN_BULK = 4
"""The same while the highest rate is looked for: as an import appends, so that what is measured is the projections."""
RATE = 2000
"""Events a second at which the lag is measured."""
SHORT = 10.0
"""Seconds of a run that looks for something."""
BEHIND = 5.0
"""Seconds that an event may wait where the projections are said to keep up: an autovacuum of the log takes one or two from everybody.
What does not keep up is further behind with every second."""
CLOSURE = PROJECTIONS["closure"]


def handled() -> list[Event]:
    """The events of an incident from its report to its closing."""
    made = reported()
    at = made.created_on

    def later() -> datetime:
        nonlocal at
        at += timedelta(minutes=random.randrange(10, 600))
        return at

    made.accept(by=STAFF, at=later())
    made.dispatch(by=STAFF, at=later(), lead_unit=UNIT)
    made.sign(by=WORKER, at=later())
    made.start_handling(by=WORKER, at=later())
    made.give_feedback(by=WORKER, at=later(), result="pump stopped and sealed, 已处置")
    made.verify(by=VERIFIER, at=later(), passed=True, note="seen")
    return list(made.collect_events())


def requests(incidents: int) -> list[Request]:
    """Incidents among passes, to be appended."""
    found = [
        events
        for _ in range(incidents)
        for events in (handled(), *(list(gate_pass(SITE).collect_events()) for _ in range(PASSES)))
    ]
    return [Request(uuid4(), events, {"correlation": "bench"}) for events in found]


async def fill(log: PostgresLog, application: Stock, events: int) -> None:
    """The same events on both sides."""
    while await log.position() < events:
        made = requests(50)
        await log.append_all(made)
        flat = [event for one in made for event in one.events]
        for start in range(0, len(flat), 100):  # a thousand at once, and its pipeline waits for ever
            await asyncio.to_thread(application.events.put, flat[start : start + 100])


@asynccontextmanager
async def opened(url: str, keys: Path) -> AsyncIterator[tuple[asyncpg.Pool, PostgresLog]]:
    async with create_pool(url) as pool, event_log(pool, url, Vault(pool, keys)) as log:
        yield pool, log


# --- (a) rebuild -----------------------------------------------------------------------------------------------------


async def rebuilt(url: str, log: PostgresLog, name: str) -> float:
    """Events of its topics a second, from an empty schema to the switch."""
    projection = PROJECTIONS[name]
    owner = await connect_as_login(url)
    settings = {"search_path": f"{schema_of(projection)}, public", "synchronous_commit": "off"}
    began = time.perf_counter()
    async with create_pool(url, largest=2, settings=settings) as builders:
        outcome = await rebuild(projection, owner, builders, log)
    await owner.close()
    assert outcome.equal
    return outcome.folded / (time.perf_counter() - began)


class Folding(PostgresTrackingRecorder):
    """The peer's read model: our fold and the tracking in one transaction, on a connection of the thread that the library calls in."""

    url = ""
    connection: asyncpg.Connection | None = None

    def fold(self, event: Any, tracking: Tracking) -> None:
        if self.connection is None:
            self.loop = uvloop.new_event_loop()
            self.connection = self.loop.run_until_complete(
                asyncpg.connect(self.url, server_settings={"search_path": "peer, public"})
            )
        self.loop.run_until_complete(self._fold(event, tracking))

    async def _fold(self, event: Any, tracking: Tracking) -> None:
        assert self.connection is not None
        async with self.connection.transaction():
            entry = Entry(tracking.notification_id, event.timestamp, event, {})
            await CLOSURE.fold(self.connection, [entry])
            await self.connection.execute(
                f"insert into public.{self.tracking_table_name} (application_name, notification_id) values ($1, $2) "
                "on conflict (application_name) do update set notification_id = excluded.notification_id",
                tracking.application_name,
                tracking.notification_id,
            )


class Peer(LibraryProjection[Folding]):
    """One event at a time, as the library hands them over."""

    name = "peer"
    topics = tuple(sorted(CLOSURE.topics))

    def process_event(self, domain_event: Any, tracking: Tracking) -> None:
        self.view.fold(domain_event, tracking)


async def one_by_one(url: str, owner: asyncpg.Connection, application: Stock) -> float:
    """Events of the closure's topics a second, through the library's runner into tables of the same make."""
    await owner.execute(
        "drop schema if exists peer cascade; drop table if exists peer_tracking; create schema peer"
    )
    await owner.execute(f"set search_path = peer; {tables_of(CLOSURE)}; set search_path = public")
    last, events = await owner.fetchrow(
        "select max(notification_id), count(*) from stock_events where topic = any($1)",
        sorted(CLOSURE.topics),
    )
    Folding.url = url

    def run() -> float:
        began: float = time.perf_counter()
        with ProjectionRunner(
            application_class=Stock, projection_class=Peer, view_class=Folding, env=dict(application.env)
        ) as runner:
            runner.wait(last, timeout=3600)  # raises what the projection raised
            return float(events) / (time.perf_counter() - began)

    rate = await asyncio.to_thread(run)
    assert await owner.fetchval(f"select count(*) from peer.{CLOSURE.tables[0]}") > 0
    return rate


# --- (b) live --------------------------------------------------------------------------------------------------------


def _worker(url: str, keys: Path) -> None:
    """A process of its own, as `anju work --projections`."""

    async def work() -> None:
        async with opened(url, keys) as (pool, log), Tail(url) as tail:
            await lead(PROJECTIONS.values(), pool, log, tail)

    uvloop.run(work())


@asynccontextmanager
async def working(url: str, keys: Path) -> AsyncIterator[None]:
    """Every projection, folded by another process."""
    process = multiprocessing.get_context("spawn").Process(target=_worker, args=(url, keys), daemon=True)
    process.start()
    try:
        yield
    finally:
        process.terminate()
        await asyncio.to_thread(process.join)


async def slowest(pool: asyncpg.Pool) -> int:
    """How far the projection is that is least far."""
    rows = await pool.fetch("select position from projections")
    return min((row["position"] for row in rows), default=0) if len(rows) == len(PROJECTIONS) else 0


async def lags(
    pool: asyncpg.Pool, log: PostgresLog, rate: int, seconds: float, per_second: int = PER_SECOND
) -> list[float]:
    """Append at `rate` for `seconds`; how long after its commit each event was in every read model, in seconds."""
    made, events = [], 0
    while events < rate * seconds:
        made += (more := requests(20))
        events += sum(len(one.events) for one in more)
    waiting: deque[tuple[int, int, float]] = deque()  # a position, how many events end there, and when
    found: list[float] = []
    done = False

    async def watch() -> None:
        while waiting or not done:
            reached, now = await slowest(pool), time.perf_counter()
            while waiting and waiting[0][0] <= reached:
                _, count, at = waiting.popleft()
                found.extend([now - at] * count)
            await asyncio.sleep(0.01)

    watching = asyncio.create_task(watch())
    began, sent = time.perf_counter(), 0
    size = math.ceil(rate * len(made) / events / per_second)
    for start in range(0, len(made), size):
        chunk = made[start : start + size]
        await asyncio.sleep(max(0.0, began + sent / rate - time.perf_counter()))
        results = await log.append_all(chunk)
        count = sum(len(one.events) for one in chunk)
        last = results[-1]
        assert not isinstance(last, Exception), last
        waiting.append((last.last, count, time.perf_counter()))
        sent += count
    done = True
    late = time.perf_counter() - began - sent / rate
    if late > 0.1 * seconds:
        found.append(math.inf)  # we could not even append that fast
    await watching
    return found


def p99(values: list[float]) -> float:
    return sorted(values)[int(len(values) * 0.99)] if math.inf not in values else math.inf


async def kept(pool: asyncpg.Pool, log: PostgresLog, rate: float, seconds: float) -> bool:
    """Whether no event waits for longer than BEHIND."""
    return max(await lags(pool, log, int(rate), seconds, IN_BULK)) < BEHIND


async def highest(pool: asyncpg.Pool, log: PostgresLog, seconds: float) -> float:
    """The highest rate, in steps of a quarter, that is kept for `seconds`: looked for in short runs, then held."""
    rate = float(RATE)
    while await kept(pool, log, rate * 1.25, SHORT):
        rate *= 1.25
    while not await kept(pool, log, rate, seconds):
        rate /= 1.25
    return rate


async def main(events: int, seconds: float) -> list[Row]:
    with tempfile.TemporaryDirectory() as folder:
        keys = Path(folder) / "keys"
        async with postgres(Path(folder) / "db") as server:
            url = server.url
            await asyncio.to_thread(migrate, url)
            application = await asyncio.to_thread(stock, url)
            owner = await asyncpg.connect(url)
            async with opened(url, keys) as (pool, log):
                await fill(log, application, events)
                async with working(url, keys):
                    while await slowest(pool) < await log.position():  # noqa: ASYNC110  (another process folds)
                        await asyncio.sleep(0.1)
                await owner.execute("vacuum analyze")
                row = await compare(
                    "events a second, the closure projection rebuilt; peer: the library's runner",
                    lambda: rebuilt(url, log, "closure"),
                    lambda: one_by_one(url, owner, application),
                    at_least=5.0,
                )
                began = time.perf_counter()
                for name in PROJECTIONS:
                    await rebuilt(url, log, name)
                rebuild_rate = await log.position() / (time.perf_counter() - began)
                async with working(url, keys):
                    await lags(pool, log, RATE, 2.0)  # warm
                    late = statistics.median([p99(await lags(pool, log, RATE, SHORT)) for _ in range(RUNS)])
                    most = await highest(pool, log, seconds)
            await owner.close()
            application.close()
    return [
        row,
        Row(
            f"events a second that all projections keep up with for {seconds:g} s; peer: all rebuilt, one after another",
            round(most),
            round(rebuild_rate),
            most / rebuild_rate,
            at_least=0.5,
        ),
        Row(
            f"p99 ms from an append to the last read model, at {RATE:,} events a second; peer: 500",
            round(late * 1000, 1),
            500.0,
            late * 2,
            at_most=1.0,
        ),
    ]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="print the rows as JSON, in the last line")
    parser.add_argument("--events", type=int, default=50_000, help="how long the log is that is rebuilt")
    parser.add_argument("--seconds", type=float, default=60.0, help="how long the highest rate is held")
    given = parser.parse_args()
    show(uvloop.run(main(given.events, given.seconds)), as_json=given.json)
