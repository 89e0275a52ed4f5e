"""超期: what was due and was not done is recorded once, at the time it was due; what should have been handled goes up a level."""

import pytest
from given import NOW
from incidents import (
    DISPATCHER,
    HANDLER,
    HOUR,
    LIMITS,
    PLUMBER,
    TIMER,
    UNIT,
    VERIFIER,
    WATER,
    after,
    dispatched,
    handling,
    in_state,
    replayed,
    reported,
    running,
)

from domain.deadlines import Clock, Limit, Limits, Urgency
from domain.errors import InvalidError
from domain.incident import HIGHEST, OPEN, Incident, IncidentState

S = IncidentState


def passes(incident, name, at=11):
    """The hours since NOW at which events say that it passed."""
    before = len(incident.pending_events)
    incident.pass_deadline(by=TIMER, at=NOW + at * HOUR, name=name)
    return [
        ((event.timestamp - NOW) / HOUR, type(event).__name__) for event in incident.pending_events[before:]
    ]


def test_a_deadline_passes_once_and_at_the_time_it_was_due_however_late_it_is_noticed():
    incident = dispatched()
    assert passes(incident, f"sign:{UNIT}", at=0.99) == []
    assert passes(incident, f"sign:{UNIT}", at=9) == [(1, "Overdue")]
    assert passes(incident, f"sign:{UNIT}", at=9) == []
    assert (incident.state, incident.overdue, incident.level) == (S.DISPATCHED, {f"sign:{UNIT}"}, 0)
    assert running(incident) == {f"handle:{UNIT}": 10}
    assert incident.pending_events[-1].actor == TIMER.id


def test_a_deadline_passes_at_the_very_moment_it_is_due():
    assert passes(dispatched(), f"sign:{UNIT}", at=1) == [(1, "Overdue")]


def test_what_the_lead_unit_should_have_handled_goes_up_a_level():
    incident = handling()
    assert passes(incident, f"handle:{UNIT}") == [(10, "Overdue"), (10, "Escalated")]
    assert (incident.level, incident.state) == (1, S.HANDLING)
    assert incident.pending_events[-1].reason == f"handle:{UNIT} is overdue"
    assert replayed(incident) == incident


@pytest.mark.parametrize("name", [f"sign:{UNIT}", f"sign:{WATER}", f"handle:{WATER}"])
def test_nothing_else_goes_up_a_level(name):
    incident = dispatched(WATER)
    assert [what for _, what in passes(incident, name)] == ["Overdue"]
    assert incident.level == 0


def test_a_late_verification_is_recorded():
    incident = in_state(S.VERIFYING)
    assert passes(incident, "verify") == [(5, "Overdue")]
    assert running(incident) == {}


def test_beyond_the_highest_level_it_is_overdue_all_the_same():
    incident = handling()
    for _ in range(HIGHEST):
        incident.escalate(by=DISPATCHER, at=NOW, reason="why")
    assert passes(incident, f"handle:{UNIT}") == [(10, "Overdue")]
    assert incident.level == HIGHEST


def test_late_work_is_done_all_the_same_and_was_late():
    incident = dispatched()
    passes(incident, f"sign:{UNIT}")
    incident.sign(by=HANDLER, at=NOW + 3 * HOUR)
    assert (incident.state, incident.overdue) == (S.SIGNED, {f"sign:{UNIT}"})


def test_what_is_handled_again_is_due_again_and_can_be_late_again():
    incident = handling()
    passes(incident, f"handle:{UNIT}")
    incident.give_feedback(by=HANDLER, at=NOW + 12 * HOUR, result="swept", limits=LIMITS)
    incident.verify(by=VERIFIER, at=NOW + 13 * HOUR, passed=False, note="dirty", limits=LIMITS)
    assert running(incident) == {f"handle:{UNIT}": 23}
    assert passes(incident, f"handle:{UNIT}", at=30) == [(23, "Overdue"), (23, "Escalated")]
    assert incident.level == 2


def test_after_a_return_the_unit_that_gave_it_back_is_not_late():
    incident = dispatched(WATER)
    incident.request_return(by=HANDLER, at=NOW, reason="not ours")
    incident.decide_return(by=DISPATCHER, at=NOW, granted=True, reason="so be it")
    for name in (f"sign:{UNIT}", f"handle:{UNIT}", f"sign:{WATER}", f"handle:{WATER}"):
        assert passes(incident, name) == []


def test_time_runs_on_while_nobody_has_decided_on_the_return():
    incident = in_state(S.RETURN_REQUESTED)
    assert passes(incident, f"handle:{UNIT}") == [(10, "Overdue"), (10, "Escalated")]


def test_time_runs_on_while_nobody_has_decided_on_the_extension():
    incident = handling()
    incident.request_extension(by=HANDLER, at=NOW, until=NOW + 20 * HOUR, reason="slow")
    passes(incident, f"handle:{UNIT}")
    incident.decide_extension(by=DISPATCHER, at=NOW + 11 * HOUR, granted=True, reason="so be it")
    assert running(incident) == {f"handle:{UNIT}": 20}


def test_what_an_extension_moved_passes_at_its_new_time_only():
    incident = handling()
    incident.request_extension(by=HANDLER, at=NOW, until=NOW + 20 * HOUR, reason="slow")
    incident.decide_extension(by=DISPATCHER, at=NOW, granted=True, reason="so be it")
    assert passes(incident, f"handle:{UNIT}", at=19) == []
    assert passes(incident, f"handle:{UNIT}", at=21) == [(20, "Overdue"), (20, "Escalated")]
    assert incident.pending_events[-2].rule == "extension-1"


@pytest.mark.parametrize("state", sorted(set(S) - set(OPEN)))
def test_nothing_runs_on_what_is_settled(state):
    incident = in_state(state)
    assert incident.deadlines == ()
    for name in (f"sign:{UNIT}", f"handle:{UNIT}", "verify", "parking"):
        assert passes(incident, name, at=10_000) == []


@pytest.mark.parametrize("name", ["", "handle", "handle:None", "handle:fire-brigade", "parking"])
def test_a_deadline_that_does_not_run_does_not_pass(name):
    assert passes(dispatched(), name, at=10_000) == []


@pytest.mark.parametrize("done", [S.DISPATCHED, S.SIGNED, S.HANDLING, S.VERIFYING])
def test_only_what_is_still_to_do_is_due(done):
    incident = in_state(done)
    left = {
        S.DISPATCHED: {f"sign:{UNIT}", f"handle:{UNIT}"},
        S.SIGNED: {f"handle:{UNIT}"},
        S.HANDLING: {f"handle:{UNIT}"},
        S.VERIFYING: {"verify"},
    }
    assert set(running(incident)) == left[done]


def test_a_deadline_follows_the_limits_of_category_urgency_and_township():
    limits = Limits(
        "7",
        (
            *LIMITS.limits,
            Limit("handle", Clock.WALL, hours=6, category="noise", urgency=Urgency.URGENT),
            Limit("sign", Clock.WALL, hours=2, township="yuhai"),
        ),
    )
    for urgency, hours in ((Urgency.NORMAL, 10), (Urgency.URGENT, 6)):
        incident = after(1, reported(urgency=urgency))
        incident.dispatch(by=DISPATCHER, at=NOW, lead_unit=UNIT, limits=limits)
        assert running(incident) == {f"sign:{UNIT}": 2, f"handle:{UNIT}": hours}
        assert {one.rule for one in incident.deadlines} == {"limits-7"}


def test_limits_that_say_nothing_of_a_step_refuse_the_command_that_needs_it():
    incident = handling()
    with pytest.raises(InvalidError, match="time limits none say nothing of 'verify'"):
        incident.give_feedback(by=HANDLER, at=NOW, result="swept", limits=Limits("none", ()))
    assert incident.state is S.HANDLING


def test_the_events_that_change_what_runs_carry_all_that_runs_after_them():
    incident = handling(WATER)
    incident.sign(by=PLUMBER, at=NOW, unit=WATER)
    incident.give_feedback(by=PLUMBER, at=NOW, unit=WATER, result="shut")
    passes(incident, f"handle:{UNIT}")
    told = [event.deadlines for event in incident.pending_events if hasattr(event, "deadlines")]
    assert [len(deadlines) for deadlines in told] == [4, 3, 2, 1, 0]
    assert isinstance(incident.pending_events[-2], Incident.Overdue)
