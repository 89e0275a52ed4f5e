"""Four processes with 16 clients each append to one log, beside one process with 64; a reader follows and must miss nothing."""

import asyncio
import multiprocessing
import tempfile
import time
from multiprocessing.synchronize import Barrier
from pathlib import Path

import uvloop
from append import ours
from common import migrated, opened
from harness import Row, arguments, compare, show

from adapters.event_log import PostgresLog
from adapters.tail import Tail
from adapters.verify import verify
from domain.model import EVENTS

APPENDS = 20_000
"""In one run; ten runs make the 200,000 that the reader follows."""


def _process(url: str, keys: Path, clients: int, appends: int, barrier: Barrier) -> None:
    async def append() -> None:
        async with opened(url, keys) as log:
            await ours(log, clients, 4000)  # connected, its statements prepared, the residents known
            await asyncio.to_thread(barrier.wait)
            await ours(log, clients, appends)
            await asyncio.to_thread(barrier.wait)

    uvloop.run(append())


async def processes(url: str, keys: Path, number: int, clients: int) -> float:
    """Appends a second of `number` processes with `clients` each."""
    context = multiprocessing.get_context("spawn")
    barrier = context.Barrier(number + 1)
    each = APPENDS // number
    started = [
        context.Process(target=_process, args=(url, keys, clients, each, barrier)) for _ in range(number)
    ]
    for process in started:
        process.start()
    await asyncio.to_thread(barrier.wait)
    began = time.perf_counter()
    await asyncio.to_thread(barrier.wait)
    seconds = time.perf_counter() - began
    for process in started:
        await asyncio.to_thread(process.join)
    return each // clients * clients * number / seconds


async def follow(log: PostgresLog, tail: Tail, seen: list[int]) -> None:
    """Read the log as it grows, as a projection does."""
    topics, position = frozenset(EVENTS), 0
    while True:
        page = await log.read(position, 2000, topics)
        seen.extend(entry.position for entry in page.entries)
        if page.through == position:
            await tail.wait("log", position, 1.0)
        position = page.through


async def main() -> list[Row]:
    with tempfile.TemporaryDirectory() as folder:
        keys = Path(folder) / "keys"
        async with migrated() as server, opened(server.url, keys) as log:
            await ours(log, 64, 6400)  # every resident has reported once
            async with Tail(server.url) as tail:
                seen: list[int] = []
                reader = asyncio.create_task(follow(log, tail, seen))
                row = await compare(
                    "appends a second: four processes x 16 clients; peer: one process x 64",
                    lambda: processes(server.url, keys, 4, 16),
                    lambda: processes(server.url, keys, 1, 64),
                    at_least=1.0,
                )
                last = await log.position()
                async with asyncio.timeout(60):
                    while not seen or seen[-1] < last:  # noqa: ASYNC110  (a list tells nobody that it grew)
                        await asyncio.sleep(0.05)
                reader.cancel()
                verdict = await verify(server.url)
                missed = last - len(seen) if seen == list(range(1, len(seen) + 1)) else -1
                rows = [
                    row,
                    Row(
                        "positions; peer: those the tailing reader saw",
                        last,
                        len(seen),
                        1.0 - missed,
                        1.0,
                        1.0,
                    ),
                ]
                return [
                    *rows,
                    Row(
                        "events; peer: those in an unbroken chain",
                        last,
                        verdict.events,
                        float(verdict.holds),
                        1.0,
                    ),
                ]


if __name__ == "__main__":
    given = arguments(__doc__)
    show(uvloop.run(main()), as_json=given.json)
