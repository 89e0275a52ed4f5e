"""Consents, credentials, watch entries and inquiries: each by its id, read from the log, which has what is personal of them."""

from datetime import datetime
from typing import Self
from uuid import UUID

import strawberry

from api.graphql.context import Info
from api.graphql.history import Logged, opened
from api.graphql.shown import copied
from api.graphql.types import Personal
from domain import consent, credential, inquiry, watch
from domain.consent import ConsentState, Purpose
from domain.credential import CredentialState
from domain.credentials import CredentialKind
from domain.inquiry import InquiryState, Records
from domain.reading import Shown
from domain.watch import WatchKind, WatchState


@strawberry.type(description="同意: a resident lets a gate know them by their face or their plate.")
class Consent(Logged):
    site_id: UUID = strawberry.field(description="小区: the site it is for.")
    township: str = strawberry.field(description="镇街: the township's code.")
    resident: UUID = strawberry.field(description="A random id, which says nothing of who it is.")
    purpose: Purpose = strawberry.field(description="What is consented to.")
    state: ConsentState = strawberry.field(description="同意状态.")
    notice_version: str = strawberry.field(description="告知书: which the resident was shown.")
    name: Personal = strawberry.field(description="The resident's.")
    under_14: bool = strawberry.field(description="未满十四周岁: the guardian consents.")
    guardian: Personal | None = strawberry.field(description="监护人: of a child under 14.")
    until: datetime | None = strawberry.field(description="When it ends; null if it has ended.")
    version: int = strawberry.field(description="Pass it as `expectedVersion` to change what you have seen.")

    @classmethod
    def of(cls, it: consent.Consent) -> Self:
        """The consent, as it is shown."""
        return copied(cls, it, name=Personal.of(it.name), guardian=Personal.maybe(it.guardian))


@strawberry.type(
    description="凭证: by what a resident is known at the gates of a site. What it says is not shown."
)
class Credential(Logged):
    site_id: UUID = strawberry.field(description="小区: the site it is for.")
    township: str = strawberry.field(description="镇街: the township's code.")
    kind: CredentialKind = strawberry.field(description="What is shown at the gate.")
    resident: UUID = strawberry.field(description="A random id, which says nothing of who it is.")
    consent_id: UUID | None = strawberry.field(
        description="同意: by which it was registered; a card needs none."
    )
    state: CredentialState = strawberry.field(description="凭证状态.")
    holder: Personal = strawberry.field(description="持有人: the resident's name.")
    gates: list[str] = strawberry.field(description="出入口: the gates it is for; none means all.")
    valid_from: datetime = strawberry.field(description="From when on it is good.")
    valid_until: datetime = strawberry.field(description="Up to, and not at, this time.")
    version: int = strawberry.field(description="Pass it as `expectedVersion` to change what you have seen.")

    @classmethod
    def of(cls, it: credential.Credential) -> Self:
        """The credential, as it is shown."""
        return copied(cls, it, holder=Personal.of(it.holder))


@strawberry.type(
    description="布控: one person's face or one plate is looked for, for a case, for at most 90 days."
)
class WatchEntry(Logged):
    township: str | None = strawberry.field(
        description="镇街: where it is looked for; null: in the whole city."
    )
    site_id: UUID | None = strawberry.field(
        description="小区: where it is looked for; null: at more than one site."
    )
    kind: WatchKind = strawberry.field(description="By what it is looked for.")
    state: WatchState = strawberry.field(description="布控状态.")
    subject: Personal = strawberry.field(description="Who, or which plate.")
    reference_sha256: str | None = strawberry.field(description="The image of a face, by its digest.")
    legal_basis: str = strawberry.field(description="法律依据.")
    case_number: str = strawberry.field(description="案件: the case's number.")
    purpose: str = strawberry.field(description="What for.")
    requested_by: str = strawberry.field(description="Who asked for it, by staff number.")
    expires_at: datetime = strawberry.field(description="When it ends, unless it is renewed 续控.")
    version: int = strawberry.field(description="Pass it as `expectedVersion` to change what you have seen.")

    @classmethod
    def of(cls, it: watch.WatchEntry) -> Self:
        """The entry, as it is shown."""
        return copied(cls, it, subject=Personal.of(it.subject), case_number=it.case)


@strawberry.type(
    description="查询: by which alone personal records are looked into. `reads` has what was looked at."
)
class Inquiry(Logged):
    township: str | None = strawberry.field(description="镇街: that all its sites are of; null: of several.")
    site_id: UUID | None = strawberry.field(description="小区: its only site; null if it has several.")
    state: InquiryState = strawberry.field(description="查询状态.")
    case_number: str = strawberry.field(description="案件: the case's number.")
    purpose: str = strawberry.field(description="What for.")
    sites: list[UUID] = strawberry.field(description="小区: whose records may be looked into.")
    records: list[Records] = strawberry.field(description="What may be looked into.")
    since: datetime = strawberry.field(description="What happened from this time ..")
    until: datetime = strawberry.field(description=".. up to, and not at, this one.")
    investigators: list[str] = strawberry.field(description="Who may look, by staff number.")
    requested_by: str = strawberry.field(description="Who asked for it, by staff number.")
    expires_at: datetime = strawberry.field(description="Until when anybody may look.")
    version: int = strawberry.field(description="Pass it as `expectedVersion` to change what you have seen.")

    @classmethod
    def of(cls, it: inquiry.Inquiry) -> Self:
        """The inquiry, as it is shown."""
        return copied(cls, it, case_number=it.case)


@strawberry.type
class Registers:
    """The queries of what the log alone has: it is always up to date, and nothing has to be waited for."""

    @strawberry.field(description="同意: one consent, or null if there is none that you may see.")
    async def consent(self, info: Info, id: UUID) -> Consent | None:
        found = await opened(info, "read.consent", consent.Consent, id, Shown.CONSENTS)
        return None if found is None else Consent.of(found)

    @strawberry.field(description="凭证: one credential, or null if there is none that you may see.")
    async def credential(self, info: Info, id: UUID) -> Credential | None:
        found = await opened(info, "read.credential", credential.Credential, id, Shown.CREDENTIALS)
        return None if found is None else Credential.of(found)

    @strawberry.field(description="布控: one watch entry, or null if there is none that you may see.")
    async def watch_entry(self, info: Info, id: UUID) -> WatchEntry | None:
        found = await opened(info, "read.watch", watch.WatchEntry, id, Shown.WATCHED)
        return None if found is None else WatchEntry.of(found)

    @strawberry.field(description="查询: one inquiry, or null if there is none that you may see.")
    async def inquiry(self, info: Info, id: UUID) -> Inquiry | None:
        found = await opened(info, "read.inquiry", inquiry.Inquiry, id, Shown.SEARCHED)
        return None if found is None else Inquiry.of(found)
