"""An incident: its one way from report to closing, and everything that is refused on it."""

from datetime import UTC, datetime, timedelta, timezone
from uuid import UUID

import pytest
from given import NOW, person
from incidents import DISPATCHER, HANDLER, INTAKE, SITE, STEPS, STRANGER, UNIT, VERIFIER, after, reported

from domain.errors import InvalidError, RuleError
from domain.incident import Incident, IncidentState, Source
from domain.lifecycle import YEARS, transitions
from domain.model import event_classes
from domain.people import Role

COLLEAGUE = person(Role.UNIT_LEAD, name="colleague", units=(UNIT, "fire-brigade"))
S = IncidentState


def test_the_transitions_are_those_of_the_table():
    assert {row for row in transitions(event_classes(Incident).values()) if row[0] != row[2]} == {
        ("REPORTED", "incident.accepted", "ACCEPTED"),
        ("REPORTED", "incident.rejected", "REJECTED"),
        ("REPORTED", "incident.merged", "MERGED"),
        ("MERGED", "incident.unmerged", "REPORTED"),
        ("ACCEPTED", "incident.closed_on_the_spot", "CLOSED"),
        ("REOPENED", "incident.closed_on_the_spot", "CLOSED"),
        ("ACCEPTED", "incident.dispatched", "DISPATCHED"),
        ("REOPENED", "incident.dispatched", "DISPATCHED"),
        ("DISPATCHED", "incident.return_requested", "RETURN_REQUESTED"),
        ("SIGNED", "incident.return_requested", "RETURN_REQUESTED"),
        ("RETURN_REQUESTED", "incident.returned", "ACCEPTED"),
        ("RETURN_REQUESTED", "incident.return_refused", "DISPATCHED"),
        ("DISPATCHED", "incident.signed", "SIGNED"),
        ("SIGNED", "incident.handling_started", "HANDLING"),
        ("HANDLING", "incident.feedback_given", "VERIFYING"),
        ("VERIFYING", "incident.reworked", "HANDLING"),
        ("VERIFYING", "incident.closed", "CLOSED"),
        ("CLOSED", "incident.evaluated", "EVALUATED"),
        ("CLOSED", "incident.reopened", "REOPENED"),
        ("EVALUATED", "incident.reopened", "REOPENED"),
        ("CLOSED", "incident.archived", "ARCHIVED"),
        ("EVALUATED", "incident.archived", "ARCHIVED"),
    }


def test_an_incident_goes_from_report_to_closing():
    states = [after(steps).state for steps in range(len(STEPS) + 1)]
    assert states == [S.REPORTED, S.ACCEPTED, S.DISPATCHED, S.SIGNED, S.HANDLING, S.VERIFYING, S.CLOSED]


@pytest.mark.parametrize("done", range(len(STEPS) + 1))
@pytest.mark.parametrize("method", STEPS)
def test_a_command_is_refused_in_every_state_but_its_own(method, done):
    incident = after(done)
    before = (incident.version, incident.state)
    who, fields = STEPS[method]
    if list(STEPS).index(method) == done:
        getattr(incident, method)(by=who, at=NOW, **fields)
        assert incident.version == before[0] + 1
    else:
        with pytest.raises(RuleError, match=f"the incident is {incident.state}, and it must be"):
            getattr(incident, method)(by=who, at=NOW, **fields)
        assert (incident.version, incident.state) == before


def test_a_report_keeps_when_and_where_the_matter_happened():
    earlier = NOW - timedelta(hours=3)
    incident = reported(occurred_at=earlier, description="  太吵 \n")
    assert (incident.occurred_at, incident.site_id, incident.township) == (earlier, SITE.id, "yuhai")
    assert incident.description == "太吵"
    assert reported().occurred_at == NOW


def test_a_matter_cannot_have_happened_after_its_report():
    with pytest.raises(RuleError, match="cannot have happened after it was reported"):
        reported(occurred_at=NOW + timedelta(microseconds=1))


def test_later_by_the_clock_on_the_wall_of_another_time_zone_is_not_later():
    there = NOW.astimezone(timezone(timedelta(hours=8)))
    assert reported(occurred_at=there).occurred_at == NOW


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        (NOW.replace(tzinfo=None), "no time zone"),
        (NOW.replace(tzinfo=timezone(timedelta(hours=8, seconds=43))), "seconds in its offset"),
        (datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=8))), "not of the years"),
        (datetime(9999, 12, 31, 23, tzinfo=timezone(timedelta(hours=-8))), "not of the years"),
    ],
)
def test_a_time_that_is_no_moment_we_can_keep_is_refused(wrong, why):
    with pytest.raises(InvalidError, match=why):
        reported(occurred_at=wrong)
    with pytest.raises(InvalidError, match=why):
        reported().accept(by=INTAKE, at=wrong)
    with pytest.raises(InvalidError, match=why):
        Incident.report(
            id=UUID(int=1), site=SITE, by=INTAKE, at=wrong, source=Source.ALARM, category="x", description="x"
        )


def test_the_first_and_the_last_year_are_accepted():
    for year in (YEARS.start, YEARS.stop - 1):
        reported(occurred_at=min(NOW, datetime(year, 1, 1, tzinfo=UTC)))
        reported().accept(by=INTAKE, at=datetime(year, 12, 31, tzinfo=UTC))


TEXTS = [
    ("", "is empty"),
    (" \t\n\u3000", "is empty"),
    ("x" * 4001, "has 4001 characters"),
    ("a\x00b", "is not text"),
    ("a\ud800b", "is not text"),
]


@pytest.mark.parametrize(("wrong", "why"), TEXTS)
def test_what_is_no_text_is_refused_wherever_text_is_taken(wrong, why):
    with pytest.raises(InvalidError, match=f"description {why}|description .*{why}"):
        reported(description=wrong)
    with pytest.raises(InvalidError, match=f"result .*{why}"):
        after(4).give_feedback(by=HANDLER, at=NOW, result=wrong)
    for passed in (True, False):
        with pytest.raises(InvalidError, match=f"note .*{why}"):
            after(5).verify(by=VERIFIER, at=NOW, passed=passed, note=wrong)


def test_the_longest_text_and_signs_beyond_the_basic_plane_are_accepted():
    assert reported(description="𠮷" * 4000).description == "𠮷" * 4000


@pytest.mark.parametrize(
    "wrong", ["", "Noise", "no ise", "no.ise", "-noise", "no--ise", "噪声", "noise\n", "x" * 65]
)
def test_a_category_or_unit_that_is_no_code_is_refused(wrong):
    with pytest.raises(InvalidError, match="category"):
        reported(category=wrong)
    with pytest.raises(InvalidError, match="lead unit"):
        after(1).dispatch(by=DISPATCHER, at=NOW, lead_unit=wrong)


@pytest.mark.parametrize(("done", "method"), [(2, "sign"), (3, "start_handling"), (4, "give_feedback")])
def test_another_unit_is_refused_and_a_colleague_is_not(done, method):
    incident, fields = after(done), STEPS[method][1]
    with pytest.raises(RuleError, match=f"only {UNIT} may .* stranger is not of that unit"):
        getattr(incident, method)(by=STRANGER, at=NOW, **fields)
    getattr(incident, method)(by=COLLEAGUE, at=NOW, **fields)


def test_nobody_verifies_own_work():
    both = person(Role.UNIT_HANDLER, Role.VERIFIER, name="both", units=(UNIT,))
    for handler, feedback in ((both, HANDLER), (HANDLER, both)):
        incident = after(3)
        incident.start_handling(by=handler, at=NOW)
        incident.give_feedback(by=feedback, at=NOW, result="swept")
        for passed in (True, False):
            with pytest.raises(RuleError, match="both handled this incident"):
                incident.verify(by=both, at=NOW, passed=passed, note="fine")
        assert incident.state is S.VERIFYING


def test_whoever_handled_an_earlier_round_does_not_verify_a_later_one():
    both = person(Role.UNIT_LEAD, Role.VERIFIER, name="both", units=(UNIT,))
    incident = after(4)
    incident.give_feedback(by=both, at=NOW, result="swept")
    incident.verify(by=VERIFIER, at=NOW, passed=False, note="still dirty")
    incident.give_feedback(by=HANDLER, at=NOW, result="swept again")
    with pytest.raises(RuleError, match="both handled"):
        incident.verify(by=both, at=NOW, passed=True, note="fine")


def test_a_failed_verification_sends_it_back_and_counts_a_round():
    incident = after(5)
    for expected in (2, 3):
        incident.verify(by=VERIFIER, at=NOW, passed=False, note="still dirty")
        assert (incident.state, incident.round) == (S.HANDLING, expected)
        incident.give_feedback(by=HANDLER, at=NOW, result="swept again")
    incident.verify(by=VERIFIER, at=NOW, passed=True, note="clean")
    assert (incident.state, incident.round) == (S.CLOSED, 3)
    assert [event.TOPIC for event in incident.collect_events()].count("incident.reworked") == 2


def test_a_replayed_incident_is_the_one_that_was_decided():
    incident = after(6)
    replayed = None
    for event in incident.collect_events():
        replayed = event.mutate(replayed)
    assert replayed == incident
    assert replayed.handlers == {HANDLER.id}
