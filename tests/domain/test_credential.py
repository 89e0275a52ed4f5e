"""A credential: registered with consent where consent is due, and known at the gates only while all of it is good."""

from datetime import timedelta
from uuid import UUID

import pytest
from given import NOW, person
from machines import SETTINGS, Driven

from domain.access import Standing
from domain.consent import Consent, Purpose
from domain.credential import LONGEST, Credential, CredentialState, Ground
from domain.credentials import CredentialKind
from domain.errors import InvalidError, NotFoundError, RuleError
from domain.lifecycle import transitions
from domain.model import event_classes
from domain.people import Role
from domain.personal import Personal, of_subject
from domain.site import Direction, Gate, GateMode, Site

K, S = CredentialKind, CredentialState
ADMIN, GUARD, CLOCK = person(Role.ADMIN), person(Role.GUARD), person(Role.DEVICE)
ID, CONSENT, RESIDENT = UUID(int=1), UUID(int=2), UUID(int=3)
DIGEST = b"d" * 32
MONTH = timedelta(days=30)


def built(code="gaoqiao"):
    site = Site.plan(code=code, name="高桥", township="yuhai", by=ADMIN, at=NOW)
    site.add_gate(
        by=ADMIN, at=NOW, gate=Gate("main", "大门", GateMode.GUARDED, Direction.IN, tuple(CredentialKind))
    )
    return site


SITE = built()


def consent(purpose=Purpose.PLATE_ACCESS, *, resident=RESIDENT, site=SITE, until=NOW + 6 * MONTH):
    return Consent.give(
        id=CONSENT,
        site=site,
        by=GUARD,
        at=NOW,
        resident=resident,
        purpose=purpose,
        notice_version="2026-1",
        name=Personal(of_subject(CONSENT), "李某"),
        until=until,
    )


def registered(kind=K.CARD, **changed):
    scope = of_subject(ID if kind is K.CARD else CONSENT)
    fields = {
        "id": ID,
        "site": SITE,
        "by": GUARD,
        "at": NOW,
        "kind": kind,
        "resident": RESIDENT,
        "holder": Personal(scope, "李某"),
        "valid_until": NOW + MONTH,
    }
    match kind:
        case K.CARD:
            fields |= {"value": Personal(scope, "0012345678"), "digest": DIGEST}
        case K.PLATE:
            fields |= {"value": Personal(scope, "浙c·12345"), "digest": DIGEST, "consent": consent()}
        case K.FACE:
            fields |= {"consent": consent(Purpose.FACE_ACCESS)}
    return Credential.register(**(fields | changed))


def test_the_transitions_are_those_of_the_table():
    assert transitions(list(event_classes(Credential).values())) == [
        ("ACTIVE", "credential.suspended", "SUSPENDED"),
        ("SUSPENDED", "credential.reinstated", "ACTIVE"),
        ("ACTIVE", "credential.revoked", "REVOKED"),
        ("SUSPENDED", "credential.revoked", "REVOKED"),
        ("ACTIVE", "credential.expired", "EXPIRED"),
        ("SUSPENDED", "credential.expired", "EXPIRED"),
    ]


def test_a_card_is_known_by_its_digest_without_any_consent():
    credential = registered(gates=("main",), valid_from=NOW + timedelta(hours=1))
    known = credential.known(None, NOW)
    assert (known.id, known.kind, known.digest, known.standing) == (ID, K.CARD, DIGEST, Standing.GOOD)
    assert (known.site_id, known.gates) == (SITE.id, ("main",))
    assert (known.valid_from, known.valid_until) == (NOW + timedelta(hours=1), NOW + MONTH)


def test_a_plate_is_kept_in_its_one_form_under_the_key_of_the_consent():
    credential = registered(K.PLATE)
    assert credential.value == Personal(of_subject(CONSENT), "浙C12345")
    assert {credential.holder.scope, credential.digest.scope} == {of_subject(CONSENT)}


def test_a_face_has_neither_value_nor_digest_here():
    credential = registered(K.FACE)
    assert (credential.value, credential.digest) == (None, None)
    assert credential.known(consent(Purpose.FACE_ACCESS), NOW).standing is Standing.GOOD


@pytest.mark.parametrize("kind", [K.FACE, K.PLATE])
def test_a_face_or_a_plate_needs_the_consent_of_its_resident_for_its_purpose_at_its_site(kind):
    purpose, other = {
        K.FACE: (Purpose.FACE_ACCESS, Purpose.PLATE_ACCESS),
        K.PLATE: (Purpose.PLATE_ACCESS, Purpose.FACE_ACCESS),
    }[kind]
    withdrawn = consent(purpose)
    withdrawn.withdraw(by=GUARD, at=NOW)
    for wrong, why in [
        (None, f"with the resident's consent to {purpose} only"),
        (consent(other), "needs its own"),
        (consent(purpose, resident=UUID(int=9)), "needs its own"),
        (consent(purpose, site=built("other")), "is for another site"),
        (withdrawn, "is WITHDRAWN"),
    ]:
        with pytest.raises(RuleError, match=why):
            registered(kind, consent=wrong)


def test_a_consent_that_is_over_registers_nothing_even_if_nobody_noticed():
    with pytest.raises(RuleError, match="is over"):
        registered(K.PLATE, at=NOW + 6 * MONTH, valid_until=NOW + 7 * MONTH)


def test_a_card_needs_no_consent_and_takes_none():
    with pytest.raises(RuleError, match="a card needs no consent"):
        registered(consent=consent())


@pytest.mark.parametrize("kind", [K.CODE, K.NONE])
def test_a_visitors_code_is_not_a_residents_credential(kind):
    with pytest.raises(RuleError, match="a face, a plate or a card is"):
        registered(kind)


@pytest.mark.parametrize("until", [NOW, NOW - MONTH, NOW + LONGEST + MONTH])
def test_a_credential_ends_after_it_begins_and_not_too_late(until):
    with pytest.raises(RuleError, match="ends after it begins and by"):
        registered(valid_until=until)


def test_a_credential_that_is_over_already_is_not_registered():
    with pytest.raises(RuleError, match="ends after it begins and by"):
        registered(valid_from=NOW - MONTH, valid_until=NOW - timedelta(seconds=1))


def test_times_have_a_zone():
    times = {"at": NOW, "valid_from": NOW, "valid_until": NOW + MONTH}
    for name, value in times.items():
        with pytest.raises(InvalidError, match="no time zone"):
            registered(**(times | {name: value.replace(tzinfo=None)}))


def test_no_credential_outlives_its_consent():
    registered(K.PLATE, valid_until=NOW + 6 * MONTH)
    with pytest.raises(RuleError, match="ends after it begins and by"):
        registered(K.PLATE, valid_until=NOW + 6 * MONTH + timedelta(seconds=1))


@pytest.mark.parametrize(
    ("kind", "wrong", "why"),
    [
        (K.CARD, {"value": None}, "has a value"),
        (K.CARD, {"digest": None}, "has a digest"),
        (K.CARD, {"digest": b"short"}, "has 32 bytes"),
        (K.FACE, {"value": Personal(of_subject(CONSENT), "x")}, "a face has none"),
        (K.FACE, {"digest": DIGEST}, "a face has none"),
        (K.PLATE, {"value": Personal(of_subject(CONSENT), "浙C?2345")}, "no plate has"),
        (K.CARD, {"holder": Personal(of_subject(CONSENT), "李某")}, "holder is under"),
        (K.PLATE, {"value": Personal(of_subject(ID), "浙C12345")}, "value is under"),
    ],
)
def test_values_that_do_not_fit_are_refused_and_not_repeated(kind, wrong, why):
    with pytest.raises(InvalidError, match=why) as refused:
        registered(kind, **wrong)
    assert "2345" not in str(refused.value)


def test_a_gate_that_is_not_there_is_refused():
    with pytest.raises(NotFoundError, match="has no gate 'back'"):
        registered(gates=("main", "back"))


def test_withdrawing_the_consent_ends_it_at_every_gate_at_once():
    credential, given = registered(K.PLATE), consent()
    assert credential.known(given, NOW).standing is Standing.GOOD
    given.withdraw(by=GUARD, at=NOW)
    assert credential.known(given, NOW).standing is Standing.NO_CONSENT
    assert credential.known(None, NOW).standing is Standing.NO_CONSENT


def test_another_ones_consent_does_not_help():
    scope = of_subject(UUID(int=8))
    other = Consent.give(
        id=UUID(int=8), site=SITE, by=GUARD, at=NOW, resident=RESIDENT, purpose=Purpose.PLATE_ACCESS,
        notice_version="2026-1", name=Personal(scope, "李某"), until=NOW + MONTH,
    )  # fmt: skip
    assert registered(K.PLATE).known(other, NOW).standing is Standing.NO_CONSENT


def test_when_its_key_is_gone_it_has_no_digest_to_be_matched_by():
    credential = registered(K.PLATE)
    credential.digest = Personal(credential.digest.scope, None)
    assert credential.known(consent(), NOW).digest is None


def test_its_standing_is_that_of_its_state():
    credential = registered()
    credential.suspend(by=GUARD, at=NOW, ground=Ground.LOST)
    assert credential.known(None, NOW).standing is Standing.SUSPENDED
    credential.reinstate(by=GUARD, at=NOW)
    assert credential.known(None, NOW).standing is Standing.GOOD
    credential.revoke(by=GUARD, at=NOW, ground=Ground.MOVED_OUT)
    assert credential.known(None, NOW).standing is Standing.REVOKED
    with pytest.raises(RuleError, match="the credential is REVOKED"):
        credential.reinstate(by=GUARD, at=NOW)


def test_it_expires_once_suspended_or_not_and_not_before_its_time():
    for suspended in (False, True):
        credential = registered()
        if suspended:
            credential.suspend(by=GUARD, at=NOW, ground=Ground.ASKED_FOR)
        before = credential.version
        credential.pass_deadline(by=CLOCK, at=NOW + MONTH - timedelta(seconds=1), name="expire")
        assert credential.version == before
        for _ in range(2):
            credential.pass_deadline(by=CLOCK, at=NOW + MONTH, name="expire")
        assert (credential.state, credential.version) == (S.EXPIRED, before + 1)
        assert credential.known(None, NOW + MONTH).standing is Standing.EXPIRED


class Life(Driven):
    ROLES = frozenset({Role.GUARD, Role.PRIVACY_OFFICER, Role.DEVICE})
    HOURS = (0, 0, 24, 400)

    def begin(self, who, at):
        return registered(by=who, at=at)

    def calls(self, who, at):
        return {
            "suspend": {"ground": Ground.LOST},
            "reinstate": {},
            "revoke": {"ground": Ground.MISUSED},
            "pass_deadline": {"name": "expire"},
        }


TestLife = Life.TestCase
TestLife.settings = SETTINGS
