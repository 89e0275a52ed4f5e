"""`anju rebuild`: a read model anew from the log, beside the running one; or only the proof that it equals the log."""

import asyncio
from functools import partial
from typing import Annotated

import typer
from rich.markup import escape

from adapters.database import connect_as_login, create_pool
from adapters.event_log import event_log
from api.bootstrap import database
from api.console import AsJson, Report, configured, err, out, print_json, reporting
from api.settings import Settings
from domain.errors import NotFoundError
from projections.all import PROJECTIONS
from projections.rebuild import Outcome, Table, rebuild, schema_of
from projections.runner import Projection


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command("rebuild")(rebuild_command)


def rebuild_command(
    projection: Annotated[str | None, typer.Argument(help="Which one, such as closure.")] = None,
    *,
    every: Annotated[bool, typer.Option("--all", help="All of them, one after another.")] = False,
    check: Annotated[
        bool, typer.Option("--check", help="Only compare with the running one; exit 1 if it differs.")
    ] = False,
    accept_difference: Annotated[
        bool, typer.Option("--accept-difference", help="Switch although the same version gave other rows.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Build a read model anew beside the running one, compare them, and switch; queries go on all the while.

    Of the same version both must be equal, or nothing is switched: exit 1. Logs in as the owner of the tables.
    """
    if (projection is None) is not every:
        raise typer.BadParameter(f"name one of {', '.join(PROJECTIONS)}, or say --all")
    wanted = list(PROJECTIONS.values()) if projection is None else [_named(projection)]
    with reporting() as report:
        outcomes = asyncio.run(
            _rebuild(configured(), wanted, report, check=check, accept_difference=accept_difference)
        )
    if as_json:
        print_json([_facts(outcome) for outcome in outcomes])
    else:
        for outcome in outcomes:
            _tell(outcome, check=check)
    raise SystemExit(any(_is_bad(outcome) for outcome in outcomes))


def _named(name: str) -> Projection:
    if name not in PROJECTIONS:
        raise NotFoundError(f"there is no projection {name!r}; there are {', '.join(PROJECTIONS)}")
    return PROJECTIONS[name]


async def _rebuild(
    settings: Settings, wanted: list[Projection], report: Report, *, check: bool, accept_difference: bool
) -> list[Outcome]:
    url = settings.require_database_url
    outcomes = []
    async with database(settings) as pool, event_log(pool, url, archive_dir=settings.archive_dir) as log:
        owner = await connect_as_login(url)
        try:
            for one in wanted:
                fast = {"search_path": f"{schema_of(one)}, public", "synchronous_commit": "off"}
                async with create_pool(url, largest=2, settings=fast) as builders:
                    outcomes.append(
                        await rebuild(
                            one,
                            owner,
                            builders,
                            log,
                            check=check,
                            accept_difference=accept_difference,
                            report=partial(report, one.name),
                        )
                    )
        finally:
            await owner.close()
    return outcomes


def _is_bad(outcome: Outcome) -> bool:
    """The same version gave other rows, and it was not switched to."""
    return not (outcome.equal or outcome.switched) and outcome.version == outcome.running_version


def _tell(outcome: Outcome, *, check: bool) -> None:
    rate = outcome.folded / outcome.seconds if outcome.seconds else 0.0
    out.print(
        f"{outcome.projection}: version {outcome.version}, {outcome.folded:,} events to position {outcome.position:,} "
        f"in {outcome.seconds:.1f} s ({rate:,.0f} a second)",
        highlight=False,
        soft_wrap=True,
    )
    for table in outcome.tables:
        _tell_table(table)
    if outcome.switched:
        out.print(
            "switched"
            if outcome.version == outcome.running_version
            else f"switched from version {outcome.running_version}"
        )
    elif outcome.version != outcome.running_version:
        out.print(f"the running one is of version {outcome.running_version}: there is nothing to prove")
    elif outcome.equal:
        out.print(f"the running one equals the log; digest {outcome.digest}", highlight=False)
    else:
        err.print(
            "[red]the running one differs from the log[/red]"
            + (
                ""
                if check
                else "; nothing was switched. With --accept-difference the rebuilt one replaces it"
            ),
            soft_wrap=True,
        )


def _tell_table(table: Table) -> None:
    running = "not there" if table.running_rows is None else f"{table.running_rows:,} rows"
    verdict = "equal" if table.equal else f"[yellow]differs[/yellow] (running: {running})"
    out.print(f"  {table.name}: {table.rows:,} rows, {verdict}", highlight=False, soft_wrap=True)
    for key, what in table.differences:
        out.print(f"    {escape(key)} {escape(what)}", highlight=False, soft_wrap=True)


def _facts(outcome: Outcome) -> dict[str, object]:
    return {
        "projection": outcome.projection,
        "version": outcome.version,
        "runningVersion": outcome.running_version,
        "position": outcome.position,
        "events": outcome.folded,
        "seconds": round(outcome.seconds, 3),
        "equal": outcome.equal,
        "switched": outcome.switched,
        "digest": outcome.digest,
        "tables": [
            {
                "name": table.name,
                "rows": table.rows,
                "runningRows": table.running_rows,
                "equal": table.equal,
                "digest": table.digest,
                "runningDigest": table.running_digest,
                "differences": [{"key": key, "what": what} for key, what in table.differences],
            }
            for table in outcome.tables
        ],
    }
