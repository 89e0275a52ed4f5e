"""Device: a camera, reader, barrier or perimeter zone at a site, whether it is well, and whether it watches."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING
from uuid import UUID, uuid5

from eventsourcing.domain import Aggregate

from domain.deadlines import Deadline, Timed, passed
from domain.errors import InvalidError, RuleError
from domain.lifecycle import Step, advance, require_aware, require_text
from domain.observation import NAMESPACE, require_code
from domain.people import Person

if TYPE_CHECKING:
    from domain.site import Site


class DeviceState(StrEnum):
    """How it is; exactly one at a time."""

    REGISTERED = "REGISTERED"  # never seen yet
    ONLINE = "ONLINE"
    OFFLINE = "OFFLINE"
    OUT_OF_SERVICE = "OUT_OF_SERVICE"
    RETIRED = "RETIRED"


class DeviceKind(StrEnum):
    """What it is."""

    CAMERA = "CAMERA"
    READER = "READER"
    BARRIER = "BARRIER"
    ZONE = "ZONE"  # of a perimeter: it trips


class Protocol(StrEnum):
    """What it speaks."""

    GAT1400 = "GAT1400"
    GB28181 = "GB28181"
    ONVIF = "ONVIF"
    HIKVISION = "HIKVISION"
    DAHUA = "DAHUA"
    FRIGATE = "FRIGATE"
    SIA_DC09 = "SIA_DC09"
    MODBUS = "MODBUS"


S = DeviceState
IN_USE = (S.REGISTERED, S.ONLINE, S.OFFLINE)
HEARTBEAT = "heartbeat"
"""The name of the deadline."""
RULE = "device-1"
SILENCE = timedelta(hours=2)
"""A device that is not heard for so long is offline, even if nobody who listens to it says so."""
_NATIONAL_ID = re.compile(r"[0-9]{20}")
_NATIONAL = {Protocol.GAT1400, Protocol.GB28181}
"""Protocols in which a device has the 20-digit number of the national standards."""


def device_id(site: str, code: str) -> UUID:
    """The id of the device with this code at the site with that one."""
    return uuid5(NAMESPACE, f"device:{site}.{code}")


class Device(Aggregate):
    """One device. `armed`: whether a zone watches 布防. `changed_at`: when its health last changed.

    Heartbeats are no events: only what they change is. An online device that goes on being heard has its deadline put off, at most
    once in half of `SILENCE`; who listens to it (and knows it lost at once) says so with `lose`.
    """

    TOPIC = "device"

    class Event(Step):
        """Of a device."""

    class Registered(Event, Aggregate.Created):
        """`external_id`: what it calls itself in its protocol. `code`: unique within its site."""

        TOPIC = "device.registered"
        TO = S.REGISTERED
        township: str
        site_id: UUID
        code: str
        kind: DeviceKind
        protocol: Protocol
        external_id: str

    Created = Registered

    class CameOnline(Event, Timed):
        """It was heard, and was not before."""

        TOPIC = "device.came_online"
        FROM, TO = (S.REGISTERED, S.OFFLINE), S.ONLINE

        def apply(self, aggregate: Device) -> None:
            super().apply(aggregate)
            aggregate.changed_at = self.timestamp

    class StayedOnline(Event, Timed):
        """It is still heard: its deadline is put off."""

        TOPIC = "device.stayed_online"
        FROM = (S.ONLINE,)

    class WentOffline(Event, Timed):
        """Whoever listens to it lost it, or nobody heard it until its deadline."""

        TOPIC = "device.went_offline"
        FROM, TO = (S.ONLINE,), S.OFFLINE

        def apply(self, aggregate: Device) -> None:
            super().apply(aggregate)
            aggregate.changed_at = self.timestamp

    class Armed(Event):
        """布防: it watches."""

        TOPIC = "device.armed"
        FROM = (S.ONLINE,)

        def apply(self, aggregate: Device) -> None:
            aggregate.armed = True

    class Disarmed(Event):
        """撤防: it trips for nothing."""

        TOPIC = "device.disarmed"
        FROM = (S.ONLINE, S.OFFLINE)
        reason: str

        def apply(self, aggregate: Device) -> None:
            aggregate.armed = False

    class TakenOutOfService(Event, Timed):
        """It is being mended, and watches nothing."""

        TOPIC = "device.taken_out_of_service"
        FROM, TO = IN_USE, S.OUT_OF_SERVICE
        reason: str

        def apply(self, aggregate: Device) -> None:
            super().apply(aggregate)
            aggregate.armed = False
            aggregate.changed_at = self.timestamp

    class ReturnedToService(Event):
        """It is mended; it is online when it is heard."""

        TOPIC = "device.returned_to_service"
        FROM, TO = (S.OUT_OF_SERVICE,), S.OFFLINE

        def apply(self, aggregate: Device) -> None:
            super().apply(aggregate)
            aggregate.changed_at = self.timestamp

    class CredentialRotated(Event):
        """It has another secret, the `credential`-th; nothing of the secret is in the log, not even a digest."""

        TOPIC = "device.credential_rotated"
        FROM = (*IN_USE, S.OUT_OF_SERVICE)
        credential: int

        def apply(self, aggregate: Device) -> None:
            aggregate.credential = self.credential

    class Retired(Event, Timed):
        """It is gone for good; its code is not used again."""

        TOPIC = "device.retired"
        FROM, TO = (*IN_USE, S.OUT_OF_SERVICE), S.RETIRED
        reason: str

        def apply(self, aggregate: Device) -> None:
            super().apply(aggregate)
            aggregate.armed = False

    state: DeviceState

    def __init__(
        self,
        *,
        township: str,
        site_id: UUID,
        code: str,
        kind: DeviceKind,
        protocol: Protocol,
        external_id: str,
    ) -> None:
        self.township = township
        self.site_id = site_id
        self.code = code
        self.kind = kind
        self.protocol = protocol
        self.external_id = external_id
        self.armed = False
        self.credential = 0
        self.changed_at = self.created_on
        self.deadlines: tuple[Deadline, ...] = ()

    @classmethod
    def register(
        cls,
        *,
        site: Site,
        by: Person,
        at: datetime,
        code: str,
        kind: DeviceKind,
        protocol: Protocol,
        external_id: str,
    ) -> Device:
        """A new device at `site`. Its id follows from the codes, so that its messages find it and no code is given twice."""
        external_id = require_text(external_id, "external id", 64)
        if protocol in _NATIONAL and not _NATIONAL_ID.fullmatch(external_id):
            raise InvalidError(f"{external_id!r} is not an id of {protocol}: it has 20 digits")
        return cls._create(
            cls.Registered,
            id=device_id(site.code, require_code(code, "device code")),
            timestamp=require_aware(at),
            actor=by.id,
            township=site.township,
            site_id=site.id,
            code=code,
            kind=kind,
            protocol=protocol,
            external_id=external_id,
        )

    def see(self, *, by: Person, at: datetime) -> None:
        """It was heard. Recorded only if it was not online, or if half of its time is over; nothing while it is being mended.

        A message from before the last change of its health says nothing new either. RuleError if it is retired: who speaks there?
        """
        due = Deadline(HEARTBEAT, require_aware(at) + SILENCE, RULE)
        if self.state is S.OUT_OF_SERVICE or (self.state in IN_USE and at < self.changed_at):
            return
        if self.state is not S.ONLINE:
            advance(self, self.CameOnline, by=by, at=at, deadlines=(due,))
        elif all(due.due_at - running.due_at >= SILENCE / 2 for running in self.deadlines):
            advance(self, self.StayedOnline, by=by, at=at, deadlines=(due,))

    def lose(self, *, by: Person, at: datetime) -> None:
        """Whoever listens to it hears it no more. Nothing is recorded if it is not online, or was heard of since."""
        if self.state is S.ONLINE and require_aware(at) >= self.changed_at:
            advance(self, self.WentOffline, by=by, at=at, deadlines=())

    def arm(self, *, by: Person, at: datetime) -> None:
        """布防: let the zone, which is online, watch."""
        self._require_zone()
        if self.armed:
            raise RuleError(f"zone {self.code} is armed already")
        advance(self, self.Armed, by=by, at=at)

    def disarm(self, *, by: Person, at: datetime, reason: str) -> None:
        """撤防: let the zone trip for nothing."""
        self._require_zone()
        if not self.armed:
            raise RuleError(f"zone {self.code} is not armed")
        advance(self, self.Disarmed, by=by, at=at, reason=require_text(reason, "reason"))

    def take_out_of_service(self, *, by: Person, at: datetime, reason: str) -> None:
        """Have it mended."""
        reason = require_text(reason, "reason")
        advance(self, self.TakenOutOfService, by=by, at=at, deadlines=(), reason=reason)

    def return_to_service(self, *, by: Person, at: datetime) -> None:
        """It is mended; a zone has to be armed again."""
        advance(self, self.ReturnedToService, by=by, at=at)

    def rotate_credential(self, *, by: Person, at: datetime) -> None:
        """Record that it got another secret."""
        advance(self, self.CredentialRotated, by=by, at=at, credential=self.credential + 1)

    def retire(self, *, by: Person, at: datetime, reason: str) -> None:
        """It is gone for good."""
        advance(self, self.Retired, by=by, at=at, deadlines=(), reason=require_text(reason, "reason"))

    def pass_deadline(self, *, by: Person, at: datetime, name: str) -> None:
        """Record that the deadline `name` has passed; nothing if it does not run (any more), or lies after `at`."""
        if passed(self.deadlines, name, require_aware(at)):
            advance(self, self.WentOffline, by=by, at=at, deadlines=())

    def _require_zone(self) -> None:
        if self.kind is not DeviceKind.ZONE:
            raise RuleError(f"{self.code} is a {self.kind.lower()}: only a zone is armed and disarmed")
