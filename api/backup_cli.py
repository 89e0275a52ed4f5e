"""`anju backup` and `anju restore`."""

import asyncio
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from adapters.backup import backup as make_backup
from adapters.restore import restore as bring_back
from api.console import AsJson, err, out, print_json, reporting
from api.settings import load_settings


def register(app: typer.Typer) -> None:
    """Add the commands to `app`."""
    app.command()(backup)
    app.command()(restore)


def backup(
    directory: Annotated[Path, typer.Argument(help="Where backups are kept; each gets a folder of its own.")],
    *,
    as_json: AsJson = False,
) -> None:
    """Back the database up while it is in use: one folder with a dump, what it holds, and their digests. Never the master keys."""
    settings = load_settings()
    with reporting() as progress:
        folder, manifest = asyncio.run(make_backup(settings.require_database_url, directory, progress))
    if as_json:
        print_json({"folder": str(folder), **_facts(manifest)})
        return
    out.print(
        f"{folder}: the log up to position {manifest.position}", highlight=False, markup=False, soft_wrap=True
    )
    err.print(manifest.keys, highlight=False, markup=False, soft_wrap=True)
    if manifest.archives:
        err.print(
            f"Keep these archives with it: {', '.join(manifest.archives)}", highlight=False, markup=False
        )


def restore(
    folder: Annotated[Path, typer.Argument(help="A backup: one of the folders that `anju backup` made.")],
    *,
    as_json: AsJson = False,
) -> None:
    """Bring a backup back into the empty database of ANJU_DATABASE_URL, migrate it and verify it; exit 1 if it does not hold."""
    settings = load_settings()
    with reporting() as progress:
        done = asyncio.run(bring_back(settings.require_database_url, folder, progress))
    verdict = done.verdict
    if as_json:
        print_json(
            {
                "holds": verdict.holds,
                "events": verdict.events,
                "hash": verdict.hash.hex(),
                "problem": verdict.problem,
                "schema": done.schema,
                "backup": _facts(done.manifest),
            }
        )
    elif verdict.holds:
        out.print(
            f"restored, and the chain holds: {verdict.events} events, last hash {verdict.hash.hex()}",
            soft_wrap=True,
        )
    else:
        err.print(f"[red]restored, and the chain is broken[/red]: {verdict.problem}", soft_wrap=True)
    raise SystemExit(0 if verdict.holds else 1)


def _facts(manifest: Any) -> dict[str, Any]:
    return dict(msgspec.to_builtins(manifest))
