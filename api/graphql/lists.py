"""What all lists do alike: codes and times of their filters, cursors of their order, pages of rows."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from functools import cache
from typing import Any, Protocol, Self, TypeVar, cast
from uuid import UUID

import asyncpg
import strawberry

from api.graphql.context import Info
from api.graphql.types import Connection, Position, cursor, page_size, parts_of, position_of
from domain.lifecycle import require_aware
from domain.observation import require_code
from domain.site import site_id

T = TypeVar("T")


class Node(Protocol):
    """What a list is of."""

    @classmethod
    def of(cls, row: Any) -> Self:
        """A row of the read model, as it is shown."""


N = TypeVar("N", bound=Node)


def site_of(code: str | None) -> UUID | None:
    """The id of the site with this code, if one is given."""
    return None if code is None else site_id(require_code(code, "site"))


def code_of(value: str | None, what: str) -> str | None:
    """The code, if one is given."""
    return None if value is None else require_code(value, what)


def time_of(at: datetime | None) -> datetime | None:
    """The time, if one is given."""
    return None if at is None else require_aware(at)


def read_time(text: str) -> datetime:
    """A time in a cursor."""
    return require_aware(datetime.fromisoformat(text))


def read_code(text: str) -> str:
    """A code in a cursor."""
    return require_code(text, "cursor")


def read_position(text: str) -> Position:
    """A position in a cursor."""
    return position_of(int(text))


@dataclass(frozen=True, slots=True)
class Place:
    """Where a row stands in the order `name`: by these columns, each with what reads it. A cursor of one order is none of another."""

    name: str
    columns: Mapping[str, Callable[[str], Any]]

    def cursor(self, row: Any) -> str:
        """Where the list goes on after `row`."""
        return cursor(self.name, *(row[column] for column in self.columns))

    def beyond(self, after: str) -> tuple[Any, ...]:
        """What the columns were where `after` was made; InvalidError."""
        return parts_of(after, self._named, *self.columns.values())[1:]

    def _named(self, text: str) -> str:
        if text != self.name:
            raise ValueError(text)
        return text


async def page(
    info: Info,
    kind: type[N],
    place: Place,
    read: Callable[[asyncpg.Connection, int, Any], Awaitable[list[Any]]],
    *,
    projection: str,
    first: int,
    after: str | None,
    after_position: int | None,
) -> Connection[N]:
    """A page of what `read` finds: called with a connection, how many rows, and the columns of `place` beyond which they stand."""
    size = page_size(first)
    beyond = None if after is None else place.beyond(after)
    await info.context.caught_up(projection, after_position)
    async with info.context.reading() as connection:
        rows = await read(connection, size + 1, beyond)
    return Connection[N].of([(kind.of(row), place.cursor(row)) for row in rows], size)


async def one(
    info: Info,
    kind: type[N],
    read: Callable[[asyncpg.Connection], Awaitable[Any | None]],
    *,
    projection: str,
    after_position: int | None,
) -> N | None:
    """What `read` finds, if it finds anything."""
    await info.context.caught_up(projection, after_position)
    async with info.context.reading() as connection:
        row = await read(connection)
    return None if row is None else kind.of(row)


def shown(kind: type[T], row: Any, **others: Any) -> T:
    """`kind` made of the columns of `row` that are called as its fields; `others` are the fields that are not."""
    return kind(**{name: row[name] for name in _given(cast("Any", kind)) if name not in others}, **others)


@cache
def _given(kind: type) -> list[str]:
    """The fields that are given when one is made."""
    return [field.name for field in fields(cast("Any", kind)) if field.init]


@strawberry.type(description="时限: what has to be done, and until when.")
class Due:
    name: str = strawberry.field(description="Of the step, such as `ack`, `mediate` or `review`.")
    at: datetime = strawberry.field(description="Until when it is to be done.")

    @classmethod
    def of(cls, row: Any) -> Self | None:
        """The next deadline of a row, if there is one."""
        return None if row["due_at"] is None else cls(name=row["due"], at=row["due_at"])
