"""Looking into records by an inquiry 查询: found, recorded, and only then shown; never more than one page of one kind at one site."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import asyncpg
import strawberry

from api.graphql import records
from api.graphql.context import Context, Info
from api.graphql.lists import Place, read_position, read_time
from api.graphql.mutations.command import result
from api.graphql.records import CredentialRecord, ImageRecord, PassRecord, Record, VisitorRecord
from api.graphql.types import CommandResult, Connection, Edge, PageInfo
from domain.commands import Order
from domain.errors import InvalidError
from domain.inquiry import Inquiry, Look, Records, require_look
from domain.looking import record_look
from domain.observation import require_sha256
from domain.personal import Personal, of_subject
from domain.plates import PlateKind, read_plate
from domain.ports import EventLog
from projections import credentials, evidence, gate_lineage, visitors

BATCH = 200
"""Records that are opened at a time in a search: some 30 ms of work, in which nobody else is answered."""
MOST = 2_000
"""Records that are searched for one page, at most; the next page goes on there."""

Rows = Callable[[asyncpg.Connection, Order, Look, int, Any], Awaitable[Sequence[Any]]]
"""Finds rows of a look: at most so many, beyond these columns."""
Opened = Callable[[EventLog, Sequence[Any]], Awaitable[Sequence[Record]]]
"""What the rows are records of."""


@strawberry.type(description="查阅: one page of what was found; it is in the log that you were shown it.")
class LookResult(CommandResult):
    passes: Connection[PassRecord] | None = strawberry.field(
        description="通行记录, in the order of the log; null unless you looked into PASSES."
    )
    images: Connection[ImageRecord] | None = strawberry.field(
        description="图像记录, the earliest first; null unless you looked into IMAGES."
    )
    visitors: Connection[VisitorRecord] | None = strawberry.field(
        description="访客记录, by the beginning of the visit; null unless you looked into VISITORS."
    )
    credentials: Connection[CredentialRecord] | None = strawberry.field(
        description="凭证记录, by the beginning of their validity; null unless you looked into CREDENTIALS."
    )


@dataclass(frozen=True, slots=True)
class _Shelf:
    """Where records of one kind are found."""

    projection: str
    place: Place
    rows: Rows
    opened: Opened


async def _passes(
    connection: asyncpg.Connection, order: Order, look: Look, first: int, after: Any
) -> Sequence[Any]:
    position = 0 if after is None else after[0]
    found = await gate_lineage.during(connection, order.by.scope, look, first=first, after=position)
    return [one._asdict() for one in found]


async def _images(
    connection: asyncpg.Connection, order: Order, look: Look, first: int, after: Any
) -> Sequence[Any]:
    return await evidence.during(connection, order.by, look, first=first, after=after)


async def _visitors(
    connection: asyncpg.Connection, order: Order, look: Look, first: int, after: Any
) -> Sequence[Any]:
    return await visitors.during(connection, order.by.scope, look, order.at, first=first, after=after)


async def _credentials(
    connection: asyncpg.Connection, order: Order, look: Look, first: int, after: Any
) -> Sequence[Any]:
    return await credentials.during(connection, order.by.scope, look, first=first, after=after)


_SHELVES: Mapping[Records, _Shelf] = {
    Records.PASSES: _Shelf(
        "gate_traffic",
        Place("look:passes", {"position": read_position}),
        _passes,
        records.passes,
    ),
    Records.IMAGES: _Shelf(
        "evidence",
        Place(
            "look:images",
            {"at": read_time, "named_by": UUID, "sha256": lambda text: require_sha256(text, "cursor")},
        ),
        _images,
        records.images,
    ),
    Records.VISITORS: _Shelf(
        "visitors",
        Place("look:visitors", {"valid_from": read_time, "visitor_id": UUID}),
        _visitors,
        records.visitors,
    ),
    Records.CREDENTIALS: _Shelf(
        "credentials",
        Place("look:credentials", {"valid_from": read_time, "credential_id": UUID}),
        _credentials,
        records.credentials,
    ),
}


@dataclass(frozen=True, slots=True)
class Asked:
    """What is looked into. what: the one thing that is searched for; None: all is shown. A page: `first` records beyond `after`."""

    inquiry: Inquiry
    look: Look
    what: str | None
    first: int
    after: str | None


async def look(
    info: Info, order: Order, asked: Asked, *, after_position: int | None, expected_version: int | None
) -> LookResult:
    """Look as `asked`, and show what was found, if that could be recorded. RuleError if the inquiry is not for that; ConflictError."""
    context, inquiry = info.context, asked.inquiry
    require_look(inquiry, asked.look, by=order.by, at=order.at)
    wanted = None if asked.what is None else _spellings(asked.look.records, asked.what)
    shelf = _SHELVES[asked.look.records]
    await context.caught_up(shelf.projection, after_position)
    found, go_on = await _found(context, order, asked, shelf, wanted)
    done, subjects = await record_look(
        context.system.log,
        order,
        inquiry.id,
        asked.look,
        found=len(found),
        subjects={edge.node.subject for edge in found},
        what=None if asked.what is None else Personal(of_subject(inquiry.id), asked.what),
        expected_version=expected_version,
    )
    page = Connection(
        edges=[edge for edge in found if edge.node.subject in subjects],
        page_info=PageInfo(
            has_next_page=go_on is not None, end_cursor=go_on or (found[-1].cursor if found else None)
        ),
    )
    shown = dict.fromkeys(kind.lower() for kind in Records) | {asked.look.records.lower(): page}
    return result(done, LookResult, **shown)


async def _found(
    context: Context, order: Order, asked: Asked, shelf: _Shelf, wanted: frozenset[str] | None
) -> tuple[list[Edge[Any]], str | None]:
    """A page of what is there, and the cursor by which the next one goes on; None if there is no more."""
    size = asked.first + 1 if wanted is None else BATCH
    edges: list[Edge[Any]] = []
    after, looked = asked.after, 0
    while True:
        beyond = None if after is None else shelf.place.beyond(after)
        async with context.reading() as connection:
            rows = await shelf.rows(connection, order, asked.look, size, beyond)
        for row, record in zip(rows, await shelf.opened(context.system.log, rows), strict=True):
            if wanted is not None and not wanted & {text.casefold() for text in record.texts}:
                continue
            if len(edges) == asked.first:
                return edges, edges[-1].cursor
            edges.append(Edge(node=record, cursor=shelf.place.cursor(row)))
        if len(rows) < size:
            return edges, None
        after, looked = shelf.place.cursor(rows[-1]), looked + len(rows)
        if looked >= MOST:
            return edges, after


def _spellings(kind: Records, what: str) -> frozenset[str]:
    """How `what` may be written in a record: as it was said, or as a plate is kept. InvalidError."""
    if kind is Records.IMAGES:
        raise InvalidError("nothing is searched for in images: their digests say of nobody who it is")
    plate = read_plate(what)
    odd = plate.kind in {PlateKind.ODD, PlateKind.UNREADABLE}
    return frozenset({what.casefold()} | (set() if odd else {plate.text.casefold()}))
