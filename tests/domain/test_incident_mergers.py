"""并案: two reports of the same matter become one incident; both ends know of it, and it can be undone."""

from uuid import UUID

import pytest
from given import NOW
from incidents import HOUR, INTAKE, SITE, SUPERVISOR, in_state, replayed, reported

from domain.errors import InvalidError, RuleError
from domain.incident import KEPT, Incident, IncidentState, Source

S = IncidentState
NOT_KEPT = sorted(set(S) - set(KEPT))


def merge(incident, into):
    incident.merge(by=INTAKE, at=NOW + HOUR, into=into)


def unmerge(incident, main, reason="another dog"):
    incident.unmerge(by=SUPERVISOR, at=NOW + 2 * HOUR, main=main, reason=reason)


def merged(main=None):
    """A duplicate and the incident that it was merged into."""
    duplicate, main = reported(2), main or reported(1)
    merge(duplicate, main)
    return duplicate, main


@pytest.mark.parametrize("state", KEPT)
def test_a_report_is_merged_into_an_incident_that_is_kept_and_both_know(state):
    duplicate, main = merged(in_state(state))
    assert (duplicate.state, duplicate.merged_into) == (S.MERGED, main.id)
    assert (main.state, main.duplicates) == (state, {duplicate.id})
    assert (replayed(duplicate), replayed(main)) == (duplicate, main)


@pytest.mark.parametrize("state", NOT_KEPT)
def test_nothing_is_merged_into_what_is_rejected_merged_or_archived_and_neither_changes(state):
    duplicate, main = reported(2), in_state(state)
    version = main.version
    with pytest.raises(RuleError, match=f"duplicate_added is refused: the incident is {state}"):
        merge(duplicate, main)
    assert (duplicate.state, duplicate.version, main.version) == (S.REPORTED, 1, version)


@pytest.mark.parametrize("state", [S.CLOSED, S.EVALUATED])
def test_what_happened_after_the_other_was_closed_is_not_the_same_matter(state):
    """Or a matter that comes back would be in no figure: neither as reported nor as reopened."""
    main = in_state(state)
    later = {"by": INTAKE, "at": NOW + 2 * HOUR, "site": SITE, "source": Source.CITIZEN, "category": "noise"}
    late = Incident.report(id=UUID(int=2), description="太吵", **later)
    with pytest.raises(
        RuleError, match=f"happened after {main.id} was closed: accept it, or have that one reopened"
    ):
        merge(late, main)
    assert (late.state, main.duplicates) == (S.REPORTED, frozenset())
    told_late = Incident.report(id=UUID(int=3), description="太吵", occurred_at=NOW, **later)
    merge(told_late, main)
    assert main.duplicates == {told_late.id}


@pytest.mark.parametrize("state", sorted(set(S) - {S.REPORTED}))
def test_only_what_was_just_reported_is_merged(state):
    incident, main = in_state(state), reported(2)
    with pytest.raises(RuleError, match=f"incident.merged is refused: the incident is {state}"):
        merge(incident, main)
    assert (main.version, main.duplicates) == (1, frozenset())


def test_an_incident_is_not_merged_into_itself():
    incident = reported()
    for same in (incident, reported()):
        with pytest.raises(RuleError, match="cannot be merged into itself"):
            merge(incident, same)


def test_an_incident_that_others_were_merged_into_is_not_merged_itself():
    _, main = merged()
    with pytest.raises(RuleError, match="1 others were merged into this incident"):
        merge(main, reported(3))
    assert main.state is S.REPORTED


def test_many_are_merged_into_one():
    main = reported(1)
    several = [reported(number) for number in range(2, 5)]
    for one in several:
        merge(one, main)
    assert main.duplicates == {one.id for one in several}
    unmerge(several[0], main)
    assert main.duplicates == {one.id for one in several[1:]}


def test_an_undone_merger_leaves_two_incidents_that_know_nothing_of_each_other():
    duplicate, main = merged()
    unmerge(duplicate, main)
    assert (duplicate.state, duplicate.merged_into, main.duplicates) == (S.REPORTED, None, frozenset())
    assert (replayed(duplicate), replayed(main)) == (duplicate, main)


def test_after_it_was_undone_either_goes_its_own_way_and_can_be_merged_again():
    duplicate, main = merged()
    unmerge(duplicate, main)
    merge(main, duplicate)
    assert (main.merged_into, duplicate.duplicates) == (duplicate.id, {main.id})
    duplicate.accept(by=INTAKE, at=NOW)
    assert duplicate.state is S.ACCEPTED


ENDS = {
    S.REJECTED: lambda main: main.reject(by=INTAKE, at=NOW, reason="not ours"),
    S.ACCEPTED: lambda main: main.accept(by=INTAKE, at=NOW),
}


@pytest.mark.parametrize("state", ENDS)
def test_a_merger_is_undone_whatever_became_of_the_main_incident(state):
    """The reporter of the duplicate is not turned away with a matter that was not theirs."""
    duplicate, main = merged()
    ENDS[state](main)
    unmerge(duplicate, main)
    assert (duplicate.state, main.state, main.duplicates) == (S.REPORTED, state, frozenset())


def test_a_merger_is_undone_although_the_main_incident_is_archived():
    duplicate, main = merged(in_state(S.CLOSED))
    main.archive(by=SUPERVISOR, at=NOW + 60 * 24 * HOUR)
    unmerge(duplicate, main)
    assert (duplicate.state, main.duplicates) == (S.REPORTED, frozenset())


def test_a_merger_is_undone_with_the_incident_it_was_made_with_and_with_a_reason():
    duplicate, main = merged()
    with pytest.raises(RuleError, match="is not merged into 00000000-0000-0000-0000-000000000003"):
        unmerge(duplicate, reported(3))
    with pytest.raises(RuleError, match="is not merged into"):
        unmerge(main, duplicate)
    with pytest.raises(InvalidError, match="reason is empty"):
        unmerge(duplicate, main, reason=" ")
    assert (duplicate.merged_into, main.duplicates) == (main.id, {duplicate.id})


def test_a_merged_incident_is_not_worked_on():
    duplicate, _ = merged()
    for method, fields in (("accept", {}), ("reject", {"reason": "x"}), ("comment", {"text": "x"})):
        with pytest.raises(RuleError, match="the incident is MERGED"):
            getattr(duplicate, method)(by=INTAKE, at=NOW, **fields)
