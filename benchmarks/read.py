"""Reading: the log beside the stock `eventsourcing` application, and an aggregate beside its bare rows, on one PostgreSQL.

The stock application holds the same events in a table of its own, as its JSON transcoder writes them. Both sides read page by page
and decode every event; then an incident of 100 events is loaded here, and the 100 rows of the same incident there are only selected.
"""

import asyncio
import statistics
import tempfile
import time
from pathlib import Path
from uuid import UUID, uuid4

import asyncpg
import uvloop
from common import BY, NOW, SITE, Stock, incident, stock
from harness import Row, arguments, compare, show
from passes import gate_pass

from adapters.database import create_pool
from adapters.embedded import postgres
from adapters.event_log import PostgresLog, event_log
from adapters.migrate import migrate
from domain.incident import Incident
from domain.people import Person, Role
from domain.ports import Request

VERIFIER = Person("verifier", frozenset({Role.VERIFIER}))
INCIDENTS = 40
PASSES = 36_000
LENGTH = 100
EVENTS = PASSES + INCIDENTS * LENGTH
PAGE = 2000
LOADS = 300


def long_incident(length: int = LENGTH) -> Incident:
    """An incident of `length` events: it is handled and sent back until it has them."""
    made = incident()
    made.accept(by=BY, at=NOW)
    made.dispatch(by=BY, at=NOW, lead_unit="water")
    made.sign(by=BY, at=NOW)
    made.start_handling(by=BY, at=NOW)
    while made.version < length:
        made.give_feedback(by=BY, at=NOW, result="pump stopped and sealed, 已处置")
        if made.version < length:
            made.verify(by=VERIFIER, at=NOW, passed=False, note="still heard at the gate")
    return made


async def fill(log: PostgresLog, application: Stock) -> UUID:
    """The same events on both sides, incidents among passes; the id of one incident."""
    for _ in range(INCIDENTS):
        case = long_incident()
        made = [case, *(gate_pass(SITE) for _ in range(PASSES // INCIDENTS))]
        events = [aggregate.collect_events() for aggregate in made]
        await log.append_all([Request(uuid4(), found, {"correlation": "bench"}) for found in events])
        flat = [event for found in events for event in found]
        for start in range(0, len(flat), LENGTH):  # a thousand at once, and its pipeline waits for ever
            await asyncio.to_thread(application.events.put, flat[start : start + LENGTH])
    return case.id


async def read_ours(log: PostgresLog) -> float:
    """Events a second."""
    began, count = time.perf_counter(), 0
    async for entry in log.entries(stretch=PAGE):
        count += entry.event is not None
    assert count == EVENTS
    return count / (time.perf_counter() - began)


async def read_stock(application: Stock) -> float:
    """Events a second, in a thread of its own."""

    def read() -> float:
        began, start, count = time.perf_counter(), 0, 0
        while found := application.recorder.select_notifications(start, PAGE, inclusive_of_start=False):
            events = [application.mapper.to_domain_event(notification) for notification in found]
            start, count = found[-1].id, count + len(events)
        assert count == EVENTS
        return count / (time.perf_counter() - began)

    return await asyncio.to_thread(read)


async def load_ours(log: PostgresLog, aggregate: UUID) -> float:
    """p50 of a load, in microseconds."""
    times = []
    for _ in range(LOADS):
        began = time.perf_counter()
        found = await log.load(Incident, aggregate)
        times.append(time.perf_counter() - began)
    assert found.version == LENGTH
    return statistics.median(times) * 1e6


async def load_bare(pool: asyncpg.Pool, aggregate: UUID) -> float:
    """p50 of a select of the rows, by the stock table's primary key, in microseconds."""
    times = []
    for _ in range(LOADS):
        began = time.perf_counter()
        found = await pool.fetch(
            "select topic, state from stock_events where originator_id = $1 order by originator_version",
            aggregate,
        )
        times.append(time.perf_counter() - began)
    assert len(found) == LENGTH
    return statistics.median(times) * 1e6


async def main() -> list[Row]:
    with tempfile.TemporaryDirectory() as folder:
        async with postgres(Path(folder)) as server:
            await asyncio.to_thread(migrate, server.url)
            application = await asyncio.to_thread(stock, server.url)
            owner = await asyncpg.connect(server.url)
            await owner.execute("grant select on stock_events to anju_app")
            async with create_pool(server.url) as pool, event_log(pool, server.url) as log:
                aggregate = await fill(log, application)
                await owner.execute("vacuum analyze")
                await owner.close()
                rows = [
                    await compare(
                        "events a second, log read and decoded",
                        lambda: read_ours(log),
                        lambda: read_stock(application),
                        at_least=3.0,
                    ),
                    await compare(
                        f"p50 µs, aggregate of {LENGTH} events, beside its bare rows",
                        lambda: load_ours(log, aggregate),
                        lambda: load_bare(pool, aggregate),
                        at_most=3.0,
                    ),
                ]
            application.close()
    return rows


if __name__ == "__main__":
    given = arguments(__doc__)
    show(uvloop.run(main()), as_json=given.json)
