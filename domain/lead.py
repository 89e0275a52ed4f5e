"""Lead 线索: somebody or something at a gate may be what a watch entry looks for. A person looks at it before anything follows.

A lead is no match: it is a proposal with two images and a score, and it says so until a named reviewer has seen all three.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING
from uuid import UUID, uuid5

from eventsourcing.domain import Aggregate

from domain.deadlines import Deadline, Timed, passed
from domain.errors import InvalidError, RuleError
from domain.lifecycle import Step, advance, require_aware, require_case
from domain.observation import NAMESPACE, ModelUse, require_sha256

if TYPE_CHECKING:
    from domain.people import Person
    from domain.site import Site
    from domain.watch import WatchEntry

REVIEW_WITHIN = timedelta(hours=24)
RULE = "lead-1"
REVIEW = "review"


class LeadState(StrEnum):
    """What is thought of it."""

    PROPOSED = "PROPOSED"
    CONFIRMED = "CONFIRMED"
    REJECTED = "REJECTED"
    EXPIRED = "EXPIRED"


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a reviewer has to see: the image it is looked for by, the image at the gate (their SHA-256), and the score, 0..1.

    A plate is looked for by no image: the reviewer reads it in the entry.
    """

    reference_sha256: str | None
    probe_sha256: str
    score: float


S = LeadState


def lead_id(entry_id: UUID, pass_id: UUID) -> UUID:
    """The id of the lead that a gate pass is for a watch entry: the same hit twice is one lead."""
    return uuid5(NAMESPACE, f"lead:{entry_id}:{pass_id}")


class Lead(Aggregate):
    """One lead. It has nothing personal: who is looked for stands in the entry, and what was seen in the pass."""

    TOPIC = "lead"

    class Event(Step):
        """`actor` is the reviewer or the investigator; the matcher, where it is proposed."""

    class Proposed(Event, Timed, Aggregate.Created):
        """A model found them alike. requested_by: who asked for the entry, and so does not review what it finds."""

        TOPIC = "lead.proposed"
        TO = S.PROPOSED
        entry_id: UUID
        case: str
        requested_by: str
        pass_id: UUID
        site_id: UUID
        township: str
        gate: str
        evidence: Evidence
        model: str
        model_sha256: str

    Created = Proposed

    class Confirmed(Event, Timed):
        """属实: the reviewer, who saw the evidence, says that it is so."""

        TOPIC = "lead.confirmed"
        FROM, TO = (S.PROPOSED,), S.CONFIRMED
        seen: Evidence

    class Rejected(Event, Timed):
        """排除: the reviewer, who saw the evidence, says that it is not."""

        TOPIC = "lead.rejected"
        FROM, TO = (S.PROPOSED,), S.REJECTED
        seen: Evidence

    class Expired(Event, Timed):
        """Nobody reviewed it in time."""

        TOPIC = "lead.expired"
        FROM, TO = (S.PROPOSED,), S.EXPIRED

    class Linked(Event):
        """It is part of the case from now on."""

        TOPIC = "lead.linked"
        FROM = (S.CONFIRMED,)
        case: str

        def apply(self, aggregate: Lead) -> None:
            super().apply(aggregate)
            aggregate.linked = True

    state: LeadState
    deadlines: tuple[Deadline, ...]

    def __init__(
        self,
        *,
        entry_id: UUID,
        case: str,
        requested_by: str,
        pass_id: UUID,
        site_id: UUID,
        township: str,
        gate: str,
        evidence: Evidence,
        model: str,
        model_sha256: str,
    ) -> None:
        self.entry_id = entry_id
        self.case = case
        self.requested_by = requested_by
        self.pass_id = pass_id
        self.site_id = site_id
        self.township = township
        self.gate = gate
        self.evidence = evidence
        self.model = model
        self.model_sha256 = model_sha256
        self.linked = False

    @classmethod
    def propose(
        cls,
        *,
        by: Person,
        at: datetime,
        entry: WatchEntry,
        site: Site,
        gate: str,
        pass_id: UUID,
        evidence: Evidence,
        model: ModelUse,
    ) -> Lead:
        """A hit for `entry` at `gate` of `site`. RuleError unless the entry is active, not over, and for this site."""
        if not entry.looks(at):
            raise RuleError(
                f"watch entry {entry.id} is {entry.state} until {entry.expires_at}: it finds nothing at {at}"
            )
        if not entry.covers(site):
            raise RuleError(f"watch entry {entry.id} is not for site {site.code}: it finds nothing there")
        if entry.reference_sha256 != evidence.reference_sha256:
            raise RuleError(f"watch entry {entry.id} is for another image than the one that was compared")
        return cls._create(
            cls.Proposed,
            id=lead_id(entry.id, pass_id),
            timestamp=require_aware(at),
            actor=by.id,
            entry_id=entry.id,
            case=entry.case,
            requested_by=entry.requested_by,
            pass_id=pass_id,
            site_id=site.id,
            township=site.township,
            gate=site.gate(gate).code,
            evidence=_require_evidence(evidence),
            model=model.name,
            model_sha256=model.sha256,
            deadlines=(Deadline(REVIEW, at + REVIEW_WITHIN, RULE),),
        )

    def confirm(self, *, by: Person, at: datetime, seen: Evidence) -> None:
        """属实: a reviewer has seen both images and the score, and says that they are the same."""
        self._require_review(by, at, seen)
        advance(self, self.Confirmed, by=by, at=at, seen=seen, deadlines=())

    def reject(self, *, by: Person, at: datetime, seen: Evidence) -> None:
        """排除: a reviewer has seen both images and the score, and says that they are not the same."""
        self._require_review(by, at, seen)
        advance(self, self.Rejected, by=by, at=at, seen=seen, deadlines=())

    def link(self, *, by: Person, at: datetime, case: str) -> None:
        """Make it part of `case`, which is the one that the entry is for."""
        if require_case(case) != self.case:
            raise RuleError(f"this lead was looked for in case {self.case}: it is linked to no other")
        if self.linked:
            raise RuleError(f"this lead is linked to case {self.case} already")
        advance(self, self.Linked, by=by, at=at, case=self.case)

    def pass_deadline(self, *, by: Person, at: datetime, name: str) -> None:
        """It was not reviewed in time, if that is so."""
        if passed(self.deadlines, name, at):
            advance(self, self.Expired, by=by, at=at, deadlines=())

    def _require_review(self, by: Person, at: datetime, seen: Evidence) -> None:
        if by.id == self.requested_by:
            raise RuleError(f"{by.id} requested the watch entry: somebody else has to review what it finds")
        if passed(self.deadlines, REVIEW, at):
            raise RuleError(
                f"this lead was to be reviewed within {REVIEW_WITHIN}: it is over, and nothing follows from it"
            )
        if seen != self.evidence:
            raise RuleError(
                "what the reviewer saw is not what was found: look at both images and the score of this lead"
            )


def _require_evidence(evidence: Evidence) -> Evidence:
    if evidence.reference_sha256 is not None:
        require_sha256(evidence.reference_sha256, "reference_sha256")
    require_sha256(evidence.probe_sha256, "probe_sha256")
    if not 0.0 <= evidence.score <= 1.0:
        raise InvalidError(f"score {evidence.score} is outside 0..1")
    return evidence
