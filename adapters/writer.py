"""Group commit: every append that is waiting goes into one transaction, in order, under the lock of the log's head.

Each request succeeds or fails alone: under the lock everything that could refuse it is known before anything is written.
"""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Self

import asyncpg

from adapters.batch import Encoded, Result
from adapters.commit import Committer
from adapters.database import LOST
from adapters.refusals import refusal
from domain.errors import AnjuError, BusyError, UnavailableError

LARGEST_BATCH = 2000
"""Events in one transaction, at most; a request is never split."""
LARGEST_QUEUE = 100_000
"""Events waiting, at most; beyond it callers are told that the log is busy."""
CHEAP = 100e-6
"""Seconds an event, below which a commit is work and not waiting for the disk. Then half of the callers are committed while the other
half asks again; a slow disk is better used by all of them at once. Measured in docs/performance.md."""
WORTH_IT = 16
"""Events in a commit before it is halved."""
PATIENCE = 30.0
"""Seconds after which a caller is told that the database is lost; until then it is tried again."""
LAST_PATIENCE = 3.0
"""The same, once the writer is closing."""

logger = logging.getLogger("anju.log")


@dataclass(slots=True)
class _Group:
    """Requests of one caller, to be committed together."""

    requests: Sequence[Encoded]
    size: int
    since: float
    done: asyncio.Future[list[Result]]


class Writer:
    """One task and one connection that append. Use it as an async context manager: on leaving, what waits is still written."""

    def __init__(self, database_url: str) -> None:
        self._queue: deque[_Group] = deque()
        self._waiting = 0
        self._untold: list[tuple[_Group, list[Result]]] = []
        self._cost = 0.0
        self._wake = asyncio.Event()
        self._closing = False
        self._committer = Committer(database_url)
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._run(), name="log-writer")
        return self

    async def __aexit__(
        self, _type: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self._closing = True
        self._wake.set()
        try:
            if self._task is not None:
                await self._task
        finally:
            await self._committer.close()

    async def append(self, encoded: Sequence[Encoded | AnjuError]) -> list[Result]:
        """Commit the requests in one transaction; a result for each, in order. What could not be encoded is its own result.

        BusyError if too much waits already; UnavailableError if the log is closing, or the database stays lost.
        """
        if self._closing or self._task is None or self._task.done():
            raise UnavailableError("the log is closed: nothing more is appended by this process")
        ready = [request for request in encoded if isinstance(request, Encoded)]
        size = sum(len(request.rows) for request in ready)
        if self._waiting + size > LARGEST_QUEUE:
            raise BusyError(
                f"the log is busy: {self._waiting} events are waiting to be written; try again in a moment"
            )
        if not ready:
            return [result for result in encoded if not isinstance(result, Encoded)]
        loop = asyncio.get_running_loop()
        group = _Group(ready, size, loop.time(), loop.create_future())
        self._queue.append(group)
        self._waiting += size
        self._wake.set()
        results = iter(await group.done)
        return [next(results) if isinstance(request, Encoded) else request for request in encoded]

    async def _run(self) -> None:
        while self._queue or not self._closing:
            if not self._queue:
                self._wake.clear()
                await self._wake.wait()
                continue
            groups = self._next()
            if not self._untold:
                self._untold = await self._settle(groups)
            else:
                settling = asyncio.create_task(self._settle(groups), name="log-commit")
                await asyncio.sleep(0)  # now it is with the database, and the callers before may go on
                self._tell()
                self._untold = await settling
            if not self._queue:
                self._tell()

    def _next(self) -> list[_Group]:
        """What goes into the next commit; at least one group."""
        most = LARGEST_BATCH
        if self._cost < CHEAP:
            untold = sum(group.size for group, _ in self._untold)
            most = min(most, max(WORTH_IT, (self._waiting + untold) // 2))
        groups = [self._queue.popleft()]
        size = groups[0].size
        while self._queue and size + self._queue[0].size <= most:
            groups.append(self._queue.popleft())
            size += groups[-1].size
        self._waiting -= size
        return groups

    def _tell(self) -> None:
        """Give the callers of the last commit their results."""
        for group, results in self._untold:
            if not group.done.done():
                group.done.set_result(results)
        self._untold = []

    async def _settle(self, groups: Sequence[_Group]) -> list[tuple[_Group, list[Result]]]:
        """Commit the groups' requests; what each group is to be told, unless it was told that this failed.

        A lost connection is tried again: the request ids say what was done.
        """
        requests = [request for group in groups for request in group.requests]
        pause = 0.05
        while True:
            began = time.perf_counter()
            try:
                results = iter(await self._committer.commit(requests))
            except LOST as error:
                self._committer.forget()
                if self._give_up(groups, error):
                    return []
                await asyncio.sleep(pause)
                pause = min(pause * 2, 1.0)
            except asyncpg.PostgresError as error:
                self._committer.forget()
                _fail(groups, str(refusal("nothing was appended: the database refuses", error)))
                return []
            except UnavailableError as error:  # it answers, and does not let us in
                self._committer.forget()
                _fail(groups, str(error))
                return []
            except Exception as error:  # whatever it is: these callers are told, and the next ones served
                self._committer.forget()
                logger.exception("a defect of the writer")
                _fail(
                    groups,
                    f"a defect of Anju stopped this commit ({error!r}): repeat the request with the same id",
                )
                return []
            except BaseException as error:
                # A cancelled task: nobody may wait for ever for a writer that is gone, nor for the lock it held.
                self._committer.forget()
                waiting = [*groups, *self._queue]
                self._queue.clear()
                _fail(waiting, f"the log's writer stopped: {error!r}; nothing of this was acknowledged")
                raise
            else:
                self._cost = (time.perf_counter() - began) / sum(group.size for group in groups)
                return [(group, [next(results) for _ in group.requests]) for group in groups]

    def _give_up(self, groups: Sequence[_Group], error: BaseException) -> bool:
        """Tell the callers that waited long enough for a lost database; whether `groups`, the oldest, were among them."""
        limit = asyncio.get_running_loop().time() - (LAST_PATIENCE if self._closing else PATIENCE)
        if groups[0].since > limit:
            return False
        late = list(groups)
        while self._queue and (self._closing or self._queue[0].since <= limit):
            late.append(self._queue.popleft())
            self._waiting -= late[-1].size
        _fail(
            late, f"the database is lost and did not come back ({error!r}): is it running, is its disk full?"
        )
        return True


def _fail(groups: Sequence[_Group], message: str) -> None:
    for group in groups:
        if not group.done.done():
            group.done.set_exception(UnavailableError(message))
