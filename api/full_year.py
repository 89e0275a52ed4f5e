"""The story's whole year, made up around its two numbers, through the commands of the domain and in bulk into the log.

An incident is one request, and a chapter (a day) one transaction: what was interrupted goes on with the chapter that is not there, and
nothing is told twice.
"""

import asyncio
import gc
import multiprocessing
import signal
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from multiprocessing.connection import Connection
from random import Random
from uuid import uuid5

import uvloop

from api.bootstrap import system
from api.scenario import FOUNDED, STAFF
from api.settings import Settings
from api.year.life import tell
from api.year.plan import Chapter, Place, Year
from domain import commands
from domain.commands import Order
from domain.errors import AnjuError, UnavailableError
from domain.observation import NAMESPACE
from domain.people import Role
from domain.ports import EventLog, Request
from domain.site import Site, site_id

COUNTED = date(2016, 1, 1)
"""From when the households of a site count: before the first of its cases."""
PROCESSES = 2
"""That tell the year: while the log takes what one of them made, the other makes more. It takes little more than two can make."""
AT_ONCE = 20
"""Incidents between two looks at what the database has to say."""
Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Told:
    """What went into the log this time, from when to when (`time.monotonic`): nothing that was there from before."""

    incidents: int
    events: int
    began: float
    ended: float

    @property
    def seconds(self) -> float:
        """How long it took."""
        return self.ended - self.began

    @property
    def rate(self) -> float:
        """Events a second."""
        return self.events / self.seconds


async def begun(year: Year, log: EventLog) -> bool:
    """Whether the log has the year, or a part of it: its sites come first."""
    return await log.find(_order(year.places[0], "households").request_id) is not None


async def build_sites(year: Year, log: EventLog) -> None:
    """Plan those that the story does not know, and count the households of all."""
    for place in year.places:
        if place.made_up:
            await commands.plan_site(
                log, _order(place, "plan"), code=place.code, name=place.name, township=place.township
            )
        await commands.act(
            log,
            _order(place, "households"),
            Site,
            Site.count_households,
            site_id(place.code),
            households=place.households,
            counts_from=COUNTED,
        )


async def tell_year(year: Year, settings: Settings, progress: Progress) -> Told:
    """Tell all of it, in processes of their own, once its sites are built. progress: incidents so far, and all.

    UnavailableError if one of them ends before its time: the next try goes on from there.
    """
    context = multiprocessing.get_context("spawn")
    pipes = [context.Pipe(duplex=False) for _ in range(PROCESSES)]
    processes = [
        context.Process(target=_process, args=(year, settings, part, sender), daemon=True)
        for part, (_, sender) in enumerate(pipes)
    ]
    passed = [0] * PROCESSES

    def hear(part: int) -> Told:
        with pipes[part][0] as receiver:
            while True:
                match _heard(receiver):
                    case int(incidents):
                        passed[part] = incidents
                        progress(sum(passed), year.cases)
                    case Told() as told:
                        return told
                    case error:
                        raise UnavailableError(f"the year is told in part: {error}; start again to go on")

    try:
        for process, (_, sender) in zip(processes, pipes, strict=True):
            process.start()
            sender.close()  # ours: then the pipe ends with the process
        async with asyncio.TaskGroup() as group:
            parts = [group.create_task(asyncio.to_thread(hear, part)) for part in range(PROCESSES)]
    except ExceptionGroup as failures:  # the first ends the others: it is the one to tell
        raise failures.exceptions[0] from None
    finally:
        for process in processes:
            if process.pid is not None:
                process.terminate()
                await asyncio.to_thread(process.join)
    return _together([part.result() for part in parts])


async def tell_part(year: Year, log: EventLog, progress: Progress, part: int = 0, of: int = 1) -> Told:
    """Tell every `of`-th chapter from the `part`-th one on; one is written while the next is made."""
    sites = {place.code: await log.load(Site, site_id(place.code)) for place in year.places}
    began = time.monotonic()
    incidents = events = passed = 0
    writing: asyncio.Task[None] | None = None
    try:
        for chapter in year.chapters(part, of):
            passed += len(chapter.cases)
            if chapter.cases and await log.find(chapter.cases[0].request) is None:
                requests = await _requests(year, chapter, sites)
                if writing is not None:
                    await writing
                writing = asyncio.create_task(_append(log, requests))
                incidents += len(requests)
                events += sum(len(request.events) for request in requests)
            progress(passed, year.cases)
        if writing is not None:
            await writing
    finally:
        if writing is not None and not writing.done():
            writing.cancel()
            await asyncio.gather(writing, return_exceptions=True)
    return Told(incidents, events, began, time.monotonic())


async def _requests(year: Year, chapter: Chapter, sites: Mapping[str, Site]) -> list[Request]:
    """Of all its incidents, in order. In between, what was made before goes to the database."""
    random = Random(str(chapter.cases[0].id))  # noqa: S311  (a repeatable story, not a secret)
    shares, ratings = year.made_up["shares"], year.made_up["ratings"]["weights"]
    metadata = {"channel": "import", "causation": f"scenario:year:{chapter.name}"}
    made = []
    for number, case in enumerate(chapter.cases):
        if not number % AT_ONCE:
            await asyncio.sleep(0)
        made.append(Request(case.request, tell(case, sites[case.site], random, shares, ratings), metadata))
    return made


async def _append(log: EventLog, requests: Sequence[Request]) -> None:
    for result in await log.append_all(requests):
        if isinstance(result, Exception):
            raise result


def _process(year: Year, settings: Settings, part: int, sender: Connection) -> None:
    """One of the processes: says how far it is, and in the end what it told, or why it could not. It ends with who started it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for who started us
    gc.disable()  # incidents make no cycles: it would look at a day's events time and again, for a seventh of our time

    async def main() -> Told:
        async with system(settings, with_bus=False) as running:
            return await tell_part(year, running.log, lambda passed, _: sender.send(passed), part, PROCESSES)

    with suppress(BrokenPipeError):
        try:
            sender.send(uvloop.run(main()))
        except AnjuError as error:
            sender.send(str(error))


def _heard(receiver: Connection) -> object:
    try:
        return receiver.recv()
    except EOFError:
        return "a process that told it was ended"


def _together(parts: Iterable[Told]) -> Told:
    parts = list(parts)
    return Told(
        sum(part.incidents for part in parts),
        sum(part.events for part in parts),
        min(part.began for part in parts),
        max(part.ended for part in parts),
    )


def _order(place: Place, what: str) -> Order:
    return Order(STAFF[Role.ADMIN], FOUNDED, uuid5(NAMESPACE, f"scenario:year:{place.code}:{what}"))
