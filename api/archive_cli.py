"""`anju archive`: old observations, taken off the log into files and brought back."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from adapters import archive as archives
from adapters.archive_return import attach as bring_back
from api.console import AsJson, out, print_json, reporting
from api.settings import load_settings

archive = typer.Typer(
    help="Old observations: take them off the log into files, and bring them back. Log in as the owner of the database.",
    no_args_is_help=True,
)
Days = Annotated[int, typer.Option("--older-than", min=0, help="Days that the youngest row must have.")]


@archive.command("list")
def list_(*, older_than: Days = archives.YOUNGEST, as_json: AsJson = False) -> None:
    """The leaves of observations: which lie in the log, and whether they can go; which lie in archives."""
    url = load_settings().require_database_url
    leaves, made = asyncio.run(archives.inventory(url, youngest=older_than))
    if as_json:
        print_json({"leaves": leaves, "archives": made})
        return
    table = Table("leaf", "positions", "bytes", "")
    for leaf in leaves:
        table.add_row(
            leaf.leaf, f"{leaf.lower}..{leaf.upper - 1}", f"{leaf.size:,}", leaf.why_not or "can be archived"
        )
    for one in made:
        state = "back in the log" if one.attached_at else f"in {one.file}"
        table.add_row(one.leaf, f"{one.first}..{one.last}", f"{one.size:,}", f"{state} ({one.rows:,} rows)")
    out.print(table)


@archive.command()
def detach(
    leaf: Annotated[str, typer.Argument(help="A leaf that `anju archive list` shows.")],
    directory: Annotated[Path, typer.Option("-o", "--output", help="Folder for the archive.")],
    *,
    older_than: Days = archives.YOUNGEST,
    as_json: AsJson = False,
) -> None:
    """Write LEAF to an archive in the folder, and take its rows off the log. The chain holds without them."""
    url = load_settings().require_database_url
    with reporting() as progress:
        made = asyncio.run(archives.detach(url, leaf, directory, progress, youngest=older_than))
    if as_json:
        print_json(made)
    else:
        out.print(
            f"{directory / made.file}: {made.rows} rows, positions {made.first} to {made.last}, {made.size} bytes\n"
            "Keep more than one copy: it is the only place where these rows are.",
            highlight=False,
            markup=False,
            soft_wrap=True,
        )


@archive.command()
def attach(
    file: Annotated[Path, typer.Argument(help="An archive that `anju archive detach` made.")],
    *,
    as_json: AsJson = False,
) -> None:
    """Bring the rows of FILE back into the log, after proving that they are those that were taken off."""
    url = load_settings().require_database_url
    with reporting() as progress:
        rows = asyncio.run(bring_back(url, file, progress))
    if as_json:
        print_json({"file": str(file), "rows": rows})
    else:
        out.print(
            f"{rows} rows are back in the log; {file} is as it was",
            highlight=False,
            markup=False,
            soft_wrap=True,
        )
