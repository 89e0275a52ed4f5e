"""Reports that are being written, or are kept until they are fetched: bounded in number, in bytes and in time.

They live in this process alone: when it ends, however it ends, they and their files are gone, and whoever asks for one is told so.
"""

import asyncio
import errno
import logging
from collections import Counter
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from hashlib import sha256
from pathlib import Path
from uuid import UUID, uuid4
from weakref import WeakValueDictionary

import asyncpg

from api.reports.asked import Asked
from api.reports.files import Format, write
from api.reports.produce import produce
from api.reports.sources import SOURCES, Standing, builder
from api.reports.spool import Spool
from domain.errors import AnjuError, BusyError, NotFoundError, UnavailableError
from domain.people import Person
from projections.report import Report, Row

logger = logging.getLogger("anju.reports")

AT_ONCE = 4
"""Reports that are counted at the same time, each on a connection and a thread of its own; others wait for their turn."""
AT_ONCE_OF_PERSON = 2
"""Nobody takes all turns with reports that take long."""
MOST = 64
"""Reports in one process: waiting, being written, sent or kept."""
MOST_OF_PERSON = 8
LONGEST = 30 * 60
"""Seconds for one report, from its turn on."""
KEPT = timedelta(hours=1)
"""How long a report is kept once it is written."""
ROOM = 4 << 30
"""Bytes in all of them."""
_COUNTING = 0.5
"""The share of the progress that is counting; the other is writing. A lineage is read while it is written."""


class State(StrEnum):
    """What a report is doing."""

    WAITING = "WAITING"  # for its turn
    RUNNING = "RUNNING"
    DONE = "DONE"
    FAILED = "FAILED"


class UnchangedError(Exception):
    """The asker has this report already, from what it would be counted from now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A report in a form."""

    asked: Asked
    how: Format
    lineage: str | None = None
    bom: bool = False

    @property
    def filename(self) -> str:
        """What it is saved as."""
        period = self.asked.period
        return f"{self.asked.name}-{period.start}-{period.end}.{self.how}"


@dataclass(eq=False, slots=True, kw_only=True)
class Job:
    """One report. tag: says what was asked and what it was counted from, once that is known; None where it changes by the moment."""

    person: Person
    wanted: Wanted
    spool: Spool
    id: UUID = field(default_factory=uuid4)
    unless: frozenset[str] = frozenset()
    tag: str | None = None
    turn: bool = False
    progress: float = 0.0
    kept_until: datetime | None = None
    task: asyncio.Task[None] = field(init=False)

    @property
    def state(self) -> State:
        """What it is doing."""
        if not self.task.done():
            return State.RUNNING if self.turn else State.WAITING
        return State.DONE if self.error is None else State.FAILED

    @property
    def error(self) -> BaseException | None:
        """Why there is no report, once that is known."""
        if not self.task.done():
            return None
        if self.task.cancelled():
            return UnavailableError("the report was not written to its end: it was cancelled; ask again")
        return self.task.exception()

    def is_of(self, person: Person) -> bool:
        """Whether this person asked for it, responsible for no more and no less than now."""
        return (self.person.id, self.person.scope) == (person.id, person.scope)

    def ended(self) -> bool:
        """Whether all of it is in the file; raises why it never will be."""
        if self.error is not None:
            raise self.error
        return self.task.done()

    def stand(self, standings: Sequence[Standing]) -> None:
        """It is counted from these. UnchangedError if that is what the asker has."""
        self.tag = _tag(self.wanted, standings)
        if self.tag in self.unless:
            raise UnchangedError


class Jobs:
    """Those of this process."""

    def __init__(self, pool: asyncpg.Pool, folder: Path, now: Callable[[], datetime]) -> None:
        self._pool = pool
        self._now = now
        self._folder = folder
        self._jobs: dict[UUID, Job] = {}
        self._turns = asyncio.Semaphore(AT_ONCE)
        self._turns_of: WeakValueDictionary[str, asyncio.Semaphore] = WeakValueDictionary()
        self._threads = ThreadPoolExecutor(AT_ONCE, "report")

    def start(self, person: Person, wanted: Wanted, unless: Collection[str] = ()) -> Job:
        """Begin to write a report, for `forget` to end. BusyError if there are too many.

        unless: the tags that the asker has; for one of these it ends with an UnchangedError.
        """
        of_person = Counter(job.person.id for job in self._jobs.values())[person.id]
        if of_person >= MOST_OF_PERSON:
            raise BusyError(
                f"{of_person} reports are being written or kept for {person.id}: fetch and delete one, or wait for one to end"
            )
        if len(self._jobs) >= MOST:
            raise BusyError(f"{len(self._jobs)} reports are being written or kept: ask again in a moment")
        spool = Spool(self._folder, self._require_room)
        job = Job(person=person, wanted=wanted, spool=spool, unless=frozenset(unless))
        job.task = asyncio.create_task(self._write(job), name=f"report {wanted.asked.name}")
        job.task.add_done_callback(lambda _: self._ended(job))
        self._jobs[job.id] = job
        return job

    def keep(self, job: Job) -> None:
        """Let it go on without whoever asked for it; when it has ended, it can be fetched for some time."""
        job.unless = frozenset()  # nobody waits to be told so
        job.task.add_done_callback(lambda _: self._kept(job))

    def of(self, person: Person) -> list[Job]:
        """What this person asked for, the oldest first."""
        return [job for job in self._jobs.values() if job.is_of(person)]

    def find(self, person: Person, number: UUID) -> Job:
        """One of these; NotFoundError."""
        job = self._jobs.get(number)
        if job is None or not job.is_of(person):
            raise NotFoundError(
                f"there is no report {number}, or none of yours: it is kept for {KEPT.seconds // 60} minutes "
                "by the process that wrote it, and lost when that stops; ask for it again"
            )
        return job

    def forget(self, job: Job) -> None:
        """Stop it, if it still runs, and let its file go."""
        self._jobs.pop(job.id, None)
        job.task.cancel()
        job.task.add_done_callback(lambda _: job.spool.close())  # the thread that writes has ended by then

    async def close(self) -> None:
        """Stop and forget all of them."""
        jobs = list(self._jobs.values())
        for job in jobs:
            self.forget(job)
        await asyncio.gather(*(job.task for job in jobs), return_exceptions=True)
        self._threads.shutdown()

    async def _write(self, job: Job) -> None:
        wanted, rows = job.wanted, 0

        def counted(share: float) -> None:
            job.progress = _COUNTING * share

        def written(report: Report, row: Row) -> None:
            nonlocal rows
            rows += 1
            job.progress = _progress(report, row, rows, lineage=wanted.lineage is not None)

        def save(report: Report) -> None:
            write(report, wanted.how, job.spool.file, bom=wanted.bom)
            job.spool.flush()

        build = builder(wanted.lineage, standing=job.stand, counted=counted)
        of_person = self._turns_of.setdefault(job.person.id, asyncio.Semaphore(AT_ONCE_OF_PERSON))
        async with of_person, self._turns:
            job.turn = True
            try:
                async with asyncio.timeout(LONGEST):
                    await produce(
                        self._pool, build, wanted.asked, save, written=written, executor=self._threads
                    )
            except TimeoutError as error:
                raise UnavailableError(
                    f"the report was not written in {LONGEST // 60} minutes: ask for a shorter period"
                ) from error
        job.progress = 1.0

    def _ended(self, job: Job) -> None:
        _ = job.error  # whoever hung up before will not ask for it
        job.spool.stir()

    def _kept(self, job: Job) -> None:
        if job.task.cancelled():
            return
        error = job.task.exception()
        if error is not None and not isinstance(error, AnjuError):
            logger.error("unexpected error in a report", exc_info=error)
        job.kept_until = self._now() + KEPT
        asyncio.get_running_loop().call_later(KEPT.total_seconds(), self.forget, job)

    def _require_room(self, more: int) -> None:
        """Asked by the threads that write."""
        if sum(job.spool.size for job in list(self._jobs.values())) + more > ROOM:
            raise OSError(errno.ENOSPC, f"all reports together have {ROOM >> 20:,} MB; ask again later")


@asynccontextmanager
async def reporting(pool: asyncpg.Pool, folder: Path, now: Callable[[], datetime]) -> AsyncIterator[Jobs]:
    """The reports of this process; those that are being written stop on leaving."""
    jobs = Jobs(pool, folder, now)
    try:
        yield jobs
    finally:
        await jobs.close()


def _progress(report: Report, row: Row, rows: int, *, lineage: bool) -> float:
    """How far the writing is: a lineage comes in the order of the log, of the other tables the rows are known."""
    if lineage:
        return min(1.0, int(row[1]) / max(1, report.position))  # type: ignore[arg-type]  # a position
    total = sum(len(section.rows) for section in report.sections if isinstance(section.rows, Sequence))
    return _COUNTING + (1 - _COUNTING) * rows / total


def _tag(wanted: Wanted, standings: Sequence[Standing]) -> str | None:
    """A weak entity tag: the same figures, written at another moment. None before the cut-off: the figures change with the time."""
    asked = wanted.asked
    if asked.now < asked.ends:
        return None
    said = replace(wanted, asked=replace(asked, now=asked.ends))
    counted = (said, tuple(standings), tuple(SOURCES[asked.name].definitions.items()))
    return f'W/"{sha256(repr(counted).encode()).hexdigest()[:32]}"'
