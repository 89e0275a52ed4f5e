"""`anju replay`: what the log says of one aggregate, event by event, and what it was at any moment."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated
from uuid import UUID

import typer
import uvloop
from rich.markup import escape
from rich.table import Table

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
    out.print(_events_table(seen.events))
    out.print(_difference_table(difference(seen.before, seen.after)) if diff else _state_table(seen.after))


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


def _events_table(events: Sequence[Past]) -> Table:
    table = Table("№", "what, and who", "happened\nrecorded", "it said", "it changed", show_lines=True)
    for past in events:
        table.add_row(
            f"{past.position}\n[dim]v{past.version}[/dim]",
            f"[bold]{past.topic}[/bold]\n{escape(past.actor)}",
            f"{past.happened_at.astimezone(ZONE).strftime(_TIME)}\n[dim]{past.recorded_at.astimezone(ZONE).strftime(_TIME)}[/dim]",
            _lines(past.said),
            _lines(_unsaid(past)),
        )
    return table


def _state_table(state: Mapping[str, object]) -> Table:
    table = Table("field", "after these events")
    for name, value in state.items():
        table.add_row(name, escape(_text(value)))
    return table


def _difference_table(changed: Mapping[str, Change]) -> Table:
    table = Table("field", "before", "after")
    for name, change in changed.items():
        table.add_row(name, escape(_text(change.before)), escape(_text(change.after)))
    return table


def _unsaid(past: Past) -> dict[str, object]:
    """What the event changed otherwise than by its own words."""
    changed = {name: change.after for name, change in past.changed.items()}
    return {
        name: after for name, after in changed.items() if name not in past.said or past.said[name] != after
    }


def _lines(values: Mapping[str, object]) -> str:
    return "\n".join(f"[dim]{name}[/dim] {escape(_text(value))}" for name, value in values.items())


def _text(value: object) -> str:
    if value is None:
        return "–"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
