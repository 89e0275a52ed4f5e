"""How long it took to sign, to handle and to close; docs/figures.md says from where to where."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import aiosql
import asyncpg

from projections.closure import PROJECTION
from projections.closure_question import Question
from projections.snapshot import snapshot

SQL: Any = aiosql.from_path(Path(__file__).with_suffix(".sql"), "asyncpg", mandatory_parameters=False)
_HOUR = 3600


@dataclass(frozen=True, slots=True)
class Spread:
    """Median and p90 of `count` durations, in hours by the wall and in hours of working time; None of nothing."""

    count: int
    median: float | None
    p90: float | None
    working_median: float | None
    working_p90: float | None

    @classmethod
    def of(cls, count: int, wall: Sequence[float] | None, working: Sequence[float] | None) -> Self:
        """From (median, p90) in seconds."""
        hours = [
            None if one is None else one / _HOUR for pair in (wall, working) for one in pair or (None,) * 2
        ]
        return cls(count, *hours)


@dataclass(frozen=True, slots=True)
class Times:
    """parked_hours: how long in all the incidents closed were parked 挂账 in the rounds that were closed; it is part of the times."""

    to_sign: Spread
    to_handle: Spread
    to_close: Spread
    parked_hours: float


async def times(connection: asyncpg.Connection, question: Question) -> Times:
    """To sign, to handle and to close."""
    async with snapshot(connection, PROJECTION.tables):
        closed = await SQL.to_close(connection, **question.filters())
        signed = await SQL.to_sign(connection, **question.filters())
    return Times(
        Spread.of(signed["signed"], signed["sign_wall"], signed["sign_working"]),
        Spread.of(closed["handled"], closed["handle_wall"], closed["handle_working"]),
        Spread.of(closed["closed"], closed["close_wall"], closed["close_working"]),
        closed["parked"] / _HOUR,
    )
