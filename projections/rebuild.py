"""Build a read model anew beside the running one, compare the two, and switch in one transaction; nobody who asks notices.

The tables are made in a schema of their own with a `projections` of its own, so the runner folds there as it does anywhere: only the
search path is another. The running projection goes on, but for the moment in which the last events are folded and both are compared.
"""

import asyncio
import hashlib
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import aiosql
import asyncpg

from domain.errors import CorruptError, InvalidError, UnavailableError
from domain.ports import EventLog
from projections import runner
from projections.runner import Projection, catch_up

FOLDER = Path(__file__).parent
SHOWN = 5
"""Differing rows of a table that are told."""
LOCK_WAITS = (*["100ms"] * 6, *["300ms"] * 6, *["1500ms"] * 6)
"""How long the switch waits for the tables, each time: whoever asks meanwhile waits behind it. The last ones are enough for
PostgreSQL to end an autovacuum that is in the way (deadlock_timeout, 1 s)."""
LOCK_PAUSE = 1.0
"""Seconds in which those who ask go on, before the next try."""

SQL: Any = aiosql.from_path(Path(__file__).with_suffix(".sql"), "asyncpg", mandatory_parameters=False)
Report = Callable[[int, int], None]
"""Told the position reached and the one to reach."""


@dataclass(frozen=True, slots=True)
class Table:
    """One table of both: rows and digest of the running one (None: it is not there) and of the rebuilt one."""

    name: str
    running_rows: int | None
    running_digest: str | None
    rows: int
    digest: str
    differences: Sequence[tuple[str, str]] = ()
    """The first rows that are not the same: (key, what is different)."""

    @property
    def equal(self) -> bool:
        return self.digest == self.running_digest


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a rebuild found at `position`, and whether its tables are now the running ones."""

    projection: str
    version: int
    running_version: int
    position: int
    folded: int
    seconds: float
    tables: Sequence[Table]
    switched: bool

    @property
    def equal(self) -> bool:
        return all(table.equal for table in self.tables)

    @property
    def digest(self) -> str:
        """Of all its tables."""
        return hashlib.md5(
            "".join(table.digest for table in self.tables).encode(), usedforsecurity=False
        ).hexdigest()


def schema_of(projection: Projection) -> str:
    """The schema in which it is rebuilt."""
    return f"rebuild_{projection.name}"


def tables_of(projection: Projection) -> str:
    """The SQL that makes its tables."""
    return (FOLDER / f"{projection.name}.tables.sql").read_text(encoding="utf-8")


async def rebuild(
    projection: Projection,
    owner: asyncpg.Connection,
    builders: asyncpg.Pool,
    log: EventLog,
    *,
    check: bool = False,
    accept_difference: bool = False,
    report: Report = lambda _done, _all: None,
) -> Outcome:
    """Rebuild, compare, and (not `check`) switch, unless the same version gave other tables and `accept_difference` is not said.

    owner: a connection that may change the schema. builders: connections as the application, whose search path is
    `schema_of(projection)`, public. UnavailableError if it is being rebuilt already, or others use the tables for too long;
    CorruptError if an event cannot be folded: then, and whenever this is killed, the running one is as it was.
    """
    began = time.perf_counter()
    async with _alone(owner, projection):
        await runner.SQL.enrol(
            owner, name=projection.name, version=projection.version, topics=sorted(projection.topics)
        )
        await _make_tables(owner, projection)
        await _fold_most(projection, owner, builders, log, report)
        for table in projection.tables:
            await owner.execute(await SQL.vacuum(owner, schema=schema_of(projection), table=table))
        async with owner.transaction():
            await owner.execute(SQL.as_text.sql)
            running = await runner.SQL.hold(owner, name=projection.name)  # from here on nobody folds it
            same = running["version"] == projection.version
            await catch_up(projection, builders, log, until=await _target(projection, running, log))
            built = await owner.fetchrow(
                (await SQL.built(owner, schema=schema_of(projection), name=projection.name))[0]
            )
            if same and built["position"] != running["position"]:
                raise CorruptError(
                    f"{projection.name} stands at {running['position']}, before {built['position']}, where it was a moment ago"
                )
            tables = [await _compared(owner, projection, table, same=same) for table in projection.tables]
            equal = all(table.equal for table in tables)
            outcome = Outcome(
                projection.name,
                projection.version,
                running["version"],
                built["position"],
                built["folded"],
                time.perf_counter() - began,
                tables,
                switched=not check and (equal or not same or accept_difference),
            )
            if outcome.switched:
                await _switch(owner, projection, outcome)
            elif same and equal:
                await SQL.proved(
                    owner, name=projection.name, digest=outcome.digest, position=outcome.position
                )
        return outcome


@asynccontextmanager
async def _alone(owner: asyncpg.Connection, projection: Projection) -> AsyncIterator[None]:
    """Nobody else rebuilds `projection` meanwhile; its schema is gone afterwards."""
    if not await SQL.take(owner, name=projection.name):
        raise UnavailableError(f"{projection.name} is being rebuilt already: wait until that is done")
    try:
        yield
    finally:
        if not owner.is_closed():
            await owner.execute(await SQL.schema_gone(owner, schema=schema_of(projection)))
            await SQL.give_back(owner, name=projection.name)


async def _make_tables(owner: asyncpg.Connection, projection: Projection) -> None:
    schema = schema_of(projection)
    async with owner.transaction():
        await owner.execute(await SQL.schema_anew(owner, schema=schema))
        await owner.execute(tables_of(projection))
        unmade = [
            row["wanted"] async for row in SQL.unmade(owner, schema=schema, tables=list(projection.tables))
        ]
    if unmade:
        raise InvalidError(f"{projection.name}.tables.sql does not make {', '.join(unmade)}")


async def _target(projection: Projection, running: Any, log: EventLog) -> int:
    """Through where to fold: two are only equal at the same position; a new version goes to the end of the log."""
    return int(running["position"]) if running["version"] == projection.version else await log.position()


async def _fold_most(
    projection: Projection, owner: asyncpg.Connection, builders: asyncpg.Pool, log: EventLog, report: Report
) -> None:
    """Fold until little is left, while the running one goes on."""
    position = -1
    while True:
        running = await runner.SQL.stands(owner, name=projection.name)
        target = await _target(projection, running, log)
        if 0 <= target - position <= runner.BATCH or target <= position:
            return
        position = await catch_up(
            projection, builders, log, until=target, report=partial(_tell, report, target)
        )


def _tell(report: Report, target: int, position: int) -> None:
    report(position, target)


async def _compared(owner: asyncpg.Connection, projection: Projection, table: str, *, same: bool) -> Table:
    """`table` in both; row by row only if they are of the `same` version: those of others have other columns."""
    statement = await SQL.contents(owner, schema="public", table=table)
    running = None if statement is None else await owner.fetchrow(statement)
    built = await owner.fetchrow(await SQL.contents(owner, schema=schema_of(projection), table=table))
    rows, digest = (None, None) if running is None else running
    differences = []
    if same and running is not None and digest != built["digest"]:
        statement = await SQL.differences(
            owner, live="public", built=schema_of(projection), table=table, most=SHOWN
        )
        differences = [(row["key"], row["what"]) for row in await owner.fetch(statement)]
    return Table(table, rows, digest, built["rows"], built["digest"], differences)


async def _switch(owner: asyncpg.Connection, projection: Projection, outcome: Outcome) -> None:
    """Put the rebuilt tables in the place of the running ones; inside a transaction that holds the projection's row."""
    tables = list(projection.tables)
    await _lock(owner, projection, tables)
    await owner.execute(await SQL.move_tables(owner, tables=tables, schema=schema_of(projection)))
    await SQL.switched(
        owner,
        name=projection.name,
        version=projection.version,
        position=outcome.position,
        folded=outcome.folded,
        topics=sorted(projection.topics),
        digest=outcome.digest,
    )


async def _lock(owner: asyncpg.Connection, projection: Projection, tables: list[str]) -> None:
    """Wait until nobody uses the running tables, a moment at a time: who asks meanwhile waits behind us, and no longer than that."""
    for wait in LOCK_WAITS:
        statement = await SQL.lock_tables(owner, tables=tables, wait=wait)
        if statement is None:  # there are none yet
            return
        try:
            async with owner.transaction():
                await owner.execute(statement)
        except (asyncpg.LockNotAvailableError, asyncpg.DeadlockDetectedError):
            await asyncio.sleep(LOCK_PAUSE)
        else:
            return
    raise UnavailableError(
        f"{projection.name} is rebuilt, but others have been using its tables all the time (a backup, a long report): "
        "nothing was switched; try again when they are done"
    )
