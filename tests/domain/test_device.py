"""A device: heard, lost, armed, mended and retired."""

from datetime import timedelta

import pytest
from driving import AnyOrder
from given import NOW, person
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, rule

from domain import policy
from domain.device import SILENCE, Device, DeviceKind, DeviceState, Protocol, device_id
from domain.errors import InvalidError, RuleError
from domain.lifecycle import transitions
from domain.model import event_classes
from domain.people import Role
from domain.site import Site

S = DeviceState
ADMIN, GUARD, CHIEF = person(Role.ADMIN), person(Role.GUARD), person(Role.SUPERVISOR)
LISTENER = person(Role.DEVICE, name="listener")
SITE = Site.plan(code="gaoqiao", name="高桥", township="yuhai", by=ADMIN, at=NOW)
TICK = timedelta(microseconds=1)
MINUTE = timedelta(minutes=1)
NATIONAL = "33038100001320000001"


def registered(kind=DeviceKind.ZONE, **changed):
    fields = {"code": "wall-3", "protocol": Protocol.SIA_DC09, "external_id": "1234#3"}
    return Device.register(site=SITE, by=ADMIN, at=NOW, kind=kind, **(fields | changed))


def online():
    device = registered()
    device.see(by=LISTENER, at=NOW)
    return device


def offline():
    device = online()
    device.lose(by=LISTENER, at=NOW + MINUTE)
    return device


def armed():
    device = online()
    device.arm(by=GUARD, at=NOW)
    return device


def mended():
    device = armed()
    device.take_out_of_service(by=ADMIN, at=NOW, reason="断线")
    return device


def retired():
    device = armed()
    device.retire(by=ADMIN, at=NOW, reason="更换")
    return device


def topics(device):
    return [event.TOPIC.partition(".")[2] for event in device.collect_events()]


def test_the_transitions_are_those_of_the_table():
    assert [row for row in transitions(event_classes(Device).values()) if row[0] != row[2]] == [
        ("REGISTERED", "device.came_online", "ONLINE"),
        ("OFFLINE", "device.came_online", "ONLINE"),
        ("ONLINE", "device.went_offline", "OFFLINE"),
        ("REGISTERED", "device.taken_out_of_service", "OUT_OF_SERVICE"),
        ("ONLINE", "device.taken_out_of_service", "OUT_OF_SERVICE"),
        ("OFFLINE", "device.taken_out_of_service", "OUT_OF_SERVICE"),
        ("OUT_OF_SERVICE", "device.returned_to_service", "OFFLINE"),
        ("REGISTERED", "device.retired", "RETIRED"),
        ("ONLINE", "device.retired", "RETIRED"),
        ("OFFLINE", "device.retired", "RETIRED"),
        ("OUT_OF_SERVICE", "device.retired", "RETIRED"),
    ]


def test_the_id_of_a_device_follows_from_its_code_and_its_sites():
    device = registered()
    assert device.id == device_id("gaoqiao", "wall-3") != device_id("gaoqiao", "wall-4")
    assert (device.township, device.site_id, device.state) == ("yuhai", SITE.id, S.REGISTERED)
    with pytest.raises(InvalidError, match="device code"):
        registered(code="Wall 3")


@pytest.mark.parametrize("protocol", [Protocol.GAT1400, Protocol.GB28181])
def test_a_device_of_a_national_protocol_has_twenty_digits(protocol):
    assert registered(protocol=protocol, external_id=f" {NATIONAL} ").external_id == NATIONAL
    for wrong in (NATIONAL[1:], NATIONAL + "0", "a" * 20, "３" * 20):
        with pytest.raises(InvalidError, match="it has 20 digits"):
            registered(protocol=protocol, external_id=wrong)


@pytest.mark.parametrize("wrong", ["", " ", "x" * 65])
def test_a_device_calls_itself_something(wrong):
    with pytest.raises(InvalidError, match="external id"):
        registered(external_id=wrong)


# --- health -----------------------------------------------------------------------------------------------------------


def test_heartbeats_are_no_events_but_what_they_change_is():
    device = registered()
    for minutes in range(59):
        device.see(by=LISTENER, at=NOW + minutes * MINUTE)
    assert topics(device) == ["registered", "came_online"]
    assert [(one.name, one.due_at) for one in device.deadlines] == [("heartbeat", NOW + SILENCE)]


def test_a_device_that_goes_on_being_heard_stays_online_with_few_events():
    device = registered()
    for minutes in range(24 * 60):
        at = NOW + minutes * MINUTE
        device.pass_deadline(by=LISTENER, at=at, name="heartbeat")
        device.see(by=LISTENER, at=at)
    assert device.state is S.ONLINE
    assert topics(device) == ["registered", "came_online"] + ["stayed_online"] * 23


def test_a_device_that_nobody_hears_goes_offline_by_itself_once():
    device = online()
    device.pass_deadline(by=LISTENER, at=NOW + SILENCE - TICK, name="heartbeat")
    device.pass_deadline(by=LISTENER, at=NOW + SILENCE, name="another")
    assert device.state is S.ONLINE
    for _ in range(2):
        device.pass_deadline(by=LISTENER, at=NOW + SILENCE, name="heartbeat")
    assert (device.state, device.deadlines) == (S.OFFLINE, ())
    device.see(by=LISTENER, at=NOW + SILENCE + MINUTE)
    assert topics(device) == ["registered", "came_online", "went_offline", "came_online"]


def test_whoever_listens_says_at_once_that_it_is_lost_and_says_it_once():
    device = registered()
    device.lose(by=LISTENER, at=NOW)
    assert device.state is S.REGISTERED
    device = online()
    for _ in range(2):
        device.lose(by=LISTENER, at=NOW + MINUTE)
    assert (device.state, device.deadlines) == (S.OFFLINE, ())
    assert topics(device) == ["registered", "came_online", "went_offline"]


def test_a_message_from_before_the_last_change_changes_nothing():
    device = offline()
    device.see(by=LISTENER, at=NOW + MINUTE - TICK)
    assert device.state is S.OFFLINE
    device.see(by=LISTENER, at=NOW + 2 * MINUTE)
    device.lose(by=LISTENER, at=NOW + MINUTE)
    assert device.state is S.ONLINE


def test_what_is_being_mended_may_speak_and_what_is_retired_may_not():
    device = mended()
    version = device.version
    device.see(by=LISTENER, at=NOW + MINUTE)
    assert (device.version, device.state) == (version, S.OUT_OF_SERVICE)
    with pytest.raises(RuleError, match="the device is RETIRED"):
        retired().see(by=LISTENER, at=NOW + MINUTE)


# --- watching ---------------------------------------------------------------------------------------------------------


def test_a_zone_is_armed_and_disarmed_with_a_reason():
    device = armed()
    assert device.armed
    with pytest.raises(RuleError, match="zone wall-3 is armed already"):
        device.arm(by=GUARD, at=NOW)
    with pytest.raises(InvalidError, match="reason is empty"):
        device.disarm(by=CHIEF, at=NOW, reason=" ")
    device.disarm(by=CHIEF, at=NOW, reason="施工")
    assert not device.armed
    with pytest.raises(RuleError, match="zone wall-3 is not armed"):
        device.disarm(by=CHIEF, at=NOW, reason="施工")


@pytest.mark.parametrize("kind", [kind for kind in DeviceKind if kind is not DeviceKind.ZONE])
def test_nothing_but_a_zone_is_armed(kind):
    device = registered(kind)
    device.see(by=LISTENER, at=NOW)
    with pytest.raises(RuleError, match=f"wall-3 is a {kind.lower()}: only a zone is armed"):
        device.arm(by=GUARD, at=NOW)
    with pytest.raises(RuleError, match="only a zone is armed"):
        device.disarm(by=CHIEF, at=NOW, reason="x")


def test_only_a_zone_that_is_online_is_armed():
    for device in (registered(), offline(), mended(), retired()):
        with pytest.raises(RuleError, match=f"the device is {device.state}, and it must be ONLINE"):
            device.arm(by=GUARD, at=NOW)


def test_an_armed_zone_that_goes_offline_stays_armed_and_can_be_disarmed():
    device = armed()
    device.lose(by=LISTENER, at=NOW)
    assert device.armed
    device.disarm(by=CHIEF, at=NOW, reason="施工")


def test_who_acknowledges_alarms_neither_disarms_nor_takes_out_of_service():
    for command in ("disarm", "take_out_of_service", "return_to_service"):
        assert not policy.ALLOWED["alarm.acknowledge"] & policy.ALLOWED[f"device.{command}"]


# --- mending and retiring ---------------------------------------------------------------------------------------------


def test_what_is_mended_watches_nothing_and_is_armed_anew():
    device = mended()
    assert (device.armed, device.deadlines) == (False, ())
    device.return_to_service(by=ADMIN, at=NOW)
    assert (device.state, device.armed) == (S.OFFLINE, False)
    device.see(by=LISTENER, at=NOW)
    assert device.state is S.ONLINE


def test_only_what_is_out_of_service_returns_to_it():
    for device in (registered(), online(), offline(), retired()):
        with pytest.raises(RuleError, match="it must be OUT_OF_SERVICE"):
            device.return_to_service(by=ADMIN, at=NOW)


@pytest.mark.parametrize("make", [registered, online, offline, mended])
def test_a_secret_is_changed_and_nothing_of_it_is_recorded(make):
    device = make()
    for expected in (1, 2):
        device.rotate_credential(by=ADMIN, at=NOW)
        assert device.credential == expected
    event = device.collect_events()[-1]
    assert set(vars(event)) == {"originator_id", "originator_version", "timestamp", "actor", "credential"}


@pytest.mark.parametrize("make", [registered, online, offline, mended, armed])
def test_a_retired_device_is_gone_for_good(make):
    device = make()
    device.retire(by=ADMIN, at=NOW, reason="更换")
    assert (device.state, device.armed, device.deadlines) == (S.RETIRED, False, ())
    for command, fields in (
        ("retire", {"reason": "x"}),
        ("rotate_credential", {}),
        ("take_out_of_service", {"reason": "x"}),
    ):
        with pytest.raises(RuleError, match="the device is RETIRED"):
            getattr(device, command)(by=ADMIN, at=NOW, **fields)


# --- anything, in any order -------------------------------------------------------------------------------------------

WITH_REASON = {"disarm", "take_out_of_service", "retire"}
BY = {
    "arm": GUARD,
    "disarm": CHIEF,
    "take_out_of_service": ADMIN,
    "return_to_service": ADMIN,
    "rotate_credential": ADMIN,
    "see": LISTENER,
    "lose": LISTENER,
}
PEOPLE = st.sampled_from([LISTENER, GUARD, CHIEF, ADMIN])


class Devices(AnyOrder):
    """Commands of anybody whose role allows it, in any order, as time goes by and messages come late."""

    @initialize(start=st.sampled_from([registered, online, offline, armed]))
    def begin_anywhere(self, start):
        self.begin(start())

    @rule(minutes=st.integers(1, 200))
    def time_passes(self, minutes):
        self.at += minutes * MINUTE
        self.try_to("pass_deadline", LISTENER, name="heartbeat")

    @rule(command=st.sampled_from(sorted(BY)), late=st.sampled_from([0, 0, 0, 90]))
    def as_meant(self, command, late):
        fields = {"reason": "x"} if command in WITH_REASON else {}
        self.try_to(command, BY[command], self.at - late * MINUTE, **fields)

    @rule(by=PEOPLE, command=st.sampled_from(sorted(BY)))
    def by_anybody(self, by, command):
        self.try_to(command, by, **({"reason": "x"} if command in WITH_REASON else {}))

    @rule(by=PEOPLE, sure=st.integers(0, 9))
    def retire(self, by, sure):
        if sure == 0:
            self.try_to("retire", by, reason="x")

    @invariant()
    def exactly_what_is_online_has_a_deadline(self):
        device = self.live
        assert [one.name for one in device.deadlines] == (["heartbeat"] if device.state is S.ONLINE else [])

    @invariant()
    def what_is_mended_or_gone_watches_nothing(self):
        device = self.live
        assert not (device.armed and device.state in {S.REGISTERED, S.OUT_OF_SERVICE, S.RETIRED})

    @invariant()
    def duties_stay_apart(self):
        for event in self.events:
            if isinstance(event, Device.Disarmed | Device.TakenOutOfService | Device.ReturnedToService):
                assert event.actor != GUARD.id


TestAnyOrder = Devices.TestCase
TestAnyOrder.settings = settings(max_examples=100, stateful_step_count=30, deadline=None)
