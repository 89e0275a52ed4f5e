"""申请延期: a unit asks for longer, somebody else decides; whatever happens meanwhile, an extension gives time and takes none away."""

import pytest
from given import NOW
from incidents import (
    BOTH,
    DISPATCHER,
    HANDLER,
    HOUR,
    LIMITS,
    PLUMBER,
    SUPERVISOR,
    UNIT,
    VERIFIER,
    WATER,
    dispatched,
    handling,
    in_state,
    running,
)

from domain.errors import InvalidError, RuleError
from domain.incident import WITH_UNITS, Extension

WHY = {"reason": "because"}


def decide(incident, *, by=DISPATCHER, granted=True, at=NOW):
    incident.decide_extension(by=by, at=at, granted=granted, reason="so be it")


def ask_longer(incident, hours, *, by=HANDLER, at=NOW):
    incident.request_extension(by=by, at=at, until=NOW + hours * HOUR, **WHY)


@pytest.mark.parametrize("state", WITH_UNITS)
def test_a_granted_extension_moves_what_the_lead_unit_has_to_do_and_nothing_else(state):
    incident = in_state(state)
    incident.ask_assistance(by=DISPATCHER, at=NOW, unit=WATER, limits=LIMITS)
    before = running(incident)
    ask_longer(incident, 20)
    assert (incident.state, running(incident)) == (state, before)
    assert incident.extension == Extension(NOW + 20 * HOUR, HANDLER.id)
    decide(incident)
    assert running(incident) == before | {f"handle:{UNIT}": 20}
    assert (incident.extension, incident.extensions) == (None, 1)
    assert [one.rule for one in incident.deadlines][-1] == "extension-1"


def test_a_refused_extension_changes_nothing_and_can_be_asked_for_again():
    incident = handling()
    ask_longer(incident, 20)
    decide(incident, granted=False)
    assert (running(incident), incident.extension, incident.extensions) == ({f"handle:{UNIT}": 10}, None, 0)
    ask_longer(incident, 15)
    decide(incident)
    assert running(incident) == {f"handle:{UNIT}": 15}


def test_the_second_extension_is_granted_by_a_supervisor_only_and_refused_by_any_shift_leader():
    incident = handling()
    for hours in (20, 30, 40):
        ask_longer(incident, hours)
        if hours > 20:
            with pytest.raises(
                RuleError, match=r"extension [23] of an incident is granted by a supervisor only"
            ):
                decide(incident)
        decide(incident, by=SUPERVISOR)
    assert (incident.extensions, running(incident)) == (3, {f"handle:{UNIT}": 40})
    ask_longer(incident, 50)
    decide(incident, granted=False)


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
    decide(incident, at=NOW + 11 * HOUR)
    assert running(incident) == {f"handle:{UNIT}": 12}


def test_an_extension_that_is_over_already_is_not_granted_any_more():
    incident = handling()
    ask_longer(incident, 20)
    with pytest.raises(RuleError, match="must end later than what is due now"):
        decide(incident, at=NOW + 20 * HOUR)
    decide(incident, at=NOW + 20 * HOUR, granted=False)


def test_an_extension_that_parking_has_overtaken_is_not_granted():
    """Parked for fifteen hours, the ten that it had end later than what was asked for: the unit would have less time, not more."""
    incident = handling()
    ask_longer(incident, 20)
    incident.park(by=DISPATCHER, at=NOW, until=NOW + 30 * HOUR, **WHY)
    incident.unpark(by=DISPATCHER, at=NOW + 15 * HOUR)
    assert running(incident) == {f"handle:{UNIT}": 25}
    with pytest.raises(RuleError, match="must end later than what is due now"):
        decide(incident, at=NOW + 15 * HOUR)
    assert running(incident) == {f"handle:{UNIT}": 25}


@pytest.mark.parametrize("granted", [True, False])
def test_nobody_decides_on_the_extension_they_asked_for(granted):
    incident = handling()
    ask_longer(incident, 20, by=BOTH)
    with pytest.raises(RuleError, match="both asked for this extension: it must be decided by somebody else"):
        decide(incident, by=BOTH, granted=granted)


def test_one_extension_is_asked_for_at_a_time_and_only_what_was_asked_for_is_decided():
    incident = handling()
    with pytest.raises(RuleError, match="nobody has asked for an extension"):
        decide(incident)
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
        decide(incident)
    incident.decide_return(by=DISPATCHER, at=NOW, granted=True, **WHY)
    assert incident.extension is None


def test_an_extension_that_nobody_decided_is_still_to_decide_if_the_return_is_refused():
    incident = dispatched()
    ask_longer(incident, 20)
    incident.request_return(by=HANDLER, at=NOW, **WHY)
    incident.decide_return(by=DISPATCHER, at=NOW, granted=False, **WHY)
    decide(incident)
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
    decide(incident)
    incident.request_return(by=HANDLER, at=NOW, **WHY)
    incident.decide_return(by=DISPATCHER, at=NOW, granted=True, **WHY)
    incident.dispatch(by=DISPATCHER, at=NOW, lead_unit=WATER, limits=LIMITS)
    ask_longer(incident, 20, by=PLUMBER)
    decide(incident)
    assert (incident.extensions, running(incident)["handle:water"]) == (1, 20)
