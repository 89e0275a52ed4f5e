"""What may be decided about a key."""

from uuid import UUID

import pytest
from given import NOW, person

from domain.errors import InvalidError, RuleError
from domain.key import Key, key_id
from domain.people import Role
from domain.personal import of_subject

SCOPE = of_subject(UUID(int=7))
BY = {"by": person(Role.PRIVACY_OFFICER), "at": NOW}


@pytest.fixture
def key():
    return Key.register(scope=SCOPE, **BY)


def test_its_id_follows_from_the_scope(key):
    assert key.id == key_id(SCOPE) != key_id(of_subject(UUID(int=8)))


def test_a_key_that_no_case_holds_is_destroyed(key):
    key.destroy(reason="the subject asked for it", **BY)
    assert key.destroyed
    assert key.collect_events()[-1].scope == SCOPE


def test_legal_hold_refuses_destruction_and_names_every_case(key):
    key.place_hold(case="2026-17", reason="trial", **BY)
    key.place_hold(case="2026-18", reason="appeal", **BY)
    with pytest.raises(RuleError, match="legal hold and stays: 2026-17, 2026-18"):
        key.destroy(reason="asked for", **BY)
    key.lift_hold(case="2026-17", reason="over", **BY)
    with pytest.raises(RuleError, match="stays: 2026-18;"):
        key.destroy(reason="asked for", **BY)
    key.lift_hold(case="2026-18", reason="over", **BY)
    key.destroy(reason="asked for", **BY)


def test_a_case_holds_a_key_once_and_lifts_only_its_own_hold(key):
    key.place_hold(case="2026-17", reason="trial", **BY)
    with pytest.raises(RuleError, match="held for 2026-17 already"):
        key.place_hold(case="2026-17", reason="trial", **BY)
    with pytest.raises(RuleError, match="not held for 2026-18; its holds: 2026-17"):
        key.lift_hold(case="2026-18", reason="over", **BY)


def test_nothing_more_is_decided_about_a_destroyed_key(key):
    key.destroy(reason="asked for", **BY)
    for decide in (
        lambda: key.destroy(reason="again", **BY),
        lambda: key.place_hold(case="2026-17", reason="trial", **BY),
        lambda: key.lift_hold(case="2026-17", reason="over", **BY),
    ):
        with pytest.raises(RuleError, match="is destroyed"):
            decide()


def test_a_decision_needs_a_reason(key):
    with pytest.raises(InvalidError, match="reason is empty"):
        key.destroy(reason=" ", **BY)
