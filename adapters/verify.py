"""Recompute the hash chain of the log, and name the first position at which it does not hold.

The log is cut into ranges that processes check side by side, all in one snapshot, so that a log that grows does not matter. A range
needs only the hash stored before it, which the range before has checked: together they are the whole chain. Memory is that of a row.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import aiosql
import asyncpg

from adapters.database import LOST, NO_SCHEMA, UNMIGRATED, connect
from adapters.verify_range import Finding, Job, Range
from adapters.verify_workers import check_all
from domain.chain import GENESIS
from domain.errors import InvalidError, UnavailableError

SQL: Any = aiosql.from_path(Path(__file__).parent / "verify.sql", "asyncpg", mandatory_parameters=False)
STEP = 16_384
"""Positions in a range: checked by one process in one go, and reported at once."""
Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Anchor:
    """What somebody outside the database knows: the chain hash at position `size`. `name` says who."""

    name: str
    size: int
    hash: bytes


@dataclass(frozen=True, slots=True)
class Verdict:
    """`events` were checked, up to the one with `hash`; `problem` is None if all holds, else what is first wrong, at `position`.

    Of the events, `archived` have their rows elsewhere: what stayed of them fits into the chain, and into the signed checkpoints.
    """

    events: int
    hash: bytes
    position: int | None = None
    problem: str | None = None
    archived: int = 0

    @property
    def holds(self) -> bool:
        return self.problem is None


async def verify(
    database_url: str,
    *,
    first: int = 1,
    last: int | None = None,
    anchors: Sequence[Anchor] = (),
    progress: Progress | None = None,
    lend_a_hand: bool = False,
) -> Verdict:
    """Check the positions `first` to `last` (to the end if None), and that the log still has what `anchors` say.

    The hash stored at `first` - 1 is taken as it stands; an archived stretch is taken whole. `progress` is told (checked, all). UnavailableError; InvalidError if there
    are no such positions. With `lend_a_hand` this process is one of those that check: quicker, and not for one that serves.
    """
    async with _snapshot(database_url) as (connection, snapshot):
        end = await connection.fetchrow(SQL.last.sql)
        size = end["position"] if end is not None else 0
        through = size if last is None else last
        if first < 1 or through > size or first > through + (last is None):
            raise InvalidError(f"there are no positions {first} to {through}: the log has 1 to {size}")
        first, through = await connection.fetchrow(SQL.whole.sql, first, through)
        job = Job(database_url, snapshot, SQL.range.sql)
        found = await _chain(connection, job, first, through, progress, lend_a_hand=lend_a_hand)
        if through == size:
            found.append(_head(await connection.fetchrow(SQL.head.sql), end, size))
        rows = await connection.fetch(SQL.hashes_at.sql, [anchor.size for anchor in anchors])
        found.append(_anchored(anchors, {row["position"]: row["hash"] for row in rows}, size))
        worst = min(filter(None, found), key=lambda finding: finding.position or 0, default=None)
        return await _verdict(connection, first, through, worst)


@asynccontextmanager
async def _snapshot(database_url: str) -> AsyncIterator[tuple[asyncpg.Connection, str]]:
    try:
        connection = await connect(database_url)
        try:
            async with connection.transaction(isolation="repeatable_read", readonly=True):
                yield connection, await connection.fetchval(SQL.share_snapshot.sql)
        finally:
            connection.terminate()
    except UNMIGRATED as error:
        raise UnavailableError(NO_SCHEMA) from error
    except LOST as error:
        raise UnavailableError(
            f"the log cannot be verified: the database does not answer ({error})"
        ) from error


async def _chain(
    connection: asyncpg.Connection,
    job: Job,
    first: int,
    through: int,
    progress: Progress | None,
    *,
    lend_a_hand: bool,
) -> list[Finding | None]:
    """Positions and hashes in the workers; meanwhile, in the database, the versions of the aggregates."""
    # They meet where no archived stretch does not end: see domain/retention.py.
    cuts = [first - 1, *range((first - 1) // STEP * STEP + STEP, through, STEP), through]
    ranges = [Range(after, until) for after, until in pairwise(cuts) if after < until]
    checked = 0

    def report(more: int) -> None:
        nonlocal checked
        checked += more
        if progress is not None:
            progress(checked, through - first + 1)

    versions = asyncio.create_task(_versions(connection, first, through))
    try:
        return [await check_all(job, ranges, report, lend_a_hand=lend_a_hand), await versions]
    finally:
        versions.cancel()


async def _versions(connection: asyncpg.Connection, first: int, through: int) -> Finding | None:
    if first == 1:
        position = await connection.fetchval(SQL.versions.sql, through, timeout=None)
    else:
        position = await connection.fetchval(SQL.versions_between.sql, first, through, timeout=None)
    if position is None:
        return None
    return Finding(
        0,
        position,
        f"position {position} does not continue its aggregate: a version was left out or repeated",
    )


def _head(head: Any, end: Any, size: int) -> Finding | None:
    """Whether the head row says what the log's last row says."""
    if head is None:
        return Finding(0, 0, "the head of the log is missing")
    if head["position"] != size:
        return Finding(
            0, min(size, head["position"]) + 1, f"the log ends at {size}, its head says {head['position']}"
        )
    if head["hash"] != (end["hash"] if end is not None else GENESIS):
        return Finding(0, size, "the head's hash is not that of the last event")
    if end is not None and head["recorded_at"] != end["recorded_at"]:
        return Finding(0, size, "the head's time is not that of the last event")
    return None


def _anchored(anchors: Sequence[Anchor], hashes: Mapping[int, bytes], size: int) -> Finding | None:
    """The first of `anchors` that the log contradicts. What was rewritten lies behind the last one that it agrees with."""
    good = 0
    for anchor in sorted(anchors, key=lambda anchor: anchor.size):
        if anchor.size > size:
            return Finding(
                0,
                size + 1,
                f"the log was cut: it ends at {size}, and {anchor.name} saw position {anchor.size}",
            )
        if hashes.get(anchor.size) != anchor.hash:
            return Finding(
                0,
                good + 1,
                f"the log was rewritten somewhere in positions {good + 1} to {anchor.size}: {anchor.name} saw another one",
            )
        good = anchor.size
    return None


async def _verdict(
    connection: asyncpg.Connection, first: int, through: int, worst: Finding | None
) -> Verdict:
    good = through if worst is None else max(min((worst.position or 0) - 1, through), first - 1)
    rows = await connection.fetch(SQL.hashes_at.sql, [good])
    last_good = rows[0]["hash"] if rows else GENESIS
    archived = await connection.fetchval(SQL.archived.sql, first, good)
    if worst is None:
        return Verdict(good - first + 1, last_good, archived=archived)
    return Verdict(good - first + 1, last_good, worst.position, worst.problem, archived)
