"""Alarm 报警: a sensor tripped or a camera saw something; a person acknowledges it, looks at the video and says what it was.

Beside its state an alarm has the independent bits of ISA-18.2: active, acknowledged, shelved, suppressed, out of service.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, ClassVar
from uuid import UUID

from eventsourcing.domain import Aggregate

from domain.deadlines import Deadline, Timed, passed, without
from domain.errors import RuleError
from domain.lifecycle import Step, advance, require_aware, require_text
from domain.observation import require_code
from domain.people import Person

if TYPE_CHECKING:
    from domain.site import Site


class AlarmState(StrEnum):
    """How far people have come with an alarm; exactly one at a time."""

    TRIPPED = "TRIPPED"  # 触发
    ACKED = "ACKED"  # 接警
    REVIEWED = "REVIEWED"  # 视频复核
    REAL = "REAL"  # 真警
    FALSE = "FALSE"  # 误报
    TEST = "TEST"  # 测试
    RESTORED = "RESTORED"  # 恢复
    CLEARED = "CLEARED"  # 消警


class Trigger(StrEnum):
    """What raised it."""

    SENSOR = "SENSOR"
    VIDEO = "VIDEO"


class FalseCause(StrEnum):
    """Why there was an alarm and no danger."""

    ANIMAL = "ANIMAL"
    PLANT = "PLANT"
    WEATHER = "WEATHER"
    RESIDENT = "RESIDENT"
    FAULT = "FAULT"
    UNKNOWN = "UNKNOWN"


S = AlarmState
OPEN = tuple(state for state in S if state is not S.CLEARED)
UNJUDGED = (S.TRIPPED, S.ACKED, S.REVIEWED)
JUDGED = (S.REAL, S.FALSE, S.TEST)
SILENT = ("shelved", "suppressed", "out_of_service")
"""The bits with which an alarm calls for nobody."""
ACK, SHELVE = "ack", "shelve"
"""The names of the deadlines."""
RULE = "alarm-1"
"""Which rule the deadlines follow: the times below."""
ACK_WITHIN = (timedelta(minutes=1), timedelta(minutes=2), timedelta(minutes=5))
"""So long each level has to acknowledge before the next one is called; after the last nobody else is."""
LONGEST_SHELF = timedelta(hours=8)
"""A shift: nobody shelves an alarm for those who come after."""
FLOOD_WINDOW = timedelta(minutes=2)
"""The same sensor tripping again within this time is the same alarm."""


class Silenced(Timed):
    """It calls for nobody, because of the bit `BIT`."""

    BIT: ClassVar[str]
    FROM = OPEN
    reason: str

    def apply(self, aggregate: Alarm) -> None:
        super().apply(aggregate)
        setattr(aggregate, self.BIT, True)
        aggregate.silencers = aggregate.silencers | {self.actor}


class Unsilenced(Timed):
    """It is not silent because of the bit `BIT` any more."""

    BIT: ClassVar[str]
    FROM = OPEN

    def apply(self, aggregate: Alarm) -> None:
        super().apply(aggregate)
        setattr(aggregate, self.BIT, False)


class Alarm(Aggregate):
    """One alarm of one sensor. It is annunciated (it calls for somebody) unless it is shelved, suppressed or out of service.

    trip_count: trips in all. level: how often it was escalated. tripped_at, last_tripped_at: of the first and the last trip.
    acknowledged_by, reviewer: who did it. silencers: who ever shelved, suppressed or took it out of service.
    """

    TOPIC = "alarm"

    class Event(Step):
        """Of an alarm."""

    class Tripped(Event, Timed, Aggregate.Created):
        """触发. `sensor`: the code of the device at its site."""

        TOPIC = "alarm.tripped"
        TO = S.TRIPPED
        township: str
        site_id: UUID
        sensor: str
        trigger: Trigger

    Created = Tripped

    class TrippedAgain(Event):
        """The same sensor within the window: not a second alarm."""

        TOPIC = "alarm.tripped_again"
        FROM = (*UNJUDGED, S.REAL)

        def apply(self, aggregate: Alarm) -> None:
            aggregate.trip_count += 1
            aggregate.active = True
            aggregate.last_tripped_at = max(aggregate.last_tripped_at, self.timestamp)

    class WentNormal(Event):
        """The sensor sees nothing any more; what it was is still to be found out."""

        TOPIC = "alarm.went_normal"
        FROM = (*UNJUDGED, *JUDGED)

        def apply(self, aggregate: Alarm) -> None:
            aggregate.active = False

    class Escalated(Event, Timed):
        """Nobody acknowledged it in time: `level` 1 calls the next in line, and so on."""

        TOPIC = "alarm.escalated"
        FROM = (S.TRIPPED,)
        level: int

        def apply(self, aggregate: Alarm) -> None:
            super().apply(aggregate)
            aggregate.level = self.level

    class Acknowledged(Event, Timed):
        """接警: somebody sees to it."""

        TOPIC = "alarm.acknowledged"
        FROM, TO = (S.TRIPPED,), S.ACKED

        def apply(self, aggregate: Alarm) -> None:
            super().apply(aggregate)
            aggregate.acknowledged_by = self.actor

    class Reviewed(Event):
        """视频复核: `actor` looked at the video, and nobody else may say what it was."""

        TOPIC = "alarm.reviewed"
        FROM, TO = (S.ACKED,), S.REVIEWED

        def apply(self, aggregate: Alarm) -> None:
            super().apply(aggregate)
            aggregate.reviewer = self.actor

    class FoundReal(Event):
        """真警. `incident_id`: the incident that it raised."""

        TOPIC = "alarm.found_real"
        FROM, TO = (S.REVIEWED,), S.REAL
        incident_id: UUID

        def apply(self, aggregate: Alarm) -> None:
            super().apply(aggregate)
            aggregate.incident_id = self.incident_id

    class FoundFalse(Event):
        """误报."""

        TOPIC = "alarm.found_false"
        FROM, TO = (S.REVIEWED,), S.FALSE
        cause: FalseCause

    class FoundTest(Event):
        """测试: somebody was trying the sensor."""

        TOPIC = "alarm.found_test"
        FROM, TO = (S.REVIEWED,), S.TEST

    class Restored(Event):
        """恢复: the sensor watches again."""

        TOPIC = "alarm.restored"
        FROM, TO = JUDGED, S.RESTORED

    class Cleared(Event, Timed):
        """消警: over."""

        TOPIC = "alarm.cleared"
        FROM, TO = (S.RESTORED,), S.CLEARED

    class Shelved(Event, Silenced):
        """It calls for nobody for a while; its deadline brings it back."""

        TOPIC = "alarm.shelved"
        BIT = "shelved"

    class Unshelved(Event, Unsilenced):
        """It is back, by itself or by somebody."""

        TOPIC = "alarm.unshelved"
        BIT = "shelved"

    class Suppressed(Event, Silenced):
        """It calls for nobody as long as its cause is known."""

        TOPIC = "alarm.suppressed"
        BIT = "suppressed"

    class Unsuppressed(Event, Unsilenced):
        """The cause is gone."""

        TOPIC = "alarm.unsuppressed"
        BIT = "suppressed"

    class TakenOutOfService(Event, Silenced):
        """It calls for nobody while its sensor is mended."""

        TOPIC = "alarm.taken_out_of_service"
        BIT = "out_of_service"

    class ReturnedToService(Event, Unsilenced):
        """The sensor is mended."""

        TOPIC = "alarm.returned_to_service"
        BIT = "out_of_service"

    state: AlarmState

    def __init__(
        self,
        *,
        township: str,
        site_id: UUID,
        sensor: str,
        trigger: Trigger,
        deadlines: tuple[Deadline, ...],
    ) -> None:
        self.township = township
        self.site_id = site_id
        self.sensor = sensor
        self.trigger = trigger
        self.deadlines = deadlines
        self.trip_count = 1
        self.level = 0
        self.active = True
        self.shelved = False
        self.suppressed = False
        self.out_of_service = False
        self.acknowledged_by: str | None = None
        self.reviewer: str | None = None
        self.silencers: frozenset[str] = frozenset()
        self.incident_id: UUID | None = None
        self.tripped_at = self.last_tripped_at = self.created_on

    @classmethod
    def trip(
        cls,
        *,
        id: UUID,  # noqa: A002  (the library's own word for it)
        site: Site,
        by: Person,
        at: datetime,
        sensor: str,
        trigger: Trigger,
    ) -> Alarm:
        """触发: a new alarm of `sensor` (a code) at `site`; ask `absorb` first whether an open one takes it in."""
        return cls._create(
            cls.Tripped,
            id=id,
            timestamp=require_aware(at),
            actor=by.id,
            deadlines=(Deadline(ACK, at + ACK_WITHIN[0], RULE),),
            township=site.township,
            site_id=site.id,
            sensor=require_code(sensor, "sensor"),
            trigger=trigger,
        )

    def trip_again(self, *, by: Person, at: datetime) -> None:
        """The same sensor tripped again, and `absorb` says that it is this alarm."""
        if self.state in self.TrippedAgain.FROM and not absorb(self, self.site_id, self.sensor, at):
            raise RuleError(
                f"{self.sensor} tripped outside the window of {FLOOD_WINDOW} around this alarm's trips: it is another alarm"
            )
        advance(self, self.TrippedAgain, by=by, at=at)

    def go_normal(self, *, by: Person, at: datetime) -> None:
        """The sensor sees nothing any more; nothing is recorded if that is known."""
        if self.active:
            advance(self, self.WentNormal, by=by, at=at)

    def acknowledge(self, *, by: Person, at: datetime) -> None:
        """接警: see to it; not for somebody who silenced it."""
        if by.id in self.silencers:
            raise RuleError(f"{by.id} silenced this alarm: somebody else must acknowledge it")
        advance(self, self.Acknowledged, by=by, at=at, deadlines=without(self.deadlines, ACK))

    def review(self, *, by: Person, at: datetime) -> None:
        """视频复核: whoever reviews it is named, and says what it was."""
        advance(self, self.Reviewed, by=by, at=at)

    def find_real(self, *, by: Person, at: datetime, incident_id: UUID) -> None:
        """真警: it raised the incident `incident_id`."""
        self._require_reviewer(by)
        advance(self, self.FoundReal, by=by, at=at, incident_id=incident_id)

    def find_false(self, *, by: Person, at: datetime, cause: FalseCause) -> None:
        """误报: there was no danger."""
        self._require_reviewer(by)
        advance(self, self.FoundFalse, by=by, at=at, cause=cause)

    def find_test(self, *, by: Person, at: datetime) -> None:
        """测试: somebody was trying the sensor."""
        self._require_reviewer(by)
        advance(self, self.FoundTest, by=by, at=at)

    def restore(self, *, by: Person, at: datetime) -> None:
        """恢复: the sensor, which sees nothing any more, watches again."""
        if self.active and self.state in JUDGED:
            raise RuleError(f"{self.sensor} is still active: it is restored once it went back to normal")
        advance(self, self.Restored, by=by, at=at)

    def clear(self, *, by: Person, at: datetime) -> None:
        """消警: over."""
        advance(self, self.Cleared, by=by, at=at, deadlines=())

    def shelve(self, *, by: Person, at: datetime, until: datetime, reason: str) -> None:
        """Let it call for nobody until `until`, at most a shift; not for whoever acknowledged it."""
        self._require_silencer(by, "shelve")
        if self.shelved:
            raise RuleError("this alarm is shelved already; it comes back by itself, or unshelve it first")
        if not require_aware(at) < require_aware(until) <= at + LONGEST_SHELF:
            raise RuleError(f"an alarm is shelved until a time within {LONGEST_SHELF} from now")
        back = Deadline(SHELVE, until, RULE)
        reason = require_text(reason, "reason")
        advance(self, self.Shelved, by=by, at=at, deadlines=(back,), reason=reason)

    def unshelve(self, *, by: Person, at: datetime) -> None:
        """Bring it back before its time."""
        self._end_silence(self.Unshelved, without(self.deadlines, SHELVE), by=by, at=at)

    def suppress(self, *, by: Person, at: datetime, reason: str) -> None:
        """Let it call for nobody as long as its cause is known; not for whoever acknowledged it."""
        self._silence(self.Suppressed, "suppress", by=by, at=at, reason=reason)

    def unsuppress(self, *, by: Person, at: datetime) -> None:
        """The cause is gone."""
        self._end_silence(self.Unsuppressed, self.deadlines, by=by, at=at)

    def take_out_of_service(self, *, by: Person, at: datetime, reason: str) -> None:
        """Let it call for nobody while its sensor is mended; not for whoever acknowledged it."""
        self._silence(self.TakenOutOfService, "take out of service", by=by, at=at, reason=reason)

    def return_to_service(self, *, by: Person, at: datetime) -> None:
        """The sensor is mended."""
        self._end_silence(self.ReturnedToService, self.deadlines, by=by, at=at)

    def pass_deadline(self, *, by: Person, at: datetime, name: str) -> None:
        """Record that the deadline `name` has passed; nothing if it does not run (any more), or lies after `at`."""
        if not passed(self.deadlines, name, require_aware(at)):
            return
        if name == SHELVE:
            self.unshelve(by=by, at=at)
        else:
            level = self.level + 1
            advance(self, self.Escalated, by=by, at=at, level=level, deadlines=_ack_deadline(level, at))

    @property
    def acknowledged(self) -> bool:
        """Whether somebody has seen to it."""
        return self.acknowledged_by is not None

    @property
    def annunciated(self) -> bool:
        """Whether it calls for somebody when it has to."""
        return not any(getattr(self, bit) for bit in SILENT)

    def _silence(
        self, event_class: type[Silenced], what: str, *, by: Person, at: datetime, reason: str
    ) -> None:
        """Until further notice. `what`: the command, in words."""
        self._require_silencer(by, what)
        if getattr(self, event_class.BIT):
            raise RuleError(f"this alarm is {_words(event_class.BIT)} already")
        deadlines = without(self.deadlines, ACK)
        reason = require_text(reason, "reason")
        advance(self, event_class, by=by, at=at, deadlines=deadlines, reason=reason)

    def _end_silence(
        self,
        event_class: type[Unsilenced],
        deadlines: tuple[Deadline, ...],
        *,
        by: Person,
        at: datetime,
    ) -> None:
        """It goes on with `deadlines`, and the time to acknowledge anew unless it is acknowledged, or still silent in another way."""
        bit = event_class.BIT
        if not getattr(self, bit):
            raise RuleError(f"this alarm is not {_words(bit)}")
        if not self.acknowledged and not any(getattr(self, other) for other in SILENT if other != bit):
            deadlines += _ack_deadline(self.level, require_aware(at))
        advance(self, event_class, by=by, at=at, deadlines=deadlines)

    def _require_reviewer(self, by: Person) -> None:
        if self.state is S.REVIEWED and by.id != self.reviewer:
            raise RuleError(f"{self.reviewer} reviewed this alarm and says what it was, not {by.id}")

    def _require_silencer(self, by: Person, what: str) -> None:
        if by.id == self.acknowledged_by:
            raise RuleError(f"{by.id} acknowledged this alarm: somebody else must {what} it")


def absorb(alarm: Alarm, site_id: UUID, sensor: str, at: datetime) -> bool:
    """Whether `sensor` of the site tripping at `at` is this alarm again, and not a new one.

    An alarm that was found false or a test takes in no more: what trips after the verdict has not been looked at by anybody.
    A trip that arrives late counts from when it happened.
    """
    return (
        (alarm.site_id, alarm.sensor) == (site_id, sensor)
        and alarm.state in Alarm.TrippedAgain.FROM
        and alarm.tripped_at - FLOOD_WINDOW <= require_aware(at) <= alarm.last_tripped_at + FLOOD_WINDOW
    )


def _ack_deadline(level: int, start: datetime) -> tuple[Deadline, ...]:
    """Until when those of `level` have to acknowledge, if there are any."""
    return (Deadline(ACK, start + ACK_WITHIN[level], RULE),) if level < len(ACK_WITHIN) else ()


def _words(bit: str) -> str:
    return bit.replace("_", " ")
