"""The demonstration: the whole system in one process group, a photograph through the bus, a year or a sample of it, and the figures back."""

import asyncio
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import httpx
import insightface
from rich.console import Console
from rich.table import Table

from adapters.embedded import embedded_services
from adapters.migrate import migrate
from adapters.verify import Verdict, verify
from api import full_year, timers
from api.bootstrap import System, face_finder, system
from api.console import counting
from api.http import application
from api.scenario import PHOTO_AT, PHOTO_GATE, STAFF, Loaded, load, load_scenario, long_way
from api.serving import first_of, serving, until_signalled
from api.settings import Settings
from api.workers import work
from api.year.plan import Year, plan_year
from domain.errors import AnjuError, UnavailableError
from domain.people import Role
from projections.all import PROJECTIONS
from projections.status import statuses
from recognition.models import Progress
from recognition.observe import observe

PHOTO = Path(insightface.__file__).parent / "data" / "images" / "t1.jpg"
"""The group photo that insightface ships."""
PATIENCE = 60.0
"""Seconds for the photo's observations to pass through the bus into the read model."""

QUESTION = """
query Demo($from: Date!, $to: Date!, $day: Date!, $after: Position!) {
  closureRate(period: {from: $from, to: $to}, basis: COHORT, afterPosition: $after) {
    received closed open percent position
  }
  gateTraffic(site: "runjinyuan", period: {from: $day, to: $day}, by: DAY, afterPosition: $after) {
    gate decision passes
  }
}
"""


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was put in and what came back."""

    what: str
    put_in: object
    came_back: object

    @property
    def holds(self) -> bool:
        return self.put_in == self.came_back


async def run(settings: Settings, console: Console, *, stay: bool, year: Year | None = None) -> int:
    """The exit code: 0 if everything that came back is what was put in. year: told after the sample; one that was begun is always finished.

    Stopping it is its proper end, unless it was to `stay` no longer than its check: then nothing was proved.
    """
    code = await until_signalled(_demonstrate(settings, console, stay=stay, year=year))
    if code is None:
        console.print("stopped: nothing that was started here is left running")
        return 0 if stay else 1
    return code


async def _demonstrate(settings: Settings, console: Console, *, stay: bool, year: Year | None) -> int:
    async with AsyncExitStack() as stack:
        settings = await _services(settings, console, stack)
        revision = (await asyncio.to_thread(migrate, settings.require_database_url))[1]
        console.print(f"✓ schema {revision}")
        running = await stack.enter_async_context(system(settings))
        url = await stack.enter_async_context(serving(application(running), settings.host, settings.port))
        loaded = await _tell(running, console, year)
        workers = asyncio.create_task(work(running, ingesting=True, projecting=True), name="workers")
        story = asyncio.create_task(_check(running, url, console, loaded, stay=stay), name="story")
        await first_of(story, workers)  # workers end only with an error
        return story.result()


async def _tell(running: System, console: Console, year: Year | None) -> Loaded:
    """What the log has now. The read models are made after it: that is faster than while it grows."""
    scenario = load_scenario()
    if year is None and await full_year.begun(whole := plan_year(scenario), running.log):
        year = whole
    with console.status("the Rui'an scenario") as status:
        loaded = await load(
            scenario,
            running.log,
            lambda n, of: status.update(f"the Rui'an scenario: incident {n} of {of}"),
        )
    console.print(
        f"✓ {loaded.reported} synthetic incidents driven through their commands, {loaded.closed} to closure"
    )
    if year is None:
        return loaded
    await full_year.build_sites(year, running.log)
    with counting("the story's year") as progress:
        told = await full_year.tell_year(year, running.settings, progress)
    console.print(
        f"✓ the story's year: {told.incidents:,} synthetic incidents, {told.events:,} events in {told.seconds:.1f} s, "
        f"{told.rate:,.0f} events a second"
    )
    console.print(
        f"  beside them, on neither side of the rate: {year.rejected:,} rejected, {year.merged:,} merged; and "
        f"{sum(year.criminal_cases.values())} criminal cases of the years before"
    )
    return Loaded(loaded.reported + year.reported, loaded.closed + year.closed, await running.log.position())


async def _check(running: System, url: str, console: Console, loaded: Loaded, *, stay: bool) -> int:
    began = time.perf_counter()
    with counting("the read models") as progress:
        await _caught_up(running, progress)
    console.print(f"✓ the read models are up with the log after {time.perf_counter() - began:.1f} s")
    with console.status("recognising a photograph") as status:
        faces = await _recognise(running, lambda what, *_: status.update(f"fetching {what}"))
    console.print(f"✓ {faces} faces found in {PHOTO.name} and published for {PHOTO_GATE}")
    checks, verdict = await _read_back(running, url, loaded, faces)
    console.print(_table(checks, verdict))
    reported, closed, percent = (check.came_back for check in checks[1:])
    console.print(f"[bold]办结率 {closed:,} / {reported:,} = {percent} %[/bold]", highlight=False)
    if stay:
        _invite(console, running, url)
        # until Ctrl-C; not before, for the story is of 2018
        await timers.run(running.pool, running.log, running.now)
    return 0 if verdict.holds and all(check.holds for check in checks) else 1


async def _caught_up(running: System, progress: Callable[[int, int], None]) -> None:
    """Wait until every projection is where the log is now. UnavailableError if one has stopped."""
    last = await running.log.position()
    while True:
        async with running.pool.acquire() as connection:
            found = {row["name"]: row for row in await statuses(connection)}
        if stopped := [name for name, row in found.items() if name in PROJECTIONS and row["error"]]:
            raise UnavailableError(f"the read model {stopped[0]} has stopped: {found[stopped[0]]['error']}")
        slowest = min(found[name]["position"] if name in found else 0 for name in PROJECTIONS)
        progress(slowest, last)
        if slowest >= last:
            return
        await asyncio.sleep(0.1)


async def _services(settings: Settings, console: Console, stack: AsyncExitStack) -> Settings:
    if settings.database_url is not None and settings.nats_url is not None:
        console.print("✓ using the servers of ANJU_DATABASE_URL and ANJU_NATS_URL")
        return settings
    with console.status("starting PostgreSQL and NATS"):
        services = await stack.enter_async_context(embedded_services(settings.data_dir))
    console.print(f"✓ PostgreSQL and NATS run, with their data in {settings.data_dir}")
    return settings.model_copy(
        update={
            "database_url": settings.database_url or services.database_url,
            "nats_url": settings.nats_url or services.nats_url,
        }
    )


async def _recognise(running: System, progress: Progress) -> int:
    finder = await asyncio.to_thread(face_finder, running.settings, progress)
    if running.bus is None:
        raise UnavailableError("the demonstration needs the bus")
    summary = await observe(PHOTO, PHOTO_GATE, finder, running.bus, started_at=PHOTO_AT)
    try:
        async with asyncio.timeout(PATIENCE):
            while await running.bus.backlog():  # noqa: ASYNC110  (the bus tells nobody that it is empty)
                await asyncio.sleep(0.05)
    except TimeoutError as error:
        raise UnavailableError(
            f"the photograph's observations are still on the bus after {PATIENCE:.0f} seconds: is the machine very busy?"
        ) from error
    return summary.faces


async def _read_back(running: System, url: str, loaded: Loaded, faces: int) -> tuple[list[Check], Verdict]:
    """Ask over HTTP, as a command centre would, and compare with what was put in."""
    token = running.issuer.sign(STAFF[Role.SUPERVISOR], running.now())
    variables = {
        "from": "2018-01-01",
        "to": "2018-11-30",
        "day": "2018-11-30",
        "after": await running.log.position(),
    }
    async with httpx.AsyncClient(timeout=30, trust_env=False) as client:
        response = await client.post(
            f"{url}/graphql",
            json={"query": QUESTION, "variables": variables},
            headers={"Authorization": f"Bearer {token}"},
        )
    answer = response.json()
    if "errors" in answer:
        raise AnjuError(f"GraphQL answered {answer['errors']}")
    rate, traffic = answer["data"]["closureRate"], answer["data"]["gateTraffic"]
    percent = (Decimal(100) * loaded.closed / loaded.reported).quantize(Decimal("0.01"))
    checks = [
        Check("faces in the photograph = gate passes", faces, sum(row["passes"] for row in traffic)),
        Check("incidents reported", loaded.reported, rate["received"]),
        Check("incidents closed", loaded.closed, rate["closed"]),
        Check("办结率 closure rate, per cent", str(percent), rate["percent"]),
    ]
    return checks, await verify(running.settings.require_database_url)


def _table(checks: list[Check], verdict: Verdict) -> Table:
    table = Table("what", "put in", "came back through GraphQL", "", title="安居")
    for check in checks:
        table.add_row(
            check.what, str(check.put_in), str(check.came_back), "✓" if check.holds else "[red]✗[/red]"
        )
    chain = f"{verdict.events} events" if verdict.holds else f"[red]{verdict.problem}[/red]"
    table.add_row("the log's hash chain", "", chain, "✓" if verdict.holds else "[red]✗[/red]")
    return table


def _invite(console: Console, running: System, url: str) -> None:
    console.print(f"\n  {url}/graphql   ask it (GraphiQL)\n  {url}/docs      the HTTP interface\n")
    console.print(
        f"  anju replay {long_way()}   a case that was returned, extended, sent back and reopened\n",
        soft_wrap=True,
    )
    console.print("Demo tokens, good for twelve hours (also: anju token ROLE):")
    for role, person in STAFF.items():
        console.print(
            f"[bold]{role}[/bold] {running.issuer.sign(person, running.now())}",
            soft_wrap=True,
            highlight=False,
        )
    console.print("\nCtrl-C stops everything that was started here.")
