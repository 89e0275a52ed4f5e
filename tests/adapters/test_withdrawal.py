"""A consent is withdrawn: in one request it ends, and its key is destroyed unless a case holds it."""

from datetime import timedelta
from uuid import uuid4

import pytest
from given import NOW, build_site, order

from domain import commands
from domain.access import DEFAULT_RULES, Attempt, Decision, Shown, Standing, decide_access
from domain.commands import Order
from domain.consent import Consent, ConsentState, Purpose
from domain.credential import Credential
from domain.credentials import CredentialKind
from domain.errors import ConflictError, ForbiddenError, RuleError
from domain.key import Key, key_id
from domain.people import Role
from domain.personal import Personal, of_subject
from domain.plates import PlateKind


@pytest.fixture
async def consent(log):
    """A consent in the log, of a resident 李某."""
    site, asked = await build_site(log), order(Role.GUARD)
    done = await commands.create(
        log,
        asked,
        Consent.give,
        site_id=site.id,
        resident=uuid4(),
        purpose=Purpose.FACE_ACCESS,
        notice_version="2026-1",
        name=Personal(of_subject(commands.subject_id(asked)), "李某"),
        until=NOW + timedelta(days=365),
    )
    return await log.load(Consent, done.id)


async def test_consent_and_key_go_in_one_request(log, consent):
    asked = order(Role.GUARD)
    done = await commands.withdraw_consent(log, asked, consent.id)
    place = await log.find(asked.request_id)
    entries = (await log.read(place.first - 1, 10)).entries
    assert [entry.event.TOPIC for entry in entries] == [
        "consent.withdrawn", "key.registered", "key.destroyed",
    ]  # fmt: skip
    assert (done.id, done.version, done.position) == (consent.id, 2, place.last)
    after = await log.load(Consent, consent.id)
    assert (after.state, after.name.redacted) == (ConsentState.WITHDRAWN, True)
    assert consent.name.text == "李某"


async def test_under_legal_hold_matching_stops_and_the_key_stays(log, consent):
    await commands.decide_key(
        log, order(Role.INVESTIGATOR), Key.place_hold, consent.scope, case="2026-17", reason="trial"
    )
    await commands.withdraw_consent(log, order(Role.GUARD), consent.id)
    after = await log.load(Consent, consent.id)
    assert (after.stands(NOW), after.name.text) == (False, "李某")
    assert not (await log.load(Key, key_id(consent.scope))).destroyed


async def test_a_key_that_is_gone_already_is_no_reason_to_refuse(log, consent):
    await commands.decide_key(
        log, order(Role.PRIVACY_OFFICER), Key.destroy, consent.scope, reason="asked for"
    )
    await commands.withdraw_consent(log, order(Role.GUARD), consent.id)
    assert (await log.load(Consent, consent.id)).state is ConsentState.WITHDRAWN


async def test_the_same_request_twice_withdraws_once_and_another_is_told_so(log, consent):
    asked = order(Role.GUARD)
    first = await commands.withdraw_consent(log, asked, consent.id)
    again = await commands.withdraw_consent(log, asked, consent.id)
    assert (again.repeated, again.version) == (True, first.version)
    with pytest.raises(RuleError, match="the consent is WITHDRAWN"):
        await commands.withdraw_consent(log, order(Role.GUARD), consent.id)


async def test_it_is_refused_to_an_auditor_and_at_another_version(log, consent):
    with pytest.raises(ForbiddenError):
        await commands.withdraw_consent(log, order(Role.AUDITOR), consent.id)
    with pytest.raises(ConflictError):
        await commands.withdraw_consent(log, order(Role.GUARD), consent.id, expected_version=9)
    assert (await log.load(Consent, consent.id)).stands(NOW)


async def test_a_hold_that_is_placed_meanwhile_keeps_the_key(log, consent):
    class Slow:
        """The log, in which a hold is placed just before the withdrawal is appended."""

        def __getattr__(self, name):
            return getattr(log, name)

        async def append(self, request):
            if len(request.events) > 1:
                await commands.decide_key(
                    log, Order(order(Role.INVESTIGATOR).by, NOW, hold), Key.place_hold, consent.scope,
                    case="2026-17", reason="trial",
                )  # fmt: skip
            return await log.append(request)

    hold = uuid4()
    await commands.withdraw_consent(Slow(), order(Role.GUARD), consent.id)
    assert (await log.load(Key, key_id(consent.scope))).holds == {"2026-17"}
    after = await log.load(Consent, consent.id)
    assert (after.state, after.name.text) == (ConsentState.WITHDRAWN, "李某")


async def test_a_credential_that_was_registered_by_it_can_be_matched_with_nothing_afterwards(log):
    site, asked, resident = await build_site(log, garage=True), order(Role.GUARD), uuid4()
    scope = of_subject(commands.subject_id(asked))
    given = await commands.create(
        log, asked, Consent.give, site_id=site.id, resident=resident, purpose=Purpose.PLATE_ACCESS,
        notice_version="2026-1", name=Personal(scope, "李某"), until=NOW + timedelta(days=365),
    )  # fmt: skip
    registered = await commands.create(
        log, order(Role.GUARD), Credential.register, site_id=site.id, kind=CredentialKind.PLATE,
        resident=resident, holder=Personal(scope, "李某"), value=Personal(scope, "浙C12345"), digest=b"d" * 32,
        valid_until=NOW + timedelta(days=30), consent=await log.load(Consent, given.id),
    )  # fmt: skip
    attempt = Attempt(
        Shown(CredentialKind.PLATE, b"d" * 32, PlateKind.CIVIL), site.gate("garage"), site.id, NOW
    )

    async def decision():
        credential = await log.load(Credential, registered.id)
        known = credential.known(await log.load(Consent, given.id), NOW)
        return known, decide_access(attempt, known, DEFAULT_RULES).decision

    assert (await decision())[1] is Decision.OPENED
    await commands.withdraw_consent(log, order(Role.GUARD), given.id)
    known, after = await decision()
    assert (known.digest, known.standing, after) == (None, Standing.NO_CONSENT, Decision.HELD)
