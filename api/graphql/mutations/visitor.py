"""Mutations of visits 访客."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

import strawberry

from api.graphql.context import Info
from api.graphql.mutations.command import (
    ExpectedVersion,
    RequestId,
    Sealed,
    SealedIfAny,
    SiteCode,
    command,
    create,
    metadata,
    result,
)
from api.graphql.types import CommandResult
from domain import commands
from domain.credentials import CredentialKind
from domain.errors import InvalidError
from domain.personal import Personal, of_subject
from domain.ports import EventLog
from domain.visitor import Requester, Visitor


@strawberry.type(description="授权: what became of a visit that its host approved.")
class VisitApproved(CommandResult):
    code: str = strawberry.field(
        description="What the visitor shows at a gate, which knows its digest only; the same request gives the same code."
    )


async def _approved(log: EventLog, done: commands.Done) -> bool:
    """Whether the request that `done` repeats was the approval."""
    history = await log.history(done.id)
    return any(
        entry.position == done.position and isinstance(entry.event, Visitor.Approved) for entry in history
    )


@strawberry.type
class Visitors:
    """What is done about a visit."""

    @strawberry.mutation(
        description="预约: somebody is to come, between two times that are at most a week apart.",
        metadata=metadata(Visitor, "request"),
    )
    async def request_visit(
        self,
        info: Info,
        site: SiteCode,
        host: Annotated[UUID, strawberry.argument(description="The resident's random id.")],
        requester: Requester,
        valid_from: Annotated[datetime, strawberry.argument(description="Included.")],
        valid_until: Annotated[datetime, strawberry.argument(description="Not included.")],
        name: Sealed,
        phone: SealedIfAny = None,
        plate: SealedIfAny = None,
        plate_opens: Annotated[
            bool, strawberry.argument(description="Whether the plate itself opens gates for the visit.")
        ] = False,
        gates: Annotated[
            list[str] | None,
            strawberry.argument(description="The codes of those it is for; all if not given."),
        ] = None,
        uses: Annotated[int, strawberry.argument(description="How often the visitor may enter.")] = 1,
        request_id: RequestId = None,
    ) -> CommandResult:
        order = info.context.order(request_id)
        if plate_opens and plate is None:
            raise InvalidError("plateOpens without a plate: say which plate opens gates for the visit")
        scope = of_subject(commands.subject_id(order))
        digests = info.context.system.digests
        done = await create(
            info,
            order,
            Visitor.request,
            site=site,
            host=host,
            requester=requester,
            valid_from=valid_from,
            valid_until=valid_until,
            name=Personal(scope, name),
            phone=None if phone is None else Personal(scope, phone),
            plate=None if plate is None else Personal(scope, plate),
            plate_digest=digests.of(CredentialKind.PLATE, plate) if plate and plate_opens else None,
            gates=tuple(gates or ()),
            uses=uses,
        )
        return result(done)

    @strawberry.mutation(
        description="授权: the host, whose visitor it is, says yes; written down by somebody other than who wrote down the visitor's own request.",
        metadata=metadata(Visitor, "approve"),
    )
    async def approve_visit(
        self,
        info: Info,
        id: UUID,
        host: UUID,
        expected_version: ExpectedVersion = None,
        request_id: RequestId = None,
    ) -> VisitApproved:
        order = info.context.order(request_id)
        digests = info.context.system.digests
        code = digests.code_of(id)
        done = await commands.act(
            info.context.system.log,
            order,
            Visitor,
            Visitor.approve,
            id,
            expected_version=expected_version,
            host=host,
            code_digest=digests.of(CredentialKind.CODE, code),
        )
        if done.repeated and not await _approved(info.context.system.log, done):
            raise commands.used_for_something_else(order)  # and the code is not for whoever asks
        return result(done, VisitApproved, code=code)

    reject_visit = command(Visitor, Visitor.reject)
    check_visit = command(Visitor, Visitor.check)
    enter_visit = command(Visitor, Visitor.enter)
    leave_visit = command(Visitor, Visitor.leave)
    revoke_visit = command(Visitor, Visitor.revoke)
