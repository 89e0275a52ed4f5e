"""The page of state diagrams is what the event classes say."""

from enum import StrEnum

import diagrams
from eventsourcing.domain import Aggregate

from domain.lifecycle import Step
from domain.model import AGGREGATES


class LampState(StrEnum):
    OFF = "OFF"  # 关
    ON = "ON"
    BROKEN = "BROKEN"  # 坏, for good


class Lamp(Aggregate):
    class Event(Step):
        pass

    class Hung(Event, Aggregate.Created):
        TOPIC, TO = "lamp.hung", LampState.OFF

    class Lit(Event):
        TOPIC, FROM, TO = "lamp.lit", (LampState.OFF,), LampState.ON

    class Dimmed(Event):
        TOPIC, FROM = "lamp.dimmed", (LampState.ON,)

    class Wiped(Event):
        TOPIC = "lamp.wiped"

    class Dropped(Event):
        TOPIC, FROM, TO = "lamp.dropped", (LampState.OFF, LampState.ON), LampState.BROKEN

    class BurntOut(Event):
        TOPIC, FROM, TO = "lamp.burnt_out", (LampState.ON,), LampState.BROKEN


class Stone(Aggregate):
    class Found(Step, Aggregate.Created):
        TOPIC = "stone.found"


def test_the_page_is_what_the_event_classes_say():
    assert diagrams.PAGE.read_text(encoding="utf-8") == diagrams.page(AGGREGATES), (
        "run python -m tests.diagrams, and look at what it changes"
    )


def test_a_diagram_has_every_transition_once_the_terms_and_the_beginning():
    assert diagrams.section(Lamp).splitlines()[4:] == [
        "```mermaid",
        "stateDiagram-v2",
        '    state "OFF 关" as OFF',
        '    state "BROKEN 坏" as BROKEN',
        "    [*] --> OFF: hung",
        "    OFF --> ON: lit",
        "    OFF --> BROKEN: dropped",
        "    ON --> BROKEN: dropped, burnt_out",
        "```",
        "",
        "It stays where it is:",
        "",
        "- `dimmed`: ON",
        "- `wiped`: in every state",
    ]


def test_what_has_no_states_has_no_diagram():
    assert "Stone" not in diagrams.page([Lamp, Stone])
