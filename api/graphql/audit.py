"""The log for auditors, in GraphQL: the same questions as /api/audit, with the same rights and the same record of who asked."""

from datetime import datetime
from typing import Annotated, Self
from uuid import UUID

import strawberry
from strawberry.scalars import JSON

from adapters import audit_events
from adapters.checkpoints import Signed
from adapters.verifications import Verification as Found
from api.audit import events, past, verifying
from api.audit.events import LoggedEvent
from api.graphql import types
from api.graphql.context import Info
from api.graphql.history import LogEvent
from api.graphql.lists import read_position
from api.graphql.shown import copied
from api.graphql.types import Position
from domain.errors import InvalidError
from domain.history import Change, Past, difference
from domain.reading import Shown


@strawberry.type(description="审计事件: one event as it stands in the log; what is personal stays sealed.")
class AuditEvent(LogEvent):
    aggregate_id: UUID = strawberry.field(description="Of which incident, site, key, ..")
    happened_at: datetime = strawberry.field(description="When it happened.")
    request_id: UUID = strawberry.field(description="The request that it came with.")
    metadata: JSON = strawberry.field(description="What was stored beside it.")
    said: JSON = strawberry.field(description="What it says beside what every event has.")
    hash: str = strawberry.field(description="The chain's, at its position, in hex.")

    @classmethod
    def of(cls, one: LoggedEvent) -> Self:
        """The event, as it is shown."""
        return copied(cls, one)


@strawberry.type(description="A field before and after; null where there was nothing.")
class AuditChange:
    field: str = strawberry.field(description="Which field of it.")
    before: JSON | None = strawberry.field(description="Its value at the earlier moment.")
    after: JSON | None = strawberry.field(description="Its value at the later one.")

    @classmethod
    def listed(cls, changed: dict[str, Change]) -> "list[AuditChange]":
        """The changes by field."""
        return [
            cls(field=name, before=JSON(one.before), after=JSON(one.after)) for name, one in changed.items()
        ]


@strawberry.type(description="One event of a thing's history, and what it changed.")
class PastEvent(LogEvent):
    happened_at: datetime = strawberry.field(description="When it happened.")
    said: JSON = strawberry.field(description="What it says.")
    changed: list[AuditChange] = strawberry.field(description="What it changed.")

    @classmethod
    def of(cls, one: Past) -> Self:
        """The event, as it is shown."""
        return copied(cls, one, changed=AuditChange.listed(dict(one.changed)))


@strawberry.type(description="历史: one thing of the log between two moments.")
class Replayed:
    id: UUID = strawberry.field(description="Of the aggregate.")
    kind: str = strawberry.field(description="What it is, such as incident.")
    version: int = strawberry.field(description="Its version at the later moment.")
    events: list[PastEvent] = strawberry.field(description="Its events between the two.")
    state: JSON = strawberry.field(
        description="What it was at the later moment; what is personal stays sealed."
    )
    changed: list[AuditChange] = strawberry.field(description="What differs between the two.")

    @classmethod
    def of(cls, seen: past.Seen) -> Self:
        """What was seen, as it is shown."""
        return copied(
            cls,
            seen,
            events=[PastEvent.of(one) for one in seen.events],
            state=JSON(seen.after),
            changed=AuditChange.listed(difference(seen.before, seen.after)),
        )


@strawberry.type(description="验证: what recomputing the hash chain found.")
class Verification:
    id: UUID = strawberry.field(description="By which it can be asked for again.")
    first: Position = strawberry.field(description="The first position that was to be checked.")
    last: Position = strawberry.field(description="The last one.")
    checked: Position = strawberry.field(description="How many were, by now.")
    running: bool = strawberry.field(description="It has not come to its end.")
    holds: bool | None = strawberry.field(description="Null while it runs, and if it could not be finished.")
    position: Position | None = strawberry.field(description="The first that does not hold.")
    problem: str | None = strawberry.field(description="What does not hold, or why it could not be finished.")
    started_by: str = strawberry.field(description="Who asked for it.")
    started_at: datetime = strawberry.field(description="When it began.")
    ended_at: datetime | None = strawberry.field(description="When it was over.")

    @classmethod
    def of(cls, one: Found) -> Self:
        """The verification, as it is shown."""
        return copied(cls, one)


@strawberry.type(description="检查点: how the log stood when it had so many events, signed.")
class Checkpoint:
    size: Position = strawberry.field(description="How many events.")
    root: str = strawberry.field(description="Root of the Merkle tree over them, in hex.")
    last_hash: str = strawberry.field(description="The chain's hash at the last of them, in hex.")
    made_at: datetime = strawberry.field(description="When it was made.")
    note: str = strawberry.field(description="The signed note; docs/proof.md says how to check it.")

    @classmethod
    def of(cls, one: Signed) -> Self:
        """The checkpoint, as it is shown."""
        found = one.checkpoint
        return copied(cls, found, root=found.root.hex(), last_hash=found.last_hash.hex(), note=one.note)


@strawberry.input(description="Everything given must hold.")
class AuditFilter:
    topic: str | None = strawberry.field(default=None, description="Such as incident.reported.")
    category: str | None = strawberry.field(default=None, description="The first word of topics.")
    aggregate: UUID | None = strawberry.field(default=None, description="Of this incident, site, key, ..")
    actor: str | None = strawberry.field(default=None, description="The person, device or worker behind it.")
    correlation: str | None = strawberry.field(
        default=None, description="Of the metadata, or the id of the request."
    )
    recorded_from: datetime | None = strawberry.field(default=None, description="Included.")
    recorded_until: datetime | None = strawberry.field(default=None, description="Not included.")
    through: Position | None = strawberry.field(default=None, description="Only up to this position.")

    def of_log(self) -> audit_events.EventFilter:
        """As the log is asked."""
        return audit_events.EventFilter(
            topic=self.topic,
            category=self.category,
            aggregate_id=self.aggregate,
            actor=self.actor,
            correlation=self.correlation,
            since=self.recorded_from,
            until=self.recorded_until,
        )


@strawberry.type
class Audit:
    """What auditors can ask. Whatever shows events needs a reason: the header Anju-Purpose."""

    @strawberry.field(
        description="Events of the log, oldest first. A page may be short although there is more: `hasNextPage` says."
    )
    async def audit_events(
        self,
        info: Info,
        filter: AuditFilter | None = None,
        first: types.First = 50,
        after: types.After = None,
    ) -> types.Connection[AuditEvent]:
        asked = filter or AuditFilter()
        beyond = 0 if after is None else types.parts_of(after, read_position)[0]
        found = await events.page(info.context, asked.of_log(), first, beyond, asked.through)
        edges = [
            types.Edge(node=AuditEvent.of(one), cursor=types.cursor(one.position)) for one in found.events
        ]
        end = types.cursor(found.through) if found.more or edges else None
        return types.Connection(
            edges=edges, page_info=types.PageInfo(has_next_page=found.more, end_cursor=end)
        )

    @strawberry.field(description="Every event of one thing of the log, and what it changed.")
    async def history(self, info: Info, id: UUID) -> Replayed:
        return Replayed.of(await events.seen(info.context, Shown.HISTORY, id))

    @strawberry.field(
        description="One thing as the log knew it at a time or a position (now, without either)."
    )
    async def replay(
        self, info: Info, id: UUID, at: datetime | None = None, position: Position | None = None
    ) -> Replayed:
        if at is not None and position is not None:
            raise InvalidError("a moment is a time or a position: choose one of `at` and `position`")
        last = position if at is None else past.time(at.isoformat())
        return Replayed.of(await events.seen(info.context, Shown.REPLAY, id, None, last))

    @strawberry.field(
        description="What differs between two moments, each a position (as text) or a time with its zone."
    )
    async def diff(
        self,
        info: Info,
        id: UUID,
        from_: Annotated[str, strawberry.argument(name="from")],
        to: str,
    ) -> Replayed:
        moments = past.moment(from_), past.moment(to)
        return Replayed.of(await events.seen(info.context, Shown.DIFFERENCE, id, *moments))

    @strawberry.field(description="The newest verification of the log, or null if there was none.")
    async def verification(self, info: Info) -> Verification | None:
        found = await verifying.newest(info.context, 1)
        return Verification.of(found[0]) if found else None

    @strawberry.field(description="Signed checkpoints, the newest first, smaller than `before`.")
    async def checkpoints(
        self, info: Info, first: types.First = 50, before: Position | None = None
    ) -> list[Checkpoint]:
        _, found = await verifying.signed(info.context, first, before)
        return [Checkpoint.of(one) for one in found]
