"""An alarm: from the trip to its clearing, who may silence it, and what happens when nobody comes."""

from datetime import timedelta
from uuid import UUID

import pytest
from driving import AnyOrder
from given import NOW, person
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, rule

from domain import policy
from domain.alarm import (
    ACK_WITHIN,
    FLOOD_WINDOW,
    LONGEST_SHELF,
    Alarm,
    AlarmState,
    FalseCause,
    Trigger,
    absorb,
)
from domain.errors import InvalidError, RuleError
from domain.lifecycle import transitions
from domain.model import event_classes
from domain.people import Role
from domain.site import Site

S = AlarmState
SITE = Site.plan(code="gaoqiao", name="高桥", township="yuhai", by=person(Role.ADMIN), at=NOW)
PANEL, TIMER = person(Role.DEVICE, name="panel"), person(Role.DEVICE, name="timer")
GUARD, REVIEWER, CHIEF, ADMIN = (
    person(role) for role in (Role.GUARD, Role.REVIEWER, Role.SUPERVISOR, Role.ADMIN)
)
SECOND, TICK = timedelta(seconds=1), timedelta(microseconds=1)
INCIDENT = UUID(int=9)
STEPS = {
    "acknowledge": (GUARD, {}),
    "review": (REVIEWER, {}),
    "find_real": (REVIEWER, {"incident_id": INCIDENT}),
    "go_normal": (PANEL, {}),
    "restore": (GUARD, {}),
    "clear": (GUARD, {}),
}
"""The commands on the straight way, each with somebody who may and what it takes."""
VERDICTS = {
    "find_real": {"incident_id": INCIDENT},
    "find_false": {"cause": FalseCause.ANIMAL},
    "find_test": {},
}


def tripped(**changed):
    fields = {"sensor": "wall-3", "trigger": Trigger.SENSOR}
    return Alarm.trip(id=UUID(int=1), site=SITE, by=PANEL, at=NOW, **(fields | changed))


def do(alarm, command, *, by=None, at=NOW):
    somebody, fields = STEPS[command]
    getattr(alarm, command)(by=by or somebody, at=at, **fields)


def after(last):
    """An alarm on which everything up to the command `last` was done."""
    alarm = tripped()
    for command in list(STEPS)[: list(STEPS).index(last) + 1]:
        do(alarm, command)
    return alarm


def judged(verdict):
    alarm = after("review")
    getattr(alarm, verdict)(by=REVIEWER, at=NOW, **VERDICTS[verdict])
    return alarm


def topics(alarm):
    return [event.TOPIC for event in alarm.collect_events()]


def test_the_transitions_are_those_of_the_table():
    assert [row for row in transitions(event_classes(Alarm).values()) if row[0] != row[2]] == [
        ("TRIPPED", "alarm.acknowledged", "ACKED"),
        ("ACKED", "alarm.reviewed", "REVIEWED"),
        ("REVIEWED", "alarm.found_real", "REAL"),
        ("REVIEWED", "alarm.found_false", "FALSE"),
        ("REVIEWED", "alarm.found_test", "TEST"),
        ("REAL", "alarm.restored", "RESTORED"),
        ("FALSE", "alarm.restored", "RESTORED"),
        ("TEST", "alarm.restored", "RESTORED"),
        ("RESTORED", "alarm.cleared", "CLEARED"),
    ]


def test_a_real_alarm_goes_from_trip_to_clearing_and_names_its_incident():
    assert [tripped().state, *(after(last).state for last in STEPS)] == [
        S.TRIPPED,
        S.ACKED,
        S.REVIEWED,
        S.REAL,
        S.REAL,
        S.RESTORED,
        S.CLEARED,
    ]
    cleared = after("clear")
    assert (cleared.incident_id, cleared.acknowledged_by, cleared.reviewer) == (
        INCIDENT,
        GUARD.id,
        REVIEWER.id,
    )


@pytest.mark.parametrize("command", [step for step in STEPS if step != "go_normal"])
@pytest.mark.parametrize("last", [None, *STEPS])
def test_a_command_is_refused_in_every_state_but_its_own(last, command):
    steps = list(STEPS)
    alarm = after(last) if last else tripped()
    before = {"restore": ["go_normal"]}.get(command, steps[: steps.index(command)][-1:] or [None])
    if last in before:
        do(alarm, command)
    else:
        with pytest.raises(RuleError, match=f"the alarm is {alarm.state}, and it must be|is still active"):
            do(alarm, command)


def test_a_sensor_is_named_by_its_code():
    with pytest.raises(InvalidError, match="sensor"):
        tripped(sensor="Wall 3")


# --- what it was ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("verdict", "state"), list(zip(VERDICTS, (S.REAL, S.FALSE, S.TEST), strict=True)))
def test_only_who_saw_the_video_says_what_it_was(verdict, state):
    alarm = after("review")
    other = person(Role.REVIEWER, name="other")
    with pytest.raises(RuleError, match="p-reviewer reviewed this alarm and says what it was, not other"):
        getattr(alarm, verdict)(by=other, at=NOW, **VERDICTS[verdict])
    getattr(alarm, verdict)(by=REVIEWER, at=NOW, **VERDICTS[verdict])
    assert alarm.state is state
    assert alarm.collect_events()[-1].actor == REVIEWER.id


@pytest.mark.parametrize("verdict", VERDICTS)
def test_no_alarm_is_judged_before_somebody_saw_the_video(verdict):
    with pytest.raises(RuleError, match="the alarm is ACKED, and it must be REVIEWED"):
        getattr(after("acknowledge"), verdict)(by=REVIEWER, at=NOW, **VERDICTS[verdict])


@pytest.mark.parametrize("verdict", VERDICTS)
def test_an_alarm_is_restored_once_its_sensor_is_quiet(verdict):
    alarm = judged(verdict)
    with pytest.raises(RuleError, match="wall-3 is still active"):
        do(alarm, "restore")
    do(alarm, "go_normal")
    do(alarm, "restore")
    assert alarm.state is S.RESTORED


def test_a_sensor_can_go_quiet_before_anybody_came_and_says_so_once():
    alarm = tripped()
    for _ in range(2):
        do(alarm, "go_normal")
    assert (alarm.active, alarm.state) == (False, S.TRIPPED)
    assert topics(alarm) == ["alarm.tripped", "alarm.went_normal"]


# --- the same sensor again --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("after_trip", "taken"),
    [
        (FLOOD_WINDOW, True),
        (FLOOD_WINDOW + TICK, False),
        (timedelta(), True),
        (-FLOOD_WINDOW, True),  # told late
        (-FLOOD_WINDOW - TICK, False),
    ],
)
def test_the_same_sensor_within_the_window_is_the_same_alarm(after_trip, taken):
    alarm = tripped()
    assert absorb(alarm, SITE.id, "wall-3", NOW + after_trip) is taken
    if taken:
        alarm.trip_again(by=PANEL, at=NOW + after_trip)
        assert (alarm.trip_count, alarm.state) == (2, S.TRIPPED)
    else:
        with pytest.raises(RuleError, match="it is another alarm"):
            alarm.trip_again(by=PANEL, at=NOW + after_trip)


def test_another_sensor_or_site_is_another_alarm():
    assert not absorb(tripped(), SITE.id, "wall-4", NOW)
    assert not absorb(tripped(), UUID(int=3), "wall-3", NOW)


def test_each_trip_moves_the_window_and_a_late_one_does_not_move_it_back():
    alarm = tripped()
    for minutes in (2, 4, 3):
        alarm.trip_again(by=PANEL, at=NOW + timedelta(minutes=minutes))
    assert (alarm.trip_count, alarm.last_tripped_at) == (4, NOW + timedelta(minutes=4))
    assert absorb(alarm, SITE.id, "wall-3", NOW + timedelta(minutes=6))


@pytest.mark.parametrize("last", ["acknowledge", "review", "find_real"])
def test_a_trip_while_somebody_is_at_it_is_counted_and_makes_it_active_again(last):
    alarm = after(last)
    do(alarm, "go_normal")
    alarm.trip_again(by=PANEL, at=NOW + SECOND)
    assert (alarm.active, alarm.trip_count) == (True, 2)


@pytest.mark.parametrize("verdict", ["find_false", "find_test"])
def test_what_trips_after_a_verdict_is_not_swallowed_by_it(verdict):
    alarm = judged(verdict)
    assert not absorb(alarm, SITE.id, "wall-3", NOW + SECOND)
    with pytest.raises(RuleError, match=f"the alarm is {alarm.state}"):
        alarm.trip_again(by=PANEL, at=NOW + SECOND)


@pytest.mark.parametrize("last", ["restore", "clear"])
def test_an_alarm_that_is_over_takes_in_no_trip(last):
    assert not absorb(after(last), SITE.id, "wall-3", NOW)


# --- nobody comes -----------------------------------------------------------------------------------------------------


def test_what_nobody_acknowledges_escalates_level_by_level_each_once():
    alarm, at = tripped(), NOW
    for level, within in enumerate(ACK_WITHIN, start=1):
        assert [(one.name, one.due_at) for one in alarm.deadlines] == [("ack", at + within)]
        at += within
        alarm.pass_deadline(by=TIMER, at=at - TICK, name="ack")
        for _ in range(2):
            alarm.pass_deadline(by=TIMER, at=at, name="ack")
        assert alarm.level == level
    assert alarm.deadlines == ()
    alarm.pass_deadline(by=TIMER, at=at + timedelta(days=1), name="ack")
    assert topics(alarm) == ["alarm.tripped"] + ["alarm.escalated"] * len(ACK_WITHIN)


def test_what_is_acknowledged_does_not_escalate():
    alarm = after("acknowledge")
    alarm.pass_deadline(by=TIMER, at=NOW + timedelta(days=1), name="ack")
    assert (alarm.level, alarm.deadlines, alarm.acknowledged) == (0, (), True)


# --- silence ----------------------------------------------------------------------------------------------------------

SILENCE = {
    "shelve": ("unshelve", CHIEF, {"until": NOW + timedelta(hours=1), "reason": "施工"}),
    "suppress": ("unsuppress", CHIEF, {"reason": "施工"}),
    "take_out_of_service": ("return_to_service", ADMIN, {"reason": "坏了"}),
}


def silence(alarm, way, *, by=None, at=NOW, **changed):
    _, somebody, fields = SILENCE[way]
    getattr(alarm, way)(by=by or somebody, at=at, **(fields | changed))


def end_silence(alarm, way, *, at=NOW):
    back, somebody, _ = SILENCE[way]
    getattr(alarm, back)(by=somebody, at=at)


@pytest.mark.parametrize("way", SILENCE)
def test_a_silenced_alarm_calls_for_nobody_and_then_begins_anew(way):
    alarm = tripped()
    silence(alarm, way)
    assert not alarm.annunciated
    alarm.pass_deadline(by=TIMER, at=NOW + timedelta(minutes=30), name="ack")
    assert alarm.level == 0
    back = NOW + timedelta(minutes=40)
    end_silence(alarm, way, at=back)
    assert alarm.annunciated
    assert [(one.name, one.due_at) for one in alarm.deadlines] == [("ack", back + ACK_WITHIN[0])]


@pytest.mark.parametrize("way", SILENCE)
def test_silence_is_begun_and_ended_once_and_with_a_reason(way):
    alarm = tripped()
    with pytest.raises(RuleError, match="is not"):
        end_silence(alarm, way)
    with pytest.raises(InvalidError, match="reason is empty"):
        silence(alarm, way, reason=" ")
    silence(alarm, way)
    with pytest.raises(RuleError, match="already"):
        silence(alarm, way)
    end_silence(alarm, way)


@pytest.mark.parametrize("way", SILENCE)
@pytest.mark.parametrize("other", SILENCE)
def test_ways_of_silence_do_not_end_each_other(way, other):
    if way == other:
        return
    alarm = tripped()
    silence(alarm, way)
    silence(alarm, other)
    shelf = [one for one in alarm.deadlines if one.name == "shelve"]
    assert len(shelf) == ("shelve" in {way, other})
    end_silence(alarm, way)
    assert not alarm.annunciated
    assert [one.name for one in alarm.deadlines] == (["shelve"] if other == "shelve" else [])
    end_silence(alarm, other)
    assert [one.name for one in alarm.deadlines] == ["ack"]


@pytest.mark.parametrize("way", SILENCE)
def test_whoever_acknowledged_an_alarm_does_not_silence_it_and_the_other_way_round(way):
    both = person(Role.GUARD, Role.SUPERVISOR, Role.ADMIN, name="both")
    alarm = tripped()
    do(alarm, "acknowledge", by=both)
    with pytest.raises(RuleError, match="both acknowledged this alarm: somebody else must"):
        silence(alarm, way, by=both)
    alarm = tripped()
    silence(alarm, way, by=both)
    with pytest.raises(RuleError, match="both silenced this alarm"):
        do(alarm, "acknowledge", by=both)
    do(alarm, "acknowledge")


def test_the_role_that_acknowledges_is_not_the_one_that_silences():
    for way, (back, _, _) in SILENCE.items():
        for command in (way, back):
            assert not policy.ALLOWED["alarm.acknowledge"] & policy.ALLOWED[f"alarm.{command}"]


def test_a_shelf_is_for_a_shift_at_most_and_the_alarm_comes_back_by_itself():
    for until in (NOW, NOW - SECOND, NOW + LONGEST_SHELF + TICK):
        with pytest.raises(RuleError, match="shelved until a time within"):
            silence(tripped(), "shelve", until=until)
    alarm, until = tripped(), NOW + LONGEST_SHELF
    silence(alarm, "shelve", until=until)
    alarm.pass_deadline(by=TIMER, at=until - TICK, name="shelve")
    assert alarm.shelved
    for _ in range(2):
        alarm.pass_deadline(by=TIMER, at=until, name="shelve")
    assert not alarm.shelved
    assert topics(alarm) == ["alarm.tripped", "alarm.shelved", "alarm.unshelved"]


def test_what_was_acknowledged_before_it_was_shelved_needs_nobody_afterwards():
    alarm = after("acknowledge")
    silence(alarm, "shelve")
    end_silence(alarm, "shelve")
    assert alarm.deadlines == ()


def test_a_cleared_alarm_is_silenced_no_more():
    for way in SILENCE:
        with pytest.raises(RuleError, match="the alarm is CLEARED"):
            silence(after("clear"), way)
    shelved = after("restore")
    silence(shelved, "shelve")
    do(shelved, "clear")
    assert shelved.deadlines == ()


# --- anything, in any order -------------------------------------------------------------------------------------------

PEOPLE = st.sampled_from(
    [
        PANEL,
        TIMER,
        GUARD,
        REVIEWER,
        CHIEF,
        ADMIN,
        person(Role.GUARD, Role.SUPERVISOR, name="both"),
        person(Role.REVIEWER, name="other"),
    ]
)
COMMANDS = {name: fields for name, (_, fields) in STEPS.items()} | VERDICTS | {"trip_again": {}}


class Alarms(AnyOrder):
    """Commands of anybody whose role allows it, in any order, as time goes by."""

    @initialize(last=st.sampled_from([None, *STEPS]))
    def begin_anywhere(self, last):
        self.begin(after(last) if last else tripped())

    @rule(seconds=st.integers(1, 600))
    def time_passes(self, seconds):
        self.at += seconds * SECOND
        for name in ("ack", "shelve"):
            self.try_to("pass_deadline", TIMER, name=name)

    @rule(by=PEOPLE, command=st.sampled_from(sorted(COMMANDS)))
    def step(self, by, command):
        self.try_to(command, by, **COMMANDS[command])

    @rule(verdict=st.sampled_from(sorted(VERDICTS)))
    def judge(self, verdict):
        self.try_to("review", REVIEWER)
        self.try_to(verdict, REVIEWER, **VERDICTS[verdict])

    @rule(by=PEOPLE, way=st.sampled_from(sorted(SILENCE)), minutes=st.integers(-1, 500))
    def silence(self, by, way, minutes):
        until = {"until": self.at + timedelta(minutes=minutes)} if way == "shelve" else {}
        self.try_to(way, by, reason="x", **until)

    @rule(by=PEOPLE, way=st.sampled_from(sorted(SILENCE)))
    def end_silence(self, by, way):
        self.try_to(SILENCE[way][0], by)

    @invariant()
    def duties_stay_apart(self):
        acknowledged = {event.actor for event in self.events if isinstance(event, Alarm.Acknowledged)}
        silenced = {
            event.actor
            for event in self.events
            if isinstance(event, Alarm.Shelved | Alarm.Suppressed | Alarm.TakenOutOfService)
        }
        assert not acknowledged & silenced

    @invariant()
    def it_calls_for_somebody_or_somebody_has_a_reason(self):
        """It waits for an acknowledgement exactly if it is to be heard, nobody came and there is somebody left to call."""
        alarm = self.live
        names = [one.name for one in alarm.deadlines]
        waits = alarm.state is S.TRIPPED and alarm.annunciated and alarm.level < len(ACK_WITHIN)
        assert names.count("ack") == waits
        assert names.count("shelve") == (alarm.shelved and alarm.state is not S.CLEARED)

    @invariant()
    def levels_are_called_once_each(self):
        levels = [event.level for event in self.events if isinstance(event, Alarm.Escalated)]
        assert levels == list(range(1, len(levels) + 1))
        assert len(levels) <= len(ACK_WITHIN)


TestAnyOrder = Alarms.TestCase
TestAnyOrder.settings = settings(max_examples=120, stateful_step_count=30, deadline=None)
