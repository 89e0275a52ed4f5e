"""docs/domain.md: a state diagram of every aggregate that has states, drawn from the transitions of its event classes.

python -m tests.diagrams     write the page anew
"""

import inspect
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Any

from eventsourcing.domain import Aggregate, CanInitAggregate

from domain.lifecycle import transitions
from domain.model import AGGREGATES, event_classes

PAGE = Path(__file__).resolve().parents[1] / "docs" / "domain.md"
INTRODUCTION = """\
# States

Drawn from the event classes in `domain/` by `python -m tests.diagrams`: change those, and never this page; a test compares the two.
An arrow is an event; a command whose arrow does not leave the state it meets is refused.
"""
_MEMBER = re.compile(r"^\s*(\w+)\s*=.*?#.*?([\u4e00-\u9fff]+)", re.MULTILINE)


def page(aggregates: Iterable[type[Aggregate]]) -> str:
    """The whole page, as Markdown."""
    return "\n".join([INTRODUCTION, *map(section, filter(has_states, aggregates))])


def section(aggregate: type[Aggregate]) -> str:
    """What the aggregate is, its diagram, and what happens to it without moving it."""
    events = list(event_classes(aggregate).values())
    staying = list(_staying(events))
    parts = [
        f"## {aggregate.__name__}\n",
        f"{(sys.modules[aggregate.__module__].__doc__ or '').splitlines()[0]}\n",
        *("```mermaid", *diagram(events), "```\n"),
    ]
    if staying:
        parts += ["It stays where it is:\n", *(f"- {line}" for line in staying), ""]
    return "\n".join(parts)


def has_states(aggregate: type[Aggregate]) -> bool:
    """Whether any of its events leads somewhere."""
    return any(_to(event) for event in event_classes(aggregate).values())


def diagram(events: Sequence[type[Any]]) -> Iterator[str]:
    """The lines of a Mermaid state diagram."""
    yield "stateDiagram-v2"
    moves = [(source, topic, to) for source, topic, to in transitions(events) if source != to]
    begins = [
        ("[*]", event.TOPIC, str(_to(event)))
        for event in events
        if _to(event) and issubclass(event, CanInitAggregate)
    ]
    for state in _states(events):
        term = _chinese(type(state)).get(state.name)
        if term:
            yield f'    state "{state} {term}" as {state}'
    labels: dict[tuple[str, str], list[str]] = {}
    for source, topic, to in begins + moves:
        labels.setdefault((source, to), []).append(_fact(topic))
    for (source, to), facts in labels.items():
        yield f"    {source} --> {to}: {', '.join(facts)}"


def _staying(events: Sequence[type[Any]]) -> Iterator[str]:
    """A line for each event that may happen and moves nothing, with the states it may happen in."""
    for event in events:
        if issubclass(event, CanInitAggregate):
            continue
        where = [str(state) for state in event.FROM if _to(event) in (None, state)]
        if where or not event.FROM:
            yield f"`{_fact(event.TOPIC)}`: {', '.join(where) or 'in every state'}"


def _states(events: Sequence[type[Any]]) -> list[StrEnum]:
    """All states that the events know, in the order of their definition."""
    known = {state for event in events for state in (*event.FROM, _to(event)) if state}
    kinds = dict.fromkeys(type(state) for event in events for state in (*event.FROM, _to(event)) if state)
    return [state for kind in kinds for state in kind if state in known]


def _to(event: type[Any]) -> StrEnum | None:
    return event.TO


def _chinese(vocabulary: type[StrEnum]) -> dict[str, str]:
    """Member -> its Chinese term, as the comment behind it says."""
    return dict(_MEMBER.findall(inspect.getsource(vocabulary)))


def _fact(topic: str) -> str:
    return topic.partition(".")[2]


if __name__ == "__main__":
    PAGE.write_text(page(AGGREGATES), encoding="utf-8")
