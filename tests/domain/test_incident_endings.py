"""How incidents end, 自行处置 不予受理 办结 评价 归档, how they begin again 重开, and what is kept beside them."""

from datetime import timedelta
from uuid import UUID

import pytest
from given import NOW, person
from incidents import (
    DISPATCHER,
    GRID_WORKER,
    HANDLER,
    INTAKE,
    LIMITS,
    PICTURE,
    SUPERVISOR,
    UNIT,
    VERIFIER,
    WATER,
    in_state,
    replayed,
    reported,
    running,
)

from domain.errors import InvalidError, RuleError
from domain.incident import BEST, KEPT, REOPENING_WINDOW, IncidentState
from domain.mechanisms import JointMechanism
from domain.people import Role

S = IncidentState
MOMENT = timedelta(microseconds=1)
NOT_KEPT = sorted(set(S) - set(KEPT))


def close_on_the_spot(incident, *, by=GRID_WORKER, photo=PICTURE, note="picked up"):
    incident.close_on_the_spot(by=by, at=NOW, photo_sha256=photo, note=note)


def evaluate(incident, rating=BEST, *, by=INTAKE):
    incident.evaluate(by=by, at=NOW, rating=rating, note="asked by telephone")


def reopen(incident, *, by=SUPERVISOR, at=NOW):
    incident.reopen(by=by, at=at, reason="it is back")


# --- without a unit ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("state", [S.ACCEPTED, S.REOPENED])
def test_what_was_put_right_on_the_spot_is_closed_with_a_picture(state):
    incident = in_state(state)
    close_on_the_spot(incident)
    assert (incident.state, incident.closed_at) == (S.CLOSED, NOW)
    assert GRID_WORKER.id in incident.handlers
    assert incident.pending_events[-1].photo_sha256 == PICTURE


@pytest.mark.parametrize("wrong", ["", "A" * 64, "a" * 63, "a" * 65, "a" * 64 + "\n", "picture.jpg"])
def test_a_picture_is_named_by_its_digest_and_by_nothing_else(wrong):
    with pytest.raises(InvalidError, match="photo_sha256 must be 64 lower-case hex digits"):
        close_on_the_spot(in_state(S.ACCEPTED), photo=wrong)
    with pytest.raises(InvalidError, match="sha256 must be 64 lower-case hex digits"):
        attach(in_state(S.ACCEPTED), wrong)


@pytest.mark.parametrize("state", sorted(set(S) - {S.ACCEPTED, S.REOPENED}))
def test_nothing_is_closed_on_the_spot_that_a_unit_has_or_that_was_not_accepted(state):
    with pytest.raises(RuleError, match=f"the incident is {state}, and it must be ACCEPTED or REOPENED"):
        close_on_the_spot(in_state(state))


def test_what_is_not_the_centres_business_is_rejected_with_a_reason():
    incident = reported()
    with pytest.raises(InvalidError, match="reason is empty"):
        incident.reject(by=INTAKE, at=NOW, reason="")
    incident.reject(by=INTAKE, at=NOW, reason="the railway's")
    assert (incident.state, incident.pending_events[-1].reason) == (S.REJECTED, "the railway's")


@pytest.mark.parametrize("state", sorted(set(S) - {S.REPORTED}))
def test_what_was_accepted_is_not_rejected_any_more(state):
    with pytest.raises(RuleError, match=f"the incident is {state}"):
        in_state(state).reject(by=INTAKE, at=NOW, reason="late")


# --- evaluation 评价 ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rating", range(1, BEST + 1))
def test_a_closed_incident_is_evaluated_in_five_levels(rating):
    incident = in_state(S.CLOSED)
    evaluate(incident, rating)
    assert (incident.state, incident.pending_events[-1].rating) == (S.EVALUATED, rating)


@pytest.mark.parametrize("rating", [-1, 0, BEST + 1])
def test_there_are_no_other_levels(rating):
    with pytest.raises(RuleError, match=f"a rating is 1 to 5, not {rating}"):
        evaluate(in_state(S.CLOSED), rating)


@pytest.mark.parametrize("state", sorted(set(S) - {S.CLOSED}))
def test_only_what_is_closed_is_evaluated_and_once(state):
    with pytest.raises(RuleError, match=f"incident.evaluated is refused: the incident is {state}"):
        evaluate(in_state(state))


def test_whoever_handled_it_does_not_put_down_how_satisfied_the_reporter_is():
    both = person(Role.GRID_WORKER, Role.INTAKE, name="both")
    incident = in_state(S.ACCEPTED)
    close_on_the_spot(incident, by=both)
    with pytest.raises(RuleError, match="both handled this incident: it must be evaluated by somebody"):
        evaluate(incident, by=both)
    reopen(incident)
    close_on_the_spot(incident, by=GRID_WORKER)
    with pytest.raises(RuleError, match="both handled this incident"):  # in an earlier round
        evaluate(incident, by=both)


# --- reopening 重开 ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("state", [S.CLOSED, S.EVALUATED])
@pytest.mark.parametrize(
    ("who", "after"),
    [(INTAKE, REOPENING_WINDOW), (SUPERVISOR, REOPENING_WINDOW), (SUPERVISOR, REOPENING_WINDOW * 20)],
)
def test_for_the_reporter_it_is_reopened_in_the_window_and_by_a_supervisor_at_any_time(state, who, after):
    incident = in_state(state)
    reopen(incident, by=who, at=NOW + after)
    assert (incident.state, incident.round, incident.closed_at) == (S.REOPENED, 2, None)


@pytest.mark.parametrize("state", [S.CLOSED, S.EVALUATED])
def test_after_the_window_only_a_supervisor_reopens(state):
    incident = in_state(state)
    with pytest.raises(RuleError, match="30 days after closing only a supervisor reopens an incident"):
        reopen(incident, by=INTAKE, at=NOW + REOPENING_WINDOW + MOMENT)
    assert incident.state is state


def test_the_window_begins_anew_with_every_closing():
    incident = in_state(S.REOPENED)
    later = NOW + REOPENING_WINDOW * 3
    incident.close_on_the_spot(by=GRID_WORKER, at=later, photo_sha256=PICTURE, note="again")
    reopen(incident, by=INTAKE, at=later + REOPENING_WINDOW)
    assert incident.round == 3


@pytest.mark.parametrize("state", sorted(set(S) - {S.CLOSED, S.EVALUATED}))
def test_only_what_is_closed_is_reopened(state):
    with pytest.raises(RuleError, match=f"incident.reopened is refused: the incident is {state}"):
        reopen(in_state(state))


def test_a_new_round_has_new_units_and_keeps_who_handled_it_before():
    incident = in_state(S.REOPENED)
    assert (incident.lead_unit, incident.legs, incident.handlers) == (None, {}, {HANDLER.id})
    assert running(incident) == {}
    incident.dispatch(by=DISPATCHER, at=NOW, lead_unit=WATER, assisting=[UNIT], limits=LIMITS)
    assert sorted(running(incident)) == sorted(
        [f"sign:{UNIT}", f"handle:{UNIT}", "sign:water", "handle:water"]
    )
    both = person(Role.VERIFIER, Role.INTAKE, name=HANDLER.id)
    plumber = person(Role.UNIT_HANDLER, name="plumber", units=(WATER,))
    incident.sign(by=plumber, at=NOW)
    incident.start_handling(by=plumber, at=NOW)
    incident.release_assistance(by=DISPATCHER, at=NOW, unit=UNIT, reason="not needed")
    incident.give_feedback(by=plumber, at=NOW, result="mended")
    with pytest.raises(RuleError, match="handled this incident"):
        incident.verify(by=both, at=NOW, passed=True, note="fine")
    incident.verify(by=VERIFIER, at=NOW, passed=True, note="fine")
    assert (incident.state, incident.round) == (S.CLOSED, 2)
    assert replayed(incident) == incident


# --- archiving 归档 ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("state", [S.CLOSED, S.EVALUATED])
def test_what_the_reporter_can_have_reopened_is_not_archived_yet(state):
    incident = in_state(state)
    with pytest.raises(
        RuleError, match=r"until 2026-03-31T08:00:00\+00:00 the reporter may have it reopened"
    ):
        incident.archive(by=SUPERVISOR, at=NOW + REOPENING_WINDOW)
    incident.archive(by=SUPERVISOR, at=NOW + REOPENING_WINDOW + MOMENT)
    assert incident.state is S.ARCHIVED


@pytest.mark.parametrize("state", sorted(set(S) - {S.CLOSED, S.EVALUATED}))
def test_only_what_is_closed_is_archived(state):
    with pytest.raises(RuleError, match=f"incident.archived is refused: the incident is {state}"):
        in_state(state).archive(by=SUPERVISOR, at=NOW + REOPENING_WINDOW * 2)


# --- what is kept beside it -------------------------------------------------------------------------------------------


def attach(incident, digest=PICTURE):
    incident.attach_evidence(by=HANDLER, at=NOW, sha256=digest, media_type="image/jpeg", note="the heap")


def comment(incident):
    incident.comment(by=HANDLER, at=NOW, text="asked the neighbours")


def open_dispute(incident, dispute=7):
    incident.open_dispute(by=INTAKE, at=NOW, dispute_id=UUID(int=dispute))


def tag(incident, mechanism=JointMechanism.PUBLIC_SECURITY):
    incident.tag_mechanism(by=DISPATCHER, at=NOW, mechanism=mechanism)


@pytest.mark.parametrize("state", KEPT)
def test_evidence_comments_disputes_and_tags_are_added_as_long_as_it_is_kept_and_it_stays_where_it_is(state):
    incident = in_state(state)
    attach(incident)
    attach(incident, "b" * 64)
    comment(incident)
    comment(incident)
    open_dispute(incident)
    open_dispute(incident, 8)
    tag(incident)
    tag(incident, JointMechanism.KEY_TASKS)
    assert incident.state is state
    assert incident.evidence == {PICTURE, "b" * 64}
    assert incident.disputes == {UUID(int=7), UUID(int=8)}
    assert incident.mechanism is JointMechanism.KEY_TASKS
    assert replayed(incident) == incident


@pytest.mark.parametrize("state", NOT_KEPT)
@pytest.mark.parametrize("add", [attach, comment, open_dispute, tag])
def test_nothing_is_added_to_what_is_archived_rejected_or_merged(add, state):
    incident = in_state(state)
    version = incident.version
    with pytest.raises(RuleError, match=f"is refused: the incident is {state}"):
        add(incident)
    assert incident.version == version


def test_the_same_evidence_is_attached_once_and_the_same_dispute_linked_once():
    incident = reported()
    attach(incident)
    open_dispute(incident)
    with pytest.raises(RuleError, match=f"evidence {PICTURE} is attached to this incident already"):
        attach(incident)
    with pytest.raises(RuleError, match="dispute 00000000-0000-0000-0000-000000000007 is linked to this"):
        open_dispute(incident)


def test_the_same_tag_is_given_once_and_another_one_replaces_it():
    incident = reported()
    tag(incident)
    with pytest.raises(RuleError, match="is tagged PUBLIC_SECURITY already"):
        tag(incident)
    tag(incident, JointMechanism.KEY_TASKS)
    tag(incident)
    assert incident.mechanism is JointMechanism.PUBLIC_SECURITY
