"""申请退单: a unit says that an incident is not theirs, and somebody else decides; 督办 and 上报: others watch it."""

import pytest
from given import NOW
from incidents import (
    BOTH,
    DISPATCHER,
    HANDLER,
    HOUR,
    LIMITS,
    PLUMBER,
    STRANGER,
    SUPERVISOR,
    UNIT,
    WATER,
    dispatched,
    in_state,
    replayed,
    running,
)

from domain.errors import RuleError
from domain.incident import HIGHEST, OPEN, IncidentState, Leg

S = IncidentState
WHY = {"reason": "because"}


def decide(incident, *, by=DISPATCHER, granted=True, at=NOW):
    incident.decide_return(by=by, at=at, granted=granted, reason="so be it")


@pytest.mark.parametrize("state", [S.DISPATCHED, S.SIGNED])
def test_a_returned_incident_waits_for_another_dispatch_and_nothing_is_due(state):
    incident = in_state(state)
    incident.request_return(by=HANDLER, at=NOW, **WHY)
    assert incident.state is S.RETURN_REQUESTED
    decide(incident)
    assert (incident.state, incident.lead_unit, incident.legs) == (S.ACCEPTED, None, {})
    assert running(incident) == {}
    incident.dispatch(by=DISPATCHER, at=NOW + HOUR, lead_unit=WATER, limits=LIMITS)
    assert running(incident) == {"sign:water": 2, "handle:water": 11}
    assert replayed(incident) == incident


@pytest.mark.parametrize("state", [S.DISPATCHED, S.SIGNED])
def test_a_refused_return_leaves_it_with_the_unit_which_signs_again_while_its_time_runs_on(state):
    incident = in_state(state)
    incident.request_return(by=HANDLER, at=NOW, **WHY)
    decide(incident, granted=False)
    assert (incident.state, incident.legs) == (S.DISPATCHED, {UNIT: Leg.DISPATCHED})
    assert running(incident)[f"handle:{UNIT}"] == 10
    incident.sign(by=HANDLER, at=NOW)
    assert running(incident) == {f"handle:{UNIT}": 10}


def test_returns_are_counted_over_all_units():
    incident = dispatched()
    for number, granted in enumerate((False, True), start=1):
        incident.request_return(by=HANDLER, at=NOW, **WHY)
        assert (incident.returns_requested, incident.pending_events[-1].number) == (number, number)
        decide(incident, granted=granted)
    incident.dispatch(by=DISPATCHER, at=NOW, lead_unit=WATER)
    incident.request_return(by=PLUMBER, at=NOW, **WHY)
    assert incident.returns_requested == 3


@pytest.mark.parametrize("granted", [True, False])
def test_nobody_decides_on_the_return_they_asked_for(granted):
    incident = dispatched()
    incident.request_return(by=BOTH, at=NOW, **WHY)
    with pytest.raises(RuleError, match="both asked for this return: it must be decided by somebody else"):
        decide(incident, by=BOTH, granted=granted)
    assert incident.state is S.RETURN_REQUESTED


def test_whoever_asked_once_decides_on_what_somebody_else_asks_later():
    incident = dispatched()
    incident.request_return(by=BOTH, at=NOW, **WHY)
    decide(incident, granted=False)
    assert incident.return_asked_by is None
    incident.request_return(by=HANDLER, at=NOW, **WHY)
    decide(incident, by=BOTH)
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
