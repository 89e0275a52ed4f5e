"""Evidence goes in by whoever may attach it, and comes out to whoever may read what names it; and that is recorded."""

import hashlib
from uuid import UUID

import pytest
from given import NOW, build_site, order, person, report
from histories import append
from looking import REVIEWER, lead

from domain import commands
from domain.incident import Incident, Source
from domain.people import Role, Scope
from domain.reading import Shown
from projections.all import PROJECTIONS
from projections.runner import catch_up

PICTURE = b"\xff\xd8 a picture " * 100_000
DIGEST = hashlib.sha256(PICTURE).hexdigest()
INTAKE = person(Role.INTAKE)


@pytest.fixture
async def send(asker):
    """Send bytes as somebody."""

    async def put(content=PICTURE, by=INTAKE):
        headers = {"Authorization": f"Bearer {asker.token(by)}"} if by else {}
        return await asker.client.post("/api/evidence", content=content, headers=headers)

    return put


@pytest.fixture
async def get(asker):
    """Ask for bytes as somebody."""

    async def ask(sha256=DIGEST, by=INTAKE):
        headers = {"Authorization": f"Bearer {asker.token(by)}"} if by else {}
        return await asker.client.get(f"/api/evidence/{sha256}", headers=headers)

    return ask


async def caught_up(running):
    for name in ("incidents", "evidence", "leads"):
        await catch_up(PROJECTIONS[name], running.pool, running.log)


async def attach(running, incident_id, digest=DIGEST, media_type="image/jpeg", role=Role.INTAKE):
    fields = {"sha256": digest, "media_type": media_type, "note": "现场"}
    asked = order(role, at=NOW)
    await commands.act(running.log, asked, Incident, Incident.attach_evidence, incident_id, **fields)
    await caught_up(running)


async def readings(running):
    page = await running.log.read(0, 1000, frozenset({"reading.recorded"}))
    return [entry.event for entry in page.entries]


async def test_what_was_sent_and_attached_comes_back_and_the_read_is_recorded(send, get, running, site):
    first, again = await send(), await send()
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.json() == again.json() == {"sha256": DIGEST, "size": len(PICTURE)}
    done = await report(running.log, site)
    await attach(running, done.id)
    response = await get()
    assert (response.status_code, response.content) == (200, PICTURE)
    assert response.headers["content-type"] == "image/jpeg"
    assert response.headers["x-content-type-options"] == "nosniff"
    (said,) = await readings(running)
    assert (said.shown, said.subjects, said.asked) == (Shown.EVIDENCE, (done.id,), f"sha256={DIGEST}")
    assert (said.actor, said.township) == ("p-intake", "yuhai")


async def test_only_who_may_attach_may_send(send):
    for by in (person(Role.AUDITOR), person(Role.STATISTICIAN), person(Role.MEDIATOR)):
        assert (await send(by=by)).status_code == 403
    assert (await send(by=None)).status_code == 401


async def test_what_is_empty_or_too_large_is_refused(send, running, monkeypatch):
    monkeypatch.setattr(running.evidence, "largest", 10)
    assert "at most 10 bytes" in (await send()).json()["detail"]
    assert "is empty" in (await send(b"")).json()["detail"]


async def test_nobody_sees_what_no_incident_of_theirs_names(send, get, running, site):
    await send()
    assert (await get()).status_code == 404
    done = await report(running.log, site)
    await attach(running, done.id)
    for by in (person(Role.INTAKE, scope=Scope("tangxia")), person(Role.STATISTICIAN)):
        assert (await get(by=by)).status_code == 404
    assert (await get(by=None)).status_code == 401
    assert (await get("0" * 63)).status_code == 422
    assert (await get(by=person(Role.INTAKE, scope=Scope("yuhai")))).status_code == 200
    assert len(await readings(running)) == 1


async def test_evidence_of_a_confidential_incident_is_for_those_who_may_read_it(send, get, running, site):
    await send()
    done = await commands.report_incident(
        running.log, order(Role.INTAKE), site_id=site.id, source=Source.CITIZEN, category="noise",
        description="举报", confidential=True,
    )  # fmt: skip
    await attach(running, done.id)
    assert (await get(by=person(Role.GRID_WORKER))).status_code == 404
    assert (await get()).status_code == 200


async def test_images_of_a_lead_are_for_its_readers(send, get, running):
    there = await build_site(running.log, "here")
    await send()
    made, _ = lead(5, there)
    digest = made.evidence.probe_sha256
    await append(running.log, [made])
    await caught_up(running)
    (running.evidence.folder / digest[:2]).mkdir()
    (running.evidence.folder / digest[:2] / digest).write_bytes(b"not these bytes")
    assert (await get(digest, INTAKE)).status_code == 404
    assert (await get(digest, REVIEWER)).status_code == 500  # found, altered, and not given out
    assert await readings(running) == []


async def test_a_media_type_that_a_browser_would_run_is_not_said(send, get, running, site):
    await send()
    done = await report(running.log, site)
    await attach(running, done.id, media_type="text/html")
    assert (await get()).headers["content-type"] == "application/octet-stream"
    assert UUID(int=0) not in (await readings(running))[0].subjects


async def test_whoever_attaches_a_digest_without_having_had_the_bytes_opens_them_to_nobody(
    send, get, running, site
):
    done = await report(running.log, site)
    await attach(running, done.id, role=Role.SUPERVISOR)
    await send()
    assert (await get(by=person(Role.SUPERVISOR))).status_code == 404
    await send(by=person(Role.SUPERVISOR))
    assert (await get(by=person(Role.SUPERVISOR))).status_code == 200
