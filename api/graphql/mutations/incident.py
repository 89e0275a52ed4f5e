"""Mutations of incidents 事件."""

from datetime import datetime
from typing import Annotated, cast
from uuid import UUID, uuid5

import strawberry

from api.graphql.context import Info
from api.graphql.details import DetailsInput
from api.graphql.mutations.command import (
    RequestId,
    SealedIfAny,
    SiteCode,
    command,
    create,
    joint_command,
    metadata,
    result,
)
from api.graphql.types import CommandResult
from api.open311.city import City
from domain import commands
from domain.deadlines import Urgency
from domain.incident import Incident, Source
from domain.observation import NAMESPACE
from domain.personal import Personal, of_subject


def _reporter(order: commands.Order, text: str | None, subject: UUID | None) -> Personal | None:
    """The reporter, under a key of their own: a repeated request names the same one."""
    if text is None:
        return None
    return Personal(of_subject(subject or uuid5(NAMESPACE, f"reporter:{order.request_id}")), text)


def _city(info: Info) -> City:
    """What is asked beside a report, by its category; the same as of the public."""
    assert info.context.request is not None
    return cast("City", info.context.request.app.state.city)


@strawberry.type
class Incidents:
    """What is done about an incident."""

    @strawberry.mutation(
        description="上报: report an incident at a site.", metadata=metadata(Incident, "report")
    )
    async def report_incident(
        self,
        info: Info,
        site: SiteCode,
        source: Source,
        category: str,
        description: str,
        occurred_at: datetime | None = None,
        urgency: Urgency = Urgency.NORMAL,
        confidential: Annotated[
            bool,
            strawberry.argument(description="保密: what is said of it is not for everybody who works on it."),
        ] = False,
        details: DetailsInput | None = None,
        reporter: SealedIfAny = None,
        reporter_subject: Annotated[
            UUID | None,
            strawberry.argument(
                description="The reporter's own id, if they have one; a new one if not given."
            ),
        ] = None,
        request_id: RequestId = None,
    ) -> CommandResult:
        order = info.context.order(request_id)
        done = await create(
            info,
            order,
            Incident.report,
            site=site,
            source=source,
            category=category,
            description=description,
            occurred_at=occurred_at,
            urgency=urgency,
            confidential=confidential,
            reporter=_reporter(order, reporter, reporter_subject),
            details=details and details.of_domain(_city(info), category),
        )
        return result(done)

    accept_incident = command(Incident, Incident.accept)
    reject_incident = command(Incident, Incident.reject)
    merge_incident = joint_command(Incident, Incident.merge, commands.merge_incident)
    unmerge_incident = joint_command(Incident, Incident.unmerge, commands.unmerge_incident)
    close_on_the_spot = command(Incident, Incident.close_on_the_spot)
    dispatch_incident = command(Incident, Incident.dispatch)
    ask_assistance = command(Incident, Incident.ask_assistance)
    release_assistance = command(Incident, Incident.release_assistance)
    request_return = command(Incident, Incident.request_return)
    decide_return = command(Incident, Incident.decide_return)
    sign_incident = command(Incident, Incident.sign)
    start_handling = command(Incident, Incident.start_handling)
    give_feedback = command(Incident, Incident.give_feedback)
    request_extension = command(Incident, Incident.request_extension)
    decide_extension = command(Incident, Incident.decide_extension)
    park_incident = command(Incident, Incident.park)
    unpark_incident = command(Incident, Incident.unpark)
    supervise_incident = command(Incident, Incident.supervise)
    escalate_incident = command(Incident, Incident.escalate)
    verify_incident = command(Incident, Incident.verify)
    evaluate_incident = command(Incident, Incident.evaluate)
    reopen_incident = command(Incident, Incident.reopen)
    archive_incident = command(Incident, Incident.archive)
    attach_evidence = command(Incident, Incident.attach_evidence)
    comment_on_incident = command(Incident, Incident.comment)
    open_dispute = command(Incident, Incident.open_dispute)
    tag_mechanism = command(Incident, Incident.tag_mechanism)
