"""Loaders: what a list shows of each of its rows, read in one statement for all of them.

Nothing is kept after it was handed out: a socket lives long, and what it is shown is not to be old.
"""

from collections.abc import Callable, Sequence
from uuid import UUID

from strawberry.dataloader import DataLoader

from domain.incident import Incident
from domain.people import Person
from domain.personal import Personal
from domain.ports import Entry, EventLog
from projections import incidents
from projections.past import Reading
from projections.standing import Standing


class Loaders:
    """The loaders of one request. `person` says who asks, whenever something is read for them."""

    def __init__(self, log: EventLog, reading: Reading, person: Callable[[], Person]) -> None:
        self._log, self._reading, self._person = log, reading, person
        self.histories: DataLoader[UUID, list[Entry]] = DataLoader(self._histories, cache=False)
        self.events: DataLoader[tuple[UUID, int], Entry | None] = DataLoader(self._events, cache=False)
        self.reporters: DataLoader[UUID, Personal | None] = DataLoader(self._reporters, cache=False)
        self.incidents: DataLoader[UUID, Standing | None] = DataLoader(self._incidents, cache=False)

    async def _histories(self, ids: list[UUID]) -> Sequence[list[Entry]]:
        """Every event of each incident; what is personal in them stays sealed."""
        found = await self._log.histories(Incident, set(ids), opened=False)
        return [found.get(one, []) for one in ids]

    async def _events(self, versions: list[tuple[UUID, int]]) -> Sequence[Entry | None]:
        """One event of each incident, by its version; what is personal in it stays sealed."""
        found = await self._log.events_of(Incident, set(versions), opened=False)
        return [found.get(one) for one in versions]

    async def _reporters(self, ids: list[UUID]) -> Sequence[Personal | None]:
        """Who reported each incident, in clear: whoever asks for it may read it, and that they did is written down there."""
        found = await self._log.histories(Incident, set(ids), version=1)
        return [found[one][0].event.reporter if one in found else None for one in ids]

    async def _incidents(self, ids: list[UUID]) -> Sequence[Standing | None]:
        async with self._reading() as connection:
            found = await incidents.some(connection, incidents.Reader.of(self._person()), set(ids))
        return [found.get(one) for one in ids]
