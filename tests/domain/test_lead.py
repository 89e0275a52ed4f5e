"""A lead: what a model proposes, until a named reviewer has seen both images and the score."""

from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import pytest
from given import NOW, person
from hypothesis.stateful import invariant
from machines import SETTINGS, Driven

from domain.errors import InvalidError, NotFoundError, RuleError
from domain.lead import REVIEW_WITHIN, Evidence, Lead, LeadState, lead_id
from domain.lifecycle import transitions
from domain.model import event_classes
from domain.observation import ModelUse
from domain.people import Role
from domain.personal import Personal, of_subject
from domain.site import Direction, Gate, GateMode, Site
from domain.watch import WatchEntry, WatchKind

S = LeadState
ENTRY, PASS = UUID(int=1), UUID(int=2)
MATCHER, REVIEWER, CHIEF = person(Role.DEVICE), person(Role.REVIEWER), person(Role.SUPERVISOR)
ASKER = person(Role.INVESTIGATOR, name="asker")
EVIDENCE = Evidence("a" * 64, "b" * 64, 0.81)
DAY = timedelta(days=1)


def built(code):
    site = Site.plan(code=code, name="高桥", township="yuhai", by=person(Role.ADMIN), at=NOW)
    site.add_gate(by=CHIEF, at=NOW, gate=Gate("main", "大门", GateMode.OPEN, Direction.IN))
    return site


HERE, ELSEWHERE = built("here"), built("elsewhere")


def entry(*, approved=True, by=ASKER, kind=WatchKind.FACE):
    face = kind is WatchKind.FACE
    found = WatchEntry.request(
        id=ENTRY,
        by=by,
        at=NOW,
        site=HERE,
        kind=kind,
        subject=Personal(of_subject(ENTRY), "张某" if face else "浙C12345"),
        reference_sha256="a" * 64 if face else None,
        plate_digest=None if face else b"d" * 32,
        legal_basis="刑事诉讼法 150",
        case="2026-17",
        purpose="find a suspect",
        expires_at=NOW + 30 * DAY,
    )
    if approved:
        found.approve(by=CHIEF, at=NOW)
    return found


def proposed(**changed):
    fields = {
        "by": MATCHER,
        "at": NOW,
        "entry": entry(),
        "site": HERE,
        "gate": "main",
        "pass_id": PASS,
        "evidence": EVIDENCE,
        "model": ModelUse("sface", "c" * 64),
    }
    return Lead.propose(**(fields | changed))


def confirmed():
    lead = proposed()
    lead.confirm(by=REVIEWER, at=NOW, seen=EVIDENCE)
    return lead


def test_the_transitions_are_those_of_the_table():
    assert transitions(list(event_classes(Lead).values())) == [
        ("PROPOSED", "lead.confirmed", "CONFIRMED"),
        ("PROPOSED", "lead.rejected", "REJECTED"),
        ("PROPOSED", "lead.expired", "EXPIRED"),
        ("CONFIRMED", "lead.linked", "CONFIRMED"),
    ]


def test_a_hit_proposes_a_lead_in_the_case_of_its_entry_and_twice_the_same():
    lead = proposed()
    assert (lead.id, lead.state, lead.case) == (lead_id(ENTRY, PASS), S.PROPOSED, "2026-17")
    assert (lead.site_id, lead.township, lead.gate) == (HERE.id, "yuhai", "main")
    assert proposed().id == lead.id != proposed(pass_id=UUID(int=3)).id


def test_only_an_active_entry_that_is_not_over_finds_anything_and_only_at_its_site():
    closed = entry()
    closed.close(by=ASKER, at=NOW, reason="found")
    for wrong, why in [
        ({"entry": entry(approved=False)}, "is REQUESTED .* it finds nothing"),
        ({"entry": closed}, "is CLOSED .* it finds nothing"),
        ({"at": NOW + 30 * DAY}, "is ACTIVE until .* it finds nothing"),
        ({"site": ELSEWHERE}, "is not for site elsewhere"),
        ({"evidence": replace(EVIDENCE, reference_sha256="d" * 64)}, "is for another image"),
        ({"evidence": replace(EVIDENCE, reference_sha256=None)}, "is for another image"),
    ]:
        with pytest.raises(RuleError, match=why):
            proposed(**wrong)


def test_a_plate_is_found_without_an_image_to_compare_with():
    lead = proposed(entry=entry(kind=WatchKind.PLATE), evidence=replace(EVIDENCE, reference_sha256=None))
    assert lead.evidence.reference_sha256 is None


@pytest.mark.parametrize(
    "wrong", [{"probe_sha256": "x"}, {"score": 1.1}, {"score": -0.1}, {"score": float("nan")}]
)
def test_evidence_that_cannot_be_one_is_refused(wrong):
    with pytest.raises(InvalidError):
        proposed(evidence=replace(EVIDENCE, **wrong))


def test_a_gate_that_is_not_there_finds_nobody():
    with pytest.raises(NotFoundError, match="has no gate 'back'"):
        proposed(gate="back")


@pytest.mark.parametrize(("method", "state"), [(Lead.confirm, S.CONFIRMED), (Lead.reject, S.REJECTED)])
def test_a_reviewer_who_saw_the_evidence_decides_once_by_name(method, state):
    lead = proposed()
    method(lead, by=REVIEWER, at=NOW, seen=EVIDENCE)
    event = lead.pending_events[-1]
    assert (lead.state, lead.deadlines, event.actor, event.seen) == (state, (), REVIEWER.id, EVIDENCE)
    for again in (Lead.confirm, Lead.reject):
        with pytest.raises(RuleError, match="it must be PROPOSED"):
            again(lead, by=REVIEWER, at=NOW, seen=EVIDENCE)


@pytest.mark.parametrize("method", [Lead.confirm, Lead.reject])
def test_whoever_asked_for_the_entry_does_not_review_what_it_finds(method):
    both = person(Role.INVESTIGATOR, Role.REVIEWER, name="asker")
    with pytest.raises(RuleError, match="somebody else has to review"):
        method(proposed(), by=both, at=NOW, seen=EVIDENCE)


@pytest.mark.parametrize("method", [Lead.confirm, Lead.reject])
@pytest.mark.parametrize(
    "other", [{"reference_sha256": "d" * 64}, {"probe_sha256": "d" * 64}, {"score": 0.82}]
)
def test_a_reviewer_has_to_have_seen_both_images_and_the_score_of_this_lead(method, other):
    with pytest.raises(RuleError, match="look at both images and the score"):
        method(proposed(), by=REVIEWER, at=NOW, seen=replace(EVIDENCE, **other))


def test_a_lead_that_nobody_reviewed_in_time_is_over_noticed_or_not():
    lead, due = proposed(), NOW + REVIEW_WITHIN
    lead.pass_deadline(by=MATCHER, at=due - timedelta(seconds=1), name="review")
    assert lead.state is S.PROPOSED
    with pytest.raises(RuleError, match="was to be reviewed within"):
        lead.confirm(by=REVIEWER, at=due, seen=EVIDENCE)
    for _ in range(2):
        lead.pass_deadline(by=MATCHER, at=due, name="review")
    assert (lead.state, lead.version) == (S.EXPIRED, 2)


def test_only_a_confirmed_lead_is_linked_and_only_to_the_case_it_was_looked_for_in_and_once():
    rejected, expired = proposed(), proposed()
    rejected.reject(by=REVIEWER, at=NOW, seen=EVIDENCE)
    expired.pass_deadline(by=MATCHER, at=NOW + REVIEW_WITHIN, name="review")
    for lead in (proposed(), rejected, expired):
        with pytest.raises(RuleError, match="it must be CONFIRMED"):
            lead.link(by=ASKER, at=NOW, case="2026-17")
    lead = confirmed()
    with pytest.raises(RuleError, match="looked for in case 2026-17: it is linked to no other"):
        lead.link(by=ASKER, at=NOW, case="2026-18")
    lead.link(by=ASKER, at=NOW, case=" 2026-17 ")
    assert lead.linked
    with pytest.raises(RuleError, match="already"):
        lead.link(by=ASKER, at=NOW, case="2026-17")


class Life(Driven):
    ROLES = frozenset({Role.REVIEWER, Role.INVESTIGATOR, Role.DEVICE})
    HOURS = (0, 0, 1, 30)

    def begin(self, who, at):
        self.asker = who.id
        return proposed(at=at, entry=entry(by=who))

    def calls(self, who, at):
        return {
            "confirm": {"seen": EVIDENCE},
            "reject": {"seen": EVIDENCE},
            "link": {"case": "2026-17"},
            "pass_deadline": {"name": "review"},
        }

    @invariant()
    def whoever_asked_for_the_entry_reviews_nothing(self):
        assert self.asker not in self.actors("lead.confirmed", "lead.rejected")

    @invariant()
    def only_what_was_confirmed_is_linked(self):
        assert not self.it.linked or self.actors("lead.confirmed")


TestLife = Life.TestCase
TestLife.settings = SETTINGS
