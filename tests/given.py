"""What tests begin with: people, orders, a site and an observation."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from hashlib import sha512
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

from adapters.event_log import PostgresLog
from domain import commands
from domain.commands import Order
from domain.credentials import CredentialKind
from domain.incident import Source
from domain.key import Key
from domain.observation import FaceObservation, GateRef, ModelUse, observation_id
from domain.people import CITY, Person, Role, Scope
from domain.personal import Personal
from domain.site import Direction, Gate, GateMode, Measure, Site, site_id


async def until(condition: Callable[[], Awaitable[object]], seconds: float = 15.0) -> None:
    """Wait until `condition` gives something true; TimeoutError if it never does."""
    async with asyncio.timeout(seconds):
        while not await condition():
            await asyncio.sleep(0.02)


NOW = datetime(2026, 3, 1, 8, 0, tzinfo=UTC)


def person(*roles: Role, name: str | None = None, scope: Scope = CITY, units: tuple[str, ...] = ()) -> Person:
    """Somebody with `roles`; by default named after the first."""
    return Person(name or f"p-{roles[0]}", frozenset(roles), scope, frozenset(units))


def order(*roles: Role, at: datetime = NOW, by: Person | None = None) -> Order:
    """A new order of somebody with `roles`."""
    return Order(by or person(*roles), at, uuid4())


MAIN = Gate("main", "大门", GateMode.OPEN, Direction.IN, (CredentialKind.FACE, CredentialKind.CARD))
GARAGE = Gate("garage", "车库", GateMode.GUARDED, Direction.IN, (CredentialKind.FACE, CredentialKind.PLATE))
SITE_STEPS: tuple[tuple[Callable[..., None], dict[str, Any]], ...] = (
    (Site.start_construction, {}),
    (Site.add_gate, {"gate": MAIN}),
    (Site.install_measure, {"measure": Measure.VIDEO_SURVEILLANCE}),
    (Site.accept, {"inspector": "p-inspector"}),
    (Site.start_operation, {}),
)
"""From plan to operation, as an administrator does it."""


async def build_site(
    log: PostgresLog, code: str = "runjinyuan", township: str = "yuhai", *, garage: bool = False
) -> Site:
    """An operating site with an open gate `main`; with `garage`, one event more, also with a guarded gate of that name."""
    await commands.plan_site(log, order(Role.ADMIN), code=code, name="润锦苑", township=township)
    for step, fields in (*SITE_STEPS, *([(Site.add_gate, {"gate": GARAGE})] if garage else [])):
        await commands.act(log, order(Role.ADMIN), Site, step, site_id(code), **fields)
    return await log.load(Site, site_id(code))


async def report(
    log: PostgresLog, site: Site, *, by: Order | None = None, reporter: Personal | None = None
) -> commands.Done:
    """An incident at `site`, reported by `reporter`."""
    return await commands.report_incident(
        log,
        by or order(Role.INTAKE),
        site_id=site.id,
        source=Source.CITIZEN,
        category="noise",
        description="夜间施工",
        reporter=reporter,
    )


async def destroy(log: PostgresLog, scope: str) -> commands.Done:
    """Destroy the key of `scope`, as a privacy officer."""
    return await commands.decide_key(log, order(Role.PRIVACY_OFFICER), Key.destroy, scope, reason="asked for")


def observation(
    gate: str = "runjinyuan.main", native: str | None = None, at: datetime = NOW, **changed: Any
) -> FaceObservation:
    """A face in front of `gate`; the same `native` id gives the same observation."""
    place = GateRef.parse(gate)
    fields: dict[str, Any] = {
        "id": observation_id(place, native or str(uuid4())),
        "at": place,
        "captured_at": at,
        "box": (10.0, 20.0, 30.0, 40.0),
        "score": 0.93,
        "embedding": sha512(b"face").digest() * 8,
        "detector": ModelUse("yunet", "a" * 64),
        "embedder": ModelUse("sface", "b" * 64),
        "frame_sha256": "c" * 64,
        "latency_ms": 12.5,
    }
    return FaceObservation(**{**fields, **changed})


def named(url: str, database: str) -> str:
    """The address of another database on the same server."""
    return urlsplit(url)._replace(path=f"/{database}").geturl()
