"""What the domain needs of the outside world, as narrow protocols; `adapters/` implements them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeAlias, TypeVar
from uuid import UUID

from eventsourcing.domain import Aggregate, CanMutateAggregate

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from datetime import datetime

A = TypeVar("A", bound=Aggregate)
Event: TypeAlias = CanMutateAggregate[UUID]
COMMAND = "command"
"""What the metadata of a request call the command of the policy that it carries out, such as `incident.accept`."""


@dataclass(frozen=True, slots=True)
class Appended:
    """Where a request's events stand in the log. `repeated`: they stood there already, from an earlier try, whose `command` it was."""

    first: int
    last: int
    repeated: bool = False
    command: str | None = None


@dataclass(frozen=True, slots=True)
class Request:
    """Events that are appended all or not at all. The same `id` given twice is appended once."""

    id: UUID
    events: Sequence[Event]
    metadata: Mapping[str, str]


class Entry(NamedTuple):
    """One event as it stands in the log. (A tuple: they are made by the million.)"""

    position: int
    recorded_at: datetime
    event: Any
    metadata: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Page:
    """A stretch of the log: `entries` are all that were asked for up to and including position `through`; read on after that."""

    entries: Sequence[Entry]
    through: int


class EventLog(Protocol):
    """The truth: append-only, gapless, hash-chained."""

    async def append(self, request: Request) -> Appended:
        """Durable when it returns. A caller that is cancelled does not know whether it was appended: the same id tells.

        ConflictError if an aggregate has moved on; InvalidError if the id was used for another aggregate, or an event cannot be
        stored; UnavailableError if the store cannot be reached.
        """

    async def append_all(self, requests: Sequence[Request]) -> list[Appended | Exception]:
        """Append many requests in one transaction; each succeeds or fails alone, and results come in the order given."""

    async def find(self, request_id: UUID, aggregate_id: UUID | None = None) -> Appended | None:
        """What an earlier request with this id became (of `aggregate_id`, if it is given); None if there was none."""

    async def load(
        self, kind: type[A], aggregate_id: UUID, *, version: int | None = None, at: datetime | None = None
    ) -> A:
        """The aggregate as it is now, replayed from its events; NotFoundError.

        version: only its first `version` events. at: only what was recorded by then: what the log knew, whenever it happened.
        """

    async def seen(self, kind: type[A], aggregate_id: UUID) -> A:
        """The same aggregate as `load` gives now, to look at only: others are shown this very one. It has nothing personal; NotFoundError.

        For what is looked at far more often than it changes, such as a site.
        """

    async def history(self, aggregate_id: UUID) -> list[Entry]:
        """Every event of one aggregate, in order; empty if there is none."""

    async def histories(
        self, kind: type[A], ids: Collection[UUID], *, version: int | None = None, opened: bool = True
    ) -> dict[UUID, list[Entry]]:
        """The same of each of `ids` that is a `kind`, in one statement; an id without events is left out.

        version: only the first `version` events of each. Not `opened`: what is personal stays sealed.
        """

    async def events_of(
        self, kind: type[A], versions: Collection[tuple[UUID, int]], *, opened: bool = True
    ) -> dict[tuple[UUID, int], Entry]:
        """The single events that have these versions of these aggregates, in one statement; what is not there is left out."""

    async def read(
        self,
        after: int,
        limit: int,
        topics: frozenset[str] | None = None,
        *,
        categories: frozenset[str] | None = None,
        opened: bool = True,
    ) -> Page:
        """The next events of `topics` (or `categories`; None: all) beyond `after`, in order and at most `limit`.

        A page may be empty although there is more: the log is at its end when `through` is `after`. Not `opened`: what is
        personal stays sealed. CorruptError at a gap.
        """

    async def position(self) -> int:
        """The last position, 0 when the log is empty."""
