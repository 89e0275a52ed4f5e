"""What a snapshot would save: loading an aggregate by replay, beside one from a snapshot of its last version, by number of events.

The snapshot is a prototype at its best: one row by primary key, read together with what follows it (nothing), its fields not even
given back their types. See decision 10.
"""

import asyncio
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from uuid import UUID, uuid4

import asyncpg
import msgspec
import uvloop
from harness import Row, arguments, compare, show
from read import long_incident

from adapters.database import create_pool
from adapters.embedded import postgres
from adapters.event_log import PostgresLog, event_log
from adapters.migrate import migrate
from domain.incident import Incident
from domain.ports import Request

LENGTHS = {10: 200, 30: 200, 100: 100, 300: 60, 1000: 30, 10_000: 5}
"""Events of an aggregate -> loads in a run."""
SELECT = """
    select state, version from snapshots where id = $1
    union all
    select state, originator_version from events
     where originator_id = $1 and category = 'incident'
       and originator_version > (select version from snapshots where id = $1)
"""


async def save(log: PostgresLog, owner: asyncpg.Connection, length: int) -> UUID:
    """An incident of `length` events in the log, and its snapshot."""
    made = long_incident(length)
    await log.append(Request(uuid4(), made.collect_events(), {}))
    state = msgspec.json.encode(vars(made))
    await owner.execute("insert into snapshots values ($1, $2, $3)", made.id, made.version, state)
    return made.id


async def median(load: Callable[[], Awaitable[Incident]], count: int, length: int) -> float:
    """p50 in microseconds."""
    times = []
    for _ in range(count):
        began = time.perf_counter()
        loaded = await load()
        times.append(time.perf_counter() - began)
    assert loaded.version == length
    return statistics.median(times) * 1e6


async def from_snapshot(pool: asyncpg.Pool, aggregate: UUID) -> Incident:
    (row,) = await pool.fetch(SELECT, aggregate)
    restored = object.__new__(Incident)
    vars(restored).update(msgspec.json.decode(row["state"]))
    return restored


async def main() -> list[Row]:
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        async with postgres(Path(folder)) as server:
            await asyncio.to_thread(migrate, server.url)
            owner = await asyncpg.connect(server.url)
            await owner.execute("create table snapshots (id uuid primary key, version int, state bytea)")
            await owner.execute("grant select on snapshots to anju_app")
            async with create_pool(server.url) as pool, event_log(pool, server.url) as log:
                saved = {length: await save(log, owner, length) for length in LENGTHS}
                await owner.execute("vacuum analyze")
                await owner.close()
                for length, count in LENGTHS.items():
                    aggregate = saved[length]
                    rows.append(
                        await compare(
                            f"p50 µs, {length} events replayed, beside a snapshot",
                            partial(median, partial(log.load, Incident, aggregate), count, length),
                            partial(median, partial(from_snapshot, pool, aggregate), count, length),
                        )
                    )
    return rows


if __name__ == "__main__":
    given = arguments(__doc__)
    show(uvloop.run(main()), as_json=given.json)
