"""Mutations of credentials 凭证."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

import strawberry

from api.graphql.context import Info
from api.graphql.mutations.command import (
    RequestId,
    Sealed,
    SiteCode,
    at_sites,
    command,
    metadata,
    result,
    site_of,
)
from api.graphql.types import CommandResult
from domain import commands
from domain.credential import Credential
from domain.credentials import CredentialKind
from domain.personal import Personal, of_subject


@strawberry.type
class Credentials:
    """What is done to a resident's credential."""

    @strawberry.mutation(
        description="A face, a plate or a card by which a resident is known at the gates of a site; a face or a plate by consent only.",
        metadata=metadata(Credential, "register"),
    )
    async def register_credential(
        self,
        info: Info,
        site: SiteCode,
        kind: CredentialKind,
        resident: Annotated[UUID, strawberry.argument(description="The resident's random id.")],
        holder: Sealed,
        valid_until: datetime,
        valid_from: Annotated[datetime | None, strawberry.argument(description="Now, if not given.")] = None,
        value: Annotated[
            str | None,
            strawberry.argument(
                description="The plate, or the card's number: it is stored sealed. A face has none."
            ),
        ] = None,
        gates: Annotated[
            list[str] | None,
            strawberry.argument(description="The codes of those it is for; all if not given."),
        ] = None,
        consent_id: Annotated[
            UUID | None,
            strawberry.argument(description="Of a face or a plate: the consent under whose key it lies."),
        ] = None,
        request_id: RequestId = None,
    ) -> CommandResult:
        order = info.context.order(request_id)
        scope = of_subject(consent_id or commands.subject_id(order))
        place = site_of(site)
        doing = commands.register_credential(
            info.context.system.log,
            order,
            site_id=place,
            consent_id=consent_id,
            kind=kind,
            resident=resident,
            holder=Personal(scope, holder),
            valid_from=valid_from,
            valid_until=valid_until,
            value=None if value is None else Personal(scope, value),
            digest=None if value is None else info.context.system.digests.of(kind, value),
            gates=tuple(gates or ()),
        )
        return result(await at_sites({site: place}, doing))

    suspend_credential = command(Credential, Credential.suspend)
    reinstate_credential = command(Credential, Credential.reinstate)
    revoke_credential = command(Credential, Credential.revoke)
