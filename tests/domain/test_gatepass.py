"""A gate pass: decided from the observation and the site alone, and keeping nothing of the face."""

from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

import pytest
from given import NOW, observation, person

from domain.errors import InvalidError, NotFoundError, RuleError
from domain.gatepass import RULE_VERSION, Credential, Decision, GatePass, decide
from domain.observation import GateRef, ModelUse, observation_id, source_of
from domain.people import Role
from domain.site import Direction, Gate, GateMode, Measure, Site

ADMIN = person(Role.ADMIN)


def site(steps=3):
    """润锦苑 after so many of its three steps, with an open and a guarded gate."""
    found = Site.plan(code="runjinyuan", name="润锦苑", township="yuhai", by=ADMIN, at=NOW)
    found.add_gate(by=ADMIN, at=NOW, gate=Gate("main", "大门", GateMode.OPEN, Direction.IN))
    found.add_gate(by=ADMIN, at=NOW, gate=Gate("garage", "车库", GateMode.GUARDED, Direction.OUT))
    if steps:
        found.start_construction(by=ADMIN, at=NOW)
        found.install_measure(by=ADMIN, at=NOW, measure=Measure.VIDEO_SURVEILLANCE)
    if steps > 1:
        found.accept(by=ADMIN, at=NOW, inspector="p-inspector")
    if steps > 2:
        found.start_operation(by=ADMIN, at=NOW)
    return found


def test_an_open_gate_records_who_passes():
    seen, at = observation("runjinyuan.main"), site()
    (event,) = decide(seen, at).collect_events()
    assert (event.decision, event.reason, event.direction) == (Decision.RECORDED, "open gate", Direction.IN)
    assert (event.originator_id, event.originator_version, event.timestamp) == (seen.id, 1, NOW)
    assert (event.site_id, event.township, event.gate) == (at.id, "yuhai", "main")
    assert (event.credential, event.rule_version) == (Credential.FACE, RULE_VERSION)
    assert (event.model, event.model_sha256) == ("yunet", "a" * 64)
    assert (event.score, event.latency_ms, event.frame_sha256) == (0.93, 12.5, "c" * 64)
    assert event.actor == "gate:runjinyuan.main"


def test_a_guarded_gate_holds_everyone_it_does_not_know_for_a_person():
    (event,) = decide(observation("runjinyuan.garage"), site()).collect_events()
    assert (event.decision, event.direction) == (Decision.HELD, Direction.OUT)
    assert event.reason == "no registered credential: a guard decides"


def test_no_automatic_decision_goes_against_a_person():
    assert set(Decision) == {Decision.HELD, Decision.RECORDED}


@pytest.mark.parametrize("steps", range(3))
def test_a_site_that_is_not_operating_records_nothing(steps):
    with pytest.raises(RuleError, match="only an operating site records passes"):
        decide(observation(), site(steps))


def test_an_unknown_gate_is_refused():
    with pytest.raises(NotFoundError, match="has no gate 'back'"):
        decide(observation("runjinyuan.back"), site())


def test_the_same_observation_gives_the_same_pass():
    seen, at = observation(native="frame-1"), site()
    assert decide(seen, at) == decide(replace(seen), at)
    assert observation(native="frame-1").id == seen.id != observation(native="frame-2").id


def test_nothing_of_the_face_is_kept():
    seen = observation()
    (event,) = decide(seen, site()).collect_events()
    kept = [repr(value) for value in vars(event).values()]
    assert not any(repr(seen.embedding[:8])[2:-1] in value for value in kept)
    assert not any("box" in name or "embedding" in name for name in vars(event))
    assert "embedding" not in repr(seen)


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ({"captured_at": NOW.replace(tzinfo=None)}, "no time zone"),
        ({"captured_at": NOW.replace(year=1)}, "not of the years"),
        ({"score": -0.01}, "score"),
        ({"score": 1.01}, "score"),
        ({"score": float("nan")}, "score"),
        ({"embedding": b""}, "embedding has 0 bytes"),
        ({"embedding": bytes(511)}, "embedding has 511 bytes"),
        ({"embedding": bytes(4 * 256)}, "embedding has 1024 bytes"),
        ({"frame_sha256": "C" * 64}, "frame_sha256"),
        ({"frame_sha256": "c" * 64 + "\n"}, "frame_sha256"),
        ({"latency_ms": float("inf")}, "latency_ms"),
        ({"latency_ms": float("nan")}, "latency_ms"),
        ({"latency_ms": -1.0}, "latency_ms"),
    ],
)
def test_an_observation_that_cannot_be_one_is_refused(wrong, why):
    with pytest.raises(InvalidError, match=why):
        observation(**wrong)


def test_both_sizes_of_template_are_accepted():
    for size in (128, 512):
        assert len(observation(embedding=bytes(4 * size)).embedding) == 4 * size


@pytest.mark.parametrize(
    ("name", "digest"), [("", "a" * 64), ("x" * 201, "a" * 64), ("a\x00", "a" * 64), ("m", "a" * 63)]
)
def test_a_model_without_a_name_or_digest_is_refused(name, digest):
    with pytest.raises(InvalidError, match="model"):
        ModelUse(name, digest)


@pytest.mark.parametrize(
    "wrong", ["", "runjinyuan", ".main", "runjinyuan.", "a.b.c", "A.b", "a.*", "a.>", "x" * 65 + ".a"]
)
def test_a_gate_is_named_by_two_codes(wrong):
    with pytest.raises(InvalidError):
        GateRef.parse(wrong)


def test_two_gates_never_share_the_source_of_an_id():
    one, other = GateRef("a-b", "c"), GateRef("a", "b-c")
    assert source_of(one) != source_of(other)
    assert observation_id(one, "1") != observation_id(other, "1")


def test_a_pass_of_another_time_is_another_event():
    seen = observation(native="1")
    later = observation(native="1", at=NOW + timedelta(seconds=1))
    assert decide(seen, site()).collect_events() != decide(later, site()).collect_events()
    assert isinstance(decide(observation(id=uuid4()), site()), GatePass)
