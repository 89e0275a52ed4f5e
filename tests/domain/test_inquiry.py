"""An inquiry: nobody looks into personal records without one, beyond one, or after one, and every look is written down."""

from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import pytest
from given import NOW, person
from hypothesis.stateful import invariant
from machines import SETTINGS, Driven

from domain.errors import InvalidError, RuleError
from domain.inquiry import LONGEST, Inquiry, InquiryState, Look, Records, require_look
from domain.lifecycle import transitions
from domain.model import event_classes
from domain.people import Role
from domain.personal import Personal, of_subject
from domain.site import Site

S, R = InquiryState, Records
ID = UUID(int=1)
ASKER, CLOCK = person(Role.INVESTIGATOR, name="asker"), person(Role.DEVICE)
MATE, STRANGER = person(Role.INVESTIGATOR, name="mate"), person(Role.INVESTIGATOR, name="stranger")
OFFICER = person(Role.PRIVACY_OFFICER)
DAY = timedelta(days=1)
SINCE, END = NOW - 7 * DAY, NOW + 10 * DAY


def site(code, township="yuhai"):
    return Site.plan(code=code, name="高桥", township=township, by=person(Role.ADMIN), at=NOW)


HERE, NEXT, FAR = site("here"), site("next"), site("far", "tangxia")
LOOK = Look(R.PASSES, HERE.id, SINCE, NOW)


def requested(**changed):
    fields = {
        "id": ID,
        "by": ASKER,
        "at": NOW,
        "case": "2026-17",
        "purpose": "where was the car",
        "sites": [HERE, NEXT],
        "records": {R.PASSES, R.IMAGES},
        "since": SINCE,
        "until": NOW,
        "expires_at": END,
        "colleagues": ["mate"],
    }
    return Inquiry.request(**(fields | changed))


def approved(**changed):
    inquiry = requested(**changed)
    inquiry.approve(by=OFFICER, at=NOW)
    return inquiry


def test_the_transitions_are_those_of_the_table():
    assert transitions(list(event_classes(Inquiry).values())) == [
        ("REQUESTED", "inquiry.approved", "APPROVED"),
        ("REQUESTED", "inquiry.refused", "REFUSED"),
        ("APPROVED", "inquiry.looked", "APPROVED"),
        ("REQUESTED", "inquiry.closed", "CLOSED"),
        ("APPROVED", "inquiry.closed", "CLOSED"),
        ("APPROVED", "inquiry.expired", "EXPIRED"),
    ]


def test_every_look_is_an_event_with_who_what_and_how_much():
    inquiry, what = approved(), Personal(of_subject(ID), "浙C12345")
    inquiry.look(by=MATE, at=NOW + DAY, look=LOOK, found=3, what=what)
    event = inquiry.pending_events[-1]
    assert (event.TOPIC, event.actor, event.timestamp) == ("inquiry.looked", "mate", NOW + DAY)
    assert (event.records, event.at_site, event.since, event.until) == (R.PASSES, HERE.id, SINCE, NOW)
    assert (event.what, event.found, inquiry.state) == (what, 3, S.APPROVED)


def test_whoever_may_look_is_told_the_inquiry_by_which():
    inquiry = approved()
    for who in (ASKER, MATE):
        assert require_look(inquiry, LOOK, by=who, at=END - timedelta(seconds=1)) is inquiry


def refused(inquiry, look=LOOK, *, by=ASKER, at=NOW, why):
    with pytest.raises(RuleError, match=why):
        require_look(inquiry, look, by=by, at=at)
    if inquiry is not None:
        version = inquiry.version
        with pytest.raises(RuleError, match=why):
            inquiry.look(by=by, at=at, look=look, found=0)
        assert inquiry.version == version


def test_nobody_looks_without_an_inquiry():
    refused(None, why="by an approved inquiry only: request one for a case")


def test_nobody_looks_by_an_inquiry_that_is_not_approved_or_over():
    turned_down, closed, expired = requested(), approved(), approved()
    turned_down.refuse(by=OFFICER, at=NOW, reason="too wide")
    closed.close(by=ASKER, at=NOW, reason="done")
    expired.pass_deadline(by=CLOCK, at=END, name="expire")
    for inquiry, state in [
        (requested(), "REQUESTED"),
        (turned_down, "REFUSED"),
        (closed, "CLOSED"),
        (expired, "EXPIRED"),
    ]:
        refused(inquiry, why=f"is {state}: only by an approved one")
    refused(approved(), at=END, why="ended at .* request another one")


def test_nobody_looks_who_is_no_investigator_of_it():
    for who in (STRANGER, OFFICER):
        refused(approved(), by=who, why="is no investigator of inquiry .*: asker, mate")


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ({"records": R.VISITORS}, "is for IMAGES, PASSES, not VISITORS"),
        ({"site_id": FAR.id}, "is not for site"),
        ({"since": SINCE - timedelta(seconds=1)}, "from .* up to .* only"),
        ({"until": NOW + timedelta(seconds=1)}, "from .* up to .* only"),
    ],
)
def test_nobody_looks_at_more_than_was_approved(wrong, why):
    refused(approved(), replace(LOOK, **wrong), why=why)


@pytest.mark.parametrize("wrong", [{"since": NOW}, {"since": NOW + DAY}])
def test_a_look_is_from_a_time_to_a_later_one(wrong):
    with pytest.raises(InvalidError, match="to a later one"):
        replace(LOOK, **wrong)
    with pytest.raises(InvalidError, match="to a later one"):
        requested(**wrong)


@pytest.mark.parametrize("who", [ASKER, MATE])
def test_nobody_approves_or_refuses_what_they_asked_for_or_are_to_look_by(who):
    both = person(Role.INVESTIGATOR, Role.PRIVACY_OFFICER, name=who.id)
    for decide in (
        lambda: requested().approve(by=both, at=NOW),
        lambda: requested().refuse(by=both, at=NOW, reason="no"),
    ):
        with pytest.raises(RuleError, match="somebody else has to"):
            decide()


@pytest.mark.parametrize("end", [NOW, NOW - DAY, NOW + LONGEST + timedelta(seconds=1)])
def test_an_inquiry_ends_within_30_days(end):
    with pytest.raises(RuleError, match="within 30 days"):
        requested(expires_at=end)


def test_an_inquiry_whose_end_has_passed_meanwhile_is_not_approved():
    with pytest.raises(RuleError, match="ends after now"):
        requested().approve(by=OFFICER, at=END)


@pytest.mark.parametrize("field", ["case", "purpose"])
def test_an_inquiry_needs_a_case_and_a_purpose(field):
    with pytest.raises(InvalidError, match=f"{field} is empty"):
        requested(**{field: " "})


@pytest.mark.parametrize("wrong", [{"sites": []}, {"records": []}])
def test_an_inquiry_is_for_something_somewhere(wrong):
    with pytest.raises(InvalidError, match="one site or more"):
        requested(**wrong)


def test_it_lies_where_its_sites_lie_so_that_who_approves_answers_for_all_of_them():
    made = [requested(sites=sites) for sites in ([HERE], [HERE, NEXT], [HERE, FAR])]
    assert [(one.township, one.site_id) for one in made] == [
        ("yuhai", HERE.id),
        ("yuhai", None),
        (None, None),
    ]


def test_what_was_searched_for_lies_under_the_key_of_the_inquiry_and_found_is_a_number_of_records():
    with pytest.raises(InvalidError, match="what was searched for is under") as wrong:
        approved().look(by=ASKER, at=NOW, look=LOOK, found=0, what=Personal(of_subject(HERE.id), "浙C12345"))
    assert "12345" not in str(wrong.value)
    with pytest.raises(InvalidError, match="-1 records"):
        approved().look(by=ASKER, at=NOW, look=LOOK, found=-1)


def test_it_expires_once_and_not_before():
    inquiry = approved()
    inquiry.pass_deadline(by=CLOCK, at=END - timedelta(seconds=1), name="expire")
    assert inquiry.version == 2
    for _ in range(2):
        inquiry.pass_deadline(by=CLOCK, at=END, name="expire")
    assert (inquiry.state, inquiry.version) == (S.EXPIRED, 3)


class Life(Driven):
    ROLES = frozenset({Role.INVESTIGATOR, Role.PRIVACY_OFFICER, Role.DEVICE})
    HOURS = (0, 0, 24, 200)

    def begin(self, who, at):
        return requested(by=who, at=at, colleagues=["ann"])

    def calls(self, who, at):
        return {
            "approve": {},
            "refuse": {"reason": "too wide"},
            "look": {"look": LOOK, "found": 1},
            "close": {"reason": "done"},
            "pass_deadline": {"name": "expire"},
        }

    @invariant()
    def nobody_answers_for_their_own_looks(self):
        decided = self.actors("inquiry.approved", "inquiry.refused")
        assert not decided & ({"ann"} | self.actors("inquiry.requested", "inquiry.looked"))

    @invariant()
    def only_investigators_look_and_only_in_time(self):
        looks = [event for event in self.it.pending_events if event.TOPIC == "inquiry.looked"]
        assert all(event.actor in self.it.investigators for event in looks)
        assert all(event.timestamp < self.it.expires_at for event in looks)


TestLife = Life.TestCase
TestLife.settings = SETTINGS
