"""Credential 凭证: a face, a plate or a card by which a resident is known at the gates of one site.

A face or a plate is registered by a standing consent only, and lies under the key of that consent: when it is withdrawn, what could be
matched is gone with the key. A card lies under a key of its own. A visitor's code is no credential of a resident: see domain/visitor.py.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING
from uuid import UUID

from eventsourcing.domain import Aggregate

from domain.access import Known, Standing, open_digest, seal_digest
from domain.consent import Consent, Purpose, require_standing
from domain.credentials import CredentialKind
from domain.deadlines import Deadline, Timed, passed
from domain.errors import InvalidError, RuleError
from domain.lifecycle import Step, advance, require_aware
from domain.personal import KeyScope, Personal, of_subject
from domain.plates import require_readable

if TYPE_CHECKING:
    from domain.people import Person
    from domain.site import Site

LONGEST = timedelta(days=5 * 365)
RULE = "credential-1"
EXPIRE = "expire"
LONGEST_VALUE = 64
CONSENTED = {CredentialKind.FACE: Purpose.FACE_ACCESS, CredentialKind.PLATE: Purpose.PLATE_ACCESS}
"""What is registered by consent only, and the purpose that has to be consented to."""


class CredentialState(StrEnum):
    """Whether a gate may open for it."""

    ACTIVE = "ACTIVE"
    SUSPENDED = "SUSPENDED"
    REVOKED = "REVOKED"
    EXPIRED = "EXPIRED"


class Ground(StrEnum):
    """Why it is suspended or revoked. (A vocabulary: free text would say whose it was.)"""

    LOST = "LOST"  # 挂失
    ASKED_FOR = "ASKED_FOR"
    MOVED_OUT = "MOVED_OUT"
    MISUSED = "MISUSED"
    REGISTERED_IN_ERROR = "REGISTERED_IN_ERROR"


S = CredentialState
_STANDING = {
    S.ACTIVE: Standing.GOOD,
    S.SUSPENDED: Standing.SUSPENDED,
    S.REVOKED: Standing.REVOKED,
    S.EXPIRED: Standing.EXPIRED,
}


class Credential(Aggregate):
    """One credential of one resident at one site. gates: the codes of those it is for; none means all."""

    TOPIC = "credential"

    class Event(Step):
        """`actor` is the person behind it."""

    class Registered(Event, Timed, Aggregate.Created):
        """holder: the resident's name. value: the plate, or the card's number; None for a face.

        digest: the keyed digest of the value, as `seal_digest` writes it.
        """

        TOPIC = "credential.registered"
        TO = S.ACTIVE
        site_id: UUID
        township: str
        kind: CredentialKind
        resident: UUID
        consent_id: UUID | None
        holder: Personal
        value: Personal | None
        digest: Personal | None
        gates: tuple[str, ...]
        valid_from: datetime
        valid_until: datetime

    Created = Registered

    class Suspended(Event):
        """暂停."""

        TOPIC = "credential.suspended"
        FROM, TO = (S.ACTIVE,), S.SUSPENDED
        ground: Ground

    class Reinstated(Event):
        """恢复."""

        TOPIC = "credential.reinstated"
        FROM, TO = (S.SUSPENDED,), S.ACTIVE

    class Revoked(Event, Timed):
        """注销."""

        TOPIC = "credential.revoked"
        FROM, TO = (S.ACTIVE, S.SUSPENDED), S.REVOKED
        ground: Ground

    class Expired(Event, Timed):
        """Its time is over."""

        TOPIC = "credential.expired"
        FROM, TO = (S.ACTIVE, S.SUSPENDED), S.EXPIRED

    state: CredentialState
    deadlines: tuple[Deadline, ...]

    def __init__(
        self,
        *,
        site_id: UUID,
        township: str,
        kind: CredentialKind,
        resident: UUID,
        consent_id: UUID | None,
        holder: Personal,
        value: Personal | None,
        digest: Personal | None,
        gates: tuple[str, ...],
        valid_from: datetime,
        valid_until: datetime,
    ) -> None:
        self.site_id = site_id
        self.township = township
        self.kind = kind
        self.resident = resident
        self.consent_id = consent_id
        self.holder = holder
        self.value = value
        self.digest = digest
        self.gates = gates
        self.valid_from = valid_from
        self.valid_until = valid_until

    @classmethod
    def register(
        cls,
        *,
        id: UUID,  # noqa: A002  (the library's own word for it)
        site: Site,
        by: Person,
        at: datetime,
        kind: CredentialKind,
        resident: UUID,
        holder: Personal,
        valid_until: datetime,
        valid_from: datetime | None = None,
        value: Personal | None = None,
        digest: bytes | None = None,
        gates: tuple[str, ...] = (),
        consent: Consent | None = None,
    ) -> Credential:
        """A new credential. Its personal values are under the consent's scope; those of a card under `of_subject(id)`.

        digest: 32 bytes, HMAC of the value as `plates.normalise` (or the card reader) writes it, by the caller's key.
        """
        start = max(require_aware(at), require_aware(valid_from or at))
        latest, scope = _consented(kind, resident, site, consent, at) or (at + LONGEST, of_subject(id))
        if not start < require_aware(valid_until) <= latest:
            raise RuleError(f"a {kind} credential ends after it begins and by {latest}, not at {valid_until}")
        return cls._create(
            cls.Registered,
            id=id,
            timestamp=at,
            actor=by.id,
            site_id=site.id,
            township=site.township,
            kind=kind,
            resident=resident,
            consent_id=consent and consent.id,
            holder=holder.require_under(scope, "holder", 200),
            value=_value(kind, scope, value),
            digest=_digest(kind, scope, digest),
            gates=tuple(site.gate(code).code for code in gates),
            valid_from=valid_from or at,
            valid_until=valid_until,
            deadlines=(Deadline(EXPIRE, valid_until, RULE),),
        )

    def suspend(self, *, by: Person, at: datetime, ground: Ground) -> None:
        """暂停: no gate opens for it until it is reinstated."""
        advance(self, self.Suspended, by=by, at=at, ground=ground)

    def reinstate(self, *, by: Person, at: datetime) -> None:
        """恢复: it is good again."""
        advance(self, self.Reinstated, by=by, at=at)

    def revoke(self, *, by: Person, at: datetime, ground: Ground) -> None:
        """注销: no gate opens for it again."""
        advance(self, self.Revoked, by=by, at=at, ground=ground, deadlines=())

    def pass_deadline(self, *, by: Person, at: datetime, name: str) -> None:
        """It has expired, if that is so."""
        if passed(self.deadlines, name, at):
            advance(self, self.Expired, by=by, at=at, deadlines=())

    def known(self, consent: Consent | None, at: datetime) -> Known:
        """As a gate has to know it at `at`. consent: as it stands, of a credential that has one; without it no gate opens."""
        consented = self.consent_id is None or (
            consent is not None and consent.id == self.consent_id and consent.stands(at)
        )
        return Known(
            id=self.id,
            kind=self.kind,
            digest=open_digest(self.digest),
            standing=_STANDING[self.state] if consented else Standing.NO_CONSENT,
            site_id=self.site_id,
            gates=self.gates,
            valid_from=self.valid_from,
            valid_until=self.valid_until,
        )


def _consented(
    kind: CredentialKind, resident: UUID, site: Site, consent: Consent | None, at: datetime
) -> tuple[datetime, KeyScope] | None:
    """Until when, and under which scope, `consent` lets `kind` be registered; None if it needs none."""
    match kind:
        case CredentialKind.CARD:
            if consent is not None:
                raise RuleError("a card needs no consent: register it without one")
            return None
        case CredentialKind.FACE | CredentialKind.PLATE:
            if consent is None:
                raise RuleError(
                    f"a {kind} is registered with the resident's consent to {CONSENTED[kind]} only"
                )
            if consent.site_id != site.id:
                raise RuleError(f"consent {consent.id} is for another site")
            return require_standing(consent, CONSENTED[kind], resident, at), consent.scope
        case _:
            raise RuleError(f"{kind} is not registered for a resident: a face, a plate or a card is")


def _value(kind: CredentialKind, scope: KeyScope, value: Personal | None) -> Personal | None:
    if (value is None) != (kind is CredentialKind.FACE):
        raise InvalidError(
            "a plate or a card has a value, and a face has none: its template is kept elsewhere"
        )
    if value is None:
        return None
    given = value.require_under(scope, "value", LONGEST_VALUE)
    return require_readable(given) if kind is CredentialKind.PLATE else given


def _digest(kind: CredentialKind, scope: KeyScope, digest: bytes | None) -> Personal | None:
    if (digest is None) != (kind is CredentialKind.FACE):
        raise InvalidError("a plate or a card has a digest, and a face has none")
    return seal_digest(scope, digest)
