"""What is stored of a personal field, and where it opens."""

import base64
import json
import os
from uuid import UUID, uuid4

import msgspec
import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from eventsourcing.domain import Aggregate
from given import NOW, person

from adapters import codec
from adapters.sealing import DataKey, personal_fields, scopes_of, seal, unseal
from domain.errors import CorruptError, InvalidError, RuleError
from domain.incident import Incident, Source
from domain.people import Role
from domain.personal import Personal, of_subject
from domain.site import Site

BY = person(Role.INTAKE)
SITE = Site.plan(code="a", name="A", township="t", by=BY, at=NOW)
SCOPE = of_subject(UUID(int=7))
SECRET = os.urandom(32)
KEYS = {SCOPE: DataKey(UUID(int=1), AESGCM(SECRET))}


def reported(text="李某 13900001111", scope=SCOPE):
    (event,) = Incident.report(
        id=uuid4(),
        site=SITE,
        by=BY,
        at=NOW,
        source=Source.CITIZEN,
        category="noise",
        description="x",
        reporter=text and Personal(scope, text),
    ).collect_events()
    return event


def stored(event):
    return json.loads(codec.encode(seal(event, KEYS))[1])


def reread(document):
    return unseal(codec.decode("incident.reported", msgspec.json.encode(document)), KEYS)


def test_a_sealed_event_opens_to_the_event_it_was():
    event = reported()
    assert reread(stored(event)) == event


def test_an_event_without_a_reporter_has_nothing_to_seal():
    event = reported(None)
    assert scopes_of([event]) == set()
    assert seal(event, {}) == event == unseal(codec.decode(*codec.encode(event)), {})


def test_an_event_from_before_the_field_existed_still_loads():
    document = stored(reported(None))
    del document["reporter"]
    assert reread(document).reporter is None


def test_the_stored_form_is_the_documented_one():
    event = reported()
    field = stored(event)["reporter"]
    assert (field["scope"], field["key"]) == (SCOPE, str(UUID(int=1)))
    box = base64.b64decode(field["sealed"])
    place = event.originator_id.bytes + (1).to_bytes(4, "big") + b"reporter"
    assert AESGCM(SECRET).decrypt(box[:12], box[12:], place).decode() == "李某 13900001111"


def test_the_same_text_is_never_sealed_to_the_same_bytes():
    event = reported()
    assert stored(event)["reporter"]["sealed"] != stored(event)["reporter"]["sealed"]


def test_a_personal_value_that_nobody_sealed_is_not_encoded():
    with pytest.raises(InvalidError, match="Personal is not written as it is"):
        codec.encode(reported())


def test_a_decoded_event_that_nobody_opened_shows_a_redacted_value():
    decoded = codec.decode("incident.reported", msgspec.json.encode(stored(reported())))
    assert decoded.reporter.redacted


def test_with_its_key_destroyed_a_value_is_redacted():
    decoded = codec.decode("incident.reported", msgspec.json.encode(stored(reported())))
    assert unseal(decoded, {SCOPE: None}).reporter == Personal(SCOPE, None)


def test_nothing_is_sealed_under_a_destroyed_key():
    with pytest.raises(RuleError, match="nothing personal is stored under this scope again"):
        seal(reported(), {SCOPE: None})


def test_text_that_cannot_be_encoded_is_refused_without_being_shown():
    event = reported()
    vars(event)["reporter"] = Personal(SCOPE, "李某\ud800")
    with pytest.raises(InvalidError) as refused:
        seal(event, KEYS)
    assert "李某" not in str(refused.value)


def flipped(document, at):
    box = bytearray(base64.b64decode(document["reporter"]["sealed"]))
    box[at] ^= 1
    document["reporter"]["sealed"] = base64.b64encode(box).decode()
    return document


@pytest.mark.parametrize(
    "tamper",
    [
        pytest.param(lambda d: flipped(d, 0), id="the nonce"),
        pytest.param(lambda d: flipped(d, 20), id="the ciphertext"),
        pytest.param(lambda d: flipped(d, -1), id="the tag"),
        pytest.param(lambda d: d | {"reporter": d["reporter"] | {"sealed": ""}}, id="nothing left"),
        pytest.param(lambda d: d | {"originator_id": str(uuid4())}, id="moved to another stream"),
        pytest.param(lambda d: d | {"originator_version": 2}, id="moved to another version"),
        pytest.param(lambda d: d | {"reporter": d["reporter"] | {"key": str(uuid4())}}, id="another key"),
        pytest.param(lambda d: d | {"reporter": d["reporter"] | {"scope": "everybody"}}, id="no scope"),
        pytest.param(lambda d: d | {"reporter": d["reporter"] | {"sealed": "%"}}, id="no base64"),
        pytest.param(lambda d: d | {"reporter": "李某"}, id="in clear"),
    ],
)
def test_a_changed_or_moved_value_is_corrupt(tamper):
    with pytest.raises(CorruptError):
        reread(tamper(stored(reported())))


class TwoFields(Aggregate):
    class Seen(Aggregate.Created):
        first: Personal
        second: Personal | None


def test_a_value_moved_to_another_field_is_corrupt(monkeypatch):
    monkeypatch.setattr("adapters.sealing.FIELDS", {TwoFields.Seen: personal_fields(TwoFields.Seen)})
    value = Personal(SCOPE, "李某")
    event = TwoFields.Seen(uuid4(), 1, NOW, "two", value, None)
    sealed = seal(event, KEYS)
    assert unseal(sealed, KEYS) == event
    moved = TwoFields.Seen(event.originator_id, 1, NOW, "two", sealed.first, sealed.first)
    with pytest.raises(CorruptError, match=r"second of .* does not open"):
        unseal(moved, KEYS)


def test_a_personal_value_where_it_could_not_be_sealed_is_refused_when_the_class_is_read():
    class Nested(Aggregate):
        class Seen(Aggregate.Created):
            people: tuple[Personal, ...]

    with pytest.raises(TypeError, match="people: a personal field is Personal or Personal"):
        personal_fields(Nested.Seen)
