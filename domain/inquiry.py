"""Inquiry 查询: the only way to look into personal records: for a case and a purpose, so far and so long as somebody else approved.

Every look is an event: who, at what, how much was found. Outside an inquiry there are counts, never persons.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Any
from uuid import UUID

from eventsourcing.domain import Aggregate

from domain.deadlines import Deadline, Timed, passed, require_end
from domain.errors import InvalidError, RuleError
from domain.lifecycle import Step, advance, require_aware, require_case, require_text
from domain.personal import Personal, of_subject

if TYPE_CHECKING:
    from domain.people import Person
    from domain.site import Site

LONGEST = timedelta(days=30)
RULE = "inquiry-1"
EXPIRE = "expire"


class InquiryState(StrEnum):
    """Whether anybody may look: only while it is APPROVED."""

    REQUESTED = "REQUESTED"
    APPROVED = "APPROVED"
    REFUSED = "REFUSED"
    EXPIRED = "EXPIRED"
    CLOSED = "CLOSED"


class Records(StrEnum):
    """What may be looked into."""

    PASSES = "PASSES"  # of a plate, a card or a registered face
    IMAGES = "IMAGES"
    VISITORS = "VISITORS"
    CREDENTIALS = "CREDENTIALS"


S = InquiryState


@dataclass(frozen=True, slots=True)
class Look:
    """What somebody wants to look into: `records` of one site, of what happened from `since` up to, and not at, `until`."""

    records: Records
    site_id: UUID
    since: datetime
    until: datetime

    def __post_init__(self) -> None:
        if not require_aware(self.since) < require_aware(self.until):
            raise InvalidError(f"a look is from a time to a later one, not from {self.since} to {self.until}")


class Inquiry(Aggregate):
    """One inquiry. It lies at its site, or (with several) in their township or the city, so that who approves answers for all."""

    TOPIC = "inquiry"

    class Event(Step):
        """`actor` is the person behind it."""

    class Requested(Event, Aggregate.Created):
        """查询申请. case and purpose are kept in clear: they never name a person. investigators: by their staff numbers."""

        TOPIC = "inquiry.requested"
        TO = S.REQUESTED
        township: str | None
        site_id: UUID | None
        case: str
        purpose: str
        sites: tuple[UUID, ...]
        records: tuple[Records, ...]
        since: datetime
        until: datetime
        investigators: tuple[str, ...]
        expires_at: datetime

    Created = Requested

    class Approved(Event, Timed):
        """批准."""

        TOPIC = "inquiry.approved"
        FROM, TO = (S.REQUESTED,), S.APPROVED

    class Refused(Event):
        """不予批准."""

        TOPIC = "inquiry.refused"
        FROM, TO = (S.REQUESTED,), S.REFUSED
        reason: str

    class Looked(Event):
        """查阅. what: what was searched for, such as a plate; None if all was shown. found: how many records were shown.

        subjects: whose records they were, by the ids of passes, visits and credentials; of images, of the incidents and leads that
        name them.
        """

        TOPIC = "inquiry.looked"
        class_version = 2
        FROM = (S.APPROVED,)
        records: Records
        at_site: UUID
        since: datetime
        until: datetime
        what: Personal | None
        found: int
        subjects: tuple[UUID, ...] = ()

        @staticmethod
        def upcast_v1_v2(state: dict[str, Any]) -> None:
            """Version 1 said how much was shown, and not what."""
            state["subjects"] = []

    class Closed(Event, Timed):
        """Nobody looks any more."""

        TOPIC = "inquiry.closed"
        FROM, TO = (S.REQUESTED, S.APPROVED), S.CLOSED
        reason: str

    class Expired(Event, Timed):
        """Its time is over."""

        TOPIC = "inquiry.expired"
        FROM, TO = (S.APPROVED,), S.EXPIRED

    state: InquiryState

    def __init__(
        self,
        *,
        actor: str,
        township: str | None,
        site_id: UUID | None,
        case: str,
        purpose: str,
        sites: tuple[UUID, ...],
        records: tuple[Records, ...],
        since: datetime,
        until: datetime,
        investigators: tuple[str, ...],
        expires_at: datetime,
    ) -> None:
        self.requested_by = actor
        self.township = township
        self.site_id = site_id
        self.case = case
        self.purpose = purpose
        self.sites = sites
        self.records = records
        self.since = since
        self.until = until
        self.investigators = investigators
        self.expires_at = expires_at
        self.deadlines: tuple[Deadline, ...] = ()

    @classmethod
    def request(
        cls,
        *,
        id: UUID,  # noqa: A002  (the library's own word for it)
        by: Person,
        at: datetime,
        case: str,
        purpose: str,
        sites: Sequence[Site],
        records: Collection[Records],
        since: datetime,
        until: datetime,
        expires_at: datetime,
        colleagues: Collection[str] = (),
    ) -> Inquiry:
        """Ask to look into `records` of `sites`, of what happened from `since` up to `until`; `by` looks, and `colleagues`."""
        if not sites or not records:
            raise InvalidError("an inquiry is for one site or more, and for one kind of records or more")
        span = Look(next(iter(records)), sites[0].id, since, until)
        townships = {site.township for site in sites}
        return cls._create(
            cls.Requested,
            id=id,
            timestamp=require_aware(at),
            actor=by.id,
            township=sites[0].township if len(townships) == 1 else None,
            site_id=sites[0].id if len(sites) == 1 else None,
            case=require_case(case),
            purpose=require_text(purpose, "purpose", 500),
            sites=tuple(site.id for site in sites),
            records=tuple(sorted(set(records))),
            since=span.since,
            until=span.until,
            investigators=tuple(sorted({by.id, *colleagues})),
            expires_at=require_end("an inquiry", at, expires_at, LONGEST),
        )

    def approve(self, *, by: Person, at: datetime) -> None:
        """批准: whoever approves answers for it, and neither asked for it nor is going to look."""
        self._require_other(by, "approve")
        end = require_end("an inquiry", at, self.expires_at, LONGEST)
        advance(self, self.Approved, by=by, at=at, deadlines=(Deadline(EXPIRE, end, RULE),))

    def refuse(self, *, by: Person, at: datetime, reason: str) -> None:
        """不予批准."""
        self._require_other(by, "refuse")
        advance(self, self.Refused, by=by, at=at, reason=require_text(reason, "reason", 500))

    def look(
        self,
        *,
        by: Person,
        at: datetime,
        look: Look,
        found: int,
        subjects: Collection[UUID] = (),
        what: Personal | None = None,
    ) -> None:
        """查阅: record the look before its result is shown. `what` was searched for, sealed under `of_subject(id)`."""
        require_look(self, look, by=by, at=at)
        named = tuple(sorted(set(subjects)))
        if found < len(named):
            raise InvalidError(f"{found} records cannot have been found of {len(named)} subjects")
        advance(
            self,
            self.Looked,
            by=by,
            at=at,
            records=look.records,
            at_site=look.site_id,
            since=look.since,
            until=look.until,
            what=what and what.require_under(of_subject(self.id), "what was searched for", 200),
            found=found,
            subjects=named,
        )

    def close(self, *, by: Person, at: datetime, reason: str) -> None:
        """Nobody needs to look any more, or nobody may."""
        advance(self, self.Closed, by=by, at=at, reason=require_text(reason, "reason", 500), deadlines=())

    def pass_deadline(self, *, by: Person, at: datetime, name: str) -> None:
        """It has expired, if that is so."""
        if passed(self.deadlines, name, at):
            advance(self, self.Expired, by=by, at=at, deadlines=())

    def _require_other(self, by: Person, what: str) -> None:
        if by.id in {self.requested_by, *self.investigators}:
            raise RuleError(f"{by.id} requested this inquiry, or looks by it: somebody else has to {what} it")


def require_investigator(inquiry: Inquiry, *, by: Person, at: datetime) -> None:
    """RuleError unless `by` may look by this inquiry at `at`."""
    if inquiry.state is not S.APPROVED:
        raise RuleError(f"inquiry {inquiry.id} is {inquiry.state}: only by an approved one may anybody look")
    if require_aware(at) >= inquiry.expires_at:
        raise RuleError(f"inquiry {inquiry.id} ended at {inquiry.expires_at}: request another one")
    if by.id not in inquiry.investigators:
        raise RuleError(
            f"{by.id} is no investigator of inquiry {inquiry.id}: {', '.join(inquiry.investigators)}"
        )


def require_look(inquiry: Inquiry | None, look: Look, *, by: Person, at: datetime) -> Inquiry:
    """The inquiry by which `by` may take this `look` at `at`; RuleError says what is missing. Every query over persons asks this."""
    if inquiry is None:
        raise RuleError(
            "personal records are looked into by an approved inquiry only: request one for a case"
        )
    require_investigator(inquiry, by=by, at=at)
    if look.records not in inquiry.records:
        raise RuleError(f"inquiry {inquiry.id} is for {', '.join(inquiry.records)}, not {look.records}")
    if look.site_id not in inquiry.sites:
        raise RuleError(f"inquiry {inquiry.id} is not for site {look.site_id}")
    if look.since < inquiry.since or look.until > inquiry.until:
        raise RuleError(
            f"inquiry {inquiry.id} is for what happened from {inquiry.since} up to {inquiry.until} only"
        )
    return inquiry
