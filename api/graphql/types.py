"""GraphQL types: what a command centre sees. Chinese terms stand in the descriptions."""

import base64
from collections.abc import Callable
from dataclasses import asdict, replace
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from typing import Annotated, Any, Generic, NewType, Self, TypeVar
from uuid import UUID

import strawberry
from strawberry.schema.types.base_scalars import UUIDDefinition
from strawberry.types.scalar import ScalarDefinition

from api.graphql.context import Info
from api.graphql.shown import shown
from domain import personal
from domain.access import Decision
from domain.credentials import CredentialKind
from domain.errors import InvalidError
from domain.site import BY_CARD, Direction, Gate, GateMode
from projections import devices, period

Position = NewType("Position", int)
"""A place in the log; beyond 32 bits in a large district, so not GraphQL's Int."""
LAST = 2**53 - 1
"""The largest position: what JSON, as browsers read it, can say exactly."""


def position_of(value: object) -> Position:
    """`value`, if it is one."""
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= LAST:
        raise InvalidError(f"{value!r} is not a position: a whole number from 0 to {LAST} is expected")
    return Position(value)


SCALARS: dict[object, ScalarDefinition] = {
    UUID: replace(UUIDDefinition, description="An id: 32 hexadecimal digits in groups of 8, 4, 4, 4 and 12."),
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

    @property
    def length(self) -> timedelta:
        """How long it is."""
        return timedelta(hours=1) if self is Unit.HOUR else timedelta(days=1)


@strawberry.input(description="Calendar days in Asia/Shanghai, both included.")
class Period:
    from_: date = strawberry.field(name="from", description="Its first day.")
    to: date = strawberry.field(description="Its last day.")

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


@strawberry.type(description="Where a page of a list ends (Relay).")
class PageInfo:
    has_next_page: bool = strawberry.field(description="Whether there is more.")
    end_cursor: str | None = strawberry.field(description="`after` of the next page; null of an empty one.")


T = TypeVar("T")


@strawberry.type(description="A place in a list (Relay).")
class Edge(Generic[T]):
    node: T = strawberry.field(description="What stands there.")
    cursor: str = strawberry.field(description="`after` of a page that begins behind it.")


@strawberry.type(description="A page of a list (Relay).")
class Connection(Generic[T]):
    edges: list[Edge[T]] = strawberry.field(description="The page, in the order of the list.")
    page_info: PageInfo = strawberry.field(description="Where the page ends.")

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

    @classmethod
    def maybe(cls, value: personal.Personal | None) -> Self | None:
        """The same of what may be missing."""
        return None if value is None else cls.of(value)


@strawberry.type(description="通行: how many passed a gate in a stretch of time.")
class GateTraffic:
    start: datetime = strawberry.field(description="When the stretch begins.")
    gate: str = strawberry.field(description="The gate's code.")
    decision: Decision = strawberry.field(description="What came of the passages.")
    passes: int = strawberry.field(description="How many there were.")


@strawberry.type(description="How far a read model has got.")
class ProjectionStatus:
    name: str = strawberry.field(description="As `anju rebuild` knows it.")
    version: int = strawberry.field(description="Of its tables and its fold.")
    position: Position = strawberry.field(description="How far of the log it has seen.")
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
    updated_at: datetime = strawberry.field(description="When it last moved.")

    @classmethod
    def of(cls, row: Any) -> Self:
        """A row of their status, as it is shown."""
        return shown(cls, row)


@strawberry.type(description="设备在线: how many devices are in each state; those that are retired are none.")
class DeviceHealth:
    online: int = strawberry.field(description="在线.")
    offline: int = strawberry.field(description="离线.")
    never_seen: int = strawberry.field(description="Registered, and not heard yet.")
    out_of_service: int = strawberry.field(description="Being mended.")
    armed: int = strawberry.field(description="布防: perimeter zones that watch.")
    last_seen_at: datetime | None = strawberry.field(description="The latest sign of any.")
    online_rate: float | None = strawberry.field(
        description="设备在线率: online / all in service, 0 to 1; null when none is in service."
    )

    @classmethod
    def of(cls, health: devices.Health) -> Self:
        """The counts, as they are shown."""
        return cls(**asdict(health), online_rate=health.online_rate)


@strawberry.type(description="How the system is.")
class SystemStatus:
    position: Position = strawberry.field(description="The last position of the log.")
    projections: list[ProjectionStatus] = strawberry.field(description="The read models, each.")

    @strawberry.field(description="设备: how many of the devices that you may see are online.")
    async def devices(self, info: Info) -> DeviceHealth:
        person = info.context.allow("read.devices")
        async with info.context.reading() as connection:
            return DeviceHealth.of(await devices.health(connection, person.scope))

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
    name: str = strawberry.field(description="What people call it.")
    mode: GateMode = strawberry.field(description="Whom it stops.")
    direction: Direction = strawberry.field(description="Which way people pass it.")
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
    id: UUID = strawberry.field(description="Of what the command was about, or began.")
    version: int = strawberry.field(description="The version it has now: the next `expectedVersion`.")
    position: Position = strawberry.field(description="The log position of its latest event.")
    repeated: bool = strawberry.field(
        description="True if a request with this id was done before; nothing was done now."
    )
