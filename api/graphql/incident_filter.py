"""Which incidents are asked for, and how they are listed; a cursor says where in which order."""

from dataclasses import asdict
from datetime import datetime
from enum import StrEnum
from urllib.parse import urlencode
from uuid import UUID

import strawberry

from api.graphql.lists import code_of, read_time, site_of, time_of
from api.graphql.types import cursor, parts_of
from domain.deadlines import Urgency
from domain.errors import InvalidError
from domain.incident import IncidentState, Source
from domain.mechanisms import JointMechanism
from domain.observation import require_code
from projections import incidents
from projections.incidents import By, Order, Place

strawberry.enum(
    By,
    name="IncidentOrderField",
    description="By what incidents are listed: DUE_AT lists what is due, CLOSED_AT what is closed, and nothing else.",
)


@strawberry.enum(description="Which way a list goes.")
class OrderDirection(StrEnum):
    ASC = "ASC"
    DESC = "DESC"


@strawberry.input(
    description="How incidents are listed. Those that are equal go by their ids, those as urgent by their report first."
)
class IncidentOrder:
    field: By = strawberry.field(description="By what.")
    direction: OrderDirection = strawberry.field(description="Which way.")

    def asked(self) -> Order:
        """The order as the read model knows it."""
        return Order(self.field, self.direction is OrderDirection.DESC)


@strawberry.input(
    description="Everything given must hold. Of a list any one: a single value may stand without brackets."
)
class IncidentFilter:
    state: list[IncidentState] | None = strawberry.field(default=None, description="状态: any of these.")
    site: str | None = strawberry.field(default=None, description="The site's code.")
    township: str | None = strawberry.field(default=None, description="The township's code.")
    category: list[str] | None = strawberry.field(default=None, description="类别: any of these.")
    urgency: Urgency | None = strawberry.field(default=None, description="紧急程度.")
    source: Source | None = strawberry.field(default=None, description="来源: who or what reported it.")
    mechanism: JointMechanism | None = strawberry.field(default=None, description="六联.")
    unit: str | None = strawberry.field(default=None, description="A unit that leads 主办 or assists 协办.")
    lead_unit: str | None = strawberry.field(default=None, description="主办: the unit that leads.")
    overdue: bool | None = strawberry.field(
        default=None, description="超期: whether it is past due at this moment (as of then: at that one)."
    )
    ever_overdue: bool | None = strawberry.field(
        default=None, description="Whether a deadline of it ever passed, made good or not."
    )
    due_from: datetime | None = strawberry.field(default=None, description="Due at or after this.")
    due_before: datetime | None = strawberry.field(default=None, description="Due before this.")
    reported_from: datetime | None = strawberry.field(default=None, description="Included.")
    reported_until: datetime | None = strawberry.field(default=None, description="Not included.")
    closed_from: datetime | None = strawberry.field(default=None, description="办结; included.")
    closed_until: datetime | None = strawberry.field(default=None, description="Not included.")
    level: int | None = strawberry.field(default=None, description="上报: taken to this level or above.")
    supervised: bool | None = strawberry.field(default=None, description="督办.")
    parked: bool | None = strawberry.field(default=None, description="挂账.")
    confidential: bool | None = strawberry.field(default=None, description="保密.")
    returned: bool | None = strawberry.field(
        default=None, description="退单: whether a unit ever gave it back."
    )
    extended: bool | None = strawberry.field(
        default=None, description="延期: whether more time was ever granted."
    )
    reopened: bool | None = strawberry.field(default=None, description="重开: whether it ever was.")
    merged_into: UUID | None = strawberry.field(default=None, description="并案: into this incident.")
    with_duplicates: bool | None = strawberry.field(
        default=None, description="并案: whether others were merged into it."
    )
    with_evidence: bool | None = strawberry.field(default=None, description="取证: whether there is any.")
    text: str | None = strawberry.field(
        default=None,
        description="Words, Chinese or of any script, all of which stand in what was said; of a confidential one only if you may see that.",
    )

    def question(self) -> str:
        """What is asked for, as the parameters of an address, for the record: without the words of `text`, which may name somebody."""
        given = {name: value for name, value in asdict(self).items() if value is not None and name != "text"}
        return urlencode(given, doseq=True)

    def asked(self, now: datetime | None) -> incidents.IncidentFilter:
        """The filter as the read model knows it. now: when what is past due is overdue; None: of no time."""
        if self.overdue is not None and now is None:
            raise InvalidError(
                "`overdue` is of a time, and atPosition is of none: ask with asOf, or for `dueBefore`"
            )
        return incidents.IncidentFilter(
            states=self.state,
            site_id=site_of(self.site),
            township=code_of(self.township, "township"),
            categories=self.category and [require_code(one, "category") for one in self.category],
            urgency=self.urgency,
            source=self.source,
            mechanism=self.mechanism,
            unit=code_of(self.unit, "unit"),
            lead_unit=code_of(self.lead_unit, "unit"),
            overdue=self.ever_overdue,
            late_at=now if self.overdue is True else None,
            in_time_at=now if self.overdue is False else None,
            due_from=time_of(self.due_from),
            due_until=time_of(self.due_before),
            reported_from=time_of(self.reported_from),
            reported_until=time_of(self.reported_until),
            closed_from=time_of(self.closed_from),
            closed_until=time_of(self.closed_until),
            level=self.level,
            supervised=self.supervised,
            parked=self.parked,
            is_confidential=self.confidential,
            returned=self.returned,
            extended=self.extended,
            reopened=self.reopened,
            merged_into=self.merged_into,
            with_duplicates=self.with_duplicates,
            with_evidence=self.with_evidence,
            text=self.text,
        )


def cursor_of(place: Place, order: Order) -> str:
    return cursor(_name(order), place.rank or "", place.at.isoformat(), place.incident_id)


def place_of(after: str, order: Order) -> Place:
    """Where the cursor `after` stands in a list of `order`; InvalidError if it is of another."""

    def same(text: str) -> None:
        if text != _name(order):
            raise ValueError(text)

    _, rank, at, incident_id = parts_of(after, same, _rank, read_time, UUID)
    if (rank is None) is (order.by is By.URGENCY):
        raise InvalidError("`after` is not a cursor of this list: pass on its `endCursor`")
    return Place(rank, at, incident_id)


def _name(order: Order) -> str:
    return f"{order.by} {'DESC' if order.descending else 'ASC'}"


def _rank(text: str) -> int | None:
    """The rank of an urgency; empty in a list that does not go by it."""
    if not text:
        return None
    rank = int(text)
    if not 1 <= rank <= len(incidents.URGENCIES):
        raise ValueError(text)
    return rank
