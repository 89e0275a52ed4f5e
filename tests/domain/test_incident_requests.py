"""What a unit asks for and somebody else decides: to return an incident, to have longer, to have it parked; and who watches."""

import pytest
from given import NOW, person
from incidents import (
    DISPATCHER,
    HANDLER,
    HOUR,
    LIMITS,
    PLUMBER,
    STRANGER,
    SUPERVISOR,
    UNIT,
    VERIFIER,
    WATER,
    dispatched,
    handling,
    in_state,
    replayed,
    running,
)

from domain.errors import InvalidError, RuleError
from domain.incident import HIGHEST, OPEN, WITH_UNITS, Extension, IncidentState, Leg
from domain.people import Role

S = IncidentState
BOTH = person(Role.UNIT_LEAD, Role.DISPATCHER, Role.SUPERVISOR, name="both", units=(UNIT,))
"""Somebody of the unit who may decide what units ask for."""
WHY = {"reason": "because"}


def decide(incident, what, *, by=DISPATCHER, granted=True, at=NOW):
    getattr(incident, f"decide_{what}")(by=by, at=at, granted=granted, reason="so be it")


def ask_longer(incident, hours, *, by=HANDLER, at=NOW):
    incident.request_extension(by=by, at=at, until=NOW + hours * HOUR, **WHY)


def park(incident, at, until, by=DISPATCHER):
    incident.park(by=by, at=NOW + at * HOUR, until=NOW + until * HOUR, **WHY)


# --- return 退单 ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("state", [S.DISPATCHED, S.SIGNED])
def test_a_returned_incident_waits_for_another_dispatch_and_nothing_is_due(state):
    incident = in_state(state)
    incident.request_return(by=HANDLER, at=NOW, **WHY)
    assert incident.state is S.RETURN_REQUESTED
    decide(incident, "return")
    assert (incident.state, incident.lead_unit, incident.legs) == (S.ACCEPTED, None, {})
    assert running(incident) == {}
    incident.dispatch(by=DISPATCHER, at=NOW + HOUR, lead_unit=WATER, limits=LIMITS)
    assert running(incident) == {"sign:water": 2, "handle:water": 11}
    assert replayed(incident) == incident


@pytest.mark.parametrize("state", [S.DISPATCHED, S.SIGNED])
def test_a_refused_return_leaves_it_with_the_unit_which_signs_again_while_its_time_runs_on(state):
    incident = in_state(state)
    incident.request_return(by=HANDLER, at=NOW, **WHY)
    decide(incident, "return", granted=False)
    assert (incident.state, incident.legs) == (S.DISPATCHED, {UNIT: Leg.DISPATCHED})
    assert running(incident)[f"handle:{UNIT}"] == 10
    incident.sign(by=HANDLER, at=NOW)
    assert running(incident) == {f"handle:{UNIT}": 10}


def test_returns_are_counted_over_all_units():
    incident = dispatched()
    for number, granted in enumerate((False, True), start=1):
        incident.request_return(by=HANDLER, at=NOW, **WHY)
        assert (incident.returns_requested, incident.pending_events[-1].number) == (number, number)
        decide(incident, "return", granted=granted)
    incident.dispatch(by=DISPATCHER, at=NOW, lead_unit=WATER)
    incident.request_return(by=PLUMBER, at=NOW, **WHY)
    assert incident.returns_requested == 3


@pytest.mark.parametrize("granted", [True, False])
def test_nobody_decides_on_the_return_they_asked_for(granted):
    incident = dispatched()
    incident.request_return(by=BOTH, at=NOW, **WHY)
    with pytest.raises(RuleError, match="both asked for this return: it must be decided by somebody else"):
        decide(incident, "return", by=BOTH, granted=granted)
    assert incident.state is S.RETURN_REQUESTED


def test_whoever_asked_once_decides_on_what_somebody_else_asks_later():
    incident = dispatched()
    incident.request_return(by=BOTH, at=NOW, **WHY)
    decide(incident, "return", granted=False)
    assert incident.return_asked_by is None
    incident.request_return(by=HANDLER, at=NOW, **WHY)
    decide(incident, "return", by=BOTH)
    assert incident.state is S.ACCEPTED


@pytest.mark.parametrize("state", sorted(set(S) - {S.DISPATCHED, S.SIGNED}))
def test_a_return_is_asked_for_before_the_work_begins(state):
    with pytest.raises(RuleError, match=f"the incident is {state}"):
        in_state(state).request_return(by=HANDLER, at=NOW, **WHY)


def test_only_the_lead_unit_asks_for_a_return_and_nothing_goes_on_until_it_is_decided():
    incident = dispatched(WATER)
    with pytest.raises(RuleError, match=f"only {UNIT} may return this incident"):
        incident.request_return(by=STRANGER, at=NOW, **WHY)
    incident.request_return(by=HANDLER, at=NOW, **WHY)
    with pytest.raises(RuleError, match="the incident is RETURN_REQUESTED"):
        incident.sign(by=HANDLER, at=NOW)
    with pytest.raises(RuleError, match="the incident is RETURN_REQUESTED"):
        incident.sign(by=PLUMBER, at=NOW, unit=WATER)


# --- extension 延期 ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("state", WITH_UNITS)
def test_a_granted_extension_moves_what_the_lead_unit_has_to_do_and_nothing_else(state):
    incident = in_state(state)
    incident.ask_assistance(by=DISPATCHER, at=NOW, unit=WATER, limits=LIMITS)
    before = running(incident)
    ask_longer(incident, 20)
    assert (incident.state, running(incident)) == (state, before)
    assert incident.extension == Extension(NOW + 20 * HOUR, HANDLER.id)
    decide(incident, "extension")
    assert running(incident) == before | {f"handle:{UNIT}": 20}
    assert (incident.extension, incident.extensions) == (None, 1)
    assert [one.rule for one in incident.deadlines][-1] == "extension-1"


def test_a_refused_extension_changes_nothing_and_can_be_asked_for_again():
    incident = handling()
    ask_longer(incident, 20)
    decide(incident, "extension", granted=False)
    assert (running(incident), incident.extension, incident.extensions) == ({f"handle:{UNIT}": 10}, None, 0)
    ask_longer(incident, 15)
    decide(incident, "extension")
    assert running(incident) == {f"handle:{UNIT}": 15}


def test_the_second_extension_is_granted_by_a_supervisor_only_and_refused_by_any_shift_leader():
    incident = handling()
    for hours in (20, 30, 40):
        ask_longer(incident, hours)
        if hours > 20:
            with pytest.raises(
                RuleError, match=r"extension [23] of an incident is granted by a supervisor only"
            ):
                decide(incident, "extension")
        decide(incident, "extension", by=SUPERVISOR)
    assert (incident.extensions, running(incident)) == (3, {f"handle:{UNIT}": 40})
    ask_longer(incident, 50)
    decide(incident, "extension", granted=False)


@pytest.mark.parametrize("hours", [-1, 0, 9.99, 10])
def test_an_extension_ends_later_than_what_is_due(hours):
    with pytest.raises(RuleError, match="must end later than what is due now, 2026-03-01T18:00:00"):
        ask_longer(handling(), hours)


def test_once_what_was_due_has_passed_an_extension_ends_later_than_now():
    incident = handling()
    incident.pass_deadline(by=DISPATCHER, at=NOW + 11 * HOUR, name=f"handle:{UNIT}")
    with pytest.raises(RuleError, match="must end later than what is due now, 2026-03-01T19:00:00"):
        ask_longer(incident, 11, at=NOW + 11 * HOUR)
    ask_longer(incident, 12, at=NOW + 11 * HOUR)
    decide(incident, "extension", at=NOW + 11 * HOUR)
    assert running(incident) == {f"handle:{UNIT}": 12}


def test_an_extension_that_is_over_already_is_not_granted_any_more():
    incident = handling()
    ask_longer(incident, 20)
    with pytest.raises(RuleError, match="must end later than what is due now"):
        decide(incident, "extension", at=NOW + 20 * HOUR)
    decide(incident, "extension", at=NOW + 20 * HOUR, granted=False)


def test_an_extension_that_parking_has_overtaken_is_not_granted():
    """Parked for twenty hours, the ten that it had end later than what was asked for: the unit would have less time, not more."""
    incident = handling()
    ask_longer(incident, 20)
    park(incident, at=0, until=30)
    incident.unpark(by=DISPATCHER, at=NOW + 15 * HOUR)
    assert running(incident) == {f"handle:{UNIT}": 25}
    with pytest.raises(RuleError, match="must end later than what is due now"):
        decide(incident, "extension", at=NOW + 15 * HOUR)
    assert running(incident) == {f"handle:{UNIT}": 25}


@pytest.mark.parametrize("granted", [True, False])
def test_nobody_decides_on_the_extension_they_asked_for(granted):
    incident = handling()
    ask_longer(incident, 20, by=BOTH)
    with pytest.raises(RuleError, match="both asked for this extension: it must be decided by somebody else"):
        decide(incident, "extension", by=BOTH, granted=granted)


def test_one_extension_is_asked_for_at_a_time_and_only_what_was_asked_for_is_decided():
    incident = handling()
    with pytest.raises(RuleError, match="nobody has asked for an extension"):
        decide(incident, "extension")
    ask_longer(incident, 20)
    with pytest.raises(RuleError, match="an extension was asked for already, and nobody has decided yet"):
        ask_longer(incident, 30)
    with pytest.raises(InvalidError, match="no time zone"):
        handling().request_extension(by=HANDLER, at=NOW, until=(NOW + 20 * HOUR).replace(tzinfo=None), **WHY)


def test_an_extension_that_nobody_decided_ends_with_the_return():
    incident = dispatched()
    ask_longer(incident, 20)
    incident.request_return(by=HANDLER, at=NOW, **WHY)
    with pytest.raises(RuleError, match="the incident is RETURN_REQUESTED"):
        decide(incident, "extension")
    decide(incident, "return")
    assert incident.extension is None


def test_an_extension_that_nobody_decided_is_still_to_decide_if_the_return_is_refused():
    incident = dispatched()
    ask_longer(incident, 20)
    incident.request_return(by=HANDLER, at=NOW, **WHY)
    decide(incident, "return", granted=False)
    decide(incident, "extension")
    assert running(incident)[f"handle:{UNIT}"] == 20


def test_an_extension_that_nobody_decided_ends_with_the_feedback_and_does_not_come_back_with_rework():
    incident = handling()
    ask_longer(incident, 20)
    incident.give_feedback(by=HANDLER, at=NOW, result="swept")
    incident.verify(by=VERIFIER, at=NOW, passed=False, note="dirty", limits=LIMITS)
    assert (incident.extension, running(incident)) == (None, {f"handle:{UNIT}": 10})


def test_extensions_are_counted_anew_for_another_unit():
    incident = dispatched()
    ask_longer(incident, 20)
    decide(incident, "extension")
    incident.request_return(by=HANDLER, at=NOW, **WHY)
    decide(incident, "return")
    incident.dispatch(by=DISPATCHER, at=NOW, lead_unit=WATER, limits=LIMITS)
    ask_longer(incident, 20, by=PLUMBER)
    decide(incident, "extension")
    assert (incident.extensions, running(incident)["handle:water"]) == (1, 20)


# --- supervision 督办 and escalation 上报 --------------------------------------------------------------------------------


@pytest.mark.parametrize("state", OPEN)
def test_an_open_incident_is_supervised_and_goes_up_level_by_level_and_stays_where_it_is(state):
    incident = in_state(state)
    incident.supervise(by=SUPERVISOR, at=NOW, note="the mayor asks")
    for level in range(1, HIGHEST + 1):
        incident.escalate(by=DISPATCHER, at=NOW, **WHY)
        assert incident.level == level
    assert (incident.state, incident.supervised) == (state, True)
    with pytest.raises(RuleError, match="at the highest level already, 3"):
        incident.escalate(by=DISPATCHER, at=NOW, **WHY)


@pytest.mark.parametrize("state", sorted(set(S) - set(OPEN)))
def test_what_nobody_has_to_do_anything_about_is_neither_supervised_nor_escalated(state):
    incident = in_state(state)
    with pytest.raises(RuleError, match=f"incident.supervised is refused: the incident is {state}"):
        incident.supervise(by=SUPERVISOR, at=NOW, note="why")
    with pytest.raises(RuleError, match=f"incident.escalated is refused: the incident is {state}"):
        incident.escalate(by=SUPERVISOR, at=NOW, **WHY)
