"""What an aggregate's events said and changed, and how it differs between two moments."""

import json
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from given import NOW, person
from samples import filled

from domain.history import Change, difference, known, plain, replay
from domain.incident import Incident, IncidentState, Source
from domain.model import EVENTS
from domain.people import Role
from domain.personal import Personal, of_subject
from domain.ports import Entry
from domain.site import Direction, Gate, GateMode, Site

UNIT = "urban-management"
SCOPE = of_subject(UUID(int=7))
SITE = Site.plan(code="gaoqiao", name="高桥", township="yuhai", by=person(Role.ADMIN), at=NOW)
MINUTE = timedelta(minutes=1)


def entries(aggregate, first=10):
    """Its events as the log has them: every second position, each recorded a minute after the one before."""
    return [
        Entry(first + 2 * number, NOW + number * MINUTE, event, {})
        for number, event in enumerate(aggregate.collect_events())
    ]


@pytest.fixture
def history():
    """Reported, accepted, dispatched."""
    incident = Incident.report(
        id=UUID(int=1),
        site=SITE,
        by=person(Role.INTAKE),
        at=NOW,
        source=Source.CITIZEN,
        category="noise",
        description="太吵",
        reporter=Personal(SCOPE, "陈女士"),
    )
    incident.accept(by=person(Role.INTAKE), at=NOW + timedelta(hours=1))
    incident.dispatch(by=person(Role.DISPATCHER), at=NOW + timedelta(hours=2), lead_unit=UNIT)
    return entries(incident)


def test_every_event_says_who_when_and_what_it_changed(history):
    reported, accepted, dispatched = replay(history)
    assert (reported.position, reported.version, reported.topic) == (10, 1, "incident.reported")
    assert (dispatched.actor, dispatched.happened_at) == ("p-dispatcher", NOW + timedelta(hours=2))
    assert dispatched.recorded_at == NOW + 2 * MINUTE
    assert accepted.said == {}
    assert accepted.changed == {"state": Change("REPORTED", "ACCEPTED")}
    assert list(dispatched.said) == ["deadlines", "lead_unit", "assisting"]
    assert dispatched.changed["lead_unit"] == Change(None, UNIT)


def test_the_first_event_changes_everything_from_nothing(history):
    reported = replay(history)[0]
    assert all(change.before is None for change in reported.changed.values())
    assert reported.state["state"] == "REPORTED"
    assert next(iter(reported.state)) == "state"
    assert set(reported.changed) == set(reported.state)


def test_the_states_in_between_stay_as_they_were(history):
    assert [past.state["state"] for past in replay(history)] == ["REPORTED", "ACCEPTED", "DISPATCHED"]


def test_a_personal_value_is_said_to_be_there_and_never_shown(history):
    reported = replay(history)[0]
    assert (reported.said["reporter"], reported.state["reporter"]) == ("[sealed]", "[sealed]")
    assert "陈女士" not in repr(replay(history))


def test_a_personal_value_whose_key_is_destroyed_is_redacted(history):
    assert replay(history, frozenset({SCOPE}))[0].said["reporter"] == "[redacted]"
    assert replay(history, frozenset({of_subject(UUID(int=8))}))[0].said["reporter"] == "[sealed]"


@pytest.mark.parametrize(
    ("moment", "count"),
    [
        (9, 0),
        (10, 1),
        (11, 1),
        (12, 2),
        (99, 3),
        (NOW - MINUTE, 0),
        (NOW, 1),
        (NOW + MINUTE, 2),
        (datetime(2100, 1, 1, tzinfo=UTC), 3),
    ],
)
def test_what_the_log_knew_at_a_position_and_at_a_time_of_recording(history, moment, count):
    assert known(replay(history), moment) == count


def test_the_difference_of_two_moments_is_the_fields_that_are_not_the_same(history):
    reported, _, dispatched = replay(history)
    found = difference(reported.state, dispatched.state)
    assert found.pop("deadlines").before == []
    assert found == {
        "state": Change("REPORTED", "DISPATCHED"),
        "lead_unit": Change(None, UNIT),
        "legs": Change({}, {UNIT: "DISPATCHED"}),
    }
    assert difference(reported.state, reported.state) == {}


def test_a_field_that_is_there_without_a_value_differs_from_one_that_is_not_there():
    assert difference({}, {"a": None}) == {"a": Change(None, None)}
    assert difference({"a": 1}, {}) == {"a": Change(1, None)}


def test_a_site_with_its_gates_is_replayed_as_well():
    site = Site.plan(code="gaoqiao", name="高桥", township="yuhai", by=person(Role.ADMIN), at=NOW)
    site.add_gate(by=person(Role.ADMIN), at=NOW, gate=Gate("main", "大门", GateMode.OPEN, Direction.IN))
    planned, gated = replay(entries(site))
    assert planned.state["gates"] == {}
    gate = {"code": "main", "name": "大门", "mode": "OPEN", "direction": "IN", "credentials": ["CARD"]}
    assert gated.changed["gates"] == Change({}, {"main": gate})


def test_plain_values_are_what_json_has():
    assert plain((IncidentState.CLOSED, UUID(int=1), NOW, NOW.date(), True, 1, 0.5, None)) == [
        "CLOSED",
        str(UUID(int=1)),
        "2026-03-01T08:00:00+00:00",
        "2026-03-01",
        True,
        1,
        0.5,
        None,
    ]
    assert type(plain(IncidentState.CLOSED)) is str
    assert plain(frozenset({"b", "a"})) == ["a", "b"]
    assert plain({SCOPE: [Personal(SCOPE, "陈女士")]}) == {SCOPE: ["[sealed]"]}


@pytest.mark.parametrize("event_class", EVENTS.values(), ids=EVENTS)
def test_whatever_an_event_may_say_has_a_plain_form(event_class):
    assert json.loads(json.dumps(plain(vars(filled(event_class))))) == plain(vars(filled(event_class)))


def test_a_value_of_a_kind_that_nobody_thought_of_is_a_defect_and_not_a_guess():
    with pytest.raises(TypeError, match="object has no plain form"):
        plain(object())
