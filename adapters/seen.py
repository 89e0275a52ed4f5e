"""Aggregates that many commands look at and few change, such as sites: remembered, and brought up to date before each look.

Nothing personal is remembered: it would outlive its key here.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from copy import deepcopy
from itertools import groupby
from typing import Any, Generic
from uuid import UUID

from adapters import codec
from adapters.sealing import FIELDS
from domain.errors import CorruptError
from domain.model import event_classes
from domain.ports import A

MOST = 10_000
"""Aggregates of one kind, a few KB each; beyond it the one that was unused longest is forgotten, and read again."""
Beyond = Callable[[list[UUID], list[int]], Awaitable[Sequence[Any]]]
"""Reads the rows of several aggregates beyond a version of each, in order, in one statement."""


class Seen(Generic[A]):
    """The aggregates of one kind. TypeError if the kind has something personal."""

    def __init__(self, kind: type[A], beyond: Beyond, most: int = MOST) -> None:
        if any(event in FIELDS for event in event_classes(kind).values()):
            raise TypeError(f"{kind.__name__} has personal fields: it is not remembered")
        self._beyond, self._most = beyond, most
        self._known: dict[UUID, A] = {}  # in the order of use
        self._asked: set[UUID] = set()
        self._coming: asyncio.Task[dict[UUID, A]] | None = None
        self._turn = asyncio.Lock()

    async def now(self, aggregate_id: UUID) -> A | None:
        """The aggregate as it is now, for many to look at and nobody to change; None if its events do not make one."""
        self._asked.add(aggregate_id)
        if self._coming is None:
            self._coming = asyncio.create_task(self._look())
        found = await asyncio.shield(self._coming)  # who gives up stops nobody else
        return found.get(aggregate_id)

    async def _look(self) -> dict[UUID, A]:
        """All that was asked for by now. Who asks while a statement is on its way waits for the next: this one may miss what they know."""
        async with self._turn:
            asked, self._asked, self._coming = list(self._asked), set(), None
            known = {one: self._known.pop(one) for one in asked if one in self._known}
            rows = await self._beyond(asked, [known[one].version if one in known else 0 for one in asked])
            for one, news in groupby(rows, lambda row: row["originator_id"]):
                if (found := _folded(known.pop(one, None), news)) is not None:
                    known[one] = found
            self._known |= known
            while len(self._known) > self._most:
                del self._known[next(iter(self._known))]
            return known


def _folded(aggregate: Any, rows: Iterable[Any]) -> Any:
    """What `aggregate` became: a copy, for others may hold it. None if an event is missing or does not decode."""
    found = deepcopy(aggregate)
    for row in rows:
        if row["originator_version"] != (found.version if found else 0) + 1:
            return None
        try:
            found = codec.decode(row["topic"], row["state"]).mutate(found)
        except CorruptError:
            return None
    return found
