"""Gate pass 通行: one immutable fact about one passage at one gate, and the rule that decided it."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, assert_never
from uuid import UUID

from eventsourcing.domain import Aggregate

from domain.errors import RuleError
from domain.lifecycle import Step
from domain.site import Direction, GateMode, SiteState

if TYPE_CHECKING:
    from domain.observation import FaceObservation
    from domain.site import Site

RULE_VERSION = "gate-1"
"""Written into every pass; it changes whenever `decide` does."""


class Credential(StrEnum):
    """What was shown at the gate."""

    FACE = "FACE"


class Decision(StrEnum):
    """What came of it. No automatic decision goes against a person: HELD waits for a guard."""

    HELD = "HELD"
    RECORDED = "RECORDED"


class GatePass(Aggregate):
    """A passage. Its id is the id of the observation it came from, so a repeated observation is the same pass."""

    TOPIC = "gate_pass"

    class Event(Step):
        """`actor` is the gate, as `gate:<site>.<gate>`."""

    class Passed(Event, Aggregate.Created):
        """`timestamp` is when the frame was taken. Neither the face nor anything computed from it is kept.

        score: the detector's, 0..1. latency_ms: from decoded frame to embedding. frame_sha256: digest of the evidence.
        """

        TOPIC = "gate.passed"
        site_id: UUID
        township: str
        gate: str
        direction: Direction
        credential: Credential
        decision: Decision
        reason: str
        rule_version: str
        model: str
        model_sha256: str
        score: float
        latency_ms: float
        frame_sha256: str

    Created = Passed

    def __init__(self, site_id: UUID, gate: str, decision: Decision) -> None:
        self.site_id = site_id
        self.gate = gate
        self.decision = decision


def decide(observation: FaceObservation, site: Site) -> GatePass:
    """The pass that `observation` is at `site`: a pure function of the two.

    RuleError if the site is not operating; NotFoundError if it has no such gate.
    """
    if site.state is not SiteState.OPERATING:
        raise RuleError(f"site {site.code} is {site.state}: only an operating site records passes")
    gate = site.gate(observation.at.gate)
    match gate.mode:
        case GateMode.OPEN:
            decision, reason = Decision.RECORDED, "open gate"
        case GateMode.GUARDED:
            decision, reason = Decision.HELD, "no registered credential: a guard decides"
        case _:
            assert_never(gate.mode)
    return GatePass._create(  # noqa: SLF001  (the library's own way to make an aggregate)
        GatePass.Passed,
        id=observation.id,
        timestamp=observation.captured_at,
        actor=f"gate:{observation.at}",
        site_id=site.id,
        township=site.township,
        gate=gate.code,
        direction=gate.direction,
        credential=Credential.FACE,
        decision=decision,
        reason=reason,
        rule_version=RULE_VERSION,
        model=observation.detector.name,
        model_sha256=observation.detector.sha256,
        score=observation.score,
        latency_ms=observation.latency_ms,
        frame_sha256=observation.frame_sha256,
    )
