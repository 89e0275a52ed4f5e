"""挂账: while nothing can be done nothing is, and what was due is due later by as long as that was; the time is counted apart."""

from datetime import timedelta

import pytest
from given import NOW, person
from incidents import (
    DISPATCHER,
    HANDLER,
    HOUR,
    LIMITS,
    PLUMBER,
    SUPERVISOR,
    TIMER,
    UNIT,
    WATER,
    handling,
    in_state,
    replayed,
    running,
)

from domain.errors import InvalidError, RuleError
from domain.incident import IncidentState
from domain.people import Role

S = IncidentState
WHY = {"reason": "the owner is away"}


def parked(*assisting, at=2, until=50):
    """An incident that was parked `at` hours after NOW."""
    incident = handling(*assisting)
    incident.park(by=DISPATCHER, at=NOW + at * HOUR, until=NOW + until * HOUR, **WHY)
    return incident


def unpark(incident, at):
    incident.unpark(by=DISPATCHER, at=NOW + at * HOUR)


def test_while_it_is_parked_only_the_parking_is_due():
    incident = parked(WATER, at=0.5)
    assert running(incident) == {"parking": 50}
    assert (incident.state, incident.parked_at) == (S.HANDLING, NOW + HOUR / 2)


def test_what_was_due_is_due_later_by_as_long_as_it_was_parked():
    incident = parked(WATER, at=0.5)
    unpark(incident, at=7.5)
    assert running(incident) == {f"sign:{WATER}": 8, f"handle:{WATER}": 17, f"handle:{UNIT}": 17}
    assert (incident.parked_at, incident.parked_for) == (None, 7 * HOUR)
    assert {one.rule for one in incident.deadlines} == {"limits-test"}
    assert replayed(incident) == incident


def test_parked_time_adds_up():
    incident = parked(at=2)
    unpark(incident, at=5)
    incident.park(by=DISPATCHER, at=NOW + 6 * HOUR, until=NOW + 50 * HOUR, **WHY)
    unpark(incident, at=16)
    assert (incident.parked_for, running(incident)) == (13 * HOUR, {f"handle:{UNIT}": 23})


def test_what_was_late_before_it_was_parked_stays_late():
    """Nobody had noticed yet: the timers look once a second, and may have stood still."""
    incident = parked(WATER, at=2)
    unpark(incident, at=7)
    assert running(incident) == {f"sign:{WATER}": 1, f"handle:{WATER}": 15, f"handle:{UNIT}": 15}
    incident.pass_deadline(by=TIMER, at=NOW + 7 * HOUR, name=f"sign:{WATER}")
    assert incident.pending_events[-1].timestamp == NOW + HOUR


def test_the_passing_of_the_parking_is_recorded_and_ends_neither_the_parking_nor_what_was_due():
    incident = parked(at=2, until=5)
    incident.pass_deadline(by=TIMER, at=NOW + 6 * HOUR, name="parking")
    assert (incident.overdue, incident.level, running(incident)) == ({"parking"}, 0, {})
    unpark(incident, at=8)
    assert running(incident) == {f"handle:{UNIT}": 16}


def test_what_waits_does_not_pass_meanwhile():
    incident = parked(at=2)
    incident.pass_deadline(by=TIMER, at=NOW + 40 * HOUR, name=f"handle:{UNIT}")
    assert incident.overdue == frozenset()


LATER = NOW + 100 * HOUR
REFUSED = {
    "ask_assistance": (DISPATCHER, {"unit": "housing", "limits": LIMITS}),
    "release_assistance": (DISPATCHER, {"unit": WATER, "reason": "why"}),
    "sign": (PLUMBER, {"unit": WATER}),
    "give_feedback": (HANDLER, {"result": "swept"}),
    "request_extension": (HANDLER, {"until": LATER, "reason": "why"}),
    "decide_extension": (SUPERVISOR, {"granted": True, "reason": "why"}),
    "park": (DISPATCHER, {"until": LATER, "reason": "why"}),
}


@pytest.mark.parametrize("method", REFUSED)
def test_nothing_but_unpark_happens_to_parked_work(method):
    incident = handling(WATER)
    incident.request_extension(by=HANDLER, at=NOW, until=NOW + 20 * HOUR, reason="slow")
    incident.park(by=DISPATCHER, at=NOW, until=LATER, **WHY)
    version, (who, fields) = incident.version, REFUSED[method]
    with pytest.raises(RuleError, match="while the incident is parked: unpark it first"):
        getattr(incident, method)(by=who, at=NOW + 3 * HOUR, **fields)
    assert incident.version == version


def test_an_assisting_unit_gives_no_feedback_on_parked_work():
    incident = handling(WATER)
    incident.sign(by=PLUMBER, at=NOW, unit=WATER)
    incident.park(by=DISPATCHER, at=NOW, until=LATER, **WHY)
    with pytest.raises(RuleError, match="while the incident is parked"):
        incident.give_feedback(by=PLUMBER, at=NOW, unit=WATER, result="shut")


def test_a_parked_incident_is_still_watched_and_documented():
    incident = parked()
    incident.supervise(by=SUPERVISOR, at=LATER, note="for how long?")
    incident.escalate(by=DISPATCHER, at=LATER, **WHY)
    incident.comment(by=HANDLER, at=LATER, text="asked again")
    incident.attach_evidence(
        by=HANDLER, at=LATER, sha256="b" * 64, media_type="image/png", note="closed door"
    )
    assert incident.parked_at == NOW + 2 * HOUR


@pytest.mark.parametrize("state", sorted(set(S) - {S.HANDLING}))
def test_only_what_is_handled_is_parked(state):
    with pytest.raises(RuleError, match=f"incident.parked is refused: the incident is {state}"):
        in_state(state).park(by=DISPATCHER, at=NOW, until=LATER, **WHY)


def test_whoever_handles_it_does_not_park_it():
    both = person(Role.UNIT_LEAD, Role.DISPATCHER, name=HANDLER.id, units=(UNIT,))
    with pytest.raises(RuleError, match="must be parked by somebody who did not"):
        handling().park(by=both, at=NOW, until=LATER, **WHY)


@pytest.mark.parametrize("until", [NOW, NOW - timedelta(microseconds=1)])
def test_it_is_parked_until_a_later_time(until):
    with pytest.raises(RuleError, match="parked until a later time"):
        handling().park(by=DISPATCHER, at=NOW, until=until, **WHY)


@pytest.mark.parametrize("wrong", ["at", "until"])
def test_a_time_of_parking_has_a_zone(wrong):
    times = {"at": NOW, "until": LATER}
    with pytest.raises(InvalidError, match="no time zone"):
        handling().park(by=DISPATCHER, **(times | {wrong: times[wrong].replace(tzinfo=None)}), **WHY)


def test_a_time_of_going_on_has_a_zone():
    with pytest.raises(InvalidError, match="no time zone"):
        parked().unpark(by=DISPATCHER, at=LATER.replace(tzinfo=None))


def test_only_what_is_parked_goes_on_and_not_before_it_was_parked():
    with pytest.raises(RuleError, match="this incident is not parked"):
        unpark(handling(), at=3)
    with pytest.raises(RuleError, match="it cannot go on before it was parked, at 2026-03-01T10:00:00"):
        unpark(parked(at=2), at=1)
