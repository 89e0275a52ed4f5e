"""Mutations of the watch list 布控."""

from datetime import datetime
from typing import Annotated

import strawberry

from api.graphql.context import Info
from api.graphql.mutations.command import RequestId, command, create, metadata, result
from api.graphql.types import CommandResult
from domain import commands
from domain.credentials import CredentialKind
from domain.personal import Personal, of_subject
from domain.watch import WatchEntry, WatchKind


@strawberry.type
class Watches:
    """What is done about an entry of the watch list."""

    @strawberry.mutation(
        description="布控申请: ask that one person's face or one plate is looked for, at a site, in a township or in the whole city.",
        metadata=metadata(WatchEntry, "request"),
    )
    async def request_watch(
        self,
        info: Info,
        kind: WatchKind,
        subject: Annotated[
            str, strawberry.argument(description="Who, or which plate. Personal: it is stored sealed.")
        ],
        legal_basis: Annotated[str, strawberry.argument(description="The article; it names no person.")],
        case: Annotated[str, strawberry.argument(description="案件: its number.")],
        purpose: Annotated[str, strawberry.argument(description="It names no person.")],
        expires_at: Annotated[datetime, strawberry.argument(description="Within 90 days.")],
        site: Annotated[str | None, strawberry.argument(description="The site's code.")] = None,
        township: Annotated[str | None, strawberry.argument(description="The township's code.")] = None,
        reference_sha256: Annotated[
            str | None, strawberry.argument(description="Of the image of a face.")
        ] = None,
        request_id: RequestId = None,
    ) -> CommandResult:
        order = info.context.order(request_id)
        by_plate = kind is WatchKind.PLATE
        done = await create(
            info,
            order,
            WatchEntry.request,
            site=site,
            township=township,
            kind=kind,
            subject=Personal(of_subject(commands.subject_id(order)), subject),
            legal_basis=legal_basis,
            case=case,
            purpose=purpose,
            expires_at=expires_at,
            reference_sha256=reference_sha256,
            plate_digest=info.context.system.digests.of(CredentialKind.PLATE, subject) if by_plate else None,
        )
        return result(done)

    approve_watch = command(WatchEntry, WatchEntry.approve)
    refuse_watch = command(WatchEntry, WatchEntry.refuse)
    renew_watch = command(WatchEntry, WatchEntry.renew)
    close_watch = command(WatchEntry, WatchEntry.close)
