"""The ingest worker: pull a batch off the bus, decide it in the domain, append it in one transaction, then acknowledge.

Killed at any moment it loses nothing (what was not acknowledged is delivered again) and doubles nothing (an observation's id is
its pass's id and its request's id).
"""

import asyncio
import logging
from collections.abc import Sequence

from adapters.bus import Bus, Delivery
from domain.errors import AnjuError, ConflictError, NotFoundError, UnavailableError
from domain.gatepass import decide
from domain.observation import FaceObservation
from domain.ports import EventLog, Request
from domain.site import Site, site_id

BATCH = 500
PAUSE = 1.0
"""Seconds before a batch that met a lost database is delivered again."""

logger = logging.getLogger("anju.ingest")


async def ingest(bus: Bus, log: EventLog) -> None:
    """Run until cancelled."""
    async for batch in bus.deliveries(BATCH):
        if batch:
            try:
                await settle(batch, log)
            except UnavailableError as error:
                logger.warning("%d observations wait: %s", len(batch), error)
                await asyncio.sleep(PAUSE)


async def settle(batch: Sequence[Delivery], log: EventLog) -> None:
    """Decide and append `batch`; every delivery in it is then done, dead, or to come again (and UnavailableError is raised)."""
    sites: dict[str, Site | None] = {}
    decided: list[tuple[Delivery, Request]] = []
    for delivery in batch:
        try:
            decided.append((delivery, await _request(delivery.observation(), sites, log)))
        except UnavailableError:
            await _again(batch)
            raise
        except AnjuError as error:
            await delivery.dead(f"{error.code}: {error}")
    try:
        results = await log.append_all([request for _, request in decided])
    except UnavailableError:
        await _again([delivery for delivery, _ in decided])
        raise
    for (delivery, _), result in zip(decided, results, strict=True):
        match result:
            case ConflictError():  # the pass is there, from before its request id was kept
                await delivery.done()
            case AnjuError():
                await delivery.dead(f"{result.code}: {result}")
            case _:
                await delivery.done()


async def _again(batch: Sequence[Delivery]) -> None:
    for delivery in batch:
        await delivery.again(PAUSE)


async def _request(observation: FaceObservation, sites: dict[str, Site | None], log: EventLog) -> Request:
    code = observation.at.site
    if code not in sites:
        try:
            sites[code] = await log.load(Site, site_id(code))
        except NotFoundError:
            sites[code] = None
    site = sites[code]
    if site is None:
        raise NotFoundError(f"there is no site {code!r}")
    events = decide(observation, site).collect_events()
    return Request(observation.id, events, {"causation": f"observation:{observation.id}"})
