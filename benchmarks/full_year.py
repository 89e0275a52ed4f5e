"""A part of the story's year through the domain and into the log, beside the same events, already encoded, in bulk; and its memory.

Ours plans the incidents, drives each through its commands, encodes and appends, in the two processes of `anju demo --full` (the seconds in
which they start are not counted). The peer has the rows ready, and appends them: a thousand in a transaction, two writers taking turns.
"""

import argparse
import asyncio
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from itertools import count, groupby
from operator import itemgetter
from pathlib import Path
from uuid import uuid4

import asyncpg
import psutil
import uvloop
from bulk import AT_ONCE, named
from common import BY, NOW, migrated, opened
from harness import Row, compare, show

from adapters import batch
from adapters.event_log import PostgresLog
from adapters.migrate import migrate
from adapters.writer import Writer
from api.full_year import build_sites, tell_part, tell_year
from api.scenario import load_scenario
from api.settings import Settings, load_settings
from api.year.plan import Year, plan_year
from domain.commands import Order, plan_site

WHOLE = 1_870_000
"""Events of the whole year, about."""
MEGABYTE = 2**20
SEEDS = count(1)
"""Each run tells another year: what is in the log already would not be told again."""


def next_year(events: int) -> Year:
    """So much of the year, in days as long as its own."""
    part = max(1, WHOLE // events)
    year = plan_year(load_scenario(), part=part, seed=next(SEEDS))
    start, end = map(date.fromisoformat, year.facts["platform"]["period"])
    period = [start.isoformat(), (start + (end - start) / part).isoformat()]
    return replace(year, facts={**year.facts, "platform": {**year.facts["platform"], "period": period}})


async def memory(log: PostgresLog, events: int) -> Row:
    """Of one process that tells it all."""
    looks: list[float] = []
    year = next_year(events)
    await tell_part(year, log, lambda *_: looks.append(psutil.Process().memory_info().rss / MEGABYTE))
    warm, end = looks[len(looks) // 10], looks[-1]
    what = f"RSS in MB at the end of {year.cases:,} incidents; peer: after a tenth"
    return Row(what, round(end, 1), round(warm, 1), end / warm, at_most=1.2)


async def ours(settings: Settings, events: int) -> float:
    return (await tell_year(next_year(events), settings, lambda *_: None)).rate


async def bulk(url: str, source: str) -> float:
    """Events a second: what ours has just made goes into another database with the same schema."""
    groups = await latest(url, source)
    coming = iter(groups)

    async def client(writer: Writer) -> None:
        for group in coming:
            for result in await writer.append(group):
                if isinstance(result, Exception):
                    raise result

    loop = asyncio.get_running_loop()
    async with Writer(url) as one, Writer(url) as other:
        began = loop.time()
        await asyncio.gather(client(one), client(other))
        seconds = loop.time() - began
    return sum(len(request.rows) for group in groups for request in group) / seconds


async def latest(target: str, source: str) -> list[list[batch.Encoded]]:
    """The requests that `source` has and `target` has not, about AT_ONCE rows in each group."""
    there, here = await asyncpg.connect(target), await asyncpg.connect(source)
    known = await there.fetchval("select position from log_head")
    rows = await here.fetch(
        "select request_id, metadata, originator_id, originator_version, topic, state from events "
        "where notification_id > $1 order by notification_id",
        known,
    )
    await there.close()
    await here.close()
    groups: list[list[batch.Encoded]] = [[]]
    size = 0
    for request, found in groupby(rows, itemgetter("request_id")):
        of_it = list(found)
        encoded = [batch.Row(*tuple(row)[2:]) for row in of_it]
        if size + len(encoded) > AT_ONCE:
            groups.append([])
            size = 0
        groups[-1].append(batch.Encoded(request, encoded, of_it[0]["metadata"]))
        size += len(encoded)
    return groups


async def build(log: PostgresLog, year: Year) -> None:
    for place in year.places:
        if not place.made_up:
            order = Order(BY, NOW, uuid4())
            await plan_site(log, order, code=place.code, name=place.name, township=place.township)
    await build_sites(year, log)


async def main(events: int) -> Sequence[Row]:
    with tempfile.TemporaryDirectory() as folder:
        async with migrated() as server, opened(server.url, Path(folder) / "keys") as log:
            admin = await asyncpg.connect(server.url)
            await admin.execute("create database bulk")
            await admin.close()
            other = named(server.url, "bulk")
            await asyncio.to_thread(migrate, other)
            await build(log, next_year(events))
            settings = load_settings(database_url=server.url, data_dir=Path(folder))
            kept = await memory(log, events)
            await bulk(other, server.url)  # from here on both have the same rows
            what = f"the year through the domain, {events:,} events, events a second; peer: bulk append of the same, encoded"
            rate = await compare(
                what, lambda: ours(settings, events), lambda: bulk(other, server.url), at_least=0.5
            )
            return [rate, kept]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="print the rows as JSON, in the last line")
    parser.add_argument("--events", type=int, default=100_000, help="about how many, in each run")
    given = parser.parse_args()
    show(uvloop.run(main(given.events)), as_json=given.json)
