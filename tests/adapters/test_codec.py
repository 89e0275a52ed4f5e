"""Every event goes into stored bytes and comes back; bytes that are not an event are refused as such."""

import dataclasses
import json
from datetime import datetime, timedelta, timezone
from uuid import UUID, uuid4

import pytest
from given import NOW, observation, person
from samples import filled

from adapters import codec
from domain.errors import CorruptError, InvalidError
from domain.gatepass import decide
from domain.incident import Incident, Source
from domain.key import Key
from domain.model import EVENTS
from domain.people import Role
from domain.personal import of_subject
from domain.site import Direction, Gate, GateMode, Site

UNIT = "urban-management"


def samples():
    """An event of every class: as its aggregate makes it, with times in the zone of the place, or with an example in every field."""
    at = NOW.astimezone(timezone(timedelta(hours=8)))
    admin, handler = person(Role.ADMIN), person(Role.UNIT_HANDLER, units=(UNIT,))
    site = Site.plan(code="runjinyuan", name="润锦苑 𠮷 \"'\\", township="yuhai", by=admin, at=at)
    for step in (site.start_construction, site.accept, site.start_operation):
        step(by=admin, at=at)
    site.add_gate(by=admin, at=at, gate=Gate("main", "大门", GateMode.OPEN, Direction.IN))
    incident = Incident.report(
        id=uuid4(),
        site=site,
        by=handler,
        at=at,
        source=Source.HOTLINE,
        category="noise",
        description="太吵\u2028",
    )
    incident.accept(by=handler, at=at)
    incident.dispatch(by=handler, at=at, lead_unit=UNIT)
    incident.sign(by=handler, at=at)
    incident.start_handling(by=handler, at=at)
    for passed in (False, True):
        incident.give_feedback(by=handler, at=at, result="扫了")
        incident.verify(by=person(Role.VERIFIER), at=at, passed=passed, note="看了")
    key = Key.register(scope=of_subject(uuid4()), by=admin, at=at)
    key.place_hold(by=admin, at=at, case="2026-17", reason="立案")
    key.lift_hold(by=admin, at=at, case="2026-17", reason="结案")
    key.destroy(by=admin, at=at, reason="本人申请")
    found = [
        *decide(observation(), site).collect_events(),
        *site.collect_events(),
        *incident.collect_events(),
        *key.collect_events(),
    ]
    return {topic: filled(cls) for topic, cls in EVENTS.items()} | {event.TOPIC: event for event in found}


@pytest.mark.parametrize("topic", EVENTS)
def test_an_event_comes_back_as_it_was(topic):
    event = samples()[topic]
    stored_topic, state = codec.encode(event)
    assert stored_topic == topic
    back = codec.decode(topic, state)
    assert type(back) is EVENTS[topic]
    assert back == event
    assert codec.encode(back) == (topic, state)


@pytest.mark.parametrize("topic", EVENTS)
def test_what_is_stored_is_json_that_a_person_can_read(topic):
    fields = json.loads(codec.encode(samples()[topic])[1])
    assert UUID(fields["originator_id"])
    assert datetime.fromisoformat(fields["timestamp"]) == samples()[topic].timestamp
    assert "\\u" not in json.dumps(fields, ensure_ascii=False).replace("\\u2028", "")


@pytest.mark.parametrize("state", [b"", b"garbage", b"null", b"[]", b"{}", b"\xff\xfe", b"1", b'{"actor":'])
def test_garbage_is_corrupt(state):
    for topic in EVENTS:
        with pytest.raises(CorruptError, match=topic):
            codec.decode(topic, state)


@pytest.mark.parametrize("topic", ["", "incident.exploded", "Incident.reported", "gate"])
def test_an_unknown_topic_is_corrupt(topic):
    with pytest.raises(CorruptError, match="no event class has the topic"):
        codec.decode(topic, b"{}")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("timestamp", 1772352000),
        ("timestamp", "yesterday"),
        ("originator_id", "not-a-uuid"),
        ("originator_version", "1"),
        ("source", "RUMOUR"),
        ("site_id", None),
        ("description", ["x"]),
        ("occurred_at", True),
        ("actor", 7),
    ],
)
def test_a_field_of_another_type_is_corrupt(field, value):
    topic, state = codec.encode(samples()["incident.reported"])
    wrong = json.dumps(json.loads(state) | {field: value}).encode()
    with pytest.raises(CorruptError, match=field):
        codec.decode(topic, wrong)


@pytest.mark.parametrize("topic", EVENTS)
def test_a_field_that_is_missing_is_corrupt(topic):
    fields = json.loads(codec.encode(samples()[topic])[1])
    needed = {
        field.name for field in dataclasses.fields(EVENTS[topic]) if field.default is dataclasses.MISSING
    }
    assert needed <= set(fields)
    for field in needed:
        rest = {name: value for name, value in fields.items() if name != field}
        with pytest.raises(CorruptError):
            codec.decode(topic, json.dumps(rest).encode())


def test_half_of_a_surrogate_pair_cannot_be_stored():
    event = Site.Planned(
        originator_id=uuid4(), originator_version=1, timestamp=NOW, originator_topic="x", actor="\ud800", code="a", name="b", township="c"
    )  # fmt: skip
    with pytest.raises(InvalidError, match=r"site\.planned cannot be stored"):
        codec.encode(event)


def test_an_event_of_more_than_a_mebibyte_cannot_be_stored():
    for size, fits in ((codec.LARGEST - 1000, True), (codec.LARGEST, False)):
        event = Incident.Closed(
            originator_id=uuid4(), originator_version=2, timestamp=NOW, actor="p", note="x" * size
        )
        if fits:
            codec.encode(event)
        else:
            with pytest.raises(InvalidError, match="attach the rest as evidence"):
                codec.encode(event)
