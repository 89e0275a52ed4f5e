"""GraphQL types: what a command centre sees. Chinese terms stand in the descriptions."""

import base64
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from typing import Annotated, Any, Generic, NewType, Self, TypeVar
from uuid import UUID

import strawberry
from strawberry.types.scalar import ScalarDefinition

from api.graphql.context import Info
from domain import personal
from domain.access import Decision
from domain.credentials import CredentialKind
from domain.deadlines import Urgency
from domain.errors import InvalidError
from domain.incident import IncidentState, Source
from domain.mechanisms import JointMechanism
from domain.site import BY_CARD, Direction, Gate, GateMode, Measure
from projections import period

strawberry.enum(Urgency, description="紧急程度: how soon it has to be dealt with.")
strawberry.enum(IncidentState, description="Where an incident stands; exactly one at a time.")
strawberry.enum(Source, description="Who or what reported it.")
strawberry.enum(Decision, description="What came of a passage at a gate.")
strawberry.enum(GateMode, description="Whom a gate stops.")
strawberry.enum(Direction, description="Which way people pass.")
strawberry.enum(CredentialKind, description="What is shown at a gate.")
strawberry.enum(JointMechanism, description="六联: under which of the six the units work together.")
strawberry.enum(Measure, description="What the programme installs at a site.")

Position = NewType("Position", int)
"""A place in the log; beyond 32 bits in a large district, so not GraphQL's Int."""
_LAST = 2**53 - 1


def position_of(value: object) -> Position:
    """`value`, if it is one."""
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= _LAST:
        raise InvalidError(f"{value!r} is not a position: a whole number from 0 to {_LAST} is expected")
    return Position(value)


SCALARS: dict[object, ScalarDefinition] = {
    Position: strawberry.scalar(
        name="Position",
        description="A place in the log: 1, 2, 3 .. without gaps; a JSON number below 2^53.",
        serialize=int,
        parse_value=position_of,
    ),
}

LARGEST_PAGE = 500

First = Annotated[int, strawberry.argument(description=f"How many, 1 to {LARGEST_PAGE}.")]
After = Annotated[str | None, strawberry.argument(description="`endCursor` of the page before.")]
AfterPosition = Annotated[
    Position | None,
    strawberry.argument(
        description="Wait (some seconds at most) until this log position is counted: read your own write."
    ),
]


def page_size(first: int) -> int:
    """`first`, if it is one that is served."""
    if not 1 <= first <= LARGEST_PAGE:
        raise InvalidError(
            f"first is {first}; 1 to {LARGEST_PAGE} are served, and `after` gives the next page"
        )
    return first


def cursor(*parts: object) -> str:
    """An opaque cursor."""
    return base64.urlsafe_b64encode("|".join(map(str, parts)).encode()).decode()


def parts_of(after: str, *read: Callable[[str], Any]) -> tuple[Any, ...]:
    """What `cursor` was made of, each part read by its function; InvalidError if it is no cursor of this list."""
    try:
        texts = base64.urlsafe_b64decode(after.encode()).decode().split("|")
        return tuple(of(text) for of, text in zip(read, texts, strict=True))
    except ValueError as error:  # also what base64, UTF-8, dates, numbers and ids raise
        raise InvalidError("`after` is not a cursor of this list: pass on its `endCursor`") from error


@strawberry.enum(description="The length of a stretch of time, by the calendar of Asia/Shanghai.")
class Unit(StrEnum):
    HOUR = "HOUR"
    DAY = "DAY"


@strawberry.input(description="Calendar days in Asia/Shanghai, both included.")
class Period:
    from_: date = strawberry.field(name="from")
    to: date

    def checked(self) -> Self:
        """The period, if it does not end before it begins."""
        if self.to < self.from_:
            raise InvalidError(f"the period ends ({self.to}) before it begins ({self.from_})")
        return self

    def moments(self) -> tuple[datetime, datetime]:
        """Its first moment, and the first after it."""
        try:
            start, end = (
                datetime.combine(day, time(), period.ZONE).astimezone(UTC)
                for day in (self.from_, self.to + timedelta(days=1))
            )
        except OverflowError as error:
            raise InvalidError(
                f"the period from {self.from_} to {self.to} reaches the end of the calendar"
            ) from error
        return start, end


@strawberry.type
class PageInfo:
    has_next_page: bool
    end_cursor: str | None


T = TypeVar("T")


@strawberry.type
class Edge(Generic[T]):
    node: T
    cursor: str


@strawberry.type(description="A page of a list (Relay).")
class Connection(Generic[T]):
    edges: list[Edge[T]]
    page_info: PageInfo

    @classmethod
    def of(cls, nodes: "list[tuple[T, str]]", first: int) -> "Connection[T]":
        """A page of at most `first` of (node, cursor); one more than `first` says that there is a next page."""
        edges = [Edge(node=node, cursor=at) for node, at in nodes[:first]]
        return cls(
            edges=edges,
            page_info=PageInfo(
                has_next_page=len(nodes) > first, end_cursor=edges[-1].cursor if edges else None
            ),
        )


@strawberry.type(description="Personal text, kept under the key of a scope.")
class Personal:
    scope: str = strawberry.field(description="Whose key it is kept under: what a privacy officer destroys.")
    text: str | None = strawberry.field(description="Null when it is redacted.")
    redacted: bool = strawberry.field(description="The key was destroyed, and the text with it.")

    @classmethod
    def of(cls, value: personal.Personal) -> Self:
        """The value, as it is shown to who may see it."""
        return cls(scope=value.scope, text=value.text, redacted=value.redacted)


@strawberry.type(description="通行: how many passed a gate in a stretch of time.")
class GateTraffic:
    start: datetime
    gate: str
    decision: Decision
    passes: int


@strawberry.type(description="How far a read model has got.")
class ProjectionStatus:
    name: str
    version: int
    position: Position
    lag: int = strawberry.field(description="Positions of the log that it has not seen yet.")
    lag_seconds: float = strawberry.field(description="How long the first of them has been waiting.")
    folded: int = strawberry.field(description="Events of its topics that it folded.")
    missing: int | None = strawberry.field(
        description="How many more of them the log has up to its position: 0, or something was lost. Null until they are counted."
    )
    error: str | None = strawberry.field(description="Why it stands still, if it does.")
    digest: str | None = strawberry.field(
        description="Of its tables, when a rebuild last gave equal ones (`anju rebuild NAME --check`)."
    )
    proved_position: Position | None = strawberry.field(description="Where it stood then.")
    updated_at: datetime

    @classmethod
    def of(cls, row: Any) -> "ProjectionStatus":
        return cls(
            name=row["name"],
            version=row["version"],
            position=Position(row["position"]),
            lag=row["lag"],
            lag_seconds=row["lag_seconds"],
            folded=row["folded"],
            missing=row["missing"],
            error=row["error"],
            digest=row["digest"],
            proved_position=row["proved_position"] and Position(row["proved_position"]),
            updated_at=row["updated_at"],
        )


@strawberry.type(description="How the system is.")
class SystemStatus:
    position: Position = strawberry.field(description="The last position of the log.")
    projections: list[ProjectionStatus]

    @strawberry.field(description="On the bus, not yet in the log; null without a bus.")
    async def observations_waiting(self, info: Info) -> int | None:
        bus = info.context.system.bus
        return await bus.backlog() if bus else None

    @strawberry.field(description="Messages that could not be taken in; null without a bus.")
    async def dead_letters(self, info: Info) -> int | None:
        bus = info.context.system.bus
        return (await bus.counts())["DEAD_LETTERS"] if bus else None


@strawberry.input(description="A gate to be built at a site.")
class GateInput:
    code: str = strawberry.field(description="Unique within its site.")
    name: str
    mode: GateMode
    direction: Direction
    credentials: list[CredentialKind] = strawberry.field(
        default_factory=lambda: list(BY_CARD), description="By what people can be known at it."
    )

    def of_domain(self) -> Gate:
        """The gate as the domain knows it."""
        return Gate(self.code, self.name, self.mode, self.direction, tuple(self.credentials))


@strawberry.type(
    description="What a command became. Pass `position` as `afterPosition` to read your own write."
)
class CommandResult:
    id: UUID
    version: int
    position: Position
    repeated: bool = strawberry.field(
        description="True if a request with this id was done before; nothing was done now."
    )
