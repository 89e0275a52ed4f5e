"""`anju replay`: what the log says of one aggregate, event by event, and what it was at any moment."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated
from uuid import UUID

import typer
import uvloop
from rich.console import Group, RenderableType
from rich.markup import escape
from rich.padding import Padding
from rich.table import Column, Table

from adapters.sealing import scopes_of
from api.bootstrap import system
from api.console import AsJson, configured, out, print_json
from domain.errors import InvalidError, NotFoundError
from domain.history import Change, Past, difference, known, replay
from domain.lifecycle import require_aware, topic_of
from domain.model import AGGREGATES, event_classes
from domain.working_time import ZONE

Moment = int | datetime
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
    first, last = (_moment(diff[0]), _moment(diff[1])) if diff else (None, _time(at) if at else position)
    seen = _between(subject, uvloop.run(_history(subject)), first, last)
    if as_json:
        print_json(_facts(seen, with_state=diff is None))
        return
    out.print(f"{seen.kind} {subject}, version {seen.version}; times of {ZONE.key}", highlight=False)
    out.print()
    for past in seen.events:
        out.print(_told(past), highlight=False)
    if diff:
        out.print(_difference_table(difference(seen.before, seen.after)))
        return
    out.print("[bold]What it is after that[/bold] (--json shows what is empty too)", highlight=False)
    out.print(
        _grid({name: value for name, value in seen.after.items() if not _is_empty(value)}), highlight=False
    )


@dataclass(frozen=True, slots=True)
class _Seen:
    """What is shown: the events after one moment up to another, and the states at both; before there was anything it is empty."""

    id: UUID
    kind: str
    version: int
    events: Sequence[Past]
    before: Mapping[str, object]
    after: Mapping[str, object]


def _between(subject: UUID, history: Sequence[Past], first: Moment | None, last: Moment | None) -> _Seen:
    """None: from the beginning, and to the end. NotFoundError if there was nothing yet; InvalidError if `first` is the later one."""
    kind = next(topic_of(kind) for kind in AGGREGATES if history[0].topic in event_classes(kind))
    start = 0 if first is None else known(history, first)
    end = len(history) if last is None else known(history, last)
    if start > end:
        raise InvalidError(f"{first} is after {last}: name the earlier moment first")
    if end == 0:
        raise NotFoundError(
            f"there was no {kind} {subject} yet at {last}: its first event has position {history[0].position} "
            f"and was recorded at {history[0].recorded_at.isoformat()}"
        )
    before = history[start - 1].state if start else {}
    return _Seen(subject, kind, end, history[start:end], before, history[end - 1].state)


async def _history(subject: UUID) -> list[Past]:
    async with system(configured(), with_bus=False) as running:
        entries = await running.log.history(subject, opened=False)
        if not entries:
            kinds = ", ".join(topic_of(kind) for kind in AGGREGATES)
            raise NotFoundError(f"nothing in the log has the id {subject}; what has one: {kinds}")
        scopes = scopes_of(entry.event for entry in entries)
        return replay(entries, await running.vault.destroyed(scopes))


def _moment(text: str) -> Moment:
    """A position (digits) or a time with its zone."""
    return int(text) if text.isascii() and text.isdigit() else _time(text)


def _time(text: str) -> datetime:
    try:
        time = datetime.fromisoformat(text)
    except ValueError as error:
        raise InvalidError(
            f"{text!r} is no time: write it as 2026-03-01T08:00:00+08:00 (or, for --diff, a position, such as 17)"
        ) from error
    return require_aware(time)


def _facts(seen: _Seen, *, with_state: bool) -> dict[str, object]:
    """For JSON. The state after an event is in `changed`, and that after the last one in `state`."""
    events = [
        {
            "position": past.position,
            "version": past.version,
            "topic": past.topic,
            "actor": past.actor,
            "happened_at": past.happened_at,
            "recorded_at": past.recorded_at,
            "said": past.said,
            "changed": past.changed,
        }
        for past in seen.events
    ]
    facts: dict[str, object] = {"id": seen.id, "kind": seen.kind, "version": seen.version, "events": events}
    return facts | ({"state": seen.after} if with_state else {"changed": difference(seen.before, seen.after)})


def _told(past: Past) -> RenderableType:
    """One event: what, when and by whom in a line, what it said and changed below, and what it led to."""
    happened, recorded = (at.astimezone(ZONE).strftime(_TIME) for at in (past.happened_at, past.recorded_at))
    line = f"[bold]{past.topic}[/bold]  {happened}  {escape(past.actor)}"
    where = f"[dim]position {past.position}, recorded {recorded}[/dim]"
    state = past.changed.get("state")
    below = _grid({name: value for name, value in past.said.items() if not _is_empty(value)})
    for name, change in _unsaid(past).items():
        if name != "state" and not (_is_empty(change.before) and _is_empty(change.after)):
            below.add_row(
                name,
                escape(
                    f"{_words(change.before)} → {_words(change.after)}"
                    if past.version > 1
                    else _words(change.after)
                ),
            )
    led_to = [f"[dim]→[/dim] [bold]{escape(_words(state.after))}[/bold]"] if state else []
    return Group(f"[dim]{past.version:>3}[/dim]  {line}", Padding(Group(where, below, *led_to), (0, 0, 1, 5)))


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


def _unsaid(past: Past) -> dict[str, Change]:
    """What the event changed otherwise than by its own words."""
    return {
        name: change
        for name, change in past.changed.items()
        if name not in past.said or past.said[name] != change.after
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
