"""`anju replay`: what the log says of one aggregate, event by event, and what it was at any moment."""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Annotated
from uuid import UUID

import typer
import uvloop
from rich.console import Group, RenderableType
from rich.markup import escape
from rich.padding import Padding
from rich.table import Column, Table

from api.audit import past
from api.bootstrap import system
from api.console import AsJson, configured, out, print_json
from domain.history import Change, Past, difference
from domain.working_time import ZONE

_TIME = "%Y-%m-%d %H:%M:%S"
_INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?([+-]\d\d:\d\d|Z)")


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command("replay")(show)


def show(
    subject: Annotated[
        UUID,
        typer.Argument(metavar="ID", help="An incident, a site, a key: any aggregate.", show_default=False),
    ],
    *,
    at: Annotated[
        str | None, typer.Option(metavar="TIME", help="As the log knew it then: 2026-03-01T08:00:00+08:00.")
    ] = None,
    position: Annotated[
        int | None, typer.Option(min=1, help="As it was when the log had come to this position.")
    ] = None,
    diff: Annotated[
        tuple[str, str] | None,
        typer.Option(metavar="A B", help="What differs between two moments, each a position or a time."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show every event of ID and what it changed: who, when it happened, when it was recorded. Personal values stay sealed."""
    if sum(given is not None for given in (at, position, diff)) > 1:
        raise typer.BadParameter("choose one of --at, --position and --diff")
    first, last = (
        (past.moment(diff[0]), past.moment(diff[1])) if diff else (None, past.time(at) if at else position)
    )
    seen = past.between(uvloop.run(_whole(subject)), first, last)
    if as_json:
        print_json(past.facts(seen, with_state=diff is None))
        return
    out.print(f"{seen.kind} {subject}, version {seen.version}; times of {ZONE.key}", highlight=False)
    out.print()
    for event in seen.events:
        out.print(_told(event), highlight=False)
    if diff:
        out.print(_difference_table(difference(seen.before, seen.after)))
        return
    out.print("[bold]What it is after that[/bold] (--json shows what is empty too)", highlight=False)
    out.print(
        _grid({name: value for name, value in seen.after.items() if not _is_empty(value)}), highlight=False
    )


async def _whole(subject: UUID) -> past.Whole:
    async with system(configured(), with_bus=False) as running:
        return await past.whole(running, subject)


def _told(event: Past) -> RenderableType:
    """One event: what, when and by whom in a line, what it said and changed below, and what it led to."""
    happened, recorded = (
        at.astimezone(ZONE).strftime(_TIME) for at in (event.happened_at, event.recorded_at)
    )
    line = f"[bold]{event.topic}[/bold]  {happened}  {escape(event.actor)}"
    where = f"[dim]position {event.position}, recorded {recorded}[/dim]"
    state = event.changed.get("state")
    below = _grid({name: value for name, value in event.said.items() if not _is_empty(value)})
    for name, change in _unsaid(event).items():
        if name != "state" and not (_is_empty(change.before) and _is_empty(change.after)):
            below.add_row(
                name,
                escape(
                    f"{_words(change.before)} → {_words(change.after)}"
                    if event.version > 1
                    else _words(change.after)
                ),
            )
    led_to = [f"[dim]→[/dim] [bold]{escape(_words(state.after))}[/bold]"] if state else []
    return Group(
        f"[dim]{event.version:>3}[/dim]  {line}", Padding(Group(where, below, *led_to), (0, 0, 1, 5))
    )


def _grid(values: Mapping[str, object]) -> Table:
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="dim")
    grid.add_column(overflow="fold")
    for name, value in values.items():
        grid.add_row(name, escape(_words(value)))
    return grid


def _difference_table(changed: Mapping[str, Change]) -> Table:
    table = Table("field", Column("before", overflow="fold"), Column("after", overflow="fold"))
    for name, change in changed.items():
        table.add_row(name, escape(_words(change.before)), escape(_words(change.after)))
    return table


def _unsaid(event: Past) -> dict[str, Change]:
    """What the event changed otherwise than by its own words."""
    return {
        name: change
        for name, change in event.changed.items()
        if name not in event.said or event.said[name] != change.after
    }


def _is_empty(value: object) -> bool:
    """Whether there is nothing to tell: JSON shows it all the same."""
    return value in (None, False, 0, "", "0:00:00") or value in ([], {})


def _words(value: object) -> str:
    """A plain value as a person reads it: times in the zone of the place, what is not flat part by part."""
    match value:
        case {"name": str(name), "due_at": str(due), "rule": str(rule)}:
            words = f"{name} until {_words(due)} ({rule})"
        case dict():
            words = ", ".join(f"{key}: {_words(item)}" for key, item in value.items())
        case list():
            words = ", ".join(map(_words, value))
        case bool():
            words = "yes" if value else "no"
        case str() if _INSTANT.fullmatch(value):
            words = datetime.fromisoformat(value).astimezone(ZONE).strftime(_TIME)
        case _:
            words = "" if value is None else str(value)
    return words or "–"
