"""Mutations of disputes 矛盾纠纷."""

from dataclasses import replace
from typing import Annotated
from uuid import UUID, uuid5

import strawberry

from api.graphql.context import Info
from api.graphql.mutations.command import (
    ExpectedVersion,
    RequestId,
    Sealed,
    command,
    create,
    metadata,
    result,
)
from api.graphql.types import CommandResult
from domain import commands
from domain.dispute import Dispute
from domain.errors import InvalidError
from domain.mechanisms import JointMechanism
from domain.observation import NAMESPACE
from domain.personal import Personal, of_subject


@strawberry.type(description="What became of a dispute that has one party more.")
class PartyAdded(CommandResult):
    party: UUID = strawberry.field(description="The party's id in this dispute.")


@strawberry.type
class Disputes:
    """What is done about a dispute."""

    @strawberry.mutation(
        description="登记: a new dispute, in a township, at a site, or behind an incident 转矛盾纠纷 and so where that lies.",
        metadata=metadata(Dispute, "register"),
    )
    async def register_dispute(
        self,
        info: Info,
        category: str,
        description: Sealed,
        township: Annotated[str | None, strawberry.argument(description="The township's code.")] = None,
        site: Annotated[str | None, strawberry.argument(description="The site's code.")] = None,
        incident_id: Annotated[
            UUID | None, strawberry.argument(description="The incident that it is behind; both are linked.")
        ] = None,
        mechanism: JointMechanism | None = None,
        request_id: RequestId = None,
    ) -> CommandResult:
        order = info.context.order(request_id)
        dispute = commands.subject_id(order)
        sealed = Personal(of_subject(dispute), description)
        if incident_id is None:
            return result(
                await create(
                    info,
                    order,
                    Dispute.register,
                    site=site,
                    township=township,
                    category=category,
                    description=sealed,
                    mechanism=mechanism,
                )
            )
        if site is not None or township is not None:
            raise InvalidError(
                "a dispute behind an incident lies where the incident does: name no other place"
            )
        done = await commands.register_dispute(
            info.context.system.log,
            order,
            incident_id,
            category=category,
            description=sealed,
            mechanism=mechanism,
        )
        return result(replace(done, id=dispute, version=1))

    @strawberry.mutation(
        description="Add a party: who it is, and how to reach them.", metadata=metadata(Dispute, "add_party")
    )
    async def add_party(
        self,
        info: Info,
        id: UUID,
        details: Sealed,
        party: Annotated[
            UUID | None,
            strawberry.argument(description="The party's own id, if they have one; a new one if not given."),
        ] = None,
        expected_version: ExpectedVersion = None,
        request_id: RequestId = None,
    ) -> PartyAdded:
        order = info.context.order(request_id)
        subject = party or uuid5(NAMESPACE, f"party:{order.request_id}")
        done = await commands.act(
            info.context.system.log,
            order,
            Dispute,
            Dispute.add_party,
            id,
            expected_version=expected_version,
            party=subject,
            details=Personal(of_subject(subject), details),
        )
        return result(done, PartyAdded, party=subject)

    consent_to_mediation = command(Dispute, Dispute.give_consent)
    accept_dispute = command(Dispute, Dispute.accept)
    decline_dispute = command(Dispute, Dispute.decline)
    assign_dispute = command(Dispute, Dispute.assign)
    recuse_mediator = command(Dispute, Dispute.recuse_mediator)
    hold_session = command(Dispute, Dispute.hold_session)
    extend_mediation = command(Dispute, Dispute.extend)
    reach_agreement = command(Dispute, Dispute.agree)
    fail_mediation = command(Dispute, Dispute.fail)
    withdraw_dispute = command(Dispute, Dispute.withdraw)
    request_confirmation = command(Dispute, Dispute.request_confirmation)
    decide_confirmation = command(Dispute, Dispute.decide_confirmation)
    start_performance = command(Dispute, Dispute.start_performance)
    report_breach = command(Dispute, Dispute.report_breach)
    urge_party = command(Dispute, Dispute.urge)
    fulfil_agreement = command(Dispute, Dispute.fulfil)
    refer_dispute = command(Dispute, Dispute.refer)
    close_dispute = command(Dispute, Dispute.close)
