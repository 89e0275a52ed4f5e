"""The workers of a process: ingest, projections and timers, side by side, until they are cancelled."""

import asyncio
import logging

from api import timers
from api.bootstrap import System
from api.ingest import ingest
from domain.errors import CorruptError, InvalidError
from projections import runner
from projections.all import PROJECTIONS
from projections.runner import Projection

logger = logging.getLogger("anju.work")


async def work(system: System, *, ingesting: bool, projecting: bool, timing: bool = False) -> None:
    """Run the workers asked for. A projection that meets an event it cannot fold stops alone; the others go on."""
    try:
        async with asyncio.TaskGroup() as group:
            if projecting:
                for projection in PROJECTIONS.values():
                    group.create_task(_project(projection, system), name=f"projection-{projection.name}")
            if ingesting:
                if system.bus is None:
                    raise InvalidError("ingest needs the bus: set ANJU_NATS_URL")
                group.create_task(ingest(system.bus, system.log), name="ingest")
            if timing:
                group.create_task(timers.run(system.pool, system.log, system.now), name="timers")
        raise CorruptError("every projection has stopped: `systemStatus` says at which event, and why")
    except ExceptionGroup as failures:  # the first ends the others: it is the one to tell
        raise failures.exceptions[0] from None


async def _project(projection: Projection, system: System) -> None:
    try:
        await runner.run(projection, system.pool, system.log, system.tail)
    except CorruptError:
        logger.critical(
            "projection %s has stopped; once the cause is mended, start the worker again",
            projection.name,
            exc_info=True,
        )
