"""What a resolver is given: the system, the person asking, and how to wait for a projection."""

import asyncio
from uuid import UUID, uuid4

import asyncpg
from starlette.requests import HTTPConnection
from strawberry.fastapi import BaseContext
from strawberry.types import Info as StrawberryInfo

from api.bootstrap import System
from domain import policy
from domain.commands import Order
from domain.errors import InvalidError, UnauthenticatedError, UnavailableError
from domain.people import Person
from projections import runner

WAIT = 5.0
"""Seconds a query waits, at most, for its projection to reach `afterPosition`."""


class Context(BaseContext):
    """One request."""

    def __init__(self, system: System, authorization: str | None) -> None:
        super().__init__()
        self.system = system
        self._authorization = authorization

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
        return Order(self.person, self.system.now(), request_id or uuid4())

    async def caught_up(self, projection: str, after_position: int | None) -> None:
        """Wait until `projection` has folded position `after_position`; UnavailableError after a bounded time."""
        if after_position is None:
            return
        if after_position > await self.system.log.position():
            raise InvalidError(f"afterPosition {after_position} is beyond the end of the log")
        loop = asyncio.get_running_loop()
        deadline = loop.time() + WAIT
        while (await self._reached(projection)) < after_position:
            left = deadline - loop.time()
            if left <= 0:
                raise UnavailableError(
                    f"{projection} has not reached position {after_position} yet: ask again in a moment"
                )
            await self.system.tail.wait(projection, after_position - 1, min(left, 0.25))

    async def _reached(self, projection: str) -> int:
        async with self.system.pool.acquire() as connection:
            return await position_of(connection, projection)


async def position_of(connection: asyncpg.Connection, projection: str) -> int:
    """How far `projection` has folded the log."""
    return int(await runner.SQL.position(connection, name=projection) or 0)


Info = StrawberryInfo[Context, None]


def context_getter(connection: HTTPConnection) -> Context:
    """The context of a request or a socket; the system is the application's."""
    return Context(connection.app.state.system, connection.headers.get("authorization"))
