"""Loaders: what a list shows of each of its rows, read in one statement for all of them, and for all who ask at the same moment.

Nothing is kept after it was handed out: a socket lives long, and what it is shown is not to be old.
"""

from collections.abc import Awaitable, Callable, Hashable, Iterable, Mapping, Sequence
from itertools import chain
from typing import TypeVar
from uuid import UUID

from strawberry.dataloader import DataLoader

from domain.incident import Incident
from domain.people import Person
from domain.personal import Personal
from domain.ports import Entry, EventLog
from projections import incidents
from projections.past import Reading
from projections.standing import Standing

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


def joined(load: Callable[[list[K]], Awaitable[Mapping[K, V]]]) -> DataLoader[Iterable[K], Mapping[K, V]]:
    """A loader of many keys at once: what is asked for at the same moment is loaded together, and everybody is given all of it."""

    async def for_all(asked: list[Iterable[K]]) -> Sequence[Mapping[K, V]]:
        keys = list(dict.fromkeys(chain.from_iterable(asked)))
        found = await load(keys) if keys else {}
        return [found] * len(asked)

    return DataLoader(for_all, cache=False)


class Loaders:
    """The loaders of one request. `person` says who asks, whenever something is read for them."""

    def __init__(self, log: EventLog, reading: Reading, person: Callable[[], Person]) -> None:
        self._log, self._reading, self._person = log, reading, person
        self.histories = joined(self._histories)
        self.events = joined(self._events)
        self.reporters: DataLoader[UUID, Personal | None] = DataLoader(self._reporters, cache=False)
        self.incidents = joined(self._incidents)

    async def _histories(self, ids: list[UUID]) -> Mapping[UUID, list[Entry]]:
        """Every event of each incident; what is personal in them stays sealed."""
        return await self._log.histories(Incident, ids, opened=False)

    async def _events(self, versions: list[tuple[UUID, int]]) -> Mapping[tuple[UUID, int], Entry]:
        """One event of each incident, by its version; what is personal in it stays sealed."""
        return await self._log.events_of(Incident, versions, opened=False)

    async def _reporters(self, ids: list[UUID]) -> Sequence[Personal | None]:
        """Who reported each incident, in clear: whoever asks for it may read it, and that they did is written down there."""
        found = await self._log.histories(Incident, set(ids), version=1)
        return [found[one][0].event.reporter if one in found else None for one in ids]

    async def _incidents(self, ids: list[UUID]) -> Mapping[UUID, Standing]:
        async with self._reading() as connection:
            return await incidents.some(connection, incidents.Reader.of(self._person()), ids)
