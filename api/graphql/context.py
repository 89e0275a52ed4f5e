"""What a resolver is given: the system, the person asking, and how to wait for a projection."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID, uuid4

import asyncpg
from starlette.requests import HTTPConnection
from strawberry.fastapi import BaseContext
from strawberry.types import Info as StrawberryInfo

from adapters.database import LOST
from api.bootstrap import System
from api.graphql.loaders import Loaders
from domain import policy
from domain.commands import Order
from domain.errors import InvalidError, NotFoundError, UnauthenticatedError, UnavailableError
from domain.observation import require_code
from domain.people import Person
from domain.site import Site, site_id
from projections import runner

WAIT = 5.0
"""Seconds a query waits, at most, for its projection to reach `afterPosition`."""


class Context(BaseContext):
    """One request."""

    def __init__(self, system: System, authorization: str | None) -> None:
        super().__init__()
        self.system = system
        self._authorization = authorization
        self.loaders = Loaders(system.log, self.reading, lambda: self.person)

    @property
    def person(self) -> Person:
        """Who asks; UnauthenticatedError if nobody does."""
        scheme, _, token = (self._authorization or "").partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise UnauthenticatedError(
                "say who you are: send the header `Authorization: Bearer TOKEN` (`anju token ROLE`)"
            )
        return self.system.issuer.person(token)

    def allow(self, command: str) -> Person:
        """The person asking, if they may do `command`."""
        person = self.person
        policy.require(person, command)
        return person

    def order(self, request_id: UUID | None) -> Order:
        """An order of the person asking, now."""
        return Order(self.person, self.system.now(), request_id or uuid4(), limits=self.system.limits)

    async def site(self, code: str) -> Site:
        """The site with this code; NotFoundError."""
        try:
            return await self.system.log.load(Site, site_id(require_code(code, "site")))
        except NotFoundError:
            raise NotFoundError(f"there is no site {code!r}") from None

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[asyncpg.Connection]:
        """A connection to the read models; UnavailableError if the database does not answer."""
        try:
            async with self.system.pool.acquire() as connection:
                yield connection
        except LOST as error:
            raise UnavailableError(
                f"the read models cannot be read: the database does not answer ({error})"
            ) from error

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


def context_getter(connection: HTTPConnection) -> Context:
    """The context of a request or a socket; the system is the application's."""
    return Context(connection.app.state.system, connection.headers.get("authorization"))
