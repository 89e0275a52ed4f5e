"""The timeline names every step of an incident, says where it stood after it, and nothing personal."""

from random import Random

import incidents as made
from given import NOW, report
from histories import entries_of, lived, reported, request

from domain.history import replay
from domain.incident import Incident
from domain.model import event_classes
from domain.personal import Personal, of_subject
from projections.search import SAID
from projections.timeline import LABELS, TEXTS, timeline


def test_every_step_of_an_incident_has_a_name_of_its_own_in_both_languages():
    assert list(LABELS) == list(event_classes(Incident).values())
    for names in zip(*LABELS.values(), strict=True):
        assert len(set(names)) == len(LABELS)


def test_its_states_are_those_of_the_replayed_incident():
    (lone,) = [reported(0, made.SITE, NOW)]
    entries = entries_of(lived(Random(3), [lone, reported(1, made.SITE, NOW)], steps=60, late=True))
    own = [entry for entry in entries if entry.event.originator_id == lone.id]
    assert len(own) > 10
    seen = timeline(own)
    assert [(one.position, one.version, one.topic, one.actor, one.at, one.state) for one in seen] == [
        (past.position, past.version, past.topic, past.actor, past.happened_at, past.state["state"])
        for past in replay(own)
    ]


def test_it_says_who_was_asked_and_what_was_said():
    incident = made.after(2)
    incident.request_return(by=made.HANDLER, at=NOW, reason="not ours")
    seen = timeline(entries_of([request(incident, 0)]))
    assert [(one.label_zh, one.label_en, one.unit, one.said) for one in seen] == [
        ("上报", "reported", None, "太吵"),
        ("受理", "accepted", None, None),
        ("分流交办", "dispatched", made.UNIT, None),
        ("申请退单", "return requested", None, "not ours"),
    ]


async def test_who_reported_it_is_not_in_it(log, site):
    done = await report(log, site, reporter=Personal(of_subject(made.reported(9).id), "李某 13900001111"))
    (first,) = timeline(await log.history(done.id))
    assert first.said == "夜间施工"
    assert "李某" not in repr(first)


def test_whatever_is_said_is_plain_text_and_what_is_searched_is_part_of_it():
    for event in LABELS:
        said = [name for name in TEXTS if name in event.__annotations__]
        assert [event.__annotations__[name] for name in said] == ["str"] * len(said)
        assert len(said) <= 1
        assert ([SAID[event]] if event in SAID else []) == [name for name in said if name != "reason"]
