"""An incident is handed to one unit that answers for it and to others that assist; each signs and reports back by itself."""

import pytest
from given import NOW, person
from incidents import (
    DISPATCHER,
    HANDLER,
    HOUR,
    HOUSING,
    JANITOR,
    LIMITS,
    PLUMBER,
    STRANGER,
    UNIT,
    VERIFIER,
    WATER,
    after,
    dispatched,
    handling,
    in_state,
    replayed,
    running,
)

from domain.errors import InvalidError, RuleError
from domain.incident import WITH_UNITS, IncidentState, Leg
from domain.people import Role

S = IncidentState


def assist(incident, who=PLUMBER, unit=WATER):
    """An assisting unit does its part."""
    incident.sign(by=who, at=NOW, unit=unit)
    incident.give_feedback(by=who, at=NOW, unit=unit, result="tap closed")


def test_every_unit_has_a_leg_of_its_own():
    incident = dispatched(WATER, HOUSING)
    assert incident.lead_unit == UNIT
    assert incident.legs == {UNIT: Leg.DISPATCHED, WATER: Leg.DISPATCHED, HOUSING: Leg.DISPATCHED}
    incident.sign(by=PLUMBER, at=NOW, unit=WATER)
    incident.sign(by=HANDLER, at=NOW)
    assert incident.legs == {UNIT: Leg.SIGNED, WATER: Leg.SIGNED, HOUSING: Leg.DISPATCHED}
    assert incident.state is S.SIGNED


def test_an_assisting_unit_moves_its_leg_and_not_the_incident():
    incident = dispatched(WATER)
    assist(incident)
    assert (incident.state, incident.legs) == (S.DISPATCHED, {UNIT: Leg.DISPATCHED, WATER: Leg.DONE})
    assert incident.handlers == {PLUMBER.id}


@pytest.mark.parametrize("named", [None, UNIT])
def test_the_lead_unit_is_meant_if_none_is_named_and_may_be_named(named):
    incident = dispatched(WATER)
    incident.sign(by=HANDLER, at=NOW, unit=named)
    incident.start_handling(by=HANDLER, at=NOW)
    assist(incident)
    incident.give_feedback(by=HANDLER, at=NOW, result="swept", unit=named)
    assert (incident.state, set(incident.legs.values())) == (S.VERIFYING, {Leg.DONE})


def test_the_deadlines_of_every_leg_begin_at_dispatch_and_end_at_sign_and_feedback():
    incident = dispatched(WATER)
    everything = {f"sign:{UNIT}": 1, f"handle:{UNIT}": 10, f"sign:{WATER}": 1, f"handle:{WATER}": 10}
    assert running(incident) == everything
    for act, ends in (
        (lambda: incident.sign(by=PLUMBER, at=NOW, unit=WATER), f"sign:{WATER}"),
        (lambda: incident.sign(by=HANDLER, at=NOW), f"sign:{UNIT}"),
        (
            lambda: incident.give_feedback(by=PLUMBER, at=NOW, unit=WATER, result="shut"),
            f"handle:{WATER}",
        ),
    ):
        act()
        del everything[ends]
        assert running(incident) == everything
    incident.start_handling(by=HANDLER, at=NOW)
    incident.give_feedback(by=HANDLER, at=NOW + 2 * HOUR, result="swept", limits=LIMITS)
    assert running(incident) == {"verify": 7}


@pytest.mark.parametrize("assisting", [[UNIT], [WATER, WATER], [WATER, HOUSING, WATER]])
def test_a_unit_that_is_given_twice_is_refused(assisting):
    incident = after(1)
    with pytest.raises(RuleError, match="each unit takes part once"):
        incident.dispatch(by=DISPATCHER, at=NOW, lead_unit=UNIT, assisting=assisting)
    assert (incident.state, incident.version) == (S.ACCEPTED, 2)


def test_what_is_no_code_of_a_unit_is_refused():
    with pytest.raises(InvalidError, match="assisting unit"):
        after(1).dispatch(by=DISPATCHER, at=NOW, lead_unit=UNIT, assisting=["Water"])
    with pytest.raises(InvalidError, match="assisting unit"):
        dispatched().ask_assistance(by=DISPATCHER, at=NOW, unit="供水")


@pytest.mark.parametrize("state", WITH_UNITS)
def test_one_more_unit_is_asked_as_long_as_the_units_are_at_work_and_its_time_begins_then(state):
    incident = in_state(state)
    incident.ask_assistance(by=DISPATCHER, at=NOW + 3 * HOUR, unit=WATER, limits=LIMITS)
    assert incident.state is state
    assert incident.legs[WATER] is Leg.DISPATCHED
    due = running(incident)
    assert (due[f"sign:{WATER}"], due[f"handle:{WATER}"], due[f"handle:{UNIT}"]) == (4, 13, 10)


@pytest.mark.parametrize("state", sorted(set(S) - set(WITH_UNITS)))
def test_no_unit_is_asked_before_the_dispatch_or_after_the_feedback(state):
    with pytest.raises(RuleError, match=f"assistance_asked is refused: the incident is {state}"):
        in_state(state).ask_assistance(by=DISPATCHER, at=NOW, unit=WATER)


@pytest.mark.parametrize("unit", [UNIT, WATER])
def test_a_unit_that_takes_part_is_not_asked_again(unit):
    with pytest.raises(RuleError, match=f"{unit} takes part in this incident already"):
        dispatched(WATER).ask_assistance(by=DISPATCHER, at=NOW, unit=unit)


def test_a_released_unit_is_not_waited_for_and_nothing_of_it_is_due():
    incident = handling(WATER, HOUSING)
    assist(incident)
    incident.release_assistance(by=DISPATCHER, at=NOW, unit=HOUSING, reason="not needed")
    assert running(incident) == {f"handle:{UNIT}": 10}
    with pytest.raises(RuleError, match=f"{HOUSING} does not assist in this incident; those that do: water"):
        incident.sign(by=JANITOR, at=NOW, unit=HOUSING)
    incident.give_feedback(by=HANDLER, at=NOW, result="swept")
    assert incident.state is S.VERIFYING


def test_a_released_unit_can_be_asked_again():
    incident = dispatched(WATER)
    incident.release_assistance(by=DISPATCHER, at=NOW, unit=WATER, reason="not needed")
    incident.ask_assistance(by=DISPATCHER, at=NOW + HOUR, unit=WATER, limits=LIMITS)
    assert running(incident)[f"sign:{WATER}"] == 2


@pytest.mark.parametrize("unit", [UNIT, HOUSING])
def test_only_a_unit_that_assists_is_released(unit):
    with pytest.raises(RuleError, match=f"{unit} does not assist in this incident; those that do: water"):
        dispatched(WATER).release_assistance(by=DISPATCHER, at=NOW, unit=unit, reason="not needed")


def test_a_unit_that_has_done_its_part_is_not_released():
    incident = dispatched(WATER)
    assist(incident)
    with pytest.raises(RuleError, match="water has given its feedback: there is nothing to release it from"):
        incident.release_assistance(by=DISPATCHER, at=NOW, unit=WATER, reason="not needed")


def test_after_rework_a_unit_that_has_done_its_part_can_be_asked_once_more():
    incident = handling(WATER)
    assist(incident)
    incident.give_feedback(by=HANDLER, at=NOW, result="swept")
    incident.verify(by=VERIFIER, at=NOW, passed=False, note="wet again", limits=LIMITS)
    assert incident.legs == {UNIT: Leg.SIGNED, WATER: Leg.DONE}
    incident.ask_assistance(by=DISPATCHER, at=NOW, unit=WATER, limits=LIMITS)
    assert running(incident) == {f"handle:{UNIT}": 10, f"sign:{WATER}": 1, f"handle:{WATER}": 10}
    with pytest.raises(RuleError, match="feedback is still missing of the assisting units: water"):
        incident.give_feedback(by=HANDLER, at=NOW, result="swept")
    assist(incident)
    incident.give_feedback(by=HANDLER, at=NOW, result="swept")
    assert incident.state is S.VERIFYING


def test_the_lead_unit_comes_last():
    incident = handling(WATER, HOUSING)
    for missing, who, unit in (("water, housing", PLUMBER, WATER), ("housing", JANITOR, HOUSING)):
        with pytest.raises(RuleError, match=f"feedback is still missing of the assisting units: {missing}$"):
            incident.give_feedback(by=HANDLER, at=NOW, result="swept")
        assist(incident, who, unit)
    incident.give_feedback(by=HANDLER, at=NOW, result="swept")
    assert (incident.state, incident.handlers) == (S.VERIFYING, {HANDLER.id, PLUMBER.id, JANITOR.id})
    assert replayed(incident) == incident


def test_an_assisting_unit_signs_once_and_gives_feedback_once_after_it_has_signed():
    incident = dispatched(WATER)
    with pytest.raises(RuleError, match="water gives feedback once, after it has signed; it is DISPATCHED"):
        incident.give_feedback(by=PLUMBER, at=NOW, unit=WATER, result="shut")
    incident.sign(by=PLUMBER, at=NOW, unit=WATER)
    with pytest.raises(RuleError, match="water has signed for this incident already"):
        incident.sign(by=PLUMBER, at=NOW, unit=WATER)
    incident.give_feedback(by=PLUMBER, at=NOW, unit=WATER, result="shut")
    with pytest.raises(RuleError, match="it is DONE"):
        incident.give_feedback(by=PLUMBER, at=NOW, unit=WATER, result="shut")
    with pytest.raises(RuleError, match="water has signed for this incident already"):
        incident.sign(by=PLUMBER, at=NOW, unit=WATER)


@pytest.mark.parametrize("who", [STRANGER, HANDLER, JANITOR], ids=lambda who: who.id)
def test_nobody_signs_or_gives_feedback_for_a_unit_they_are_not_of(who):
    incident = dispatched(WATER, HOUSING)
    with pytest.raises(RuleError, match="only water may sign for this incident"):
        incident.sign(by=who, at=NOW, unit=WATER)
    incident.sign(by=PLUMBER, at=NOW, unit=WATER)
    with pytest.raises(RuleError, match="only water may give feedback on this incident"):
        incident.give_feedback(by=who, at=NOW, unit=WATER, result="shut")


def test_an_assisting_unit_does_not_act_for_the_lead_unit():
    incident = dispatched(WATER)
    for method, fields in (
        ("sign", {}),
        ("request_return", {"reason": "not ours"}),
        ("request_extension", {"until": NOW + 50 * HOUR, "reason": "slow"}),
    ):
        with pytest.raises(RuleError, match=f"only {UNIT} may"):
            getattr(incident, method)(by=PLUMBER, at=NOW, **fields)


def test_a_unit_that_takes_no_part_cannot_sign_or_give_feedback():
    incident = dispatched()
    for method, fields in (("sign", {}), ("give_feedback", {"result": "shut"})):
        with pytest.raises(RuleError, match="water does not assist in this incident; those that do: none"):
            getattr(incident, method)(by=PLUMBER, at=NOW, unit=WATER, **fields)


def test_whoever_assisted_does_not_verify():
    both = person(Role.UNIT_LEAD, Role.VERIFIER, name="both", units=(WATER,))
    incident = handling(WATER)
    assist(incident, both)
    incident.give_feedback(by=HANDLER, at=NOW, result="swept")
    with pytest.raises(RuleError, match="both handled this incident"):
        incident.verify(by=both, at=NOW, passed=True, note="fine")
