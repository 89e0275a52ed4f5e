"""Disputes: how far mediation has come; and of one dispute who its parties are and what they agreed on, read from the log."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Self
from uuid import UUID

import strawberry

from api.graphql.context import Info
from api.graphql.history import Logged, replayed
from api.graphql.lists import Due, Place, code_of, one, page, read_time, site_of, time_of
from api.graphql.shown import shown
from api.graphql.sites import Site, sites_of
from api.graphql.together import together
from api.graphql.types import After, AfterPosition, Connection, First, Personal, Position
from domain import dispute as domain
from domain.dispute import AgreementForm, DisputeState, Route
from domain.lifecycle import require_text
from domain.mechanisms import JointMechanism
from domain.reading import Shown
from projections import disputes
from projections.disputes import DisputeOrder

strawberry.enum(
    DisputeOrder, description="NEWEST registration first, or what is DUE first, and nothing that is not due."
)

PLACES: Mapping[DisputeOrder, Place] = {
    order: Place(f"disputes:{order}", {order.column: read_time, "dispute_id": UUID}) for order in DisputeOrder
}


@strawberry.type(description="矛盾纠纷: a dispute that is mediated. Who the parties are is not in a list.")
class Dispute:
    id: UUID = strawberry.field(description="Its id in the log.")
    township: str = strawberry.field(description="镇街: the township's code.")
    site_id: UUID | None = strawberry.field(description="小区: where it is, if it is of one site.")
    category: str = strawberry.field(description="纠纷类别.")
    incident_id: UUID | None = strawberry.field(description="事件: the incident that caused it, if one did.")
    mechanism: JointMechanism | None = strawberry.field(
        description="六联: under which the units work together."
    )
    state: DisputeState = strawberry.field(description="纠纷状态: where it stands.")
    party_count: int = strawberry.field(description="当事人: how many parties it has.")
    sessions: int = strawberry.field(description="调解次数: how often the parties met.")
    mediator: str | None = strawberry.field(description="调解员: who mediates it, by staff number.")
    room: str | None = strawberry.field(description="调解室: the code of the mediation room.")
    form: AgreementForm | None = strawberry.field(description="协议形式: of the agreement, if there is one.")
    route: Route | None = strawberry.field(description="Where it was referred to, if it was.")
    overdue: bool = strawberry.field(description="超期: a deadline of it has passed.")
    satisfied: bool | None = strawberry.field(description="回访: whether the matter rests; null before.")
    registered_at: datetime = strawberry.field(description="登记.")
    accepted_at: datetime | None = strawberry.field(description="受理: the month of mediation begins.")
    agreed_at: datetime | None = strawberry.field(description="达成协议.")
    failed_at: datetime | None = strawberry.field(description="调解不成.")
    withdrawn_at: datetime | None = strawberry.field(description="撤回.")
    confirmation_requested_at: datetime | None = strawberry.field(
        description="司法确认: when a court was asked."
    )
    confirmed_at: datetime | None = strawberry.field(description="司法确认: when it said yes.")
    confirmation_refused_at: datetime | None = strawberry.field(description="司法确认: when it said no.")
    performing_at: datetime | None = strawberry.field(description="履行: when it began.")
    breached_at: datetime | None = strawberry.field(description="The first breach of the agreement.")
    urged_at: datetime | None = strawberry.field(description="督促: the first time.")
    fulfilled_at: datetime | None = strawberry.field(description="When all that was agreed was done.")
    referred_at: datetime | None = strawberry.field(description="When it was referred.")
    closed_at: datetime | None = strawberry.field(description="When it was closed, after a revisit 回访.")
    due: Due | None = strawberry.field(description="时限: what has to be done next.")
    version: int = strawberry.field(description="Pass it as `expectedVersion` to change what you have seen.")
    position: Position = strawberry.field(description="The log position of its latest event.")

    site: Site | None = together(
        sites_of, description="小区: the site where it is; null if it is a township's."
    )

    @classmethod
    def of(cls, row: Any) -> Self:
        """A row of the read model, as it is shown."""
        return shown(cls, row, id=row["dispute_id"], party_count=row["parties"], due=Due.of(row))


@strawberry.type(description="当事人: a party of a dispute.")
class Party:
    id: UUID = strawberry.field(description="A random id, which says nothing of who it is.")
    details: Personal = strawberry.field(description="Who it is and how to reach them.")
    consents: bool = strawberry.field(description="Whether the party wants to be mediated.")
    in_breach: bool = strawberry.field(description="Whether it ever did not do what was agreed.")
    urged: bool = strawberry.field(description="督促: whether it was ever urged.")


@strawberry.type(description="调解协议: what the parties agreed on.")
class Agreement:
    form: AgreementForm = strawberry.field(description="协议形式.")
    agreed_at: datetime = strawberry.field(description="When it took effect.")
    perform_by: datetime = strawberry.field(description="履行期限: as agreed.")
    facts: Personal = strawberry.field(description="What happened, as all see it.")
    duties: Personal = strawberry.field(description="Who owes what.")
    method: Personal = strawberry.field(description="履行方式: how it is done.")
    place: Personal = strawberry.field(description="履行地点: where it is done.")


@strawberry.type(description="时限: a deadline that runs, and the rule that set it.")
class RunningDeadline:
    name: str = strawberry.field(description="Of the step, such as `mediate` or `perform`.")
    due_at: datetime = strawberry.field(description="Until when it is to be done.")
    rule: str = strawberry.field(description="The rule, with its version.")


@strawberry.type(
    description="卷宗: one dispute, with its history and, for those who may, its parties and agreement."
)
class DisputeFile(Dispute, Logged):
    @strawberry.field(description="时限: every deadline that runs.")
    async def deadlines(self, info: Info) -> list[RunningDeadline]:
        found = await replayed(info, domain.Dispute, self.id)
        running = () if found is None else found.deadlines
        return [RunningDeadline(name=one.name, due_at=one.due_at, rule=one.rule) for one in running]

    @strawberry.field(description="案由: what it is about, read from the log.")
    async def description(self, info: Info) -> Personal | None:
        await self._open(info, "description")
        found = await replayed(info, domain.Dispute, self.id)
        return None if found is None else Personal.of(found.description)

    @strawberry.field(description="当事人: its parties, read from the log.")
    async def parties(self, info: Info) -> list[Party]:
        await self._open(info, "parties")
        found = await replayed(info, domain.Dispute, self.id)
        if found is None:
            return []
        history = await info.context.system.log.history(self.id)
        added = [entry.event for entry in history if isinstance(entry.event, domain.Dispute.PartyAdded)]
        return [
            Party(
                id=event.party,
                details=Personal.of(event.details),
                consents=found.parties[event.party],
                in_breach=event.party in found.breached,
                urged=event.party in found.urged,
            )
            for event in added
        ]

    @strawberry.field(description="调解协议: read from the log; null if there is none.")
    async def agreement(self, info: Info) -> Agreement | None:
        await self._open(info, "agreement")
        history = await info.context.system.log.history(self.id)
        agreed = [entry.event for entry in history if isinstance(entry.event, domain.Dispute.Agreed)]
        if not agreed:
            return None
        event = agreed[-1]
        return Agreement(
            form=event.form,
            agreed_at=event.timestamp,
            perform_by=event.perform_by,
            facts=Personal.of(event.facts),
            duties=Personal.of(event.duties),
            method=Personal.of(event.method),
            place=Personal.of(event.place),
        )

    async def _open(self, info: Info, field: str) -> None:
        """Record, first of all, that somebody who may is shown `field`: those of one answer become one append."""
        info.context.allow("read.parties")
        await info.context.record_read(Shown.PARTIES, [self.id], place=self, fields=[field])


@strawberry.input(description="Everything given must hold.")
class DisputeFilter:
    state: DisputeState | None = strawberry.field(default=None, description="纠纷状态.")
    site: str | None = strawberry.field(default=None, description="The site's code.")
    township: str | None = strawberry.field(default=None, description="The township's code.")
    category: str | None = strawberry.field(default=None, description="纠纷类别.")
    mechanism: JointMechanism | None = strawberry.field(default=None, description="六联.")
    mediator: str | None = strawberry.field(default=None, description="调解员: by staff number.")
    room: str | None = strawberry.field(default=None, description="调解室: by its code.")
    overdue: bool | None = strawberry.field(default=None, description="超期: a deadline of it has passed.")
    due_by: datetime | None = strawberry.field(
        default=None, description="Whose next deadline is then or before."
    )

    def checked(self) -> disputes.DisputeFilter:
        """What the read model is asked for."""
        return disputes.DisputeFilter(
            state=self.state,
            site_id=site_of(self.site),
            township=code_of(self.township, "township"),
            category=code_of(self.category, "category"),
            mechanism=self.mechanism,
            mediator=None if self.mediator is None else require_text(self.mediator, "mediator", 100),
            room=code_of(self.room, "room"),
            overdue=self.overdue,
            due_by=time_of(self.due_by),
        )


@strawberry.type
class Disputes:
    """The queries of disputes."""

    @strawberry.field(description="矛盾纠纷: one dispute, or null if there is none that you may see.")
    async def dispute(self, info: Info, id: UUID, after_position: AfterPosition = None) -> DisputeFile | None:
        person = info.context.allow("read.disputes")
        return await one(
            info,
            DisputeFile,
            lambda connection: disputes.one(connection, person.scope, id),
            projection="disputes",
            after_position=after_position,
        )

    @strawberry.field(description="矛盾纠纷: disputes, newest registration first.")
    async def disputes(
        self,
        info: Info,
        filter: DisputeFilter | None = None,
        order_by: DisputeOrder = DisputeOrder.NEWEST,
        first: First = 50,
        after: After = None,
        after_position: AfterPosition = None,
    ) -> Connection[Dispute]:
        person = info.context.allow("read.disputes")
        wanted = (filter or DisputeFilter()).checked()
        return await page(
            info,
            Dispute,
            PLACES[order_by],
            lambda connection, size, beyond: disputes.listed(
                connection, person.scope, wanted, order=order_by, first=size, after=beyond
            ),
            projection="disputes",
            first=first,
            after=after,
            after_position=after_position,
        )
