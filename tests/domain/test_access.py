"""Whether a gate opens by itself: for what is registered, here and now; everybody else waits for a person."""

from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import pytest
from given import NOW
from hypothesis import given as for_all
from hypothesis import strategies as st

from domain.access import (
    DEFAULT_RULES,
    AccessRules,
    Attempt,
    Decision,
    Known,
    Shown,
    Standing,
    Verdict,
    decide_access,
)
from domain.credentials import CredentialKind
from domain.errors import InvalidError
from domain.plates import PlateKind
from domain.site import Direction, Gate, GateMode

K = CredentialKind
HERE, THERE, ID = UUID(int=1), UUID(int=2), UUID(int=3)
DIGEST, OTHER = b"d" * 32, b"o" * 32
MAIN = Gate("main", "大门", GateMode.GUARDED, Direction.IN, tuple(K))
OPEN = replace(MAIN, mode=GateMode.OPEN)
DAY = timedelta(days=1)
SHOWN = {
    K.FACE: Shown(K.FACE),
    K.PLATE: Shown(K.PLATE, DIGEST, PlateKind.CIVIL),
    K.CARD: Shown(K.CARD, DIGEST),
    K.CODE: Shown(K.CODE, DIGEST),
    K.NONE: Shown(K.NONE),
}


def known(kind=K.CARD, **changed):
    digest = None if kind is K.FACE else DIGEST
    return replace(Known(ID, kind, digest, Standing.GOOD, HERE, (), NOW - DAY, NOW + DAY), **changed)


def decided(shown=SHOWN[K.CARD], credential=None, *, gate=MAIN, rules=DEFAULT_RULES, at=NOW):
    return decide_access(Attempt(shown, gate, HERE, at), credential, rules)


def held(why):
    return Verdict(Decision.HELD, f"{why}: a guard decides", DEFAULT_RULES.version)


@pytest.mark.parametrize("kind", [K.FACE, K.PLATE, K.CARD, K.CODE])
def test_a_gate_holds_what_it_is_not_meant_to_know_people_by(kind):
    others = replace(MAIN, credentials=tuple(other for other in K if other is not kind))
    assert decided(SHOWN[kind], known(kind), gate=others) == held(f"nobody is known by {kind} at this gate")


@pytest.mark.parametrize("kind", [K.FACE, K.PLATE, K.CARD, K.CODE])
def test_a_guarded_gate_opens_for_what_is_registered_and_names_it(kind):
    assert decided(SHOWN[kind], known(kind)) == Verdict(
        Decision.OPENED, "registered credential", DEFAULT_RULES.version, ID
    )


@pytest.mark.parametrize("shown", SHOWN.values())
def test_an_open_gate_records_everybody_and_looks_up_nobody(shown):
    assert decided(shown, known(shown.kind), gate=OPEN) == Verdict(
        Decision.RECORDED, "open gate", DEFAULT_RULES.version
    )


@pytest.mark.parametrize("shown", SHOWN.values())
def test_whoever_is_not_known_is_held(shown):
    assert decided(shown) == held("no registered credential")


def test_what_is_known_by_another_value_or_another_kind_is_not_known():
    for other in (known(digest=OTHER), known(digest=None), known(K.PLATE), known(K.FACE)):
        assert decided(credential=other) == held("no registered credential")


@pytest.mark.parametrize("standing", sorted(set(Standing) - {Standing.GOOD}))
def test_what_is_not_good_now_is_held(standing):
    assert decided(credential=known(standing=standing)) == held(f"the credential is {standing}")


def test_a_credential_is_for_its_gates_of_its_site():
    assert decided(credential=known(gates=("main",))).decision is Decision.OPENED
    for elsewhere in (known(gates=("garage",)), known(site_id=THERE), known(site_id=THERE, gates=("main",))):
        assert decided(credential=elsewhere) == held("the credential is for another gate")


def test_a_credential_is_for_its_time_which_ends_before_its_last_moment():
    for at, opens in [
        (NOW - DAY - timedelta(seconds=1), False),
        (NOW - DAY, True),
        (NOW + DAY - timedelta(seconds=1), True),
        (NOW + DAY, False),
    ]:
        verdict = decided(credential=known(), at=at)
        assert verdict.decision is (Decision.OPENED if opens else Decision.HELD)
        assert opens or verdict == held("the credential is for another time")


def test_cards_plates_and_codes_work_when_face_recognition_is_off():
    rules = DEFAULT_RULES.without(K.FACE, "no-faces")
    assert decided(SHOWN[K.FACE], known(K.FACE), rules=rules) == Verdict(
        Decision.HELD, "FACE is switched off: a guard decides", "no-faces"
    )
    for kind in (K.PLATE, K.CARD, K.CODE):
        assert decided(SHOWN[kind], known(kind), rules=rules).decision is Decision.OPENED


def test_a_plate_that_could_not_be_read_opens_nothing_even_if_it_looks_registered():
    part = Shown(K.PLATE, DIGEST, PlateKind.UNREADABLE)
    assert decided(part, known(K.PLATE)) == decided(part) == held("the plate could not be read")


def test_a_plate_of_an_odd_shape_opens_if_it_is_registered():
    assert decided(Shown(K.PLATE, DIGEST, PlateKind.ODD), known(K.PLATE)).decision is Decision.OPENED


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ((K.CARD,), "CARD is shown with a digest"),
        ((K.PLATE, None, PlateKind.CIVIL), "PLATE is shown with a digest"),
        ((K.FACE, DIGEST), "FACE is shown without a digest"),
        ((K.NONE, DIGEST), "NONE is shown without a digest"),
        ((K.CARD, b"short"), "has 32 bytes, not 5"),
        ((K.PLATE, DIGEST), "has a kind of plate"),
        ((K.CARD, DIGEST, PlateKind.CIVIL), "has a kind of plate"),
    ],
)
def test_what_is_shown_has_what_its_kind_has(fields, why):
    with pytest.raises(InvalidError, match=why):
        Shown(*fields)


def test_a_digest_does_not_print_itself():
    assert "ddd" not in repr(SHOWN[K.CARD]) + repr(known())


@for_all(
    st.sampled_from(list(SHOWN.values())),
    st.none()
    | st.builds(
        Known,
        st.just(ID),
        st.sampled_from(K),
        st.sampled_from([None, DIGEST, OTHER]),
        st.sampled_from(Standing),
        st.sampled_from([HERE, THERE]),
        st.sampled_from([(), ("main",), ("garage",)]),
        st.sampled_from([NOW - DAY, NOW, NOW + DAY]),
        st.sampled_from([NOW, NOW + DAY]),
    ),
    st.sampled_from([MAIN, OPEN]),
    st.builds(AccessRules, st.just("7"), st.frozensets(st.sampled_from(K))),
)
def test_no_rule_lets_a_machine_refuse_anybody_and_every_verdict_says_why(shown, credential, gate, rules):
    verdict = decided(shown, credential, gate=gate, rules=rules)
    assert verdict.decision is not Decision.REFUSED_BY_GUARD
    assert verdict.reason
    assert verdict.rule_version == "7"
    assert (verdict.credential_id is None) == (verdict.decision is not Decision.OPENED)
    if verdict.decision is Decision.OPENED:
        assert shown.kind in rules.opens_for
        assert credential.standing is Standing.GOOD
