"""Whatever anybody tries on incidents, they stay what the table of transitions allows, and nobody judges their own work."""

from datetime import timedelta
from random import Random
from uuid import UUID

from given import NOW, person
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from wandering import COMMANDS, STAFF, USUAL, attempt, wander

from domain.incident import HIGHEST, OPEN, REOPENING_WINDOW, WITH_UNITS, Incident, IncidentState, Leg, Source
from domain.lifecycle import transitions
from domain.model import event_classes
from domain.people import Role
from domain.site import Site

SITE = Site.plan(code="gaoqiao", name="高桥", township="yuhai", by=person(Role.ADMIN), at=NOW)
TABLE = set(transitions(event_classes(Incident).values()))
JUDGEMENTS = (Incident.Closed, Incident.Reworked, Incident.Evaluated, Incident.Parked)
WORK = (Incident.HandlingStarted, Incident.FeedbackGiven, Incident.AssistanceGiven, Incident.ClosedOnTheSpot)
CLOCK = person(Role.DEVICE, name="worker:timers")


class Incidents(RuleBasedStateMachine):
    """Three incidents, and everybody."""

    @initialize()
    def begin(self):
        self.now = NOW
        self.incidents = [
            Incident.report(
                id=UUID(int=number),
                site=SITE,
                by=STAFF[0],
                at=NOW,
                source=Source.CITIZEN,
                category="noise",
                description="太吵",
            )
            for number in range(3)
        ]
        self.events = {one.id: list(one.collect_events()) for one in self.incidents}
        self.states = {one.id: one.state for one in self.incidents}

    def take(self):
        """Check every new event against the table and against who did what before."""
        for incident in self.incidents:
            for event in incident.collect_events():
                before = self.states[incident.id]
                after = event.TO or before
                assert (str(before), event.TOPIC, str(after)) in TABLE
                earlier = self.events[incident.id]
                if isinstance(event, JUDGEMENTS):
                    assert event.actor not in {one.actor for one in earlier if isinstance(one, WORK)}
                if isinstance(event, Incident.Returned | Incident.ReturnRefused):
                    asked = [one for one in earlier if isinstance(one, Incident.ReturnRequested)]
                    assert event.actor != asked[-1].actor
                if isinstance(event, Incident.ExtensionGranted | Incident.ExtensionRefused):
                    asked = [one for one in earlier if isinstance(one, Incident.ExtensionRequested)]
                    assert event.actor != asked[-1].actor
                earlier.append(event)
                self.states[incident.id] = after

    @rule(
        which=st.integers(0, 2),
        name=st.sampled_from(USUAL) | st.sampled_from(COMMANDS),
        who=st.sampled_from(STAFF),
        seed=st.integers(0, 1000),
        hours=st.integers(0, 100),
    )
    def somebody_tries_something(self, which, name, who, seed, hours):
        self.now += timedelta(hours=hours)
        incident = self.incidents[which]
        others = [one for one in self.incidents if one is not incident]
        before = [one.version for one in self.incidents]
        refused = attempt(name, who, Random(seed), incident, self.now, others)
        assert (refused is not None) == (before == [one.version for one in self.incidents])
        self.take()

    @rule(which=st.integers(0, 2), seed=st.integers(0, 1000), steps=st.integers(1, 25))
    def somebody_competent_moves_it_on(self, which, seed, steps):
        random, incident = Random(seed), self.incidents[which]
        others = [one for one in self.incidents if one is not incident]
        for _ in range(steps):
            self.now += timedelta(minutes=random.randrange(3_000))
            wander(random, incident, self.now, others)
        self.take()

    @rule()
    def nobody_does_anything_for_long(self):
        self.now += REOPENING_WINDOW

    @rule(which=st.integers(0, 2))
    def time_passes(self, which):
        incident = self.incidents[which]
        if incident.deadlines:
            first = min(incident.deadlines, key=lambda one: one.due_at)
            self.now = max(self.now, first.due_at)
            for _ in range(2):  # noticed twice, recorded once
                incident.pass_deadline(by=CLOCK, at=self.now, name=first.name)
            passed = [event for event in incident.pending_events if isinstance(event, Incident.Overdue)]
            assert [event.name for event in passed] == [first.name]
        self.take()

    @invariant()
    def the_version_is_the_number_of_events(self):
        assert [one.version for one in self.incidents] == [len(self.events[one.id]) for one in self.incidents]

    @invariant()
    def a_replay_is_the_live_state(self):
        for incident in self.incidents:
            replayed = None
            for event in self.events[incident.id]:
                replayed = event.mutate(replayed)
            assert replayed == incident

    @invariant()
    def mergers_are_linked_both_ways(self):
        merged = {(one.id, one.merged_into) for one in self.incidents if one.merged_into}
        assert merged == {(other, one.id) for one in self.incidents for other in one.duplicates}
        assert all(
            (one.merged_into is not None) == (one.state is IncidentState.MERGED) for one in self.incidents
        )

    @invariant()
    def nothing_runs_on_what_is_settled_and_nothing_is_verified_before_all_have_answered(self):
        for incident in self.incidents:
            if incident.state not in OPEN:
                assert incident.deadlines == ()
            if incident.state is IncidentState.VERIFYING:
                assert set(incident.legs.values()) == {Leg.DONE}

    @invariant()
    def only_what_is_still_to_do_is_due_and_only_of_those_who_have_to_do_it(self):
        for incident in self.incidents:
            possible = {
                *(f"sign:{unit}" for unit, leg in incident.legs.items() if leg is Leg.DISPATCHED),
                *(f"handle:{unit}" for unit, leg in incident.legs.items() if leg is not Leg.DONE),
            }
            if incident.state is IncidentState.VERIFYING:
                possible = {"verify"}
            if incident.parked_at is not None:
                assert incident.state is IncidentState.HANDLING
                assert {one.name for one in incident.resumes_with} <= possible
                possible = {"parking"}
            names = [one.name for one in incident.deadlines]
            assert set(names) <= possible
            assert len(set(names)) == len(names)
            assert incident.level <= HIGHEST

    @invariant()
    def what_waits_for_a_decision_can_be_decided(self):
        for incident in self.incidents:
            returning = incident.state is IncidentState.RETURN_REQUESTED
            assert (incident.return_asked_by is not None) == returning
            assert incident.extension is None or returning or incident.state in WITH_UNITS


Incidents.TestCase.settings = settings(max_examples=40, stateful_step_count=25, deadline=None)
TestIncidents = Incidents.TestCase
