"""Site 小区/社区/村居: a place with households, gates and measures of the programme, from plan to operation."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, datetime
from enum import StrEnum
from functools import lru_cache
from uuid import UUID, uuid5

from eventsourcing.domain import Aggregate

from domain.credentials import CredentialKind
from domain.errors import InvalidError, NotFoundError, RuleError
from domain.lifecycle import YEARS, Step, advance, require_aware, require_text
from domain.observation import NAMESPACE, require_code
from domain.people import Person
from domain.working_time import ZONE


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


class Measure(StrEnum):
    """What the programme installs."""

    FACE_CAPTURE = "FACE_CAPTURE"  # 人脸抓拍
    VEHICLE_CAPTURE = "VEHICLE_CAPTURE"  # 车辆抓拍
    VIDEO_SURVEILLANCE = "VIDEO_SURVEILLANCE"  # 视频监控
    INFRARED_PERIMETER = "INFRARED_PERIMETER"  # 红外周界
    VIDEO_ALERT = "VIDEO_ALERT"  # 视频预警
    DOOR_CARD = "DOOR_CARD"  # 入楼刷卡
    VISITOR_REGISTRATION = "VISITOR_REGISTRATION"  # 访客登记


BY_CARD = (CredentialKind.CARD,)
"""What a gate takes if nobody says otherwise: no face is asked for by default."""


@dataclass(frozen=True, slots=True)
class Gate:
    """A way in or out. `code` is unique within its site. `credentials`: by what people can be known at it."""

    code: str
    name: str
    mode: GateMode
    direction: Direction
    credentials: tuple[CredentialKind, ...] = BY_CARD

    @property
    def face_only(self) -> bool:
        """Whether a face is the only thing that helps: unlawful where it is in use (Face Measures 10, 12)."""
        return set(self.credentials) - {CredentialKind.NONE} == {CredentialKind.FACE}


S = SiteState

COUNTS = range(1, 1_000_000)
"""How many households or buildings a site can have."""


@lru_cache(1024)
def site_id(code: str) -> UUID:
    """The id of the site with this code."""
    return uuid5(NAMESPACE, f"site:{code}")


class Site(Aggregate):
    """A site, its gates and measures. `households`, `buildings`: as last counted; None before the first count.

    `builders`: who had a hand in it; none of them inspects it.
    """

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

        def apply(self, aggregate: Site) -> None:
            super().apply(aggregate)
            aggregate.builders = aggregate.builders | {self.actor}

    class Accepted(Event):
        """验收. `inspector`: the staff id of who inspected it."""

        TOPIC = "site.accepted"
        FROM, TO = (S.UNDER_CONSTRUCTION,), S.ACCEPTED
        inspector: str

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
        credentials: tuple[CredentialKind, ...]

        def apply(self, aggregate: Site) -> None:
            gate = Gate(self.code, self.name, self.mode, self.direction, self.credentials)
            aggregate.gates = {**aggregate.gates, self.code: gate}
            aggregate.builders = aggregate.builders | {self.actor}

    class GateCredentialsChanged(Event):
        """People are known at the gate by other things than before; allowed in every state."""

        TOPIC = "site.gate_credentials_changed"
        gate: str
        credentials: tuple[CredentialKind, ...]

        def apply(self, aggregate: Site) -> None:
            gate = replace(aggregate.gates[self.gate], credentials=self.credentials)
            aggregate.gates = {**aggregate.gates, self.gate: gate}

    class MeasureInstalled(Event):
        """A measure works: at one gate, or (without `gate`) for the whole site."""

        TOPIC = "site.measure_installed"
        FROM = (S.UNDER_CONSTRUCTION, S.ACCEPTED, S.OPERATING)
        measure: Measure
        gate: str | None

        def apply(self, aggregate: Site) -> None:
            aggregate.measures = aggregate.measures | {(self.measure, self.gate)}
            aggregate.builders = aggregate.builders | {self.actor}

    class HouseholdsCounted(Event):
        """So many households, and buildings if they were counted, from the day `counts_from` on."""

        TOPIC = "site.households_counted"
        households: int
        buildings: int | None
        counts_from: date

        def apply(self, aggregate: Site) -> None:
            if aggregate.counted_from is None or self.counts_from >= aggregate.counted_from:
                aggregate.households = self.households
                aggregate.buildings = aggregate.buildings if self.buildings is None else self.buildings
                aggregate.counted_from = self.counts_from

    state: SiteState

    def __init__(self, code: str, name: str, township: str) -> None:
        self.code = code
        self.name = name
        self.township = township
        self.gates: dict[str, Gate] = {}
        self.measures: frozenset[tuple[Measure, str | None]] = frozenset()
        self.builders: frozenset[str] = frozenset()
        self.households: int | None = None
        self.buildings: int | None = None
        self.counted_from: date | None = None

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

    def accept(self, *, by: Person, at: datetime, inspector: str) -> None:
        """验收: `inspector` (a staff id), who did not build it, found it good: it has a gate and a measure at least."""
        inspector = require_text(inspector, "inspector", 100)
        if self.state is S.UNDER_CONSTRUCTION:
            self._require_complete()
        if inspector in self.builders:
            raise RuleError(
                f"{inspector} helped to build site {self.code}: somebody who did not must inspect it"
            )
        advance(self, self.Accepted, by=by, at=at, inspector=inspector)

    def start_operation(self, *, by: Person, at: datetime) -> None:
        """Go live: every gate that knows faces has another way in."""
        for gate in self.gates.values():
            _require_another_way(gate, "the site cannot operate")
        advance(self, self.OperationStarted, by=by, at=at)

    def add_gate(self, *, by: Person, at: datetime, gate: Gate) -> None:
        """Add a gate whose code is not taken here."""
        if require_code(gate.code, "gate code") in self.gates:
            raise RuleError(f"site {self.code} already has a gate {gate.code!r}: choose another code")
        credentials = _require_credentials(gate.credentials)
        if self.state is S.OPERATING:
            _require_another_way(gate, "it cannot be added to an operating site")
        self.trigger_event(
            self.GateAdded,
            timestamp=require_aware(at),
            actor=by.id,
            code=gate.code,
            name=require_text(gate.name, "gate name", 100),
            mode=gate.mode,
            direction=gate.direction,
            credentials=credentials,
        )

    def change_credentials(
        self, *, by: Person, at: datetime, gate: str, credentials: tuple[CredentialKind, ...]
    ) -> None:
        """Say by what people can be known at `gate` from now on."""
        changed = replace(self.gate(gate), credentials=_require_credentials(credentials))
        if self.state is S.OPERATING or (Measure.FACE_CAPTURE, gate) in self.measures:
            _require_another_way(changed, "its other credentials stay")
        self.trigger_event(
            self.GateCredentialsChanged,
            timestamp=require_aware(at),
            actor=by.id,
            gate=gate,
            credentials=changed.credentials,
        )

    def install_measure(self, *, by: Person, at: datetime, measure: Measure, gate: str | None = None) -> None:
        """Record that `measure` works at `gate`, or for the whole site. Faces are captured only where there is another way in."""
        if (measure, gate) in self.measures:
            raise RuleError(f"{measure} is installed there already; a measure is installed once at a place")
        if gate is not None and measure is Measure.FACE_CAPTURE:
            _require_another_way(self.gate(gate), "faces cannot be captured there")
        elif gate is not None:
            self.gate(gate)
        advance(self, self.MeasureInstalled, by=by, at=at, measure=measure, gate=gate)

    def count_households(
        self, *, by: Person, at: datetime, households: int, counts_from: date, buildings: int | None = None
    ) -> None:
        """Record how many households there are from the day `counts_from` on: today or earlier, in China's time."""
        for number, what in ((households, "households"), (buildings, "buildings")):
            if number is not None and number not in COUNTS:
                raise InvalidError(f"{number} {what}: from {COUNTS.start} to {COUNTS.stop - 1} are accepted")
        today = require_aware(at).astimezone(ZONE).date()
        if counts_from > today or counts_from.year not in YEARS:
            raise InvalidError(
                f"households count from {counts_from}: a day up to today, {today}, is accepted"
            )
        self.trigger_event(
            self.HouseholdsCounted,
            timestamp=at,
            actor=by.id,
            households=households,
            buildings=buildings,
            counts_from=counts_from,
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

    def _require_complete(self) -> None:
        missing = [what for what, found in (("gate", self.gates), ("measure", self.measures)) if not found]
        if missing:
            raise RuleError(
                f"site {self.code} cannot be accepted without a {' and a '.join(missing)}: build and install them first"
            )


def _require_credentials(credentials: tuple[CredentialKind, ...]) -> tuple[CredentialKind, ...]:
    """`credentials`, each once, in the order of the vocabulary."""
    if not credentials:
        raise InvalidError("a gate needs at least one kind of credential; NONE says that nothing is shown")
    return tuple(kind for kind in CredentialKind if kind in credentials)


def _require_another_way(gate: Gate, refused: str) -> None:
    if gate.face_only:
        raise RuleError(
            f"gate {gate.code} knows people by their face only, and {refused}: give it a card, plate or code as well"
        )
