"""The log as it grows, told to everybody in this process who follows it: read once, whatever their number.

Whoever begins in the past reads the log page by page until they have all that was told to the others: from then on they are told with
them. No change is left out, and none is told twice.
"""

import asyncio
import logging
from collections import deque
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Protocol, Self
from uuid import UUID

from api.changes import INCIDENTS, Change, Standings
from domain.alarm import Alarm
from domain.errors import AnjuError, BusyError, CorruptError, InvalidError, TooSlowError, UnavailableError
from domain.gatepass import GatePass
from domain.lead import Lead
from domain.ports import EventLog

logger = logging.getLogger("anju.feed")

TOPICS = INCIDENTS | {Alarm.Tripped.TOPIC, Lead.Proposed.TOPIC, GatePass.Passed.TOPIC}
"""What can be followed."""
PAGE = 256
"""Events that are read at a time."""
DEPTH = 1024
"""Changes that wait for one follower. They are the same objects for all."""
GRACE = 10.0
"""Seconds in which one for whom more than that waited has to be back in step."""
LARGEST = 10_000
"""Followers in one process."""
READERS = 4
"""Followers that read the past at the same time: the other connections to the database are for those who ask."""
POLL = 1.0
"""Seconds after which the log is looked at although nobody said that it grew, or again although it did not answer."""


@dataclass(frozen=True, slots=True)
class Wants:
    """Which changes somebody follows: those of `topics`, at the site `site_id` or (None) anywhere, that `test` says yes to."""

    topics: frozenset[str]
    site_id: UUID | None
    test: Callable[[Change], bool]

    def take(self, change: Change) -> bool:
        """Whether `change`, which is of the site, is one."""
        return change.entry.event.TOPIC in self.topics and self.test(change)


class Tail(Protocol):
    """Something that knows when the log grew."""

    async def wait(self, name: str, beyond: int, timeout: float) -> None:  # noqa: ASYNC109  (a bound, not a deadline)
        """Return when `name` ("log") is known to have passed position `beyond`, or after `timeout` seconds."""


@dataclass(eq=False, slots=True)
class _Follower:
    """Who is told with the others what is beyond position `after`.

    out_at: when there was no room for more. Nothing is offered since, and `after` is what was offered up to there.
    """

    wants: Wants
    after: int
    waiting: deque[Change] = field(default_factory=deque)
    woken: asyncio.Event = field(default_factory=asyncio.Event)
    out_at: float | None = None
    error: AnjuError | None = None

    def offer(self, change: Change) -> bool:
        """Let `change` wait if it is wanted and new; all before it were offered. False if there is no room for it."""
        if change.entry.position <= self.after or not self.wants.take(change):
            return True
        self.woken.set()
        if len(self.waiting) < DEPTH:
            self.waiting.append(change)
            return True
        self.out_at = asyncio.get_running_loop().time()
        self.after = change.entry.position - 1
        return False

    def end(self, error: AnjuError) -> None:
        """Tell it nothing more but this."""
        self.error = error
        self.woken.set()

    async def next(self) -> Change | None:
        """What waits first, as soon as something does; None when nothing will."""
        while not self.waiting and self.out_at is None and self.error is None:
            self.woken.clear()
            await self.woken.wait()
        if self.error is not None:
            raise self.error
        return self.waiting.popleft() if self.waiting else None


class Feed:
    """The one reader of the log; an async context manager. Nothing is read while nobody follows."""

    def __init__(self, log: EventLog, tail: Tail) -> None:
        self._log, self._tail = log, tail
        self._told = 0
        """Up to which position everything was offered to the followers."""
        self._standings = Standings(log)
        """How incidents stood there."""
        self._known = 0
        """A position that the log has reached; never before `_told`."""
        self._followers: set[_Follower] = set()
        self._at: dict[UUID | None, set[_Follower]] = {}
        """The same, by the site of what they want: of a change nobody is asked who follows another site."""
        self._followed = asyncio.Event()
        self._readers = asyncio.Semaphore(READERS)
        self._open = 0
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._read(), name="feed")
        return self

    async def __aexit__(
        self, _type: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        self._end_all(UnavailableError("the server stops: subscribe again, with fromPosition"))

    async def start(self, after: int | None) -> int:
        """Where to begin: at `after`, or at the end of the log. InvalidError if the log has not got there; BusyError; UnavailableError."""
        if self._open >= LARGEST:
            raise BusyError(
                f"{LARGEST:,} subscriptions are open here, and no more are taken: try again later"
            )
        end = await self._log.position()
        if after is not None and after > end:
            raise InvalidError(f"fromPosition {after} is beyond the end of the log, which is {end}")
        self._known = max(self._known, end)
        return end if after is None else after

    async def follow(self, wants: Wants, after: int) -> AsyncGenerator[Change, None]:
        """The changes that are wanted, in order, beyond position `after` (see `start`), and on as they come.

        TooSlowError if they come faster than they are taken; UnavailableError if the past cannot be read, or the server stops.
        """
        last, behind_since = after, None
        self._open += 1
        try:
            while True:
                standings = Standings(self._log)
                while after < self._known:
                    changes, after = await self._page(standings, wants, after)
                    for change in changes:
                        _require_pace(behind_since, last)
                        yield change
                        last = change.entry.position
                follower = self._join(wants, after)
                try:
                    while (waited := await follower.next()) is not None:
                        _require_pace(follower.out_at, last)
                        yield waited
                        last = waited.entry.position
                finally:
                    self._leave(follower)
                after, behind_since = follower.after, follower.out_at
        finally:
            self._open -= 1

    async def _page(self, standings: Standings, wants: Wants, after: int) -> tuple[list[Change], int]:
        """The next changes of the past that are wanted, and up to which position these are all."""
        async with self._readers:
            page = await self._log.read(after, PAGE, wants.topics, opened=False)
            changes = await standings.changes(page.entries)
        here = [change for change in changes if wants.site_id in (None, change.site_id)]
        return [change for change in here if wants.take(change)], page.through

    def _join(self, wants: Wants, after: int) -> _Follower:
        """Tell with the others from `after` on, which is not before what they were told."""
        follower = _Follower(wants, after)
        if not self._followers:
            self._told, self._standings = after, Standings(self._log)
        self._followers.add(follower)
        self._at.setdefault(wants.site_id, set()).add(follower)
        self._followed.set()
        return follower

    def _leave(self, follower: _Follower) -> None:
        self._followers.discard(follower)
        here = self._at.get(follower.wants.site_id, set())
        here.discard(follower)
        if not here:
            self._at.pop(follower.wants.site_id, None)

    async def _read(self) -> None:
        while True:
            if not self._followers:
                self._followed.clear()
                await self._followed.wait()
            try:
                await self._read_on()
            except UnavailableError as error:
                logger.warning("subscribers wait: %s", error)
                await asyncio.sleep(POLL)
            except Exception as error:  # whatever it is, those who listen are told, and may begin anew
                logger.critical("the log cannot be followed beyond position %d", self._told, exc_info=True)
                self._end_all(CorruptError(f"the log cannot be followed: {error!r}"))

    async def _read_on(self) -> None:
        """Tell the next page to all, and wait if that was the last for now."""
        standings = self._standings
        page = await self._log.read(self._told, PAGE, TOPICS, opened=False)
        changes = await standings.changes(page.entries)
        if standings is not self._standings:  # all had left, and who came since is further on
            return
        self._told = page.through
        self._known = max(self._known, self._told)
        for change in changes:
            self._tell(change)
        if len(page.entries) < PAGE and page.through >= self._known:
            await self._tail.wait("log", page.through, POLL)

    def _tell(self, change: Change) -> None:
        for site_id in (None, change.site_id):
            full = [follower for follower in self._at.get(site_id, ()) if not follower.offer(change)]
            for follower in full:
                self._leave(follower)

    def _end_all(self, error: AnjuError) -> None:
        for follower in self._followers:
            follower.end(error)
        self._followers.clear()
        self._at.clear()


def _require_pace(behind_since: float | None, last: int) -> None:
    """TooSlowError if who is behind since then has had time enough."""
    if behind_since is not None and asyncio.get_running_loop().time() - behind_since > GRACE:
        raise TooSlowError(
            f"more than {DEPTH:,} changes waited to be taken, and after {GRACE:.0f} s there were still more: "
            f"subscribe again with fromPosition {last}, or to less",
            last=last,
        )
