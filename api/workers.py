"""The workers of a process: ingest, projections and timers, side by side, until they are cancelled."""

import asyncio

from api import timers
from api.bootstrap import System
from api.ingest import ingest
from domain.errors import InvalidError
from projections.all import PROJECTIONS
from projections.leader import lead


async def work(system: System, *, ingesting: bool, projecting: bool, timing: bool = False) -> None:
    """Run the workers asked for. A projection that meets an event it cannot fold stops alone; the others go on."""
    try:
        async with asyncio.TaskGroup() as group:
            if projecting:
                group.create_task(
                    lead(PROJECTIONS.values(), system.pool, system.log, system.tail), name="projections"
                )
            if ingesting:
                if system.bus is None:
                    raise InvalidError("ingest needs the bus: set ANJU_NATS_URL")
                group.create_task(ingest(system.bus, system.log), name="ingest")
            if timing:
                group.create_task(timers.run(system.pool, system.log, system.now), name="timers")
    except ExceptionGroup as failures:  # the first ends the others: it is the one to tell
        raise failures.exceptions[0] from None
