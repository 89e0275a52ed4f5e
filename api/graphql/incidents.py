"""Queries of incidents: one, and lists of them, as they stand now or stood then."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated
from uuid import UUID

import strawberry

from api.graphql.context import Info
from api.graphql.incident_filter import IncidentFilter, IncidentOrder, cursor_of, place_of
from api.graphql.incident_types import Incident
from api.graphql.moment import AtPosition, require_moment, waited
from api.graphql.types import After, AfterPosition, Connection, Edge, First, PageInfo, Position, page_size
from domain.errors import InvalidError
from domain.incident import IncidentState
from domain.lifecycle import require_aware
from domain.reading import LONGEST_QUESTION, Shown
from projections import incidents, past
from projections.incidents import Order, Place
from projections.past import Then
from projections.standing import Standing

AsOf = Annotated[
    datetime | None,
    strawberry.argument(
        description="As it was at this time: only what had happened by then, whenever we were told."
    ),
]


@strawberry.type(description="How many incidents are in a state.")
class StateCount:
    state: IncidentState = strawberry.field(description="状态.")
    incidents: int = strawberry.field(description="How many.")


@strawberry.type(description="A page of incidents (Relay).")
class IncidentConnection(Connection[Incident]):
    asked: strawberry.Private[incidents.IncidentFilter | None]

    @strawberry.field(
        description="How many the filter finds in each state, on all pages; states without any are left out. Counted when asked for; not of then."
    )
    async def counts(self, info: Info) -> list[StateCount]:
        if self.asked is None:
            raise InvalidError(
                "`counts` are of now: ask without asOf and atPosition (closureRate has an asOf of its own)"
            )
        async with info.context.reading() as connection:
            found = await incidents.counted(connection, incidents.Reader.of(info.context.person), self.asked)
        return [StateCount(state=state, incidents=found[state]) for state in IncidentState if state in found]


@strawberry.type
class Incidents:
    """The queries of incidents."""

    @strawberry.field(
        description="事件: one incident, as it stands now or stood then; null if there is none that you may see, or was none yet."
    )
    async def incident(
        self,
        info: Info,
        id: UUID,
        as_of: AsOf = None,
        at_position: AtPosition = None,
        after_position: AfterPosition = None,
    ) -> Incident | None:
        reader = incidents.Reader.of(info.context.allow("read.incidents"))
        then = await _then(info, as_of, at_position)
        await info.context.caught_up("incidents", waited(at_position, after_position))
        if then is not None:
            row = await past.one(info.context.reading, info.context.system.log, reader, id, then)
            if row is not None:
                await info.context.record_read(Shown.PAST, [id], place=row, asked=_question(then), found=1)
        else:
            async with info.context.reading() as connection:
                row = await incidents.one(connection, reader, id)
        return None if row is None else Incident.of(row)

    @strawberry.field(description="事件: incidents as they stand now or stood then, newest report first.")
    async def incidents(
        self,
        info: Info,
        filter: IncidentFilter | None = None,
        order_by: IncidentOrder | None = None,
        first: First = 50,
        after: After = None,
        as_of: AsOf = None,
        at_position: AtPosition = None,
        after_position: AfterPosition = None,
    ) -> IncidentConnection:
        reader = incidents.Reader.of(info.context.allow("read.incidents"))
        size, order = page_size(first), incidents.NEWEST if order_by is None else order_by.asked()
        place = None if after is None else place_of(after, order)
        then = await _then(info, as_of, at_position)
        now = info.context.system.now() if then is None else as_of
        wanted = (filter or IncidentFilter()).asked(now)
        await info.context.caught_up("incidents", waited(at_position, after_position))
        if wanted.text is not None:
            await info.context.caught_up("search", after_position)
        if then is not None:
            page = await past.listed(
                info.context.reading,
                info.context.system.log,
                reader,
                wanted,
                then,
                first=size + 1,
                order=order,
                after=place,
            )
            await info.context.record_read(
                Shown.PAST,
                [row.incident_id for row in page.rows[:size]],
                place=reader.scope,
                asked=_question(then, filter),
                found=len(page.rows[:size]),
            )
            return _connection(page.rows, size, order, go_on=page.go_on)
        async with info.context.reading() as connection:
            rows = await incidents.listed(
                connection, reader, wanted, first=size + 1, order=order, after=place
            )
        return _connection(rows, size, order, asked=wanted)


async def _then(info: Info, as_of: datetime | None, at_position: Position | None) -> Then | None:
    """The moment that is asked about; None: now. InvalidError if it is two, or beyond the log."""
    await require_moment(info, as_of, at_position)
    return at_position if as_of is None else require_aware(as_of)


def _question(then: Then, filter: IncidentFilter | None = None) -> str:
    """Which moment was asked about, and of which incidents, for the record."""
    moment = f"atPosition={then}" if isinstance(then, int) else f"asOf={then.isoformat()}"
    whole = moment if filter is None else f"{moment}&{filter.question()}"
    return whole[:LONGEST_QUESTION]  # a filter may list any number of codes; the record has the ids as well


def _connection(
    rows: Sequence[Standing],
    size: int,
    order: Order,
    *,
    asked: incidents.IncidentFilter | None = None,
    go_on: Place | None = None,
) -> IncidentConnection:
    """A page of at most `size`; one row more says that there is a next one. go_on: it begins there, although this one is not full."""
    edges = [Edge(node=Incident.of(row), cursor=cursor_of(order.place(row), order)) for row in rows[:size]]
    last = edges[-1].cursor if edges else None
    more = len(rows) > size
    if go_on is not None and not more:
        more, last = True, cursor_of(go_on, order)
    return IncidentConnection(
        edges=edges, page_info=PageInfo(has_next_page=more, end_cursor=last), asked=asked
    )
