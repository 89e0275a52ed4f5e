"""What the log costs on disk, what an archived row leaves behind, and how long backing up, restoring and archiving take.

Gate passes with an incident after each nine, fifty at a time; the archive takes the first half. "peer" is what the line compares with:
bytes of a row while it is in the log, or the rate of `anju verify`.
"""

import argparse
import asyncio
import tempfile
import time
from collections.abc import Awaitable
from pathlib import Path
from typing import TypeVar

import asyncpg
import uvloop
from harness import Row, show
from soak import grow

from adapters import archive
from adapters.archive_return import attach
from adapters.backup import backup
from adapters.database import create_pool
from adapters.embedded import postgres
from adapters.event_log import event_log
from adapters.migrate import migrate
from adapters.restore import restore
from adapters.verify import verify

T = TypeVar("T")
SIZES = """
select sum(pg_table_size(relid)) as heap, sum(pg_indexes_size(relid)) as indexes
  from pg_partition_tree('events') where isleaf"""


def quiet(description: str, done: int, total: int | None) -> None:
    """Nobody watches."""


async def timed(work: Awaitable[T]) -> tuple[T, float]:
    began = time.perf_counter()
    return await work, time.perf_counter() - began


async def main(events: int) -> list[Row]:
    with tempfile.TemporaryDirectory() as folder:
        here = Path(folder)
        async with postgres(here) as server:
            await asyncio.to_thread(migrate, server.url)
            owner = await asyncpg.connect(server.url)
            await owner.execute(
                f"create or replace function observation_leaf_size() returns bigint language sql immutable as 'select {events // 2}::bigint';"
                "select drop_observation_leaf('events_observation_0'); select ensure_observation_leaf(0)"
            )
            wal = await owner.fetchval("select pg_current_wal_lsn()")
            async with create_pool(server.url) as pool, event_log(pool, server.url) as log:
                await grow(log, events)
                count = await log.position()
            wal_bytes = await owner.fetchval("select pg_current_wal_lsn() - $1::pg_lsn", wal)
            sizes = await owner.fetchrow(SIZES)
            whole = int(sizes["heap"] + sizes["indexes"]) / count
            _, verified = await timed(verify(server.url, lend_a_hand=True))
            (saved, _), backed_up = await timed(backup(server.url, here / "backups", quiet))
            dumped = (saved / "database.dump").stat().st_size / count
            await owner.execute("create database restored")
            _, restored = await timed(restore(server.url.replace("@/anju", "@/restored"), saved, quiet))
            await owner.execute("insert into checkpoints (size, note, subtrees) values ($1, '', '')", count)
            leaf_size = await owner.fetchval("select pg_total_relation_size('events_observation_0')")
            made, archived = await timed(
                archive.detach(server.url, "events_observation_0", here, quiet, youngest=0)
            )
            kept = await owner.fetchval("select pg_total_relation_size('archive_stretches')")
            _, attached = await timed(attach(server.url, here / made.file, quiet))
            await owner.close()
    rate = count / verified
    return [
        ratio("bytes of an event in tables and indexes / its bytes of WAL", whole, float(wal_bytes) / count),
        ratio(
            "bytes of an event in its table / in its indexes", sizes["heap"] / count, sizes["indexes"] / count
        ),
        ratio("bytes of an event in a backup / in the log", dumped, whole, at_most=0.5),
        ratio(
            "bytes of an archived row in its file / in the log",
            made.size / made.rows,
            leaf_size / made.rows,
            at_most=0.25,
        ),
        ratio(
            "bytes that stay of an archived row / in the log",
            kept / made.rows,
            leaf_size / made.rows,
            at_most=0.1,
        ),
        ratio("events a second, backing up / verifying", count / backed_up, rate),
        ratio("events a second, restoring and verifying / verifying", count / restored, rate),
        ratio("rows a second, archiving / verifying", made.rows / archived, rate),
        ratio("rows a second, coming back from an archive / verifying", made.rows / attached, rate),
    ]


def ratio(what: str, ours: float, peer: float, *, at_most: float | None = None) -> Row:
    return Row(
        what,
        round(float(ours), 1),
        round(float(peer), 1),
        round(float(ours) / float(peer), 3),
        at_most=at_most,
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="print the rows as JSON, in the last line")
    parser.add_argument("--events", type=int, default=200_000, help="how many to append")
    given = parser.parse_args()
    show(uvloop.run(main(given.events)), as_json=given.json)
