"""What the log alone knows of a thing: every event of it, and the thing itself, replayed."""

from datetime import datetime
from typing import Any, Self, TypeVar, cast
from uuid import UUID

import strawberry
from eventsourcing.domain import Aggregate

from api.graphql.context import Info
from api.graphql.types import Position
from domain.errors import NotFoundError
from domain.policy import Placed
from domain.ports import Entry
from domain.reading import Shown

A = TypeVar("A", bound=Aggregate)


async def replayed(info: Info, kind: type[A], id: UUID) -> A | None:
    """The aggregate as it is now, if it lies where the person asking may look; they have been allowed to look before."""
    try:
        found: Any = await info.context.system.log.load(kind, id)
    except NotFoundError:
        return None
    inside = info.context.person.scope.covers(found.township, found.site_id)
    return found if inside else None


async def opened(info: Info, right: str, kind: type[A], id: UUID, shown: Shown) -> A | None:
    """The same to whoever has `right`, as a file that is shown as a whole: recorded before it is."""
    info.context.allow(right)
    found = await replayed(info, kind, id)
    if found is not None:
        await info.context.record_read(shown, [id], place=cast("Placed", found))
    return found


@strawberry.type
class LogEvent:
    """What every event has, whoever is shown it."""

    position: Position = strawberry.field(description="Its place in the log.")
    version: int = strawberry.field(description="The version of the thing after it.")
    topic: str = strawberry.field(description="What happened, such as `dispute.agreed`.")
    actor: str = strawberry.field(description="The person (by staff number), device or worker behind it.")
    recorded_at: datetime = strawberry.field(description="When it was written to the log.")


@strawberry.type(description="One event of a thing's history, as it stands in the log.")
class HistoryEntry(LogEvent):
    occurred_at: datetime = strawberry.field(description="When it happened.")
    state: str | None = strawberry.field(description="The state it led to; null if it stayed as it was.")

    @classmethod
    def of(cls, entry: Entry) -> Self:
        """The entry of the log, as it is shown."""
        event = entry.event
        return cls(
            position=Position(entry.position),
            version=event.originator_version,
            topic=event.TOPIC,
            actor=event.actor,
            occurred_at=event.timestamp,
            recorded_at=entry.recorded_at,
            state=event.TO,
        )


@strawberry.type
class Logged:
    """A thing that is shown alone, with its history: a list of such would read the log once for each row."""

    id: UUID = strawberry.field(description="Its id in the log.")

    @strawberry.field(description="时间线: every event of its history, oldest first.")
    async def timeline(self, info: Info) -> list[HistoryEntry]:
        return [HistoryEntry.of(entry) for entry in await info.context.system.log.history(self.id)]
