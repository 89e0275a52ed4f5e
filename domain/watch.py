"""Watch list 布控: one person's face or one plate is looked for, on a legal basis, for a case, for at most 90 days.

Somebody asks and somebody else answers for it. An entry says whom to look for, and nothing about them: there is no field for it.
What it finds is a lead (domain/lead.py), which a person reviews; it opens and closes no gate.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, assert_never
from uuid import UUID

from eventsourcing.domain import Aggregate

from domain.access import seal_digest
from domain.deadlines import Deadline, Timed, passed, require_end
from domain.errors import InvalidError, RuleError
from domain.lifecycle import Step, advance, require_aware, require_case, require_text
from domain.observation import require_code, require_sha256
from domain.people import Scope
from domain.personal import KeyScope, Personal, of_subject
from domain.plates import require_readable

if TYPE_CHECKING:
    from domain.people import Person
    from domain.site import Site

LONGEST = timedelta(days=90)
RULE = "watch-1"
EXPIRE = "expire"


class WatchState(StrEnum):
    """Whether it is looked for: only while it is ACTIVE."""

    REQUESTED = "REQUESTED"
    ACTIVE = "ACTIVE"
    REFUSED = "REFUSED"
    EXPIRED = "EXPIRED"
    CLOSED = "CLOSED"  # 撤控


class WatchKind(StrEnum):
    """By what it is looked for."""

    FACE = "FACE"
    PLATE = "PLATE"


S = WatchState


class WatchEntry(Aggregate):
    """One entry, at one site or (without one) in a whole township or the city. What is personal lies under `of_subject(id)`."""

    TOPIC = "watch"

    class Event(Step):
        """`actor` is the person behind it."""

    class Requested(Event, Aggregate.Created):
        """subject: who, or which plate. reference_sha256: of the image of a face. plate_digest: keyed, in hexadecimal.

        legal_basis, case and purpose are kept in clear, for ever: they name an article and a case, never a person.
        """

        TOPIC = "watch.requested"
        TO = S.REQUESTED
        township: str | None
        site_id: UUID | None
        kind: WatchKind
        subject: Personal
        reference_sha256: str | None
        plate_digest: Personal | None
        legal_basis: str
        case: str
        purpose: str
        expires_at: datetime

    Created = Requested

    class Approved(Event, Timed):
        """批准: from now on it is looked for."""

        TOPIC = "watch.approved"
        FROM, TO = (S.REQUESTED,), S.ACTIVE

    class Refused(Event):
        """不予批准."""

        TOPIC = "watch.refused"
        FROM, TO = (S.REQUESTED,), S.REFUSED
        reason: str

    class Renewed(Event, Timed):
        """续控: decided anew, with a new end."""

        TOPIC = "watch.renewed"
        FROM = (S.ACTIVE,)
        reason: str
        expires_at: datetime

        def apply(self, aggregate: WatchEntry) -> None:
            super().apply(aggregate)
            aggregate.expires_at = self.expires_at

    class Closed(Event, Timed):
        """撤控: it is not looked for any more."""

        TOPIC = "watch.closed"
        FROM, TO = (S.REQUESTED, S.ACTIVE), S.CLOSED
        reason: str

    class Expired(Event, Timed):
        """It was not renewed in time."""

        TOPIC = "watch.expired"
        FROM, TO = (S.ACTIVE,), S.EXPIRED

    state: WatchState

    def __init__(
        self,
        *,
        actor: str,
        township: str | None,
        site_id: UUID | None,
        kind: WatchKind,
        subject: Personal,
        reference_sha256: str | None,
        plate_digest: Personal | None,
        legal_basis: str,
        case: str,
        purpose: str,
        expires_at: datetime,
    ) -> None:
        self.requested_by = actor
        self.township = township
        self.site_id = site_id
        self.kind = kind
        self.subject = subject
        self.reference_sha256 = reference_sha256
        self.plate_digest = plate_digest
        self.legal_basis = legal_basis
        self.case = case
        self.purpose = purpose
        self.expires_at = expires_at
        self.deadlines: tuple[Deadline, ...] = ()

    @classmethod
    def request(
        cls,
        *,
        id: UUID,  # noqa: A002  (the library's own word for it)
        by: Person,
        at: datetime,
        kind: WatchKind,
        subject: Personal,
        legal_basis: str,
        case: str,
        purpose: str,
        expires_at: datetime,
        site: Site | None = None,
        township: str | None = None,
        reference_sha256: str | None = None,
        plate_digest: bytes | None = None,
    ) -> WatchEntry:
        """Ask for an entry. A face needs the digest of its image, a plate the 32 bytes that plates are matched by."""
        scope = of_subject(id)
        _require_means(kind, reference_sha256, plate_digest)
        return cls._create(
            cls.Requested,
            id=id,
            timestamp=require_aware(at),
            actor=by.id,
            township=site.township if site else township and require_code(township, "township"),
            site_id=site and site.id,
            kind=kind,
            subject=_subject(kind, scope, subject),
            reference_sha256=reference_sha256,
            plate_digest=seal_digest(scope, plate_digest),
            legal_basis=require_text(legal_basis, "legal basis", 500),
            case=require_case(case),
            purpose=require_text(purpose, "purpose", 500),
            expires_at=require_end("a watch entry", at, expires_at, LONGEST),
        )

    def approve(self, *, by: Person, at: datetime) -> None:
        """批准: whoever approves answers for it, and is not who asked."""
        self._require_other(by, "approve")
        end = require_end("a watch entry", at, self.expires_at, LONGEST)
        advance(self, self.Approved, by=by, at=at, deadlines=_expiring(end))

    def refuse(self, *, by: Person, at: datetime, reason: str) -> None:
        """不予批准."""
        self._require_other(by, "refuse")
        advance(self, self.Refused, by=by, at=at, reason=require_text(reason, "reason", 500))

    def renew(self, *, by: Person, at: datetime, reason: str, expires_at: datetime) -> None:
        """续控: it is looked for at most 90 days more, from now; decided before it has ended, not by who asked for it."""
        self._require_other(by, "renew")
        if self.state is S.ACTIVE and require_aware(at) >= self.expires_at:
            raise RuleError(f"watch entry {self.id} ended at {self.expires_at}: request another one")
        end = require_end("a watch entry", at, expires_at, LONGEST)
        advance(
            self,
            self.Renewed,
            by=by,
            at=at,
            reason=require_text(reason, "reason", 500),
            expires_at=end,
            deadlines=_expiring(end),
        )

    def close(self, *, by: Person, at: datetime, reason: str) -> None:
        """撤控: the reason for it is gone. Anybody who may at all may do it, who asked for it too."""
        advance(self, self.Closed, by=by, at=at, reason=require_text(reason, "reason", 500), deadlines=())

    def pass_deadline(self, *, by: Person, at: datetime, name: str) -> None:
        """It has expired, if that is so."""
        if passed(self.deadlines, name, at):
            advance(self, self.Expired, by=by, at=at, deadlines=())

    def looks(self, at: datetime) -> bool:
        """Whether it is looked for at `at`: not after its end, also when nobody has noticed yet that it has ended."""
        return self.state is S.ACTIVE and require_aware(at) < self.expires_at

    def covers(self, site: Site) -> bool:
        """Whether it is looked for at `site`."""
        return Scope(self.township, self.site_id).covers(site.township, site.id)

    def _require_other(self, by: Person, what: str) -> None:
        if by.id == self.requested_by:
            raise RuleError(f"{by.id} requested this watch entry: somebody else has to {what} it")


def _require_means(kind: WatchKind, reference_sha256: str | None, plate_digest: bytes | None) -> None:
    match kind:
        case WatchKind.FACE:
            if reference_sha256 is None or plate_digest is not None:
                raise InvalidError("a face is looked for by the digest of its image, and by no plate")
            require_sha256(reference_sha256, "reference_sha256")
        case WatchKind.PLATE:
            if plate_digest is None or reference_sha256 is not None:
                raise InvalidError("a plate is looked for by its digest, and by no image")
        case _:
            assert_never(kind)


def _subject(kind: WatchKind, scope: KeyScope, subject: Personal) -> Personal:
    given = subject.require_under(scope, "subject", 200)
    return require_readable(given) if kind is WatchKind.PLATE else given


def _expiring(end: datetime) -> tuple[Deadline, ...]:
    return (Deadline(EXPIRE, end, RULE),)
