"""Figures of closure as they change: each question is counted once for all who ask it, at most once a second."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from types import TracebackType
from typing import Self

import asyncpg

from adapters.database import refusals
from api.feed import POLL, Tail
from api.serving import first_of
from domain.errors import AnjuError, BusyError, CorruptError, UnavailableError
from projections import closure, closure_figures, runner
from projections.closure_figures import Closure, Question
from projections.reading import reading

logger = logging.getLogger("anju.feed")

PACE = 1.0
"""Seconds between two counts of one question."""
LARGEST = 500
"""Different questions in one process: they are counted one after the other, on one connection."""
_ANY_TIME = datetime(2000, 1, 1, tzinfo=UTC)


@dataclass(slots=True)
class _Asked:
    """A question that somebody asks; its latest answer, when that was counted, and who waits for another."""

    answer: Closure | AnjuError | None = None
    counted_at: float = 0.0
    waiting: set[asyncio.Event] = field(default_factory=set)

    def give(self, answer: Closure | AnjuError) -> None:
        """Let all who ask have `answer`."""
        self.answer = answer
        self.counted_at = asyncio.get_running_loop().time()
        for woken in self.waiting:
            woken.set()

    def is_behind(self, position: int) -> bool:
        """Whether it is to be counted now that the read model has got to `position`."""
        if not isinstance(self.answer, Closure):
            return True
        rested = asyncio.get_running_loop().time() - self.counted_at >= PACE
        return rested and self.answer.position < position


class ClosureFeed:
    """The one counter; an async context manager. Nothing is counted while nobody asks."""

    def __init__(self, pool: asyncpg.Pool, tail: Tail, now: Callable[[], datetime]) -> None:
        self._pool, self._tail, self._now = pool, tail, now
        self._asked: dict[Question, _Asked] = {}
        self._news = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._count(), name="closure-feed")
        return self

    async def __aexit__(
        self, _type: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        self._give_all(UnavailableError("the server stops: subscribe again"))

    def require_room(self, question: Question) -> None:
        """BusyError if so many other questions are asked already."""
        if _timeless(question) not in self._asked and len(self._asked) >= LARGEST:
            raise BusyError(
                f"{LARGEST} different questions are followed here, and no more are taken: ask one of theirs, or `closureRate`"
            )

    async def follow(self, question: Question) -> AsyncGenerator[Closure, None]:
        """The answer now, and each that differs from the one before; who is slow is told the latest. When it is asked does not matter.

        UnavailableError if the server stops.
        """
        key = _timeless(question)
        asked, woken = self._asked.setdefault(key, _Asked()), asyncio.Event()
        asked.waiting.add(woken)
        if asked.answer is None:
            self._news.set()
        else:
            woken.set()
        told: Closure | None = None
        try:
            while True:
                await woken.wait()
                woken.clear()
                if isinstance(asked.answer, AnjuError):
                    raise asked.answer
                if asked.answer is not None and (told is None or _counts(asked.answer) != _counts(told)):
                    told = asked.answer
                    yield told
        finally:
            asked.waiting.discard(woken)
            if not asked.waiting and self._asked.get(key) is asked:
                del self._asked[key]

    async def _count(self) -> None:
        while True:
            if not self._asked:
                self._news.clear()
                await self._news.wait()
            self._news.clear()
            position = 0
            try:
                position = await self._answer()
            except UnavailableError as error:
                logger.warning("subscribers of figures wait: %s", error)
            except (
                Exception
            ) as error:  # whatever it is, those who wait are told, and the feed goes on for others
                logger.critical("figures cannot be counted", exc_info=True)
                self._give_all(CorruptError(f"figures cannot be counted: {error!r}"))
            await self._pause(position)

    async def _answer(self) -> int:
        """Count what is behind; where the read model stood before that."""
        with refusals("figures cannot be counted"):
            async with reading(self._pool) as connection:
                position = int(await runner.SQL.position(connection, name=closure.PROJECTION.name) or 0)
                for question, asked in list(self._asked.items()):
                    if asked.is_behind(position):
                        now = replace(question, now=self._now())
                        asked.give(await closure_figures.closure(connection, now))
        return position

    async def _pause(self, position: int) -> None:
        """Until there is a new question; or the read model has got beyond `position`, and a while has passed."""

        async def moved() -> None:
            await asyncio.sleep(PACE)
            await self._tail.wait(closure.PROJECTION.name, position, POLL)

        await first_of(asyncio.create_task(moved()), asyncio.create_task(self._news.wait()))

    def _give_all(self, error: AnjuError) -> None:
        for asked in self._asked.values():
            asked.give(error)
        self._asked.clear()


def _timeless(question: Question) -> Question:
    """The question without when it is asked: the same for all who ask it."""
    return replace(question, now=_ANY_TIME)


def _counts(figures: Closure) -> Closure:
    """What was counted, without how far."""
    return replace(figures, position=0)
