"""Devices: what stands where, and whether it is well."""

from datetime import datetime
from typing import Any, Self
from uuid import UUID

import strawberry

from api.graphql.context import Info
from api.graphql.history import Logged
from api.graphql.lists import Due, Place, code_of, one, page, read_code, site_of
from api.graphql.shown import shown
from api.graphql.sites import AtSite
from api.graphql.types import After, AfterPosition, Connection, DeviceHealth, First, Position
from domain.device import DeviceKind, DeviceState, Protocol
from projections import devices

BY_SITE = Place("devices", {"site_id": UUID, "code": read_code})


@strawberry.type(description="设备: a camera, reader, barrier or perimeter zone.")
class Device(AtSite):
    id: UUID = strawberry.field(description="Its id in the log.")
    code: str = strawberry.field(description="Unique within its site.")
    township: str = strawberry.field(description="镇街: the township's code.")
    kind: DeviceKind = strawberry.field(description="What it is.")
    protocol: Protocol = strawberry.field(description="What it speaks.")
    state: DeviceState = strawberry.field(description="设备状态: how it is.")
    armed: bool = strawberry.field(description="布防: whether it watches; a perimeter zone alone can.")
    registered_at: datetime = strawberry.field(description="When it was installed.")
    changed_at: datetime = strawberry.field(description="When its state last changed.")
    last_seen_at: datetime | None = strawberry.field(
        description="When it was last heard, at least: an online device says so once in an hour."
    )
    reason: str | None = strawberry.field(description="Why it is out of service, or retired.")
    due: Due | None = strawberry.field(description="Until when it has to be heard again, or is offline.")
    version: int = strawberry.field(description="Pass it as `expectedVersion` to change what you have seen.")
    position: Position = strawberry.field(description="The log position of its latest event.")

    @classmethod
    def of(cls, row: Any) -> Self:
        """A row of the read model, as it is shown."""
        return shown(cls, row, id=row["device_id"], due=Due.of(row))


@strawberry.type(description="设备: one device, with its history.")
class DeviceFile(Device, Logged):
    pass


@strawberry.input(description="Everything given must hold.")
class DeviceFilter:
    site: str | None = strawberry.field(default=None, description="The site's code.")
    township: str | None = strawberry.field(default=None, description="The township's code.")
    health: DeviceState | None = strawberry.field(default=None, description="设备状态: how it is.")
    kind: DeviceKind | None = strawberry.field(default=None, description="What it is.")

    def checked(self) -> devices.DeviceFilter:
        """What the read model is asked for."""
        return devices.DeviceFilter(
            site_id=site_of(self.site),
            township=code_of(self.township, "township"),
            state=self.health,
            kind=self.kind,
        )


@strawberry.type
class Devices:
    """The queries of devices."""

    @strawberry.field(description="设备: one device, or null if there is none that you may see.")
    async def device(self, info: Info, id: UUID, after_position: AfterPosition = None) -> DeviceFile | None:
        person = info.context.allow("read.devices")
        return await one(
            info,
            DeviceFile,
            lambda connection: devices.one(connection, person.scope, id),
            projection="devices",
            after_position=after_position,
        )

    @strawberry.field(description="设备: devices, by site and code.")
    async def devices(
        self,
        info: Info,
        filter: DeviceFilter | None = None,
        first: First = 50,
        after: After = None,
        after_position: AfterPosition = None,
    ) -> Connection[Device]:
        person = info.context.allow("read.devices")
        wanted = (filter or DeviceFilter()).checked()
        return await page(
            info,
            Device,
            BY_SITE,
            lambda connection, size, beyond: devices.listed(
                connection, person.scope, wanted, first=size, after=beyond
            ),
            projection="devices",
            first=first,
            after=after,
            after_position=after_position,
        )

    @strawberry.field(
        description="设备在线率: how many devices are well, in all, in a township or at a site."
    )
    async def device_health(
        self,
        info: Info,
        site: str | None = None,
        township: str | None = None,
        after_position: AfterPosition = None,
    ) -> DeviceHealth:
        person = info.context.allow("read.devices")
        place, there = site_of(site), code_of(township, "township")
        await info.context.caught_up("devices", after_position)
        async with info.context.reading() as connection:
            return DeviceHealth.of(
                await devices.health(connection, person.scope, site_id=place, township=there)
            )
