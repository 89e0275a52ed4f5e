"""A site: from plan to operation, and its gates."""

import pytest
from given import NOW, person

from domain.errors import InvalidError, NotFoundError, RuleError
from domain.lifecycle import transitions
from domain.model import event_classes
from domain.people import Role
from domain.site import Direction, Gate, GateMode, Site, SiteState, site_id

ADMIN = person(Role.ADMIN)
STEPS = ("start_construction", "accept", "start_operation")
MAIN = Gate("main", "大门", GateMode.OPEN, Direction.IN)


def planned(code="gaoqiao", name="高桥", township="yuhai", at=NOW):
    return Site.plan(code=code, name=name, township=township, by=ADMIN, at=at)


def after(steps):
    site = planned()
    for step in STEPS[:steps]:
        getattr(site, step)(by=ADMIN, at=NOW)
    return site


def test_the_transitions_are_those_of_the_table():
    moving = [event for event in event_classes(Site).values() if hasattr(event, "TO")]
    assert transitions(moving) == [
        ("PLANNED", "site.construction_started", "UNDER_CONSTRUCTION"),
        ("UNDER_CONSTRUCTION", "site.accepted", "ACCEPTED"),
        ("ACCEPTED", "site.operation_started", "OPERATING"),
    ]


def test_a_site_goes_from_plan_to_operation():
    assert [after(steps).state for steps in range(4)] == list(SiteState)


@pytest.mark.parametrize("done", range(4))
@pytest.mark.parametrize("step", STEPS)
def test_a_step_is_refused_out_of_its_order(step, done):
    site = after(done)
    if STEPS.index(step) == done:
        getattr(site, step)(by=ADMIN, at=NOW)
    else:
        with pytest.raises(RuleError, match=f"the site is {site.state}, and it must be"):
            getattr(site, step)(by=ADMIN, at=NOW)


def test_the_id_of_a_site_follows_from_its_code():
    assert planned().id == planned(name="another").id == site_id("gaoqiao") != site_id("gaoqiao-2")


@pytest.mark.parametrize("wrong", ["", "GaoQiao", "gao qiao", "gao.qiao", "高桥", "gaoqiao\n", "x" * 65])
def test_a_code_that_cannot_stand_in_a_subject_is_refused(wrong):
    for field in ("code", "township"):
        with pytest.raises(InvalidError, match=field if field == "township" else "site code"):
            planned(**{field: wrong})
    with pytest.raises(InvalidError, match="gate code"):
        planned().add_gate(by=ADMIN, at=NOW, gate=Gate(wrong, "门", GateMode.OPEN, Direction.IN))


@pytest.mark.parametrize("wrong", ["", "  ", "x" * 101, "a\x00", "\udfff"])
def test_a_name_that_is_no_text_is_refused(wrong):
    with pytest.raises(InvalidError, match="name"):
        planned(name=wrong)
    with pytest.raises(InvalidError, match="gate name"):
        planned().add_gate(by=ADMIN, at=NOW, gate=Gate("main", wrong, GateMode.OPEN, Direction.IN))


def test_a_time_without_a_zone_is_refused():
    naive = NOW.replace(tzinfo=None)
    with pytest.raises(InvalidError, match="no time zone"):
        planned(at=naive)
    with pytest.raises(InvalidError, match="no time zone"):
        planned().start_construction(by=ADMIN, at=naive)
    with pytest.raises(InvalidError, match="no time zone"):
        planned().add_gate(by=ADMIN, at=naive, gate=MAIN)


@pytest.mark.parametrize("done", range(4))
def test_a_gate_is_added_in_every_state_and_does_not_move_the_site(done):
    site = after(done)
    state = site.state
    site.add_gate(by=ADMIN, at=NOW, gate=MAIN)
    assert site.gate("main") == MAIN
    assert site.state is state


def test_a_gate_code_is_taken_once():
    site = planned()
    site.add_gate(by=ADMIN, at=NOW, gate=MAIN)
    with pytest.raises(RuleError, match="already has a gate 'main'"):
        site.add_gate(by=ADMIN, at=NOW, gate=Gate("main", "后门", GateMode.GUARDED, Direction.OUT))
    assert site.gates == {"main": MAIN}


def test_an_unknown_gate_is_answered_with_those_there_are():
    site = planned()
    with pytest.raises(NotFoundError, match="no gate 'main'; its gates: none"):
        site.gate("main")
    site.add_gate(by=ADMIN, at=NOW, gate=MAIN)
    with pytest.raises(NotFoundError, match="no gate 'back'; its gates: main"):
        site.gate("back")
