"""Access: whether a gate opens by itself. A machine opens, records or holds; only a named guard refuses, and nobody is refused by default.

The decision is a pure function of what was shown, what is registered, the rules and the time. A hit of the watch list is no part of it.
What is shown is compared by a keyed digest (HMAC) that the caller computes: neither plates nor card numbers are looked up in clear.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from hmac import compare_digest
from uuid import UUID

from domain.credentials import CredentialKind
from domain.errors import InvalidError
from domain.personal import KeyScope, Personal
from domain.plates import PlateKind
from domain.site import Gate, GateMode

K = CredentialKind
DIGEST = 32
"""Bytes of an HMAC-SHA-256."""


class Decision(StrEnum):
    """What came of it. No automatic decision goes against a person: HELD waits for a guard."""

    OPENED = "OPENED"
    HELD = "HELD"
    RECORDED = "RECORDED"  # at an open gate
    REFUSED_BY_GUARD = "REFUSED_BY_GUARD"


class Standing(StrEnum):
    """Whether a credential or a visit is good now. Only GOOD opens a gate."""

    GOOD = "GOOD"
    SUSPENDED = "SUSPENDED"
    REVOKED = "REVOKED"
    EXPIRED = "EXPIRED"
    NO_CONSENT = "NO_CONSENT"
    NOT_APPROVED = "NOT_APPROVED"
    USED_UP = "USED_UP"


@dataclass(frozen=True, slots=True)
class Shown:
    """What was shown. digest: of the plate, the card's number or the code; a face and nothing have none."""

    kind: CredentialKind
    digest: bytes | None = field(default=None, repr=False)
    plate_kind: PlateKind | None = None

    def __post_init__(self) -> None:
        if (self.digest is not None) != (self.kind in DIGESTED):
            raise InvalidError(
                f"{self.kind} is shown {'with' if self.kind in DIGESTED else 'without'} a digest"
            )
        if self.digest is not None:
            require_digest(self.digest)
        if (self.plate_kind is not None) != (self.kind is K.PLATE):
            raise InvalidError("a plate, and nothing else, has a kind of plate")


@dataclass(frozen=True, slots=True)
class Known:
    """A credential or a visit as a gate has to know it; `id` is its id.

    digest: None for a face, which recognition has matched, and for what is forgotten. gates: their codes; none means every gate of the
    site. It is good from `valid_from` up to, and not at, `valid_until`.
    """

    id: UUID
    kind: CredentialKind
    digest: bytes | None = field(repr=False)
    standing: Standing
    site_id: UUID
    gates: tuple[str, ...]
    valid_from: datetime
    valid_until: datetime


@dataclass(frozen=True, slots=True)
class AccessRules:
    """For what a guarded gate opens by itself. `version` is written into every pass."""

    version: str
    opens_for: frozenset[CredentialKind]

    def without(self, kind: CredentialKind, version: str) -> AccessRules:
        """The rules, as `version`, with that kind switched off: the others open as before."""
        return AccessRules(version, self.opens_for - {kind})


@dataclass(frozen=True, slots=True)
class Attempt:
    """Somebody at `gate` of the site, at `at`, and what they show."""

    shown: Shown
    gate: Gate
    site_id: UUID
    at: datetime


@dataclass(frozen=True, slots=True)
class Verdict:
    """The decision, why, by which rules, and for which credential (or visit) a gate was opened."""

    decision: Decision
    reason: str
    rule_version: str
    credential_id: UUID | None = None


DIGESTED = frozenset({K.PLATE, K.CARD, K.CODE})
RULE_VERSION = "gate-2"
"""Of `DEFAULT_RULES` and of `decide_access` together: it changes whenever one of them does."""
DEFAULT_RULES = AccessRules(RULE_VERSION, frozenset({K.FACE, K.PLATE, K.CARD, K.CODE}))


def require_digest(digest: bytes) -> bytes:
    """`digest`, if it is as long as one."""
    if len(digest) != DIGEST:
        raise InvalidError(f"a credential digest has {DIGEST} bytes, not {len(digest)}")
    return digest


def seal_digest(scope: KeyScope, digest: bytes | None) -> Personal | None:
    """`digest` in hexadecimal under the key of `scope`: whoever has the HMAC key could try all plates, so it is personal too."""
    return None if digest is None else Personal(scope, require_digest(digest).hex())


def open_digest(sealed: Personal | None) -> bytes | None:
    """What `seal_digest` sealed; None if there was none, or if its key is destroyed."""
    return bytes.fromhex(sealed.text) if sealed is not None and sealed.text else None


def decide_access(attempt: Attempt, known: Known | None, rules: AccessRules) -> Verdict:
    """What becomes of `attempt`. known: the credential or visit it was found to be, if any."""
    if attempt.gate.mode is GateMode.OPEN:
        return Verdict(Decision.RECORDED, "open gate", rules.version)
    if known is None or not _same(attempt.shown, known):
        return _held(_unknown(attempt.shown), rules)
    if doubt := _doubt(attempt, known, rules):
        return _held(doubt, rules)
    return Verdict(Decision.OPENED, "registered credential", rules.version, known.id)


def _held(doubt: str, rules: AccessRules) -> Verdict:
    return Verdict(Decision.HELD, f"{doubt}: a guard decides", rules.version)


def _unknown(shown: Shown) -> str:
    unreadable = shown.plate_kind is PlateKind.UNREADABLE
    return "the plate could not be read" if unreadable else "no registered credential"


def _doubt(attempt: Attempt, known: Known, rules: AccessRules) -> str | None:
    """Why the gate does not open by itself for what is known; None if it does."""
    elsewhere = known.site_id != attempt.site_id or (known.gates and attempt.gate.code not in known.gates)
    doubts = (
        (attempt.shown.plate_kind is PlateKind.UNREADABLE, "the plate could not be read"),
        (known.kind not in rules.opens_for, f"{known.kind} is switched off"),
        (known.kind not in attempt.gate.credentials, f"nobody is known by {known.kind} at this gate"),
        (known.standing is not Standing.GOOD, f"the credential is {known.standing}"),
        (elsewhere, "the credential is for another gate"),
        (
            not known.valid_from <= attempt.at < known.valid_until,
            "the credential is for another time",
        ),
    )
    return next((why for there, why in doubts if there), None)


def _same(shown: Shown, known: Known) -> bool:
    if shown.kind is not known.kind:
        return False
    if shown.kind is K.FACE:  # recognition has compared them
        return True
    return (
        shown.digest is not None and known.digest is not None and compare_digest(shown.digest, known.digest)
    )
