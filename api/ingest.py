"""The ingest worker: pull a batch off the bus, decide it in the domain, append it in one transaction, then acknowledge.

Killed at any moment it loses nothing (what was not acknowledged is delivered again) and doubles nothing (an observation's id is
its pass's id and its request's id).
"""

import asyncio
import logging
from collections.abc import Sequence
from contextlib import aclosing

from adapters.bus import Bus, Delivery
from domain.errors import (
    AnjuError,
    ConflictError,
    CorruptError,
    InvalidError,
    NotFoundError,
    UnavailableError,
)
from domain.gatepass import GatePass, decide
from domain.observation import FaceObservation
from domain.ports import Appended, EventLog, Request
from domain.site import Site, site_id

BATCH = 500
PAUSE = 1.0
"""Seconds before a batch that met a lost database is delivered again."""

logger = logging.getLogger("anju.ingest")


async def ingest(bus: Bus, log: EventLog) -> None:
    """Run until cancelled. UnavailableError if the bus is gone for good; CorruptError if the log cannot be read."""
    async with aclosing(bus.deliveries(BATCH)) as batches:
        async for batch in batches:
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
    refused: list[tuple[Delivery, AnjuError]] = []
    try:
        for delivery in batch:
            try:
                decided.append((delivery, await _request(delivery.observation(), sites, log)))
            except (InvalidError, NotFoundError) as error:
                refused.append((delivery, error))
        results = await log.append_all([request for _, request in decided])
        for (delivery, request), result in zip(decided, results, strict=True):
            refusal = await _refusal(request, result, log)
            if refusal is None:
                await delivery.done()
            else:
                refused.append((delivery, refusal))
    except (UnavailableError, CorruptError):  # not the observations' fault
        await _again(batch)
        raise
    for delivery, refusal in refused:
        await delivery.dead(f"{refusal.code}: {refusal}")


async def _refusal(request: Request, result: Appended | Exception, log: EventLog) -> AnjuError | None:
    """Why there is no pass; None if there is one, from now or from before."""
    match result:
        case ConflictError():
            try:
                await log.load(GatePass, request.id)
            except NotFoundError as error:  # the id is that of something else
                return error
            return None
        case AnjuError():
            return result
        case _:
            return None


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
