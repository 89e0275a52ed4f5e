"""Watch entries, leads and inquiries on the one road of commands: inside scopes, sealed, and read back as they were decided."""

from datetime import timedelta
from uuid import UUID

import pytest
from given import NOW, build_site, order, person

from domain import commands
from domain.errors import ForbiddenError, RuleError
from domain.inquiry import Inquiry, Look, Records
from domain.lead import Evidence, Lead, LeadState
from domain.observation import ModelUse
from domain.people import Role, Scope
from domain.personal import Personal, of_subject
from domain.watch import WatchEntry, WatchKind

PLATE = "浙C12345"
DAY = timedelta(days=1)
ASKER = person(Role.INVESTIGATOR, Role.REVIEWER, name="asker")


async def stored(pool):
    return b"".join(row["state"] for row in await pool.fetch("select state from events"))


async def test_a_look_is_written_down_sealed_and_an_officer_of_elsewhere_does_not_approve_it(log, pool):
    site, asked = await build_site(log), order(by=ASKER)
    done = await commands.create(
        log, asked, Inquiry.request, id=commands.subject_id(asked), case="2026-17", purpose="where was the car",
        sites=[site], records={Records.PASSES}, since=NOW - DAY, until=NOW, expires_at=NOW + DAY,
    )  # fmt: skip
    elsewhere = person(Role.PRIVACY_OFFICER, scope=Scope(township="tangxia"))
    with pytest.raises(ForbiddenError, match="lies outside"):
        await commands.act(log, order(by=elsewhere), Inquiry, Inquiry.approve, done.id)
    look = {
        "look": Look(Records.PASSES, site.id, NOW - DAY, NOW),
        "found": 2,
        "what": Personal(of_subject(done.id), PLATE),
    }
    with pytest.raises(RuleError, match="is REQUESTED"):
        await commands.act(log, order(by=ASKER), Inquiry, Inquiry.look, done.id, **look)
    await commands.act(log, order(Role.PRIVACY_OFFICER), Inquiry, Inquiry.approve, done.id)
    await commands.act(log, order(by=ASKER), Inquiry, Inquiry.look, done.id, **look)
    *_, entry = await log.history(done.id)
    assert (entry.event.actor, entry.event.found, entry.event.what.text) == ("asker", 2, PLATE)
    assert PLATE.encode() not in await stored(pool)


async def test_a_lead_goes_from_the_entry_to_the_case_and_names_nobody(log, pool):
    site, asked = await build_site(log), order(by=ASKER)
    requested = await commands.create(
        log, asked, WatchEntry.request, site_id=site.id, kind=WatchKind.PLATE, plate_digest=b"d" * 32,
        subject=Personal(of_subject(commands.subject_id(asked)), PLATE), legal_basis="刑事诉讼法 150",
        case="2026-17", purpose="find a car", expires_at=NOW + 30 * DAY,
    )  # fmt: skip
    await commands.act(log, order(Role.SUPERVISOR), WatchEntry, WatchEntry.approve, requested.id)
    entry, evidence = await log.load(WatchEntry, requested.id), Evidence(None, "b" * 64, 0.9)
    lead = await commands.create(
        log, order(Role.DEVICE), Lead.propose, entry=entry, site=site, gate="main", pass_id=UUID(int=1),
        evidence=evidence, model=ModelUse("lpr", "c" * 64),
    )  # fmt: skip
    with pytest.raises(RuleError, match="somebody else has to review"):
        await commands.act(log, order(by=ASKER), Lead, Lead.confirm, lead.id, seen=evidence)
    await commands.act(log, order(Role.REVIEWER), Lead, Lead.confirm, lead.id, seen=evidence)
    await commands.act(log, order(by=ASKER), Lead, Lead.link, lead.id, case="2026-17")
    found = await log.load(Lead, lead.id)
    assert (found.state, found.linked, found.evidence) == (LeadState.CONFIRMED, True, evidence)
    assert entry.subject.text == PLATE
    assert PLATE.encode() not in await stored(pool)
