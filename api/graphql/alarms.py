"""Alarms: what calls for somebody and how much it matters, and what became of it."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Self
from uuid import UUID

import strawberry

from api.graphql.context import Context, Info
from api.graphql.devices import Device
from api.graphql.history import Logged
from api.graphql.lists import Due, Place, code_of, one, page, read_time, site_of, time_of
from api.graphql.shown import shown
from api.graphql.sites import AtSite
from api.graphql.together import together
from api.graphql.types import After, AfterPosition, Connection, First, Position
from domain.alarm import AlarmState, FalseCause, Trigger
from projections import alarms, devices
from projections.alarms import AlarmOrder

strawberry.enum(
    AlarmOrder,
    description="PRIORITY: those that are not over, by how much they matter, the oldest first. NEWEST: all, the latest first.",
)

PRIORITIES = {str(priority): priority for priority in range(1, 6)}


def _read_priority(text: str) -> int:
    if text not in PRIORITIES:
        raise ValueError(text)
    return PRIORITIES[text]


_COLUMNS: Mapping[str, Callable[[str], Any]] = {
    "priority": _read_priority,
    "tripped_at": read_time,
    "alarm_id": UUID,
}
PLACES: Mapping[AlarmOrder, Place] = {order: Place(f"alarms:{order}", _COLUMNS) for order in AlarmOrder}


async def _devices(context: Context, rows: "Sequence[Alarm]") -> list[Device | None]:
    context.allow("read.devices")
    places = [(row.site_id, row.sensor) for row in rows]
    found = await context.found(devices.placed, places)
    return [Device.of(found[place]) if place in found else None for place in places]


@strawberry.type(description="报警: a sensor tripped, or a camera saw something.")
class Alarm(AtSite):
    id: UUID = strawberry.field(description="Its id in the log.")
    township: str = strawberry.field(description="镇街: the township's code.")
    sensor: str = strawberry.field(description="防区: the code of the zone or other device at its site.")
    trigger: Trigger = strawberry.field(description="What raised it.")
    state: AlarmState = strawberry.field(description="报警状态: how far people have come with it.")
    priority: int = strawberry.field(
        description="1: danger, or nobody came in time; 2: calls for somebody; 3: somebody is at it; 4: silenced; 5: over."
    )
    active: bool = strawberry.field(description="Whether the sensor still sees something.")
    shelved: bool = strawberry.field(description="暂时搁置: it calls for nobody for a while.")
    suppressed: bool = strawberry.field(
        description="抑制: it calls for nobody as long as its cause is known."
    )
    out_of_service: bool = strawberry.field(description="停用: its sensor is being mended.")
    trips: int = strawberry.field(
        description="How often it tripped: again within its window is the same alarm."
    )
    level: int = strawberry.field(description="升级: how often it was escalated, as nobody came.")
    tripped_at: datetime = strawberry.field(description="触发: its first trip.")
    last_tripped_at: datetime = strawberry.field(description="Its latest trip.")
    acknowledged_at: datetime | None = strawberry.field(description="接警: when somebody saw to it.")
    acknowledged_by: str | None = strawberry.field(description="接警人: who did, by staff number.")
    reviewed_at: datetime | None = strawberry.field(description="视频复核: when the video was looked at.")
    reviewer: str | None = strawberry.field(description="Who looked at it, by staff number.")
    verdict: AlarmState | None = strawberry.field(
        description="REAL 真警, FALSE 误报 or TEST 测试; null before."
    )
    verdict_at: datetime | None = strawberry.field(description="When it was found to be that.")
    cause: FalseCause | None = strawberry.field(description="误报原因: of a false alarm.")
    incident_id: UUID | None = strawberry.field(description="事件: the incident that a real alarm raised.")
    due: Due | None = strawberry.field(description="时限: until when somebody has to come, or it is shelved.")
    version: int = strawberry.field(description="Pass it as `expectedVersion` to change what you have seen.")
    position: Position = strawberry.field(description="The log position of its latest event.")

    device: Device | None = together(
        _devices, description="设备: the device that tripped; null if it was never registered."
    )

    @classmethod
    def of(cls, row: Any) -> Self:
        """A row of the read model, as it is shown."""
        return shown(cls, row, id=row["alarm_id"], due=Due.of(row))


@strawberry.type(description="报警: one alarm, with its history.")
class AlarmFile(Alarm, Logged):
    pass


@strawberry.input(description="Everything given must hold.")
class AlarmFilter:
    state: AlarmState | None = strawberry.field(default=None, description="报警状态.")
    site: str | None = strawberry.field(default=None, description="The site's code.")
    township: str | None = strawberry.field(default=None, description="The township's code.")
    sensor: str | None = strawberry.field(default=None, description="防区: the device's code at its site.")
    annunciated: bool | None = strawberry.field(
        default=None, description="Whether it calls for somebody: neither silenced nor over."
    )
    tripped_from: datetime | None = strawberry.field(default=None, description="Included.")
    tripped_until: datetime | None = strawberry.field(default=None, description="Not included.")

    def checked(self) -> alarms.AlarmFilter:
        """What the read model is asked for."""
        return alarms.AlarmFilter(
            state=self.state,
            site_id=site_of(self.site),
            township=code_of(self.township, "township"),
            sensor=code_of(self.sensor, "sensor"),
            annunciated=self.annunciated,
            tripped_from=time_of(self.tripped_from),
            tripped_until=time_of(self.tripped_until),
        )


@strawberry.type
class Alarms:
    """The queries of alarms."""

    @strawberry.field(description="报警: one alarm, or null if there is none that you may see.")
    async def alarm(self, info: Info, id: UUID, after_position: AfterPosition = None) -> AlarmFile | None:
        person = info.context.allow("read.alarms")
        return await one(
            info,
            AlarmFile,
            lambda connection: alarms.one(connection, person.scope, id),
            projection="alarms",
            after_position=after_position,
        )

    @strawberry.field(description="报警: alarms, what matters most first.")
    async def alarms(
        self,
        info: Info,
        filter: AlarmFilter | None = None,
        order_by: AlarmOrder = AlarmOrder.PRIORITY,
        first: First = 50,
        after: After = None,
        after_position: AfterPosition = None,
    ) -> Connection[Alarm]:
        person = info.context.allow("read.alarms")
        wanted = (filter or AlarmFilter()).checked()
        return await page(
            info,
            Alarm,
            PLACES[order_by],
            lambda connection, size, beyond: alarms.listed(
                connection, person.scope, wanted, order=order_by, first=size, after=beyond
            ),
            projection="alarms",
            first=first,
            after=after,
            after_position=after_position,
        )
