"""Leads: what a reviewer has to look at, and what was decided."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Self
from uuid import UUID

import asyncpg
import strawberry

from api.graphql.context import Info
from api.graphql.history import Logged
from api.graphql.lists import Due, Place, code_of, one, page, read_time, site_of
from api.graphql.shown import shown
from api.graphql.sites import AtSite
from api.graphql.types import After, AfterPosition, Connection, First, Position
from domain.errors import InvalidError
from domain.lead import LeadState
from domain.lifecycle import require_case, require_text
from projections import leads

PLACES: Mapping[LeadState, Place] = {
    state: Place(
        f"leads:{state}",
        {"proposed_at" if state is LeadState.PROPOSED else "decided_at": read_time, "lead_id": UUID},
    )
    for state in LeadState
}


@strawberry.type(
    description="线索: somebody or something at a gate may be what a watch entry looks for. It is no match."
)
class Lead(AtSite):
    id: UUID = strawberry.field(description="Its id in the log.")
    township: str = strawberry.field(description="镇街: the township's code.")
    gate: str = strawberry.field(description="出入口: the code of the gate.")
    entry_id: UUID = strawberry.field(description="布控: the watch entry that it is for.")
    case_number: str = strawberry.field(description="案件: the case that the entry is for.")
    requested_by: str = strawberry.field(
        description="Who asked for the entry, by staff number: they do not review what it finds."
    )
    pass_id: UUID = strawberry.field(description="通行: the gate pass.")
    reference_sha256: str | None = strawberry.field(
        description="The image that is looked for, by its digest; null for a plate."
    )
    probe_sha256: str = strawberry.field(description="The image at the gate, by its digest.")
    score: float = strawberry.field(description="相似度: how alike they are, 0 to 1.")
    model: str = strawberry.field(description="The model that compared them.")
    model_sha256: str = strawberry.field(description="The digest of its file.")
    state: LeadState = strawberry.field(description="线索状态: what is thought of it.")
    proposed_at: datetime = strawberry.field(description="When the models found them alike.")
    due: Due | None = strawberry.field(description="时限: until when it has to be reviewed.")
    reviewer: str | None = strawberry.field(description="复核人: who decided, by staff number.")
    decided_at: datetime | None = strawberry.field(
        description="When it was confirmed 属实, rejected 排除 or expired."
    )
    linked: bool = strawberry.field(description="Whether it was made part of its case.")
    version: int = strawberry.field(description="Pass it as `expectedVersion` to change what you have seen.")
    position: Position = strawberry.field(description="The log position of its latest event.")

    @classmethod
    def of(cls, row: Any) -> Self:
        """A row of the read model, as it is shown."""
        return shown(cls, row, id=row["lead_id"], due=Due.of(row))


@strawberry.type(description="线索: one lead, with its history.")
class LeadFile(Lead, Logged):
    pass


@strawberry.input(description="Everything given must hold.")
class LeadFilter:
    site: str | None = strawberry.field(default=None, description="The site's code.")
    township: str | None = strawberry.field(default=None, description="The township's code.")
    case_number: str | None = strawberry.field(default=None, description="案件: the case's number.")
    reviewable: bool = strawberry.field(
        default=False,
        description="Of those that wait: only what you may review, not what your own entry found.",
    )
    reviewer: str | None = strawberry.field(
        default=None, description="复核人: of those that were decided, by this person's staff number."
    )

    def checked(self, state: LeadState) -> leads.LeadFilter:
        """What the read model is asked for; InvalidError of what leads in `state` do not have."""
        if self.reviewable and state is not LeadState.PROPOSED:
            raise InvalidError(f"`reviewable` is asked of leads that are PROPOSED, not {state}")
        if self.reviewer is not None and state is LeadState.PROPOSED:
            raise InvalidError("`reviewer` is asked of leads that were decided: give their `state`")
        return leads.LeadFilter(
            site_id=site_of(self.site),
            township=code_of(self.township, "township"),
            case_number=None if self.case_number is None else require_case(self.case_number),
        )


@strawberry.type
class Leads:
    """The queries of leads."""

    @strawberry.field(description="线索: one lead, or null if there is none that you may see.")
    async def lead(self, info: Info, id: UUID, after_position: AfterPosition = None) -> LeadFile | None:
        person = info.context.allow("read.lead")
        return await one(
            info,
            LeadFile,
            lambda connection: leads.one(connection, person.scope, id),
            projection="leads",
            after_position=after_position,
        )

    @strawberry.field(
        description="线索: leads in one state: those that wait for a reviewer, the oldest first; or those decided, the latest first."
    )
    async def leads(
        self,
        info: Info,
        state: LeadState = LeadState.PROPOSED,
        filter: LeadFilter | None = None,
        first: First = 50,
        after: After = None,
        after_position: AfterPosition = None,
    ) -> Connection[Lead]:
        person = info.context.allow("read.lead")
        asked = filter or LeadFilter()
        wanted = asked.checked(state)
        reviewer = None if asked.reviewer is None else require_text(asked.reviewer, "reviewer", 100)

        async def read(connection: asyncpg.Connection, size: int, beyond: Any) -> list[Any]:
            if state is LeadState.PROPOSED:
                mine = person.id if asked.reviewable else None
                return await leads.to_review(
                    connection, person.scope, wanted, reviewer=mine, first=size, after=beyond
                )
            return await leads.decided(
                connection,
                person.scope,
                wanted,
                outcome=state,
                reviewer=reviewer,
                first=size,
                after=beyond,
            )

        return await page(
            info,
            Lead,
            PLACES[state],
            read,
            projection="leads",
            first=first,
            after=after,
            after_position=after_position,
        )
