"""The command line. Exit codes: 0 done, 1 refused or found wrong, 2 called wrongly.

A command imports what it works with itself: help and small commands answer at once, and a server carries no recognition engine.
"""

import asyncio
from collections.abc import Coroutine
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID

import typer
import uvloop
from rich.markup import escape
from rich.progress import Progress
from rich.table import Table

from api import archive_cli, backup_cli, export_cli, rebuild_cli, replay_cli, report_cli
from api.console import AsJson, configured, err, out, print_json, progress_bar
from api.import_cli import imports
from api.keys_cli import keys
from api.proof_cli import commands as proof_commands
from api.settings import Settings
from domain.errors import AnjuError, InvalidError
from domain.observation import GateRef
from domain.people import Person, Role, Scope
from domain.site import site_id
from recognition import models as model_files

if TYPE_CHECKING:
    from recognition.observe import Summary

app = typer.Typer(
    help="Anju 安居: the backend of a neighbourhood-safety command centre.\n\nSettings are environment variables with the prefix ANJU_; "
    "beside a running `anju demo` none is needed.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
models = typer.Typer(
    help="Model files: what they are, whether they are here and whole.", no_args_is_help=True
)
app.add_typer(models, name="models")
app.add_typer(archive_cli.archive, name="archive")
backup_cli.register(app)
replay_cli.register(app)
export_cli.register(app)
report_cli.register(app)
rebuild_cli.register(app)
app.add_typer(keys, name="keys")
app.add_typer(imports, name="import")
app.add_typer(proof_commands)

Port = Annotated[
    int | None, typer.Option(min=0, max=65535, help="Where to serve HTTP (8000); 0 finds a free one.")
]


def main() -> None:
    """The entry point: a refusal is one line on stderr and exit code 1."""
    try:
        app(prog_name="anju")
    except AnjuError as error:
        err.print(f"[red]{error.code}[/red] {escape(str(error))}", highlight=False, soft_wrap=True)
        raise SystemExit(1) from error
    except KeyboardInterrupt:
        raise SystemExit(130) from None


def _gate(text: str) -> GateRef:
    try:
        return GateRef.parse(text)
    except InvalidError as error:
        raise typer.BadParameter(str(error)) from error


def _run(coroutine: Coroutine[Any, Any, Any]) -> Any:
    return uvloop.run(coroutine)


def _model_progress(bar: Progress) -> model_files.Progress:
    tasks: dict[str, Any] = {}

    def progress(description: str, done: int, total: int | None) -> None:
        if description not in tasks:
            tasks[description] = bar.add_task(description, total=total)
        bar.update(tasks[description], completed=done, total=total)

    return progress


@app.command()
def demo(
    *,
    full: Annotated[
        bool, typer.Option("--full", help="Tell the story's whole year: 351,129 incidents, some minutes.")
    ] = False,
    headless_check: Annotated[
        bool,
        typer.Option(
            "--headless-check", help="Run everything, check what comes back, and exit (0: all as put in)."
        ),
    ] = False,
    port: Port = None,
) -> None:
    """Start everything on this machine, drive the Rui'an scenario through it, and stay up until Ctrl-C."""
    from api import demo as demonstration
    from api.scenario import load_scenario
    from api.year.plan import plan_year

    settings = configured(port=port)
    year = plan_year(load_scenario()) if full else None
    raise SystemExit(_run(demonstration.run(settings, out, stay=not headless_check, year=year)))


@app.command()
def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Port = None,
) -> None:
    """Serve the API. Workers run apart: `anju work`."""
    from api.bootstrap import system
    from api.http import application
    from api.serving import serving, until_signalled

    settings = configured(host=host, port=port)

    async def main() -> None:
        async with (
            system(settings, with_bus=settings.nats_url is not None) as running,
            serving(
                application(running),
                settings.host,
                settings.port,
                trusted_proxies=settings.trusted_proxies,
            ) as url,
        ):
            err.print(f"Anju answers at {url} (Ctrl-C stops it)", soft_wrap=True)
            await asyncio.Event().wait()

    _run(until_signalled(main()))


@app.command()
def work(
    *,
    ingest: Annotated[bool, typer.Option("--ingest", help="Take observations off the bus.")] = False,
    projections: Annotated[bool, typer.Option("--projections", help="Keep the read models up.")] = False,
    timers: Annotated[bool, typer.Option("--timers", help="Turn passed deadlines into events.")] = False,
) -> None:
    """Run the workers (all of them, if none is named) until Ctrl-C."""
    from api import workers
    from api.bootstrap import system
    from api.serving import until_signalled

    every = not (ingest or projections or timers)
    settings = configured()

    async def main() -> None:
        async with system(settings, with_bus=ingest or every) as running:
            err.print("working (Ctrl-C stops it)")
            await workers.work(
                running,
                ingesting=ingest or every,
                projecting=projections or every,
                timing=timers or every,
            )

    _run(until_signalled(main()))


@app.command()
def recognise(
    source: Annotated[
        Path, typer.Argument(help="An image, a folder of images, or a video file.", exists=True)
    ],
    gate: Annotated[
        GateRef,
        typer.Option(parser=_gate, metavar="SITE.GATE", help="Where it was taken, such as runjinyuan.main."),
    ],
    *,
    at: Annotated[
        datetime | None, typer.Option(help="When it was taken (UTC); the file's own time if not given.")
    ] = None,
    every: Annotated[
        float, typer.Option(min=0.01, help="Seconds between the frames looked at in a video.")
    ] = 1.0,
    pack: Annotated[
        str | None, typer.Option(help="An InsightFace pack that is on this machine, such as buffalo_l.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Find the faces in SOURCE and publish an observation of each on the bus."""
    from adapters.bus import bus
    from api.bootstrap import face_finder
    from recognition.observe import observe

    settings = configured()

    async def main() -> "Summary":
        async with bus(settings.require_nats_url) as connection:  # first: engines take a while to load
            with progress_bar() as bar:
                finder = await asyncio.to_thread(face_finder, settings, _model_progress(bar), pack)
                task = bar.add_task(source.name, total=None)
                return await observe(
                    source,
                    gate,
                    finder,
                    connection,
                    started_at=at.replace(tzinfo=UTC) if at else None,
                    every=every,
                    report=lambda so_far: bar.update(task, completed=so_far.frames),
                )

    summary = _run(main())
    if as_json:
        unreadable = [{"path": str(path), "reason": reason} for path, reason in summary.unreadable]
        print_json({"frames": summary.frames, "faces": summary.faces, "unreadable": unreadable})
    else:
        out.print(f"{summary.faces} faces in {summary.frames} frames, published for {gate}", highlight=False)
        for path, reason in summary.unreadable:
            err.print(f"{path}: {reason}", highlight=False, markup=False, soft_wrap=True)
    if summary.unreadable:
        raise SystemExit(1)


@app.command()
def migrate(*, as_json: AsJson = False) -> None:
    """Bring the database's schema up to date; running it again changes nothing."""
    from adapters import migrate as migrations

    before, now = migrations.migrate(configured().require_database_url)
    if as_json:
        print_json({"before": before, "now": now})
    else:
        out.print(f"schema {now}" + ("" if before == now else f" (was {before or 'empty'})"))


@app.command()
def schema() -> None:
    """Print the GraphQL schema; `anju schema > docs/schema.graphql` after a change."""
    from api.graphql.schema import sdl

    typer.echo(sdl(), nl=False)


@app.command()
def openapi() -> None:
    """Print the description of the HTTP interface; `anju openapi > docs/openapi.json` after a change."""
    from api.http import description

    typer.echo(description(configured()), nl=False)


@app.command()
def token(
    role: Annotated[Role, typer.Argument(help="What the holder is trusted with.")],
    *,
    person: Annotated[str | None, typer.Option(help="The holder's staff number.")] = None,
    township: Annotated[str | None, typer.Option(help="Only this township (its code).")] = None,
    site: Annotated[str | None, typer.Option(help="Only this site (its code).")] = None,
    unit: Annotated[
        list[str] | None, typer.Option(help="A unit the holder belongs to; may be given again.")
    ] = None,
) -> None:
    """Print a bearer token, signed with the key in the data folder and good for twelve hours."""
    from api.tokens import load_issuer

    holder = Person(
        person or f"demo-{role.value.replace('_', '-')}",
        frozenset({role}),
        Scope(township, _site(site)),
        frozenset(unit or []),
    )
    settings = configured()
    if settings.oidc_issuer and not settings.own_tokens:
        raise InvalidError(
            f"a token of ours is not believed here: get one from {settings.oidc_issuer}, or set ANJU_OWN_TOKENS=true"
        )
    typer.echo(load_issuer(settings.data_dir).sign(holder, datetime.now(UTC)))


@app.command("open311-key")
def open311_key(
    name: Annotated[str, typer.Argument(help="The integrator's: small letters, digits and hyphens.")],
    *,
    township: Annotated[str | None, typer.Option(help="Only for this township (its code).")] = None,
) -> None:
    """Print a new key with which NAME may bring reports over Open311. It is shown once: only its digest is kept."""
    from api.open311.keys import make_integrator_key

    typer.echo(make_integrator_key(configured().integrator_keys, name, township))


def _site(code: str | None) -> UUID | None:
    return site_id(code) if code else None


@models.command("list")
def models_list(*, as_json: AsJson = False) -> None:
    """Every model file Anju knows: purpose, licence, and where it is on this machine."""
    _show_models(configured(), as_json=as_json)


@models.command("verify")
def models_verify(*, as_json: AsJson = False) -> None:
    """Check the digest of every model file; exit 1 if one is missing or another file."""
    raise SystemExit(0 if _show_models(configured(), as_json=as_json) else 1)


@models.command("fetch")
def models_fetch() -> None:
    """Fetch the model files that are not here, and check them."""
    settings = configured()
    with progress_bar() as bar:
        paths = model_files.ensure(settings.models_dirs, progress=_model_progress(bar))
    for name, path in paths.items():
        out.print(f"{name}: {path}", highlight=False)


def _show_models(settings: Settings, *, as_json: bool) -> bool:
    found = model_files.verify(settings.models_dirs)
    if as_json:
        print_json(
            [
                {"name": v.model.name, "file": v.model.file, "path": v.path and str(v.path), "ok": v.ok}
                for v in found
            ]
        )
    else:
        table = Table("name", "purpose", "licence", "here")
        for item in found:
            state = (
                "[green]whole[/green]"
                if item.ok
                else f"[red]not {item.model.file}[/red]"
                if item.path
                else "not here"
            )
            table.add_row(item.model.name, item.model.purpose, item.model.licence, state)
        out.print(table)
        for pack in model_files.PACKS:
            here = model_files.locate_pack(pack.name, settings.models_dirs)
            out.print(
                f"pack {pack.name}: {pack.licence}; {'in ' + str(here) if here else 'not here, and never fetched'}"
            )
    return all(item.ok for item in found)
