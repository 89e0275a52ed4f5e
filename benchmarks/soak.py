"""Memory while the log grows: two million events are appended, and read as a projection reads them, in one process.

Nine in ten are gate passes, appended fifty at a time as the ingest worker does; the rest are incidents of single clients. What is
resident is looked at twenty times; what counts is the end over the time after warm-up, a tenth of the way in.
"""

import argparse
import asyncio
import sys
import tempfile
import time
from pathlib import Path

import psutil
import uvloop
from common import SITE, incident
from harness import Row, show
from passes import gate_pass

from adapters.database import create_pool
from adapters.embedded import postgres
from adapters.event_log import PostgresLog, event_log
from adapters.migrate import migrate
from domain.ports import Request

LOOKS = 20
WARM = 2  # of the looks
TASKS = 16
AT_ONCE = 50  # passes in one transaction of one task
MEGABYTE = 2**20
TOPICS = frozenset({"gate.passed", "incident.reported"})


def requests() -> list[Request]:
    """What one task appends together: passes, and an incident for each nine of them."""
    events = [gate_pass(SITE) for _ in range(AT_ONCE)] + [incident() for _ in range(AT_ONCE // 9)]
    return [Request(event.id, event.collect_events(), {"correlation": str(event.id)}) for event in events]


async def grow(log: PostgresLog, target: int) -> None:
    """Append until the log has at least `target` events."""
    done = await log.position()

    async def task() -> None:
        nonlocal done
        while done < target:
            batch = requests()
            done += len(batch)
            await log.append_all(batch)

    await asyncio.gather(*(task() for _ in range(TASKS)))


async def follow(log: PostgresLog, after: int) -> int:
    """Read what is new, as a projection does; where it ends."""
    while (page := await log.read(after, 2000, TOPICS)).through > after:
        after = page.through
    return after


def resident() -> float:
    return psutil.Process().memory_info().rss / MEGABYTE


async def main(events: int, *, quiet: bool) -> list[Row]:
    samples, followed, began = [], 0, time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        async with postgres(Path(folder)) as server:
            await asyncio.to_thread(migrate, server.url)
            async with create_pool(server.url) as pool, event_log(pool, server.url) as log:
                for look in range(1, LOOKS + 1):
                    await grow(log, events * look // LOOKS)
                    followed = await follow(log, followed)
                    samples.append(resident())
                    if not quiet:
                        rate = followed / (time.perf_counter() - began)
                        print(
                            f"{followed:>10,} events  {samples[-1]:6.1f} MB  {rate:,.0f} a second",
                            file=sys.stderr,
                        )
    warm, end = samples[WARM - 1], samples[-1]
    what = f"RSS in MB after {followed:,} events / after {followed * WARM // LOOKS:,}"
    return [Row(what, round(end, 1), round(warm, 1), end / warm, at_most=1.2)]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="print the rows as JSON, in the last line")
    parser.add_argument("--events", type=int, default=2_000_000, help="how many to append")
    given = parser.parse_args()
    show(uvloop.run(main(given.events, quiet=given.json)), as_json=given.json)
