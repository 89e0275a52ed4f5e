"""Gate pass 通行: one passage at one gate, the rule that decided it, and what a guard decided if the gate waited for one."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from math import isfinite
from typing import TYPE_CHECKING, Any
from uuid import UUID

from eventsourcing.domain import Aggregate

from domain.access import (
    DEFAULT_RULES,
    AccessRules,
    Attempt,
    Decision,
    Known,
    Shown,
    decide_access,
)
from domain.credentials import CredentialKind
from domain.errors import InvalidError, RuleError
from domain.lifecycle import Step, advance, require_aware
from domain.observation import FaceObservation, GateRef, ModelUse, require_sha256
from domain.personal import KeyScope, Personal, of_day
from domain.plates import PlateKind
from domain.site import Direction, SiteState
from domain.working_time import ZONE

if TYPE_CHECKING:
    from domain.people import Person
    from domain.site import Site

LONGEST_SHOWN = 64
_FACE = Shown(CredentialKind.FACE)


class ReleaseGround(StrEnum):
    """Why a guard lets somebody pass whom the gate held. (A vocabulary: free text would say who it was.)"""

    RESIDENT_KNOWN = "RESIDENT_KNOWN"
    HOST_CONFIRMED = "HOST_CONFIRMED"
    CREDENTIAL_CHECKED = "CREDENTIAL_CHECKED"
    SERVICE = "SERVICE"  # deliveries, repairs
    EMERGENCY = "EMERGENCY"


class RefusalGround(StrEnum):
    """Why a guard turns somebody away."""

    NOT_EXPECTED = "NOT_EXPECTED"
    HOST_DECLINED = "HOST_DECLINED"
    CREDENTIAL_NOT_GOOD = "CREDENTIAL_NOT_GOOD"
    CLOSED = "CLOSED"
    SAFETY = "SAFETY"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What a reader, a plate camera or a guard read at a gate; a face comes as a `FaceObservation`.

    value: what was read, if it is to be kept, sealed under `day_scope`. score: the model's, 0..1. evidence_sha256: of the image.
    """

    id: UUID
    at: GateRef
    read_at: datetime
    shown: Shown
    value: Personal | None = None
    model: ModelUse | None = None
    score: float | None = None
    latency_ms: float | None = None
    evidence_sha256: str | None = None

    def __post_init__(self) -> None:
        require_aware(self.read_at)
        if self.shown.kind is CredentialKind.FACE:
            raise InvalidError("a face is no reading: send it as a face observation")
        if self.value is not None:
            self.value.require_under(day_scope(self.at.site, self.read_at), "what was read", LONGEST_SHOWN)
        if self.score is not None and not 0.0 <= self.score <= 1.0:
            raise InvalidError(f"score {self.score} is outside 0..1")
        if self.latency_ms is not None and not (isfinite(self.latency_ms) and self.latency_ms >= 0):
            raise InvalidError(f"latency_ms {self.latency_ms} is not a time that passed")
        if self.evidence_sha256 is not None:
            require_sha256(self.evidence_sha256, "evidence_sha256")


class GatePass(Aggregate):
    """A passage. Its id is the id of the observation it came from, so a repeated observation is the same pass."""

    TOPIC = "gate_pass"

    class Event(Step):
        """`actor` is the guard, or the gate as `gate:<site>.<gate>`."""

    class Passed(Event, Aggregate.Created):
        """`timestamp` is when the frame was taken. Neither the face nor anything computed from it is kept.

        value: the plate, number or code as it was read. credential_id: of the credential or visit that opened the gate. Both
        are forgotten with the day. score: the detector's, 0..1. latency_ms: from decoded frame to embedding. frame_sha256: digest
        of the evidence. A card has no model and no frame.
        """

        TOPIC = "gate.passed"
        class_version = 2
        site_id: UUID
        township: str
        gate: str
        direction: Direction
        credential: CredentialKind
        decision: Decision
        reason: str
        rule_version: str
        model: str | None
        model_sha256: str | None
        score: float | None
        latency_ms: float | None
        frame_sha256: str | None
        plate_kind: PlateKind | None = None
        value: Personal | None = None
        credential_id: Personal | None = None

        @staticmethod
        def upcast_v1_v2(state: dict[str, Any]) -> None:
            """In version 1 there were faces only, and a gate opened for none of them."""
            state |= {"plate_kind": None, "value": None, "credential_id": None}

    Created = Passed

    class Released(Event):
        """放行: the guard let them pass."""

        TOPIC = "gate.released"
        FROM, TO = (Decision.HELD,), Decision.OPENED
        ground: ReleaseGround

    class Refused(Event):
        """拒绝: the guard, whose name it bears, did not."""

        TOPIC = "gate.refused"
        FROM, TO = (Decision.HELD,), Decision.REFUSED_BY_GUARD
        ground: RefusalGround

    state: Decision

    def __init__(self, site_id: UUID, township: str, gate: str, decision: Decision) -> None:
        self.site_id = site_id
        self.township = township
        self.gate = gate
        self.state = decision

    def release(self, *, by: Person, at: datetime, ground: ReleaseGround) -> None:
        """放行: let whoever the gate holds pass."""
        advance(self, self.Released, by=by, at=at, ground=ground)

    def refuse(self, *, by: Person, at: datetime, ground: RefusalGround) -> None:
        """拒绝: turn away whoever the gate holds. Only a person can."""
        advance(self, self.Refused, by=by, at=at, ground=ground)


def day_scope(site: str, at: datetime) -> KeyScope:
    """The scope of whoever passes the site with this code at `at`: the day is that of the wall clock in China."""
    return of_day(site, at.astimezone(ZONE).date())


def decide(
    observation: FaceObservation,
    site: Site,
    known: Known | None = None,
    rules: AccessRules = DEFAULT_RULES,
) -> GatePass:
    """The pass that `observation` is at `site`: a pure function of these. known: whose face recognition found it to be.

    RuleError if the site is not operating; NotFoundError if it has no such gate.
    """
    return _pass(
        site,
        observation.at,
        _FACE,
        known=known,
        rules=rules,
        id=observation.id,
        timestamp=observation.captured_at,
        model=observation.detector.name,
        model_sha256=observation.detector.sha256,
        score=observation.score,
        latency_ms=observation.latency_ms,
        frame_sha256=observation.frame_sha256,
    )


def admit(
    reading: Reading, site: Site, known: Known | None = None, rules: AccessRules = DEFAULT_RULES
) -> GatePass:
    """The pass that `reading` is at `site`, just as `decide`. known: what its digest was found to be."""
    return _pass(
        site,
        reading.at,
        reading.shown,
        known=known,
        rules=rules,
        id=reading.id,
        timestamp=reading.read_at,
        model=reading.model and reading.model.name,
        model_sha256=reading.model and reading.model.sha256,
        score=reading.score,
        latency_ms=reading.latency_ms,
        frame_sha256=reading.evidence_sha256,
        plate_kind=reading.shown.plate_kind,
        value=reading.value,
    )


def _pass(
    site: Site,
    place: GateRef,
    shown: Shown,
    *,
    known: Known | None,
    rules: AccessRules,
    timestamp: datetime,
    **fields: Any,
) -> GatePass:
    if site.state is not SiteState.OPERATING:
        raise RuleError(f"site {site.code} is {site.state}: only an operating site records passes")
    gate = site.gate(place.gate)
    verdict = decide_access(Attempt(shown, gate, site.id, timestamp), known, rules)
    return GatePass._create(  # noqa: SLF001  (the library's own way to make an aggregate)
        GatePass.Passed,
        timestamp=timestamp,
        actor=f"gate:{place}",
        site_id=site.id,
        township=site.township,
        gate=gate.code,
        direction=gate.direction,
        credential=shown.kind,
        decision=verdict.decision,
        reason=verdict.reason,
        rule_version=verdict.rule_version,
        credential_id=_sealed(verdict.credential_id, site, timestamp),
        **fields,
    )


def _sealed(credential_id: UUID | None, site: Site, at: datetime) -> Personal | None:
    return None if credential_id is None else Personal(day_scope(site.code, at), str(credential_id))
