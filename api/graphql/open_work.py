"""Open work 待办: what each unit, and the centre, has to do now."""

from collections.abc import Sequence
from datetime import datetime
from typing import Self
from uuid import UUID

import strawberry

from api.graphql.context import Context, Info
from api.graphql.incident_types import Incident
from api.graphql.together import together
from api.graphql.types import After, AfterPosition, Connection, First, cursor, page_size, parts_of
from domain.lifecycle import require_aware
from domain.observation import require_code
from projections import work
from projections.work import Duty, Load, Task

strawberry.enum(Duty, description="What is to be done.")


async def _incidents(context: Context, rows: "Sequence[OpenWork]") -> list[Incident | None]:
    found = await context.loaders.incidents.load([row.incident_id for row in rows])
    return [Incident.of(found[row.incident_id]) if row.incident_id in found else None for row in rows]


@strawberry.type(description="待办: something that has to be done now about an incident.")
class OpenWork:
    duty: Duty = strawberry.field(description="What is to be done.")
    unit: str | None = strawberry.field(description="Who has to do it; null: the centre.")
    assisting: bool = strawberry.field(description="协办: the unit does not lead.")
    due_at: datetime | None = strawberry.field(description="Until when; null if no limit is set for it.")
    incident_id: UUID = strawberry.field(description="The incident.")

    incident: Incident | None = together(_incidents, description="The incident, as it stands now.")

    @classmethod
    def of(cls, task: Task) -> Self:
        """A row of the read model."""
        return cls(
            duty=Duty(task.duty),
            unit=task.unit or None,
            assisting=task.assisting,
            due_at=task.due_at,
            incident_id=task.incident_id,
        )


@strawberry.type(description="How much a unit has to do now.")
class UnitLoad:
    unit: str | None = strawberry.field(description="The unit; null: the centre.")
    open: int = strawberry.field(description="待办: all of it.")
    overdue: int = strawberry.field(description="超期: what is past due.")
    soon: int = strawberry.field(description="将到期: what is due within 24 hours.")

    @classmethod
    def of(cls, load: Load) -> Self:
        """A row of the read model."""
        return cls(unit=load.unit or None, open=load.open, overdue=load.overdue, soon=load.soon)


@strawberry.type
class Work:
    """The queries of open work."""

    @strawberry.field(
        description="待办: what a unit has to do now, the longest overdue first, and last what has no limit; without `unit`, the centre."
    )
    async def open_work(
        self,
        info: Info,
        unit: str | None = None,
        first: First = 50,
        after: After = None,
        after_position: AfterPosition = None,
    ) -> Connection[OpenWork]:
        scope, size = info.context.allow("read.incidents").scope, page_size(first)
        of = work.CENTRE if unit is None else require_code(unit, "unit")
        place = None if after is None else parts_of(after, _due, UUID, lambda text: work.Duty(text).value)
        await info.context.caught_up("incidents", after_position)
        async with info.context.reading() as connection:
            tasks = await work.listed(connection, scope, of, first=size + 1, after=place)
        nodes = [
            (OpenWork.of(task), cursor(task.due_at and task.due_at.isoformat(), task.incident_id, task.duty))
            for task in tasks
        ]
        return Connection[OpenWork].of(nodes, size)

    @strawberry.field(
        description="待办: how much everybody who has something to do has to do, the centre first."
    )
    async def unit_loads(self, info: Info, after_position: AfterPosition = None) -> list[UnitLoad]:
        scope = info.context.allow("read.incidents").scope
        await info.context.caught_up("incidents", after_position)
        async with info.context.reading() as connection:
            return [
                UnitLoad.of(load) for load in await work.loads(connection, scope, info.context.system.now())
            ]


def _due(text: str) -> datetime | None:
    return None if text == "None" else require_aware(datetime.fromisoformat(text))
