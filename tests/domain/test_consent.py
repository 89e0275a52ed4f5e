"""A consent: to one purpose, with an end, and over at once when the resident says so."""

from datetime import timedelta
from uuid import UUID

import pytest
from given import NOW, person
from hypothesis.stateful import invariant
from machines import SETTINGS, Driven

from domain.consent import LONGEST, Consent, ConsentState, Purpose, require_standing
from domain.errors import InvalidError, RuleError
from domain.lifecycle import transitions
from domain.model import event_classes
from domain.people import Role
from domain.personal import Personal, of_subject
from domain.site import Site

S = ConsentState
ID, RESIDENT = UUID(int=7), UUID(int=70)
SCOPE = of_subject(ID)
NAME, GUARDIAN = Personal(SCOPE, "李小某"), Personal(SCOPE, "李某")
SITE = Site.plan(code="gaoqiao", name="高桥", township="yuhai", by=person(Role.ADMIN), at=NOW)
GUARD, CLOCK = person(Role.GUARD), person(Role.DEVICE)
YEAR = timedelta(days=365)


def given(**changed):
    fields = {
        "id": ID,
        "site": SITE,
        "by": GUARD,
        "at": NOW,
        "resident": RESIDENT,
        "purpose": Purpose.FACE_ACCESS,
        "notice_version": "2026-1",
        "name": NAME,
        "until": NOW + YEAR,
    }
    return Consent.give(**(fields | changed))


def test_the_transitions_are_those_of_the_table():
    assert transitions(list(event_classes(Consent).values())) == [
        ("GIVEN", "consent.renewed", "GIVEN"),
        ("GIVEN", "consent.withdrawn", "WITHDRAWN"),
        ("EXPIRED", "consent.withdrawn", "WITHDRAWN"),
        ("GIVEN", "consent.expired", "EXPIRED"),
    ]


def test_a_consent_stands_from_when_it_is_given_to_its_end_even_if_nobody_noticed_that_it_ended():
    consent = given()
    assert (consent.site_id, consent.township, consent.scope) == (SITE.id, "yuhai", SCOPE)
    assert consent.stands(NOW)
    assert consent.stands(NOW + YEAR - timedelta(seconds=1))
    assert not consent.stands(NOW + YEAR)
    assert consent.state is S.GIVEN


@pytest.mark.parametrize("until", [NOW, NOW - YEAR, NOW + LONGEST + timedelta(seconds=1)])
def test_a_consent_has_an_end_after_its_beginning_and_within_two_years(until):
    with pytest.raises(RuleError, match="within 730 days"):
        given(until=until)
    with pytest.raises(RuleError, match="within 730 days"):
        given().renew(by=GUARD, at=NOW, notice_version="2026-1", until=until)


def test_a_child_under_14_needs_a_guardian_and_nobody_else_has_one():
    assert given(under_14=True, guardian=GUARDIAN).guardian == GUARDIAN
    with pytest.raises(RuleError, match="guardian's consent"):
        given(under_14=True)
    with pytest.raises(RuleError, match="under 14 only"):
        given(guardian=GUARDIAN)


def test_whoever_turned_14_renews_without_a_guardian():
    consent = given(under_14=True, guardian=GUARDIAN)
    consent.renew(by=GUARD, at=NOW, notice_version="2026-2", until=NOW + YEAR)
    assert (consent.under_14, consent.guardian, consent.notice_version) == (False, None, "2026-2")


@pytest.mark.parametrize("field", ["name", "guardian"])
def test_names_lie_under_the_key_of_the_consent_and_no_other(field):
    elsewhere = Personal(of_subject(UUID(int=8)), "李某")
    with pytest.raises(InvalidError, match=f"{field} is under subject:.*seal it under {SCOPE}") as refused:
        given(**({"under_14": True, "guardian": GUARDIAN} | {field: elsewhere}))
    assert "李某" not in str(refused.value)


def test_a_notice_has_a_version():
    with pytest.raises(InvalidError, match="notice version is empty"):
        given(notice_version=" ")


def test_a_renewal_moves_the_end():
    consent = given()
    consent.renew(by=GUARD, at=NOW + YEAR / 2, notice_version="2026-2", until=NOW + 2 * YEAR)
    assert consent.until == NOW + 2 * YEAR
    consent.pass_deadline(by=CLOCK, at=NOW + YEAR, name="expire")
    assert consent.state is S.GIVEN


def test_what_has_ended_is_not_renewed_noticed_or_not():
    consent = given()
    with pytest.raises(RuleError, match="is over"):
        consent.renew(by=GUARD, at=NOW + YEAR, notice_version="2026-2", until=NOW + 2 * YEAR)
    consent.pass_deadline(by=CLOCK, at=NOW + YEAR, name="expire")
    with pytest.raises(RuleError, match="the consent is EXPIRED, and it must be GIVEN"):
        consent.renew(by=GUARD, at=NOW + YEAR, notice_version="2026-2", until=NOW + 2 * YEAR)


def test_withdrawing_ends_it_at_once_and_for_good():
    consent = given()
    consent.withdraw(by=GUARD, at=NOW)
    assert (consent.state, consent.stands(NOW), consent.deadlines) == (S.WITHDRAWN, False, ())
    for again in (
        lambda: consent.withdraw(by=GUARD, at=NOW),
        lambda: consent.renew(by=GUARD, at=NOW, notice_version="2026-2", until=NOW + YEAR),
    ):
        with pytest.raises(RuleError, match="the consent is WITHDRAWN"):
            again()


def test_withdrawing_says_neither_why_nor_who_the_resident_is():
    consent = given()
    consent.withdraw(by=GUARD, at=NOW)
    assert set(vars(consent.pending_events[-1])) == {
        "originator_id", "originator_version", "timestamp", "actor", "deadlines",
    }  # fmt: skip


def test_a_consent_that_ended_by_itself_can_still_be_withdrawn_so_that_its_key_goes():
    consent = given()
    consent.pass_deadline(by=CLOCK, at=NOW + YEAR, name="expire")
    consent.withdraw(by=GUARD, at=NOW + YEAR)
    assert consent.state is S.WITHDRAWN


def test_its_deadline_passes_once_and_not_before():
    consent = given()
    for at, name, version in [
        (NOW + YEAR - timedelta(seconds=1), "expire", 1),
        (NOW + YEAR, "other", 1),
        (NOW + YEAR, "expire", 2),
        (NOW + YEAR, "expire", 2),
    ]:
        consent.pass_deadline(by=CLOCK, at=at, name=name)
        assert consent.version == version
    assert (consent.state, consent.until) == (S.EXPIRED, None)


def test_a_consent_is_for_one_purpose_of_one_resident():
    consent = given()
    assert require_standing(consent, Purpose.FACE_ACCESS, RESIDENT, NOW) == NOW + YEAR
    for purpose, resident in [(Purpose.PLATE_ACCESS, RESIDENT), (Purpose.FACE_ACCESS, UUID(int=71))]:
        with pytest.raises(RuleError, match=r"is another's, or for FACE_ACCESS: .* needs its own"):
            require_standing(consent, purpose, resident, NOW)


class Life(Driven):
    ROLES = frozenset({Role.GUARD, Role.MEDIATOR, Role.DEVICE, Role.AUDITOR})
    HOURS = (0, 0, 24, 4000)

    def calls(self, who, at):
        return {
            "renew": {"notice_version": "2026-2", "until": at + YEAR},
            "withdraw": {},
            "pass_deadline": {"name": "expire"},
        }

    def begin(self, who, at):
        return given(by=who, at=at)

    @invariant()
    def it_stands_only_while_it_is_given_and_not_over(self):
        assert self.it.stands(self.now) <= (self.it.state is S.GIVEN and self.now < self.it.until)


TestLife = Life.TestCase
TestLife.settings = SETTINGS
