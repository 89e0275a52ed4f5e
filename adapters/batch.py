"""What one commit makes of the requests that wait for it: positions, hashes, or a refusal for each. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

import msgspec

from adapters import codec
from domain.chain import Record, link
from domain.errors import AnjuError, ConflictError, InvalidError
from domain.ports import Appended, Request

Result = Appended | AnjuError


@dataclass(frozen=True, slots=True)
class Row:
    """One event, encoded."""

    originator_id: UUID
    originator_version: int
    topic: str
    state: bytes


@dataclass(frozen=True, slots=True)
class Encoded:
    """A request, ready to be written."""

    id: UUID
    rows: Sequence[Row]
    metadata: str


def encode(request: Request) -> Encoded | AnjuError:
    """`request` with its events encoded, or why it cannot be stored."""
    try:
        rows = [
            Row(event.originator_id, event.originator_version, *codec.encode(event))
            for event in request.events
        ]
        metadata = msgspec.json.encode(request.metadata, order="sorted").decode()
    except AnjuError as error:
        return error
    except (TypeError, ValueError) as error:
        return InvalidError(f"the metadata of request {request.id} cannot be stored: {error}")
    if not rows:
        return InvalidError("the request has no events")
    return Encoded(request.id, rows, metadata)


@dataclass(frozen=True, slots=True)
class Head:
    """Where the log ends, and the time that nothing may be recorded before."""

    position: int
    hash: bytes
    recorded_at: datetime


@dataclass(slots=True)
class Batch:
    """The rows that follow `head`: give it the requests, in order.

    versions: of every aggregate in the requests, before the batch. requests: those that stand in the log already,
    with the aggregates they were about.
    """

    head: Head
    versions: dict[UUID, int]
    requests: dict[UUID, tuple[Appended, frozenset[UUID]]]
    records: list[Record] = field(default_factory=list)
    hashes: list[bytes] = field(default_factory=list)

    def take(self, request: Encoded) -> Result:
        """Give positions and hashes to the request's events, or say why not."""
        if earlier := self.requests.get(request.id):
            return _repeated(request, *earlier)
        versions: dict[UUID, int] = {}
        for row in request.rows:
            current = versions.get(row.originator_id, self.versions[row.originator_id])
            if row.originator_version != current + 1:
                return ConflictError(
                    f"{row.originator_id} is at version {current}: {row.topic} would be version {row.originator_version}",
                    current=current,
                )
            versions[row.originator_id] = row.originator_version
        self.versions.update(versions)
        first = self.head.position + 1
        for place, row in enumerate(request.rows, start=first):
            record = Record(
                place,
                self.head.recorded_at,
                row.originator_id,
                row.originator_version,
                request.id,
                row.topic,
                request.metadata,
                row.state,
            )
            self.head = Head(place, link(self.head.hash, record), self.head.recorded_at)
            self.records.append(record)
            self.hashes.append(self.head.hash)
        appended = Appended(first, self.head.position)
        self.requests[request.id] = appended, frozenset(versions)
        return appended

    def columns(self) -> tuple[object, ...]:
        """The rows as the arrays $1 .. $8 of the statements in event_log.sql, and the new head as $9 .. $11."""
        return (
            [record.position for record in self.records],
            [record.originator_id for record in self.records],
            [record.originator_version for record in self.records],
            [record.topic for record in self.records],
            [record.request_id for record in self.records],
            [record.metadata for record in self.records],
            [record.state for record in self.records],
            self.hashes,
            self.head.recorded_at,
            self.head.position,
            self.head.hash,
        )


def _repeated(request: Encoded, earlier: Appended, aggregates: frozenset[UUID]) -> Result:
    if aggregates != {row.originator_id for row in request.rows}:
        return InvalidError(
            f"request id {request.id} was used for something else (position {earlier.first}): each request needs its own"
        )
    return Appended(earlier.first, earlier.last, repeated=True)


def predecessors(requests: Sequence[Encoded]) -> dict[UUID, int]:
    """The version of each aggregate that the first of its rows follows; 0 for a new one."""
    found: dict[UUID, int] = {}
    for request in requests:
        for row in request.rows:
            found.setdefault(row.originator_id, row.originator_version - 1)
    return found
