"""Mutations of inquiries 查询."""

from datetime import datetime
from typing import Annotated

import strawberry

from api.graphql.context import Info
from api.graphql.mutations.command import RequestId, at_sites, command, metadata, result, site_of
from api.graphql.types import CommandResult
from domain import commands
from domain.inquiry import Inquiry, Records


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

    approve_inquiry = command(Inquiry, Inquiry.approve)
    refuse_inquiry = command(Inquiry, Inquiry.refuse)
    close_inquiry = command(Inquiry, Inquiry.close)
