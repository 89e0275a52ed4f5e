"""What tests begin with: people, orders and a site."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from uuid import uuid4

from adapters.event_log import PostgresLog
from domain import commands
from domain.commands import Order
from domain.people import CITY, Person, Role, Scope
from domain.site import Direction, Gate, GateMode, Site, site_id


async def until(condition: Callable[[], Awaitable[object]], seconds: float = 15.0) -> None:
    """Wait until `condition` gives something true; TimeoutError if it never does."""
    async with asyncio.timeout(seconds):
        while not await condition():  # noqa: ASYNC110  (what is waited for happens in another process)
            await asyncio.sleep(0.02)


NOW = datetime(2026, 3, 1, 8, 0, tzinfo=UTC)


def person(*roles: Role, name: str | None = None, scope: Scope = CITY, units: tuple[str, ...] = ()) -> Person:
    """Somebody with `roles`; by default named after the first."""
    return Person(name or f"p-{roles[0]}", frozenset(roles), scope, frozenset(units))


def order(*roles: Role, at: datetime = NOW, by: Person | None = None) -> Order:
    """A new order of somebody with `roles`."""
    return Order(by or person(*roles), at, uuid4())


async def build_site(log: PostgresLog, code: str = "runjinyuan", township: str = "yuhai") -> Site:
    """An operating site with an open gate `main` and a guarded gate `garage`."""
    await commands.plan_site(log, order(Role.ADMIN), code=code, name="润锦苑", township=township)
    for step in (Site.start_construction, Site.accept, Site.start_operation):
        await commands.act(log, order(Role.ADMIN), Site, step, site_id(code))
    for gate in (
        Gate("main", "大门", GateMode.OPEN, Direction.IN),
        Gate("garage", "车库", GateMode.GUARDED, Direction.IN),
    ):
        await commands.act(log, order(Role.ADMIN), Site, Site.add_gate, site_id(code), gate=gate)
    return await log.load(Site, site_id(code))
