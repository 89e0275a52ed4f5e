"""Every event goes into stored bytes and comes back; bytes that are not an event are refused as such."""

import dataclasses
import json
from datetime import datetime, timedelta, timezone
from uuid import UUID, uuid4

import msgspec
import pytest
from given import NOW
from samples import filled

from adapters import codec
from domain.errors import CorruptError, InvalidError
from domain.incident import Incident
from domain.model import EVENTS
from domain.site import Site

UNIT = "urban-management"


def sample(topic):
    """An event of the class, with something in every field; its time in the zone of the place."""
    event = filled(EVENTS[topic])
    vars(event)["timestamp"] = NOW.astimezone(timezone(timedelta(hours=8)))
    return event


@pytest.mark.parametrize("topic", EVENTS)
def test_an_event_comes_back_as_it_was(topic):
    event = sample(topic)
    stored_topic, state = codec.encode(event)
    assert stored_topic == topic
    back = codec.decode(topic, state)
    assert type(back) is EVENTS[topic]
    assert back == event
    assert codec.encode(back) == (topic, state)


@pytest.mark.parametrize("topic", EVENTS)
def test_what_is_stored_is_json_that_a_person_can_read(topic):
    fields = json.loads(codec.encode(sample(topic))[1])
    assert UUID(fields["originator_id"])
    assert datetime.fromisoformat(fields["timestamp"]) == NOW
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
    topic, state = codec.encode(sample("incident.reported"))
    wrong = msgspec.json.encode(json.loads(state) | {field: value})
    with pytest.raises(CorruptError, match=field):
        codec.decode(topic, wrong)


@pytest.mark.parametrize("topic", EVENTS)
def test_a_field_that_is_missing_is_corrupt(topic):
    fields = json.loads(codec.encode(sample(topic))[1])
    needed = {
        field.name for field in dataclasses.fields(EVENTS[topic]) if field.default is dataclasses.MISSING
    }
    assert needed <= set(fields)
    for field in needed:
        rest = {name: value for name, value in fields.items() if name != field}
        with pytest.raises(CorruptError):
            codec.decode(topic, msgspec.json.encode(rest))


def test_half_of_a_surrogate_pair_cannot_be_stored():
    event = Site.Planned(
        originator_id=uuid4(), originator_version=1, timestamp=NOW, originator_topic="x", actor="\ud800", code="a", name="b", township="c"
    )  # fmt: skip
    with pytest.raises(InvalidError, match=r"site\.planned cannot be stored"):
        codec.encode(event)


def test_an_event_of_more_than_a_mebibyte_cannot_be_stored():
    for size, fits in ((codec.LARGEST - 1000, True), (codec.LARGEST, False)):
        event = Incident.Closed(
            originator_id=uuid4(),
            originator_version=2,
            timestamp=NOW,
            actor="p",
            deadlines=(),
            note="x" * size,
        )
        if fits:
            codec.encode(event)
        else:
            with pytest.raises(InvalidError, match="attach the rest as evidence"):
                codec.encode(event)
