"""Site 小区/社区/村居: a place with gates, from plan to operation."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID, uuid5

from eventsourcing.domain import Aggregate

from domain.errors import NotFoundError, RuleError
from domain.lifecycle import Step, advance, require_aware, require_text
from domain.observation import NAMESPACE, require_code
from domain.people import Person


class SiteState(StrEnum):
    """How far the site has come."""

    PLANNED = "PLANNED"
    UNDER_CONSTRUCTION = "UNDER_CONSTRUCTION"  # 在建
    ACCEPTED = "ACCEPTED"  # 验收
    OPERATING = "OPERATING"


class GateMode(StrEnum):
    """OPEN records who passes and stops nobody; GUARDED opens for a known credential and holds everyone else for a person."""

    OPEN = "OPEN"
    GUARDED = "GUARDED"


class Direction(StrEnum):
    """Which way people pass."""

    IN = "IN"
    OUT = "OUT"


@dataclass(frozen=True, slots=True)
class Gate:
    """A way in or out. `code` is unique within its site."""

    code: str
    name: str
    mode: GateMode
    direction: Direction


S = SiteState


def site_id(code: str) -> UUID:
    """The id of the site with this code."""
    return uuid5(NAMESPACE, f"site:{code}")


class Site(Aggregate):
    """A site and its gates."""

    TOPIC = "site"

    class Event(Step):
        """`actor` is the person behind it."""

    class Planned(Event, Aggregate.Created):
        """The programme takes the site in."""

        TOPIC = "site.planned"
        TO = S.PLANNED
        code: str
        name: str
        township: str

    Created = Planned

    class ConstructionStarted(Event):
        """在建."""

        TOPIC = "site.construction_started"
        FROM, TO = (S.PLANNED,), S.UNDER_CONSTRUCTION

    class Accepted(Event):
        """验收."""

        TOPIC = "site.accepted"
        FROM, TO = (S.UNDER_CONSTRUCTION,), S.ACCEPTED

    class OperationStarted(Event):
        """The site is live."""

        TOPIC = "site.operation_started"
        FROM, TO = (S.ACCEPTED,), S.OPERATING

    class GateAdded(Event):
        """A gate was built; allowed in every state."""

        TOPIC = "site.gate_added"
        code: str
        name: str
        mode: GateMode
        direction: Direction

        def apply(self, aggregate: Site) -> None:
            gate = Gate(self.code, self.name, self.mode, self.direction)
            aggregate.gates = {**aggregate.gates, self.code: gate}

    state: SiteState

    def __init__(self, code: str, name: str, township: str) -> None:
        self.code = code
        self.name = name
        self.township = township
        self.gates: dict[str, Gate] = {}

    @classmethod
    def plan(cls, *, code: str, name: str, township: str, by: Person, at: datetime) -> Site:
        """A new site; its id follows from its code, so the same code cannot be planned twice."""
        return cls._create(
            cls.Planned,
            id=site_id(require_code(code, "site code")),
            timestamp=require_aware(at),
            actor=by.id,
            code=code,
            name=require_text(name, "name", 100),
            township=require_code(township, "township"),
        )

    def start_construction(self, *, by: Person, at: datetime) -> None:
        """在建."""
        advance(self, self.ConstructionStarted, by=by, at=at)

    def accept(self, *, by: Person, at: datetime) -> None:
        """验收: an inspection found it good."""
        advance(self, self.Accepted, by=by, at=at)

    def start_operation(self, *, by: Person, at: datetime) -> None:
        """Go live."""
        advance(self, self.OperationStarted, by=by, at=at)

    def add_gate(self, *, by: Person, at: datetime, gate: Gate) -> None:
        """Add a gate whose code is not taken here."""
        if require_code(gate.code, "gate code") in self.gates:
            raise RuleError(f"site {self.code} already has a gate {gate.code!r}: choose another code")
        self.trigger_event(
            self.GateAdded,
            timestamp=require_aware(at),
            actor=by.id,
            code=gate.code,
            name=require_text(gate.name, "gate name", 100),
            mode=gate.mode,
            direction=gate.direction,
        )

    @property
    def site_id(self) -> UUID:
        """Its own id: where it lies."""
        return self.id

    def gate(self, code: str) -> Gate:
        """The gate with this code; NotFoundError names those there are."""
        try:
            return self.gates[code]
        except KeyError:
            known = ", ".join(sorted(self.gates)) or "none"
            raise NotFoundError(f"site {self.code} has no gate {code!r}; its gates: {known}") from None
