"""What a resolver is given: the system, the person asking, and how to wait for a projection."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Hashable, Iterable, Mapping
from contextlib import asynccontextmanager
from functools import cached_property, partial
from typing import Any, TypeVar
from uuid import UUID, uuid4

import asyncpg
from starlette.requests import HTTPConnection
from strawberry.dataloader import DataLoader
from strawberry.fastapi import BaseContext
from strawberry.types import Info as StrawberryInfo

from adapters.database import LOST
from api.audit.record import Recorder, Why, is_audited
from api.bootstrap import System
from api.graphql.loaders import Loaders, joined
from api.identity import asking, believed
from domain import policy
from domain.commands import Order
from domain.errors import AnjuError, InvalidError, NotFoundError, UnavailableError
from domain.observation import require_code
from domain.people import Person, Scope
from domain.policy import Placed
from domain.reading import Shown
from domain.site import Site, site_id
from projections import runner
from projections.reading import reading

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")
Fetch = Callable[[asyncpg.Connection, Scope, list[K]], Awaitable[Mapping[K, V]]]
"""Finds what lies inside a scope for many keys in one statement."""

WAIT = 5.0
"""Seconds a query waits, at most, for its projection to reach `afterPosition`."""


class Context(BaseContext):
    """One request."""

    def __init__(
        self,
        system: System,
        asking: Person | AnjuError,
        headers: Mapping[str, str],
    ) -> None:
        super().__init__()
        self.system = system
        self.asking = asking
        self.authorization = headers.get("authorization")
        self._headers = headers
        self._loaders: dict[Any, DataLoader[Any, Any]] = {}

    @cached_property
    def loaders(self) -> Loaders:
        """The loaders of what lists show; made when one is asked for, as most commands never do."""
        return Loaders(self.system.log, self.reading, lambda: self.person)

    @cached_property
    def _recorder(self) -> Recorder:
        return Recorder(self.system, Why.of(self._headers))

    @property
    def person(self) -> Person:
        """Who asks; raises what `identify` raised if that is not known."""
        return believed(self.asking)

    def allow(self, command: str) -> Person:
        """The person asking, if they may do `command`."""
        person = self.person
        policy.require(person, command)
        return person

    def order(self, request_id: UUID | None) -> Order:
        """An order of the person asking, now."""
        return Order(self.person, self.system.now(), request_id or uuid4(), limits=self.system.limits)

    async def record_read(
        self,
        shown: Shown,
        subjects: Collection[UUID] = (),
        *,
        place: Placed | None = None,
        fields: Collection[str] = (),
        asked: str | None = None,
        found: int | None = None,
    ) -> None:
        """Call it before anything personal or past is shown, for each row or for all at once; see `Recorder.record`."""
        await self._recorder.record(
            self.person, shown, subjects, place=place, fields=fields, asked=asked, found=found
        )

    @property
    def audited(self) -> bool:
        """Whether whatever the person asks is recorded; of nobody it is not."""
        return isinstance(self.asking, Person) and is_audited(self.asking)

    async def record_operation(
        self, asked: str, *, fields: Collection[str] = (), subjects: Collection[UUID] = ()
    ) -> None:
        """Record what an auditor asks; see `Recorder.record_operation`."""
        await self._recorder.record_operation(self.person, asked, fields=fields, subjects=subjects)

    async def site(self, code: str) -> Site:
        """The site with this code; NotFoundError."""
        try:
            return await self.system.log.seen(Site, site_id(require_code(code, "site")))
        except NotFoundError:
            raise NotFoundError(f"there is no site {code!r}") from None

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[asyncpg.Connection]:
        """A connection to the read models; UnavailableError if the database does not answer, or a read model must be rebuilt."""
        try:
            async with reading(self.system.pool) as connection:
                yield connection
        except LOST as error:
            raise UnavailableError(
                f"the read models cannot be read: the database does not answer ({error})"
            ) from error

    async def found(self, fetch: Fetch[K, V], keys: Iterable[K]) -> Mapping[K, V]:
        """What `fetch` (a function of a module: it is the name of the batch) finds for `keys` inside the scope of the person asking.

        Whoever asks at the same moment, such as another list, is answered by the same statement: there may be more than was asked for.
        """
        if fetch not in self._loaders:
            self._loaders[fetch] = joined(partial(self._fetch, fetch))
        found: Mapping[K, V] = await self._loaders[fetch].load(keys)
        return found

    async def _fetch(self, fetch: Fetch[K, V], keys: list[K]) -> Mapping[K, V]:
        async with self.reading() as connection:
            return await fetch(connection, self.person.scope, keys)

    async def caught_up(self, projection: str, after_position: int | None) -> None:
        """Wait until `projection` has folded position `after_position`; UnavailableError after a bounded time."""
        if after_position is None:
            return
        if after_position > (end := await self.system.log.position()):
            raise InvalidError(f"afterPosition {after_position} is beyond the end of the log, which is {end}")
        loop = asyncio.get_running_loop()
        deadline = loop.time() + WAIT
        while (reached := await self._reached(projection)) < after_position:
            left = deadline - loop.time()
            if left <= 0:
                raise UnavailableError(
                    f"{projection} is at position {reached} and has not reached {after_position} yet: ask again in a moment, "
                    "and if it stays there, is `anju work` running? (`systemStatus` says)"
                )
            await self.system.tail.wait(projection, after_position - 1, min(left, 0.25))

    async def _reached(self, projection: str) -> int:
        """How far `projection` has folded the log."""
        async with self.reading() as connection:
            return int(await runner.SQL.position(connection, name=projection) or 0)


Info = StrawberryInfo[Context, None]


async def context_getter(connection: HTTPConnection) -> Context:
    """The context of a request or a socket; the system is the application's."""
    return Context(connection.app.state.system, await asking(connection), connection.headers)
