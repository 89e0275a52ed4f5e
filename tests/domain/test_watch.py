"""The watch list: asked for by one, answered for by another, for a case, and over after 90 days at most."""

from dataclasses import fields
from datetime import timedelta
from uuid import UUID

import pytest
from given import NOW, person
from hypothesis.stateful import invariant
from machines import SETTINGS, Driven

from domain.errors import InvalidError, RuleError
from domain.lead import Lead
from domain.lifecycle import transitions
from domain.model import event_classes
from domain.people import Role
from domain.personal import Personal, of_subject
from domain.site import Site
from domain.watch import LONGEST, WatchEntry, WatchKind, WatchState

S = WatchState
ID = UUID(int=1)
SCOPE = of_subject(ID)
ASKER, CHIEF, CLOCK = person(Role.INVESTIGATOR), person(Role.SUPERVISOR), person(Role.DEVICE)
BOTH = person(Role.INVESTIGATOR, Role.SUPERVISOR, name=ASKER.id)
DAY = timedelta(days=1)
END = NOW + 30 * DAY


def site(code, township="yuhai"):
    return Site.plan(code=code, name="高桥", township=township, by=person(Role.ADMIN), at=NOW)


HERE = site("gaoqiao")


def requested(**changed):
    given = {
        "id": ID,
        "by": ASKER,
        "at": NOW,
        "kind": WatchKind.FACE,
        "subject": Personal(SCOPE, "张某"),
        "reference_sha256": "a" * 64,
        "legal_basis": "刑事诉讼法 150",
        "case": "2026-17",
        "purpose": "find a suspect",
        "expires_at": END,
        "site": HERE,
    }
    return WatchEntry.request(**(given | changed))


def of_plate(**changed):
    plate = {"kind": WatchKind.PLATE, "subject": Personal(SCOPE, "浙c·12345"), "reference_sha256": None}
    return requested(**(plate | {"plate_digest": b"d" * 32} | changed))


def active(**changed):
    entry = requested(**changed)
    entry.approve(by=CHIEF, at=NOW)
    return entry


def test_the_transitions_are_those_of_the_table():
    assert transitions(list(event_classes(WatchEntry).values())) == [
        ("REQUESTED", "watch.approved", "ACTIVE"),
        ("REQUESTED", "watch.refused", "REFUSED"),
        ("ACTIVE", "watch.renewed", "ACTIVE"),
        ("REQUESTED", "watch.closed", "CLOSED"),
        ("ACTIVE", "watch.closed", "CLOSED"),
        ("ACTIVE", "watch.expired", "EXPIRED"),
    ]


def test_nothing_is_looked_for_before_somebody_approved_it_nor_after_its_end():
    assert not requested().looks(NOW)
    entry = active()
    assert entry.looks(NOW)
    assert entry.looks(END - timedelta(seconds=1))
    assert not entry.looks(END)
    assert entry.state is S.ACTIVE


@pytest.mark.parametrize(
    "decide",
    [
        lambda entry: entry.approve(by=BOTH, at=NOW),
        lambda entry: entry.refuse(by=BOTH, at=NOW, reason="no ground"),
        lambda entry: entry.renew(by=BOTH, at=NOW, reason="still sought", expires_at=END),
    ],
)
def test_whoever_asked_for_it_decides_nothing_about_it_in_any_role(decide):
    for entry in (requested(), active()):
        with pytest.raises(RuleError, match="requested this watch entry: somebody else has to"):
            decide(entry)


@pytest.mark.parametrize("field", ["legal_basis", "case", "purpose"])
def test_an_entry_needs_a_legal_basis_a_case_and_a_purpose(field):
    with pytest.raises(InvalidError, match=f"{field.replace('_', ' ')} is empty"):
        requested(**{field: "  "})


@pytest.mark.parametrize("end", [NOW, NOW - DAY, NOW + LONGEST + timedelta(seconds=1)])
def test_an_entry_ends_within_90_days_of_every_decision(end):
    with pytest.raises(RuleError, match="within 90 days"):
        requested(expires_at=end)
    with pytest.raises(RuleError, match="within 90 days"):
        active().renew(by=CHIEF, at=NOW, reason="still sought", expires_at=end)
    assert requested(expires_at=NOW + LONGEST).expires_at == NOW + LONGEST


def test_an_entry_whose_end_has_passed_meanwhile_is_not_approved():
    with pytest.raises(RuleError, match="ends after now"):
        requested().approve(by=CHIEF, at=END)


def test_a_renewal_is_a_decision_with_a_reason_and_a_new_end():
    entry = active()
    entry.renew(by=CHIEF, at=NOW + 29 * DAY, reason="still sought", expires_at=NOW + 90 * DAY)
    entry.pass_deadline(by=CLOCK, at=END, name="expire")
    assert (entry.looks(END), entry.expires_at) == (True, NOW + 90 * DAY)
    with pytest.raises(InvalidError, match="reason is empty"):
        entry.renew(by=CHIEF, at=END, reason="", expires_at=NOW + 90 * DAY)


def test_what_has_ended_is_not_renewed_noticed_or_not():
    entry = active()
    with pytest.raises(RuleError, match="request another one"):
        entry.renew(by=CHIEF, at=END, reason="late", expires_at=END + DAY)
    entry.pass_deadline(by=CLOCK, at=END, name="expire")
    with pytest.raises(RuleError, match="is EXPIRED, and it must be ACTIVE"):
        entry.renew(by=CHIEF, at=END, reason="late", expires_at=END + DAY)


def test_it_expires_once_and_not_before():
    entry = active()
    entry.pass_deadline(by=CLOCK, at=END - timedelta(seconds=1), name="expire")
    assert entry.version == 2
    for _ in range(2):
        entry.pass_deadline(by=CLOCK, at=END, name="expire")
    assert (entry.state, entry.version, entry.deadlines) == (S.EXPIRED, 3, ())


def test_whoever_asked_may_close_it_at_any_time_and_then_nothing_is_looked_for():
    for entry in (requested(), active()):
        entry.close(by=ASKER, at=NOW, reason="found")
        assert (entry.state, entry.looks(NOW), entry.deadlines) == (S.CLOSED, False, ())


def test_a_refused_entry_stays_refused():
    entry = requested()
    entry.refuse(by=CHIEF, at=NOW, reason="no ground")
    for decide in (
        lambda: entry.approve(by=CHIEF, at=NOW),
        lambda: entry.close(by=ASKER, at=NOW, reason="x"),
    ):
        with pytest.raises(RuleError, match="is REFUSED"):
            decide()


def test_an_entry_is_for_a_site_a_township_or_the_city():
    other, far = site("other"), site("far", "tangxia")
    for entry, covered in [
        (requested(), [True, False, False]),
        (requested(site=None, township="yuhai"), [True, True, False]),
        (requested(site=None), [True, True, True]),
    ]:
        assert [entry.covers(place) for place in (HERE, other, far)] == covered


def test_a_plate_is_looked_for_by_its_digest_and_kept_in_its_one_form():
    entry = of_plate()
    assert entry.subject == Personal(SCOPE, "浙C12345")
    assert entry.plate_digest == Personal(SCOPE, (b"d" * 32).hex())


@pytest.mark.parametrize(
    ("make", "wrong", "why"),
    [
        (requested, {"reference_sha256": None}, "digest of its image"),
        (requested, {"plate_digest": b"d" * 32}, "by no plate"),
        (requested, {"reference_sha256": "A" * 64}, "reference_sha256"),
        (of_plate, {"plate_digest": None}, "by its digest"),
        (of_plate, {"plate_digest": b""}, "has 32 bytes, not 0"),
        (of_plate, {"reference_sha256": "a" * 64}, "by no image"),
        (of_plate, {"subject": Personal(SCOPE, "浙C?2345")}, "no plate has"),
        (requested, {"subject": Personal(of_subject(UUID(int=2)), "2345")}, "seal it under"),
    ],
)
def test_means_that_do_not_fit_are_refused_and_nobody_is_named(make, wrong, why):
    with pytest.raises(InvalidError, match=why) as refused:
        make(**wrong)
    assert "2345" not in str(refused.value)


def test_neither_entry_nor_lead_has_a_field_for_what_somebody_is_or_feels():
    names = {
        field.name
        for aggregate in (WatchEntry, Lead)
        for event in event_classes(aggregate).values()
        for field in fields(event)
    }
    assert not names & {"ethnicity", "religion", "emotion", "health", "gender", "age", "race", "attributes"}


class Life(Driven):
    ROLES = frozenset({Role.INVESTIGATOR, Role.SUPERVISOR, Role.DEVICE})
    HOURS = (0, 0, 24, 400)

    def begin(self, who, at):
        return requested(by=who, at=at)

    def calls(self, who, at):
        return {
            "approve": {},
            "refuse": {"reason": "no ground"},
            "renew": {"reason": "still sought", "expires_at": at + 60 * DAY},
            "close": {"reason": "found"},
            "pass_deadline": {"name": "expire"},
        }

    @invariant()
    def nobody_decides_what_they_asked_for(self):
        decided = self.actors("watch.approved", "watch.refused", "watch.renewed")
        assert not decided & self.actors("watch.requested")

    @invariant()
    def nothing_is_looked_for_longer_than_90_days_after_a_decision(self):
        decisions = [
            event.timestamp
            for event in self.it.pending_events
            if event.TOPIC in {"watch.approved", "watch.renewed"}
        ]
        assert not self.it.looks(max(decisions, default=self.now) + LONGEST)


TestLife = Life.TestCase
TestLife.settings = SETTINGS
