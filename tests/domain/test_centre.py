"""A governance centre: inspected item by item, accepted when all is well, and no longer when something is not."""

from datetime import timedelta

import pytest
from driving import AnyOrder
from given import NOW, person
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, rule

from domain.centre import Centre, CentreState, Item, centre_id
from domain.errors import InvalidError, RuleError
from domain.lifecycle import transitions
from domain.model import event_classes
from domain.people import Role

S = CentreState
ADMIN, INSPECTOR, CHIEF = person(Role.ADMIN), person(Role.VERIFIER), person(Role.SUPERVISOR)
BOTH = person(Role.VERIFIER, Role.SUPERVISOR, name="both")
SECOND = timedelta(seconds=1)


def founded(**changed):
    return Centre.found(by=ADMIN, at=NOW, **({"township": "tangxia", "name": "塘下镇综治中心"} | changed))


def inspected(*, failing=(), missing=(), by=INSPECTOR):
    centre = founded()
    for item in Item:
        if item not in missing:
            centre.inspect(by=by, at=NOW, item=item, passed=item not in failing, note="看过")
    return centre


def accepted():
    centre = inspected()
    centre.accept(by=CHIEF, at=NOW)
    return centre


def test_the_transitions_are_those_of_the_table():
    assert transitions(event_classes(Centre).values()) == [
        ("FOUNDED", "centre.item_inspected", "FOUNDED"),
        ("ACCEPTED", "centre.item_inspected", "ACCEPTED"),
        ("WITHDRAWN", "centre.item_inspected", "WITHDRAWN"),
        ("FOUNDED", "centre.accepted", "ACCEPTED"),
        ("WITHDRAWN", "centre.accepted", "ACCEPTED"),
        ("ACCEPTED", "centre.acceptance_withdrawn", "WITHDRAWN"),
    ]


def test_a_township_has_one_centre():
    centre = founded()
    assert centre.id == founded(name="另一个").id == centre_id("tangxia") != centre_id("yuhai")
    assert (centre.township, centre.site_id, centre.state) == ("tangxia", None, S.FOUNDED)


@pytest.mark.parametrize(("field", "wrong"), [("township", "塘下"), ("township", ""), ("name", " ")])
def test_a_centre_has_a_code_and_a_name(field, wrong):
    with pytest.raises(InvalidError, match=field):
        founded(**{field: wrong})


# --- inspection and acceptance ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("item", Item)
def test_every_item_is_asked_for(item):
    with pytest.raises(RuleError, match=f"nobody inspected {item}$"):
        inspected(missing=[item]).accept(by=CHIEF, at=NOW)
    with pytest.raises(RuleError, match=f": {item} failed the latest inspection"):
        inspected(failing=[item]).accept(by=CHIEF, at=NOW)


def test_a_failed_item_that_passes_later_is_well():
    centre = inspected(failing=[Item.SIGN])
    centre.inspect(by=INSPECTOR, at=NOW + SECOND, item=Item.SIGN, passed=True, note="换了")
    centre.accept(by=CHIEF, at=NOW + SECOND)
    assert centre.state is S.ACCEPTED


def test_the_acceptance_is_withdrawn_by_a_later_failure_and_given_again():
    centre = accepted()
    centre.inspect(by=INSPECTOR, at=NOW, item=Item.VIDEO_ROOM, passed=True, note="还好")
    assert centre.state is S.ACCEPTED
    centre.inspect(by=INSPECTOR, at=NOW, item=Item.VIDEO_ROOM, passed=False, note="停用")
    assert centre.state is S.WITHDRAWN
    *_, failed, withdrawn = centre.collect_events()
    assert (failed.passed, withdrawn.TOPIC, withdrawn.item) == (
        False,
        "centre.acceptance_withdrawn",
        Item.VIDEO_ROOM,
    )
    with pytest.raises(RuleError, match="VIDEO_ROOM failed"):
        centre.accept(by=CHIEF, at=NOW)
    centre.inspect(by=INSPECTOR, at=NOW, item=Item.VIDEO_ROOM, passed=True, note="修好")
    assert centre.state is S.WITHDRAWN
    centre.accept(by=CHIEF, at=NOW)
    assert centre.state is S.ACCEPTED


def test_a_centre_is_accepted_once():
    with pytest.raises(RuleError, match="the centre is ACCEPTED"):
        accepted().accept(by=CHIEF, at=NOW)


def test_nobody_accepts_what_they_inspected():
    centre = inspected()
    centre.inspect(by=BOTH, at=NOW, item=Item.SIGN, passed=True, note="看过")
    with pytest.raises(RuleError, match="both inspected SIGN: somebody else must accept"):
        centre.accept(by=BOTH, at=NOW)
    centre.inspect(by=INSPECTOR, at=NOW, item=Item.SIGN, passed=True, note="看过")
    centre.accept(by=BOTH, at=NOW)


def test_an_inspection_that_is_told_late_does_not_undo_a_later_one():
    centre = accepted()
    with pytest.raises(RuleError, match="SIGN was inspected later, at 2026-03-01T08:00:00"):
        centre.inspect(by=INSPECTOR, at=NOW - SECOND, item=Item.SIGN, passed=False, note="看过")
    assert centre.state is S.ACCEPTED


def test_an_inspection_says_what_was_seen():
    with pytest.raises(InvalidError, match="note is empty"):
        founded().inspect(by=INSPECTOR, at=NOW, item=Item.SIGN, passed=True, note=" ")


# --- units and staff --------------------------------------------------------------------------------------------------


def staffed():
    centre = founded()
    centre.join_unit(by=ADMIN, at=NOW, unit="police-station")
    centre.join_staff(by=ADMIN, at=NOW, staff="police-11", unit="police-station")
    return centre


def test_units_and_staff_join_and_leave():
    centre = staffed()
    assert (centre.units, centre.staff) == ({"police-station"}, {"police-11": "police-station"})
    centre.leave_staff(by=ADMIN, at=NOW, staff="police-11")
    centre.leave_unit(by=ADMIN, at=NOW, unit="police-station")
    assert (centre.units, centre.staff) == (frozenset(), {})


def test_who_is_there_does_not_join_and_who_is_not_does_not_leave():
    centre = staffed()
    with pytest.raises(RuleError, match="police-station is in the centre already"):
        centre.join_unit(by=ADMIN, at=NOW, unit="police-station")
    with pytest.raises(RuleError, match="police-11 works in the centre already, for police-station"):
        centre.join_staff(by=ADMIN, at=NOW, staff="police-11", unit="police-station")
    with pytest.raises(RuleError, match="court is not in the centre; its units: police-station"):
        centre.leave_unit(by=ADMIN, at=NOW, unit="court")
    with pytest.raises(RuleError, match="court-1 does not work in the centre"):
        centre.leave_staff(by=ADMIN, at=NOW, staff="court-1")


def test_staff_is_of_a_unit_that_is_there_and_leaves_before_it():
    centre = staffed()
    with pytest.raises(RuleError, match="court is not in the centre"):
        centre.join_staff(by=ADMIN, at=NOW, staff="court-1", unit="court")
    with pytest.raises(RuleError, match="police-station still has staff in the centre: police-11 must leave"):
        centre.leave_unit(by=ADMIN, at=NOW, unit="police-station")


def test_a_unit_has_a_code_and_staff_an_id():
    with pytest.raises(InvalidError, match="unit"):
        founded().join_unit(by=ADMIN, at=NOW, unit="派出所")
    with pytest.raises(InvalidError, match="staff id is empty"):
        staffed().join_staff(by=ADMIN, at=NOW, staff=" ", unit="police-station")


# --- anything, in any order -------------------------------------------------------------------------------------------

PEOPLE = st.sampled_from([INSPECTOR, CHIEF, BOTH])
UNITS, STAFF = st.sampled_from(["police-station", "court"]), st.sampled_from(["s-1", "s-2"])


class Centres(AnyOrder):
    """Commands of anybody whose role allows it, in any order."""

    @initialize(ready=st.booleans())
    def begin_anywhere(self, ready):
        self.begin(inspected() if ready else founded())

    @rule(seconds=st.integers(-2, 5))
    def time_passes(self, seconds):
        self.at += seconds * SECOND

    @rule(by=PEOPLE, item=st.sampled_from(Item), passed=st.sampled_from([True, True, False]))
    def inspect(self, by, item, passed):
        self.try_to("inspect", by, item=item, passed=passed, note="x")

    @rule(by=PEOPLE)
    def accept(self, by):
        self.try_to("accept", by)

    @rule(command=st.sampled_from(["join_unit", "leave_unit"]), unit=UNITS)
    def move_unit(self, command, unit):
        self.try_to(command, ADMIN, unit=unit)

    @rule(staff=STAFF, unit=UNITS)
    def join_staff(self, staff, unit):
        self.try_to("join_staff", ADMIN, staff=staff, unit=unit)

    @rule(staff=STAFF)
    def leave_staff(self, staff):
        self.try_to("leave_staff", ADMIN, staff=staff)

    @invariant()
    def what_is_accepted_passed_in_everything(self):
        centre = self.live
        if centre.state is S.ACCEPTED:
            assert all(centre.inspections[item].passed for item in Item)

    @invariant()
    def duties_stay_apart(self):
        inspectors = {}
        for event in self.events:
            if isinstance(event, Centre.ItemInspected):
                inspectors[event.item] = event.actor
            if isinstance(event, Centre.Accepted):
                assert event.actor not in inspectors.values()

    @invariant()
    def staff_is_of_units_that_are_there(self):
        assert set(self.live.staff.values()) <= self.live.units


TestAnyOrder = Centres.TestCase
TestAnyOrder.settings = settings(max_examples=100, stateful_step_count=30, deadline=None)
