"""Mutations of inquiries 查询."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

import strawberry

from api.graphql.context import Info
from api.graphql.mutations.command import (
    ExpectedVersion,
    RequestId,
    SiteCode,
    at_sites,
    command,
    metadata,
    result,
    site_of,
)
from api.graphql.mutations.looking import Asked, LookResult, look
from api.graphql.types import After, AfterPosition, CommandResult, First, page_size
from domain import commands
from domain.inquiry import Inquiry, Look, Records
from domain.lifecycle import require_text
from domain.looking import inquiry_of


@strawberry.type
class Inquiries:
    """What is decided about looking into personal records."""

    @strawberry.mutation(
        description="查询申请: ask to look into records of sites, of what happened between two times; the asker looks, and colleagues.",
        metadata=metadata(Inquiry, "request"),
    )
    async def request_inquiry(
        self,
        info: Info,
        case: Annotated[str, strawberry.argument(description="案件: its number.")],
        purpose: Annotated[str, strawberry.argument(description="It names no person.")],
        sites: Annotated[list[str], strawberry.argument(description="Their codes.")],
        records: list[Records],
        since: Annotated[datetime, strawberry.argument(description="Included.")],
        until: Annotated[datetime, strawberry.argument(description="Not included.")],
        expires_at: Annotated[datetime, strawberry.argument(description="Within 30 days.")],
        colleagues: Annotated[
            list[str] | None, strawberry.argument(description="Staff numbers of those who look too.")
        ] = None,
        request_id: RequestId = None,
    ) -> CommandResult:
        order = info.context.order(request_id)
        places = {code: site_of(code) for code in sites}
        doing = commands.request_inquiry(
            info.context.system.log,
            order,
            site_ids=list(places.values()),
            case=case,
            purpose=purpose,
            records=records,
            since=since,
            until=until,
            expires_at=expires_at,
            colleagues=colleagues or (),
        )
        return result(await at_sites(places, doing))

    @strawberry.mutation(
        description="查阅: look into records of one kind at one site, from one time up to another, by an approved inquiry that names you. "
        "It is in the log before you see what was found; each page is a look of its own.",
        metadata=metadata(Inquiry, "look"),
    )
    async def look_in_inquiry(
        self,
        info: Info,
        id: UUID,
        records: Records,
        site: SiteCode,
        since: Annotated[datetime, strawberry.argument(description="Included.")],
        until: Annotated[datetime, strawberry.argument(description="Not included.")],
        what: Annotated[
            str | None,
            strawberry.argument(
                description="The one plate, number, code, name or phone that is searched for, whole; null: all is shown. It is stored sealed."
            ),
        ] = None,
        first: First = 50,
        after: After = None,
        after_position: AfterPosition = None,
        expected_version: ExpectedVersion = None,
        request_id: RequestId = None,
    ) -> LookResult:
        order = info.context.order(request_id)
        inquiry = await inquiry_of(info.context.system.log, order, id)
        text = None if what is None else require_text(what, "what", 200)
        asked = Asked(inquiry, Look(records, site_of(site), since, until), text, page_size(first), after)
        return await look(
            info, order, asked, after_position=after_position, expected_version=expected_version
        )

    approve_inquiry = command(Inquiry, Inquiry.approve)
    refuse_inquiry = command(Inquiry, Inquiry.refuse)
    close_inquiry = command(Inquiry, Inquiry.close)
