"""Fields that stand beside a row, such as its site, and are read for all rows of a list at once."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar, cast

import strawberry

from api.graphql.columns import MANY
from api.graphql.context import Context, Info

V = TypeVar("V")


def together(many: Callable[[Context, Sequence[Any]], Awaitable[Sequence[V]]], *, description: str) -> V:
    """A field with what `many` finds for each of the rows that it is given; whoever is alone is a list of one.

    `many` is called once for a list (`columns.py`), or for each row where the list is resolved row by row: what it asks has to go through
    the loaders, which join what is asked at the same moment. It may be called again, so it records nothing. What it refuses is refused
    for each row.
    """

    async def one(self: Any, info: Info) -> Any:
        (found,) = await many(info.context, [self])
        return found

    return cast("V", strawberry.field(resolver=one, description=description, metadata={MANY: many}))
