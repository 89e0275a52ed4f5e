"""The moment that a figure is asked of: now, as of the end of a day, or what was known at a position of the log."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import date
from typing import Annotated, TypeVar

import asyncpg
import strawberry

from api.graphql.context import Info
from api.graphql.types import Position
from domain.errors import InvalidError
from projections import at_position as past
from projections.question import Question
from projections.runner import Projection

Q = TypeVar("Q", bound=Question)
AsOf = Annotated[
    date | None,
    strawberry.argument(description="Only what was done by the end of this day, whenever we were told."),
]
AtPosition = Annotated[
    Position | None,
    strawberry.argument(description="As it was known at this position of the log."),
]


async def require_moment(info: Info, as_of: date | None, at_position: Position | None) -> None:
    """InvalidError if two moments are asked about (a datetime is a date too), or one beyond the log."""
    if as_of is not None and at_position is not None:
        raise InvalidError("asOf and atPosition are both given: one of them says which moment is meant")
    if at_position is not None and at_position > (end := await info.context.system.log.position()):
        raise InvalidError(f"atPosition {at_position} is beyond the end of the log, which is {end}")


def waited(at_position: Position | None, after_position: Position | None) -> Position | None:
    """What has to be folded before there is an answer: a read model cannot say what was known at a position before it gets there."""
    return max((one for one in (at_position, after_position) if one is not None), default=None)


async def caught_up(
    info: Info,
    reads: tuple[Projection, ...],
    as_of: date | None,
    at_position: Position | None,
    after_position: Position | None,
) -> None:
    """Wait until `reads` can answer; InvalidError, UnavailableError."""
    await require_moment(info, as_of, at_position)
    for projection in reads:
        await info.context.caught_up(projection.name, waited(at_position, after_position))


async def known(info: Info, question: Q, at_position: Position | None) -> Q:
    """`question`, asked of what was known at the position; None: as it is."""
    if at_position is None:
        return question
    async with info.context.reading() as connection:
        return await past.known(connection, question, at_position)


@asynccontextmanager
async def reading(
    info: Info, at_position: int | None, reads: tuple[Projection, ...]
) -> AsyncIterator[asyncpg.Connection]:
    """A connection on which `reads` are what was known at the position."""
    async with info.context.reading() as connection, past.then(connection, at_position, reads):
        yield connection
