"""A visitor: let in by a resident, through some gates, for some hours and some entries."""

from datetime import timedelta
from uuid import UUID

import pytest
from given import NOW, person
from hypothesis.stateful import invariant
from machines import SETTINGS, Driven

from domain.access import DEFAULT_RULES, Attempt, Decision, Shown, Standing, decide_access
from domain.credentials import CredentialKind
from domain.errors import InvalidError, NotFoundError, RuleError
from domain.lifecycle import transitions
from domain.model import event_classes
from domain.people import Role
from domain.personal import Personal, of_subject
from domain.plates import PlateKind
from domain.site import Direction, Gate, GateMode, Site
from domain.visitor import Requester, Visitor, VisitorState

S, K = VisitorState, CredentialKind
ADMIN, GUARD, CLOCK = person(Role.ADMIN), person(Role.GUARD), person(Role.DEVICE)
COLLEAGUE = person(Role.GUARD, name="colleague")
ID, HOST = UUID(int=1), UUID(int=2)
SCOPE = of_subject(ID)
CODE, PLATE = b"c" * 32, b"p" * 32
HOUR = timedelta(hours=1)
MAIN = Gate("main", "大门", GateMode.GUARDED, Direction.IN, tuple(CredentialKind))
SITE = Site.plan(code="gaoqiao", name="高桥", township="yuhai", by=ADMIN, at=NOW)
SITE.add_gate(by=ADMIN, at=NOW, gate=MAIN)


def requested(**changed):
    fields = {
        "id": ID,
        "site": SITE,
        "by": GUARD,
        "at": NOW,
        "host": HOST,
        "requester": Requester.VISITOR,
        "valid_from": NOW,
        "valid_until": NOW + 4 * HOUR,
        "name": Personal(SCOPE, "王某"),
        "phone": Personal(SCOPE, "13800000000"),
        "gates": ("main",),
    }
    return Visitor.request(**(fields | changed))


def approved(**changed):
    visitor = requested(**changed)
    visitor.approve(by=COLLEAGUE, at=NOW, host=HOST, code_digest=CODE)
    return visitor


def checked(**changed):
    visitor = approved(**changed)
    visitor.check(by=GUARD, at=NOW, gate="main")
    return visitor


def inside(**changed):
    visitor = checked(**changed)
    visitor.enter(by=GUARD, at=NOW, gate="main")
    return visitor


def left(**changed):
    visitor = inside(**changed)
    visitor.leave(by=GUARD, at=NOW + HOUR, gate="main")
    return visitor


def over(visitor, at=NOW + 4 * HOUR):
    for name in ("answer", "end", "leave"):
        visitor.pass_deadline(by=CLOCK, at=at, name=name)
    return visitor.state


def test_the_transitions_are_those_of_the_table():
    assert transitions(list(event_classes(Visitor).values())) == [
        ("REQUESTED", "visitor.approved", "APPROVED"),
        ("REQUESTED", "visitor.rejected", "REJECTED"),
        ("APPROVED", "visitor.checked", "CHECKED"),
        ("LEFT", "visitor.checked", "CHECKED"),
        ("CHECKED", "visitor.entered", "ENTERED"),
        ("ENTERED", "visitor.left", "LEFT"),
        ("OVERSTAY", "visitor.left", "LEFT"),
        ("REQUESTED", "visitor.revoked", "REVOKED"),
        ("APPROVED", "visitor.revoked", "REVOKED"),
        ("CHECKED", "visitor.revoked", "REVOKED"),
        ("REQUESTED", "visitor.expired", "EXPIRED"),
        ("CHECKED", "visitor.expired", "EXPIRED"),
        ("APPROVED", "visitor.not_shown", "NO_SHOW"),
        ("ENTERED", "visitor.overstayed", "OVERSTAY"),
    ]


def test_a_visitor_goes_from_request_to_departure():
    states = [make().state for make in (requested, approved, checked, inside, left)]
    assert states == [S.REQUESTED, S.APPROVED, S.CHECKED, S.ENTERED, S.LEFT]


def test_the_host_alone_answers():
    for answer in (Visitor.approve, Visitor.reject):
        with pytest.raises(RuleError, match="is not the host of this visit"):
            answer(requested(), by=COLLEAGUE, at=NOW, host=UUID(int=9))
    visitor = requested()
    visitor.reject(by=GUARD, at=NOW, host=HOST)
    assert visitor.state is S.REJECTED


def test_whoever_wrote_down_a_visitors_request_does_not_write_down_the_approval():
    with pytest.raises(RuleError, match="wrote down the visitor's request"):
        requested().approve(by=GUARD, at=NOW, host=HOST)


def test_a_host_who_asked_for_the_visit_has_it_approved_by_whoever_took_it_down():
    visitor = requested(requester=Requester.HOST)
    visitor.approve(by=GUARD, at=NOW, host=HOST)
    assert visitor.state is S.APPROVED


def test_a_visit_that_is_over_is_not_approved_any_more():
    with pytest.raises(RuleError, match="request another visit"):
        requested().approve(by=COLLEAGUE, at=NOW + 4 * HOUR, host=HOST)


@pytest.mark.parametrize(
    ("begin", "end"),
    [(NOW, NOW), (NOW + HOUR, NOW), (NOW - 2 * HOUR, NOW - HOUR), (NOW, NOW + timedelta(days=7, seconds=1))],
)
def test_a_visit_ends_after_it_begins_in_the_future_and_within_a_week(begin, end):
    with pytest.raises(RuleError, match="within 7 days"):
        requested(valid_from=begin, valid_until=end)


@pytest.mark.parametrize("uses", [0, -1, 21])
def test_a_visit_is_for_a_number_of_entries(uses):
    with pytest.raises(InvalidError, match="1 to 20 entries"):
        requested(uses=uses)


def test_a_gate_of_the_visit_is_one_of_the_site():
    with pytest.raises(NotFoundError, match="has no gate 'back'"):
        requested(gates=("back",))


@pytest.mark.parametrize("field", ["name", "phone", "plate"])
def test_what_is_personal_lies_under_the_key_of_the_visit_and_no_other(field):
    with pytest.raises(InvalidError, match=f"{field} is under") as refused:
        requested(**{field: Personal(of_subject(HOST), "浙C12345")})
    assert "12345" not in str(refused.value)


def test_a_visitor_is_checked_and_enters_at_the_gates_and_in_the_time_of_the_visit_only():
    for make, step in ((approved, Visitor.check), (checked, Visitor.enter)):
        with pytest.raises(RuleError, match="for the gates main, not 'garage'"):
            step(make(), by=GUARD, at=NOW, gate="garage")
        for at in (NOW - HOUR, NOW + 4 * HOUR):
            with pytest.raises(RuleError, match="the visit is from"):
                step(make(), by=GUARD, at=at, gate="main")
    with pytest.raises(InvalidError, match="gate code"):
        approved(gates=()).check(by=GUARD, at=NOW, gate="Main Gate")


def test_a_visitor_comes_back_as_often_as_the_visit_says():
    visitor = left(uses=2)
    visitor.check(by=GUARD, at=NOW + HOUR, gate="main")
    visitor.enter(by=GUARD, at=NOW + HOUR, gate="main")
    visitor.leave(by=GUARD, at=NOW + 2 * HOUR, gate="garage")
    assert visitor.entries == 2
    with pytest.raises(RuleError, match="for 2 entries, and they are used"):
        visitor.check(by=GUARD, at=NOW + 2 * HOUR, gate="main")


def test_when_time_is_over_it_depends_on_where_the_visitor_is():
    found = [over(make()) for make in (requested, approved, checked, inside, left)]
    assert found == [S.EXPIRED, S.NO_SHOW, S.EXPIRED, S.OVERSTAY, S.LEFT]


@pytest.mark.parametrize("make", [requested, approved, checked, inside])
def test_time_is_over_once_and_not_before(make):
    visitor = make()
    before = (visitor.state, visitor.version)
    over(visitor, NOW + 4 * HOUR - timedelta(seconds=1))
    assert (visitor.state, visitor.version) == before
    over(visitor)
    over(visitor)
    assert (visitor.version, visitor.deadlines) == (before[1] + 1, ())


def test_whoever_overstayed_can_still_leave_and_nobody_is_put_out_by_revoking():
    visitor = inside()
    with pytest.raises(RuleError, match="the visitor is ENTERED"):
        visitor.revoke(by=GUARD, at=NOW)
    over(visitor)
    visitor.leave(by=GUARD, at=NOW + 5 * HOUR, gate="main")
    assert visitor.state is S.LEFT


@pytest.mark.parametrize("make", [requested, approved, checked])
def test_a_visit_is_called_off_before_the_visitor_is_inside(make):
    visitor = make()
    visitor.revoke(by=GUARD, at=NOW)
    assert (visitor.state, visitor.deadlines) == (S.REVOKED, ())


def test_the_code_opens_the_gate_of_an_approved_visit_in_its_time():
    def shown(visitor, at=NOW):
        (known,) = visitor.known()
        return decide_access(Attempt(Shown(K.CODE, CODE), MAIN, SITE.id, at), known, DEFAULT_RULES).decision

    assert requested().known() == ()
    assert shown(approved()) is shown(inside()) is Decision.OPENED
    assert shown(approved(), NOW + 4 * HOUR) is Decision.HELD
    assert shown(left(uses=2)) is Decision.OPENED
    assert shown(left()) is Decision.HELD


def test_the_plate_opens_a_gate_if_it_was_given_for_that():
    plate = Personal(SCOPE, "浙c·12345")
    assert requested(plate=plate).plate == Personal(SCOPE, "浙C12345")
    assert requested(plate=plate).known() == ()
    visitor = approved(plate=plate, plate_digest=PLATE)
    attempt = Attempt(Shown(K.PLATE, PLATE, PlateKind.CIVIL), MAIN, SITE.id, NOW)
    known = next(one for one in visitor.known() if one.kind is K.PLATE)
    assert decide_access(attempt, known, DEFAULT_RULES).decision is Decision.OPENED
    with pytest.raises(InvalidError, match="comes with the plate"):
        requested(plate_digest=PLATE)
    unreadable = Personal(SCOPE, "浙C?2345")
    assert requested(plate=unreadable).plate == unreadable
    with pytest.raises(InvalidError, match="no plate has"):
        requested(plate=Personal(SCOPE, "浙C?2345"), plate_digest=PLATE)


def test_its_standing_at_a_gate_is_that_of_its_state():
    revoked, gone, rejected = (
        approved(),
        approved(),
        requested(plate=Personal(SCOPE, "浙C12345"), plate_digest=PLATE),
    )
    revoked.revoke(by=GUARD, at=NOW)
    over(gone)
    overstayed = inside()
    over(overstayed)
    pairs = [
        (rejected, Standing.NOT_APPROVED), (checked(), Standing.GOOD), (left(), Standing.USED_UP),
        (revoked, Standing.REVOKED), (gone, Standing.EXPIRED), (overstayed, Standing.EXPIRED),
    ]  # fmt: skip
    for visitor, standing in pairs:
        assert [known.standing for known in visitor.known()] == [standing]


class Life(Driven):
    ROLES = frozenset({Role.GUARD, Role.INTAKE, Role.DEVICE})
    HOURS = (0, 0, 0, 0, 1, 30)

    def begin(self, who, at):
        return requested(by=who, at=at, uses=2, valid_until=at + timedelta(days=2))

    def calls(self, who, at):
        gate = {"gate": "main"}
        return {
            "approve": {"host": HOST, "code_digest": CODE},
            "reject": {"host": HOST},
            "check": gate,
            "enter": gate,
            "leave": gate,
            "revoke": {},
            "pass_deadline": {"name": self.it.deadlines[0].name if self.it.deadlines else "end"},
        }

    @invariant()
    def nobody_approves_the_visit_they_requested(self):
        assert not self.actors("visitor.approved") & self.actors("visitor.requested")

    @invariant()
    def nobody_enters_more_often_than_the_visit_says_or_out_of_its_time(self):
        entries = [event for event in self.it.pending_events if event.TOPIC == "visitor.entered"]
        assert len(entries) == self.it.entries <= self.it.uses
        assert all(self.it.valid_from <= event.timestamp < self.it.valid_until for event in entries)


TestLife = Life.TestCase
TestLife.settings = SETTINGS
