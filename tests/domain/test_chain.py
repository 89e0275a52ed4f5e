"""The hash chain: its layout, computed here a second time from the description, and that nothing can change unseen."""

from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta, timezone
from hashlib import sha256
from itertools import pairwise
from uuid import UUID

import pytest
from hypothesis import assume, given
from hypothesis import strategies as some

from domain import chain
from domain.chain import GENESIS, Record, link

RECORD = Record(
    position=7,
    recorded_at=datetime(2026, 3, 1, 8, 0, 0, 123456, tzinfo=UTC),
    originator_id=UUID(int=1),
    originator_version=3,
    request_id=UUID(int=2),
    topic="incident.accepted",
    metadata='{"causation":"人"}',
    state=b'{"actor":"p"}',
)
CHANGES = {
    "position": 8,
    "recorded_at": RECORD.recorded_at + timedelta(microseconds=1),
    "originator_id": UUID(int=3),
    "originator_version": 4,
    "request_id": UUID(int=4),
    "topic": "incident.acceptee",
    "metadata": '{"causation":"入"}',
    "state": b'{"actor":"q"}',
}
text = some.text(some.characters(exclude_categories=["Cs"]), max_size=20)
records = some.builds(
    Record,
    position=some.integers(1, 2**63),
    recorded_at=some.datetimes(timezones=some.just(UTC)),
    originator_id=some.uuids(),
    originator_version=some.integers(1, 2**31 - 1),
    request_id=some.uuids(),
    topic=text,
    metadata=text,
    state=some.binary(max_size=20),
)


def hashed_again(previous, record):
    """The layout of the module's description, written without `struct`."""
    microseconds = round((record.recorded_at - datetime(1970, 1, 1, tzinfo=UTC)) / timedelta(microseconds=1))
    topic, metadata = record.topic.encode("utf-8"), record.metadata.encode("utf-8")
    digest = sha256(previous)
    digest.update(record.position.to_bytes(8, "big"))
    digest.update(microseconds.to_bytes(8, "big", signed=True))
    digest.update(record.originator_id.bytes)
    digest.update(record.originator_version.to_bytes(4, "big"))
    digest.update(record.request_id.bytes)
    for part in (topic, metadata):
        digest.update(len(part).to_bytes(4, "big") + part)
    digest.update(record.state)
    return digest.digest()


def bytes_hashed(record, monkeypatch):
    """What goes into the hash of `record`."""
    seen = []

    def spy(data):
        seen.append(data)
        return sha256(data)

    with monkeypatch.context() as patch:
        patch.setattr(chain, "sha256", spy)
        link(GENESIS, record)
    return seen[0]


def test_the_hash_is_the_one_that_the_description_gives():
    assert link(GENESIS, RECORD) == hashed_again(bytes(32), RECORD)
    assert len(link(GENESIS, RECORD)) == 32


def test_the_hash_of_a_known_record_never_changes():
    assert link(GENESIS, RECORD).hex() == "f62fd8bab0450660e765fdf85af48c69a2270aca43b8aa864e04694b5a7f13df"


@given(records, some.binary(min_size=32, max_size=32))
def test_any_record_is_hashed_as_described(record, previous):
    assume(abs(record.recorded_at.year - 1970) < 200)  # beyond, the float division here is not exact
    assert link(previous, record) == hashed_again(previous, record)


@pytest.mark.parametrize("changed", CHANGES)
def test_a_change_of_any_field_changes_the_hash(changed):
    assert set(CHANGES) == {field.name for field in fields(Record)}
    assert link(GENESIS, replace(RECORD, **{changed: CHANGES[changed]})) != link(GENESIS, RECORD)


def test_another_predecessor_gives_another_hash():
    assert link(bytes(31) + b"\x01", RECORD) != link(GENESIS, RECORD)


def test_the_same_moment_in_another_time_zone_is_the_same_record():
    there = replace(RECORD, recorded_at=RECORD.recorded_at.astimezone(timezone(timedelta(hours=8))))
    assert link(GENESIS, there) == link(GENESIS, RECORD)


def test_bytes_cannot_move_from_one_field_to_the_next(monkeypatch):
    moved = [
        replace(RECORD, topic="incident.", metadata='accepted{"causation":"人"}'),
        replace(RECORD, topic="", metadata=RECORD.topic + RECORD.metadata),
        replace(RECORD, metadata="", state=RECORD.metadata.encode() + RECORD.state),
        replace(RECORD, metadata=RECORD.metadata + RECORD.state.decode(), state=b""),
        RECORD,
    ]
    assert len({bytes_hashed(record, monkeypatch) for record in moved}) == len(moved)


@given(some.lists(records, min_size=2, max_size=8, unique=True))
def test_no_two_records_give_the_same_bytes(found):
    with pytest.MonkeyPatch.context() as patch:
        for one, other in pairwise(found):
            assert bytes_hashed(one, patch) != bytes_hashed(other, patch)
