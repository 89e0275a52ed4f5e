"""Governance centres: how far each is by the checklist, which units work in it and who."""

from datetime import datetime
from typing import Any, Self
from uuid import UUID

import strawberry

from api.graphql.context import Info
from api.graphql.history import Logged, replayed
from api.graphql.lists import Place, one, page, read_code
from api.graphql.shown import shown
from api.graphql.types import After, AfterPosition, Connection, First, Position
from domain import centre as domain
from domain.centre import CentreState, Item
from projections import centres

BY_TOWNSHIP = Place("centres", {"township": read_code})


@strawberry.type(description="综治中心: the governance centre of a township.")
class Centre:
    id: UUID = strawberry.field(description="It follows from the township.")
    township: str = strawberry.field(description="镇街: the township's code.")
    name: str = strawberry.field(description="What people call it.")
    state: CentreState = strawberry.field(description="验收状态: whether it was accepted.")
    founded_at: datetime = strawberry.field(description="Since when there is one.")
    accepted_at: datetime | None = strawberry.field(description="验收: when it was accepted, the last time.")
    withdrawn_at: datetime | None = strawberry.field(
        description="When the acceptance was withdrawn, the last time."
    )
    units: list[str] = strawberry.field(description="入驻单位: the codes of the units that work in it.")
    staff_count: int = strawberry.field(description="How many people work in it.")
    items_passed: list[Item] = strawberry.field(description="What passed its latest inspection.")
    items_failed: list[Item] = strawberry.field(
        description="What failed it; nobody inspected the others yet."
    )
    version: int = strawberry.field(description="Pass it as `expectedVersion` to change what you have seen.")
    position: Position = strawberry.field(description="The log position of its latest event.")

    @classmethod
    def of(cls, row: Any) -> Self:
        """A row of the read model, as it is shown."""
        return shown(cls, row, id=row["centre_id"], staff_count=row["staff"])


@strawberry.type(description="检查: the latest inspection of an item of the checklist.")
class CentreInspection:
    item: Item = strawberry.field(description="What was inspected.")
    passed: bool = strawberry.field(description="Whether it is what the standard asks for.")
    inspected_at: datetime = strawberry.field(description="When somebody looked at it.")
    inspector: str = strawberry.field(description="Who inspected it, by staff number.")
    position: Position = strawberry.field(description="Where it stands in the log.")


@strawberry.type(description="工作人员: somebody who works in a centre.")
class CentreStaff:
    id: str = strawberry.field(description="The staff number.")
    unit: str = strawberry.field(description="The unit they work for.")


@strawberry.type(description="综治中心: one governance centre, with who works in it and its history.")
class CentreFile(Centre, Logged):
    @strawberry.field(description="The latest inspection of each item that was ever inspected.")
    async def checklist(self, info: Info) -> list[CentreInspection]:
        scope = info.context.person.scope
        async with info.context.reading() as connection:
            rows = await centres.checklist(connection, scope, self.township)
        return [shown(CentreInspection, row) for row in rows]

    @strawberry.field(description="Who works in it, by staff number.")
    async def staff(self, info: Info) -> list[CentreStaff]:
        found = await replayed(info, domain.Centre, self.id)
        staff = {} if found is None else found.staff
        return [CentreStaff(id=person, unit=unit) for person, unit in sorted(staff.items())]


@strawberry.type
class Centres:
    """The queries of centres."""

    @strawberry.field(description="综治中心: one centre, or null if there is none that you may see.")
    async def centre(self, info: Info, id: UUID, after_position: AfterPosition = None) -> CentreFile | None:
        person = info.context.allow("read.centres")
        return await one(
            info,
            CentreFile,
            lambda connection: centres.one(connection, person.scope, id),
            projection="centres",
            after_position=after_position,
        )

    @strawberry.field(
        description="综治中心: the governance centres, by township. Whoever looks after one site sees none."
    )
    async def centres(
        self,
        info: Info,
        state: CentreState | None = None,
        first: First = 50,
        after: After = None,
        after_position: AfterPosition = None,
    ) -> Connection[Centre]:
        person = info.context.allow("read.centres")
        return await page(
            info,
            Centre,
            BY_TOWNSHIP,
            lambda connection, size, beyond: centres.listed(
                connection, person.scope, state=state, first=size, after=beyond and beyond[0]
            ),
            projection="centres",
            first=first,
            after=after,
            after_position=after_position,
        )
