"""What one commit makes of the requests that wait for it: arrays to append, places, or a refusal for each. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from operator import attrgetter
from uuid import UUID

import msgspec

from adapters import codec
from domain.errors import AnjuError, ConflictError, InvalidError
from domain.ports import COMMAND, Appended, Event, Request

Result = Appended | AnjuError
_ORIGINATOR, _VERSION = attrgetter("originator_id"), attrgetter("originator_version")
_TOPIC, _STATE = attrgetter("topic"), attrgetter("state")


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
    command: str | None = None

    @property
    def aggregates(self) -> frozenset[UUID]:
        """What it is about."""
        return frozenset(row.originator_id for row in self.rows)


def encode(request: Request, events: Sequence[Event]) -> Encoded:
    """`request` with `events`, its own as they are sealed. InvalidError if it cannot be stored."""
    rows = [Row(event.originator_id, event.originator_version, *codec.encode(event)) for event in events]
    if not rows:
        raise InvalidError("the request has no events")
    try:
        metadata = msgspec.json.encode(request.metadata, order="sorted").decode()
    except (TypeError, ValueError) as error:
        raise InvalidError(f"the metadata of request {request.id} cannot be stored: {error}") from error
    return Encoded(request.id, rows, metadata, request.metadata.get(COMMAND))


def columns(requests: Sequence[Encoded]) -> tuple[Sequence[object], ...] | None:
    """The arguments of `append_events` for all rows of `requests`, in order.

    None if, as far as the batch itself tells, something speaks against a row: then `decide` says what becomes of each request.
    """
    rows: list[Row] = []
    ids: list[UUID] = []
    metadata: list[str] = []
    last: dict[UUID, int] = {}
    followed: dict[UUID, int] = {}
    for request in requests:
        for row in request.rows:
            key, before = row.originator_id, row.originator_version - 1
            known = last.get(key)
            if before < 0 or (known is not None and known != before):
                return None
            if known is None and before:
                followed[key] = before
            last[key] = row.originator_version
            rows.append(row)
            ids.append(request.id)
            metadata.append(request.metadata)
    if len(set(ids)) < len(requests):
        return None
    return (
        list(map(_ORIGINATOR, rows)),
        list(map(_VERSION, rows)),
        list(map(_TOPIC, rows)),
        ids,
        metadata,
        list(map(_STATE, rows)),
        list(followed),
        list(followed.values()),
    )


def aggregates(requests: Sequence[Encoded]) -> set[UUID]:
    """All that `requests` are about."""
    return {row.originator_id for request in requests for row in request.rows}


def place(requests: Sequence[Encoded], first: int) -> list[Appended]:
    """Where the events of each request stand, when those of the first begin at position `first`."""
    places = []
    for request in requests:
        places.append(Appended(first, first + len(request.rows) - 1))
        first += len(request.rows)
    return places


@dataclass(frozen=True, slots=True)
class Decision:
    """What is to become of one request: refused (or found to be there already), the repeat of one before it, or appended."""

    request: Encoded
    known: Result | None = None
    repeats: Encoded | None = None

    @property
    def accepted(self) -> bool:
        """Whether its rows are to be appended."""
        return self.known is None and self.repeats is None

    def result(self, appended: Mapping[UUID, Appended]) -> Result:
        """The request's result, when the accepted ones stand where `appended` says."""
        if self.known is not None:
            return self.known
        found = appended[self.request.id]
        return found if self.repeats is None else replace(found, repeated=True, command=self.repeats.command)


@dataclass(frozen=True, slots=True)
class Earlier:
    """A request that stands in the log already: where, and what it was about."""

    place: Appended
    aggregates: frozenset[UUID]


def decide(
    requests: Sequence[Encoded], versions: Mapping[UUID, int], earlier: Mapping[UUID, Earlier]
) -> list[Decision]:
    """Decide each request in order. versions: of every aggregate in them. earlier: requests that stand in the log already."""
    now = dict(versions)
    decisions: dict[UUID, Decision] = {}
    decided = []
    for request in requests:
        if request.id in earlier:
            found = earlier[request.id]
            known = _misused(request, found.aggregates) or replace(found.place, repeated=True)
            decision = Decision(request, known)
        elif request.id in decisions:
            before = decisions[request.id]
            refused = _misused(request, before.request.aggregates) or before.known
            decision = Decision(request, refused, repeats=None if refused else before.request)
        else:
            decision = decisions[request.id] = Decision(request, _conflict(request, now))
            if decision.accepted:
                now.update({row.originator_id: row.originator_version for row in request.rows})
        decided.append(decision)
    return decided


def _misused(request: Encoded, aggregates: frozenset[UUID]) -> InvalidError | None:
    """The refusal of a request whose id belongs to another one, about `aggregates`."""
    if request.aggregates == aggregates:
        return None
    return InvalidError(f"request id {request.id} was used for something else: each request needs its own")


def _conflict(request: Encoded, versions: Mapping[UUID, int]) -> ConflictError | None:
    """Why the request's rows do not follow `versions`; None if they do."""
    now: dict[UUID, int] = {}
    for row in request.rows:
        current = now.get(row.originator_id, versions[row.originator_id])
        if row.originator_version != current + 1:
            return ConflictError(
                f"{row.originator_id} is at version {current}: {row.topic} would be version {row.originator_version}",
                current=current,
            )
        now[row.originator_id] = row.originator_version
    return None
