"""Centre 综治中心: a township's governance centre, inspected item by item against the standard, and who works in it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID, uuid5

from eventsourcing.domain import Aggregate

from domain.errors import RuleError
from domain.lifecycle import Step, advance, require_aware, require_text
from domain.observation import NAMESPACE, require_code
from domain.people import Person


class CentreState(StrEnum):
    """Whether it is what the standard asks for."""

    FOUNDED = "FOUNDED"
    ACCEPTED = "ACCEPTED"  # 验收
    WITHDRAWN = "WITHDRAWN"  # was accepted, and failed a later inspection


class Item(StrEnum):
    """What the standard asks for."""

    RECEPTION_WINDOW = "RECEPTION_WINDOW"  # 群众接待窗口
    MEDIATION_ROOM = "MEDIATION_ROOM"  # 矛盾纠纷调处室
    COUNSELLING_ROOM = "COUNSELLING_ROOM"  # 心理咨询室
    INFORMATION_COMMAND_ROOM = "INFORMATION_COMMAND_ROOM"  # 综合信息指挥室
    VIDEO_ROOM = "VIDEO_ROOM"  # 视频监控研判室
    SIGN = "SIGN"  # 标牌
    RULES_ON_THE_WALL = "RULES_ON_THE_WALL"  # 制度上墙


@dataclass(frozen=True, slots=True)
class Inspection:
    """The latest of an item: when, by whom (a staff id), and what came of it."""

    at: datetime
    inspector: str
    passed: bool


S = CentreState


def centre_id(township: str) -> UUID:
    """The id of the township's centre."""
    return uuid5(NAMESPACE, f"centre:{township}")


class Centre(Aggregate):
    """The centre of one township. inspections: the latest of each item. staff: who works there, and for which unit."""

    TOPIC = "centre"
    site_id = None

    class Event(Step):
        """`actor` is the person behind it."""

    class Founded(Event, Aggregate.Created):
        """The township has a centre."""

        TOPIC = "centre.founded"
        TO = S.FOUNDED
        township: str
        name: str

    Created = Founded

    class ItemInspected(Event):
        """`actor` inspected one item of the checklist; the note says what was seen."""

        TOPIC = "centre.item_inspected"
        FROM = tuple(S)
        item: Item
        passed: bool
        note: str

        def apply(self, aggregate: Centre) -> None:
            found = Inspection(self.timestamp, self.actor, self.passed)
            aggregate.inspections = {**aggregate.inspections, self.item: found}

    class Accepted(Event):
        """验收: the latest inspection of every item passed."""

        TOPIC = "centre.accepted"
        FROM, TO = (S.FOUNDED, S.WITHDRAWN), S.ACCEPTED

    class AcceptanceWithdrawn(Event):
        """An item failed a later inspection."""

        TOPIC = "centre.acceptance_withdrawn"
        FROM, TO = (S.ACCEPTED,), S.WITHDRAWN
        item: Item

    class UnitJoined(Event):
        """入驻: a unit works in the centre."""

        TOPIC = "centre.unit_joined"
        unit: str

        def apply(self, aggregate: Centre) -> None:
            aggregate.units = aggregate.units | {self.unit}

    class UnitLeft(Event):
        """The unit works elsewhere."""

        TOPIC = "centre.unit_left"
        unit: str

        def apply(self, aggregate: Centre) -> None:
            aggregate.units = aggregate.units - {self.unit}

    class StaffJoined(Event):
        """`staff` (a staff id) works in the centre, for `unit`."""

        TOPIC = "centre.staff_joined"
        staff: str
        unit: str

        def apply(self, aggregate: Centre) -> None:
            aggregate.staff = {**aggregate.staff, self.staff: self.unit}

    class StaffLeft(Event):
        """`staff` works elsewhere."""

        TOPIC = "centre.staff_left"
        staff: str

        def apply(self, aggregate: Centre) -> None:
            aggregate.staff = {one: unit for one, unit in aggregate.staff.items() if one != self.staff}

    state: CentreState

    def __init__(self, *, township: str, name: str) -> None:
        self.township = township
        self.name = name
        self.inspections: dict[Item, Inspection] = {}
        self.units: frozenset[str] = frozenset()
        self.staff: dict[str, str] = {}

    @classmethod
    def found(cls, *, township: str, name: str, by: Person, at: datetime) -> Centre:
        """The centre of `township`; its id follows from the code, so a township has one."""
        return cls._create(
            cls.Founded,
            id=centre_id(require_code(township, "township")),
            timestamp=require_aware(at),
            actor=by.id,
            township=township,
            name=require_text(name, "name", 100),
        )

    def inspect(self, *, by: Person, at: datetime, item: Item, passed: bool, note: str) -> None:
        """Record what an inspection of `item` found. One that fails withdraws the acceptance.

        Inspections of an item are recorded in the order they were made: RuleError for one from before the latest.
        """
        note = require_text(note, "note")
        latest = self.inspections.get(item)
        if latest is not None and require_aware(at) < latest.at:
            raise RuleError(f"{item} was inspected later, at {latest.at.isoformat()}: that inspection stands")
        advance(self, self.ItemInspected, by=by, at=at, item=item, passed=passed, note=note)
        if self.state is S.ACCEPTED and not passed:
            advance(self, self.AcceptanceWithdrawn, by=by, at=at, item=item)

    def accept(self, *, by: Person, at: datetime) -> None:
        """验收: every item's latest inspection passed, and none of them was made by who accepts."""
        if missing := [item for item in Item if item not in self.inspections]:
            raise RuleError(f"the centre cannot be accepted: nobody inspected {', '.join(missing)}")
        if failed := [item for item in Item if not self.inspections[item].passed]:
            raise RuleError(
                f"the centre cannot be accepted: {', '.join(failed)} failed the latest inspection"
            )
        if own := [item for item in Item if self.inspections[item].inspector == by.id]:
            raise RuleError(f"{by.id} inspected {', '.join(own)}: somebody else must accept the centre")
        advance(self, self.Accepted, by=by, at=at)

    def join_unit(self, *, by: Person, at: datetime, unit: str) -> None:
        """入驻: the unit with this code works in the centre from now on."""
        if require_code(unit, "unit") in self.units:
            raise RuleError(f"{unit} is in the centre already")
        self.trigger_event(self.UnitJoined, timestamp=require_aware(at), actor=by.id, unit=unit)

    def leave_unit(self, *, by: Person, at: datetime, unit: str) -> None:
        """The unit, of which nobody is there any more, works elsewhere from now on."""
        self._require_unit(unit)
        if there := sorted(staff for staff, of in self.staff.items() if of == unit):
            raise RuleError(f"{unit} still has staff in the centre: {', '.join(there)} must leave first")
        self.trigger_event(self.UnitLeft, timestamp=require_aware(at), actor=by.id, unit=unit)

    def join_staff(self, *, by: Person, at: datetime, staff: str, unit: str) -> None:
        """`staff` (a staff id, not a name) works in the centre from now on, for a unit that is there."""
        staff = require_text(staff, "staff id", 100)
        self._require_unit(unit)
        if staff in self.staff:
            raise RuleError(f"{staff} works in the centre already, for {self.staff[staff]}")
        self.trigger_event(self.StaffJoined, timestamp=require_aware(at), actor=by.id, staff=staff, unit=unit)

    def leave_staff(self, *, by: Person, at: datetime, staff: str) -> None:
        """`staff` works elsewhere from now on."""
        if staff not in self.staff:
            raise RuleError(f"{staff} does not work in the centre")
        self.trigger_event(self.StaffLeft, timestamp=require_aware(at), actor=by.id, staff=staff)

    def _require_unit(self, unit: str) -> None:
        if unit not in self.units:
            known = ", ".join(sorted(self.units)) or "none"
            raise RuleError(f"{unit} is not in the centre; its units: {known}")
