"""Looking by an inquiry: what is found is in the log before it is shown, and nothing beyond the inquiry is found."""

import hashlib
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest
from given import build_site, destroy, order, person
from histories import a_pass, append, reported
from looking import lead

from domain import commands
from domain.access import Shown
from domain.credential import Credential, Ground
from domain.credentials import CredentialKind
from domain.errors import UnavailableError
from domain.gatepass import Reading, ReleaseGround, admit, day_scope
from domain.inquiry import Inquiry, Records
from domain.observation import GateRef, observation_id
from domain.people import Role, Scope
from domain.personal import Personal, of_subject
from domain.plates import read_plate
from domain.visitor import Requester, Visitor
from projections.all import PROJECTIONS
from projections.runner import catch_up

ASKER, MATE = person(Role.INVESTIGATOR, name="asker"), person(Role.INVESTIGATOR, name="mate")
STRANGER, OFFICER = person(Role.INVESTIGATOR, name="stranger"), person(Role.PRIVACY_OFFICER)
CLERK, GUARD = person(Role.ADMIN), person(Role.GUARD)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
T = datetime.now(UTC).replace(microsecond=0)
SINCE = T - 2 * DAY
PLATE = "浙C12345"
PICTURE = b"\xff\xd8 a picture"

LOOK = """mutation($id: UUID!, $records: InquiryRecords!, $site: String!, $since: DateTime!, $until: DateTime!, $what: String,
  $first: Int = 50, $after: String, $requestId: UUID, $expectedVersion: Int) {
  lookInInquiry(id: $id, records: $records, site: $site, since: $since, until: $until, what: $what, first: $first, after: $after,
    requestId: $requestId, expectedVersion: $expectedVersion) {
    id version position repeated
    visitors { edges { node { id state name { text redacted } phone { text } plate { text } site { code } } } pageInfo { hasNextPage endCursor } }
    passes { edges { node { id gate credential decision passedAt value { text redacted } credentialId { text } } } pageInfo { hasNextPage endCursor } }
    credentials { edges { node { id kind state holder { text redacted } value { text } } } pageInfo { hasNextPage endCursor } }
    images { edges { node { sha256 mediaType incidentId leadId at } } pageInfo { hasNextPage endCursor } }
  } }"""


def visit(site, number, begins, name="张三"):
    """Somebody asked to come for four hours."""
    scope = of_subject(UUID(int=number))
    return Visitor.request(
        id=UUID(int=number), site=site, by=CLERK, at=begins - DAY, host=uuid4(), requester=Requester.HOST, valid_from=begins,
        valid_until=begins + 4 * HOUR, name=Personal(scope, name), phone=Personal(scope, "13800000000"), plate=Personal(scope, PLATE),
    )  # fmt: skip


def card(site, number, begins, *, until=T + DAY):
    """李四's card."""
    scope = of_subject(UUID(int=number))
    return Credential.register(
        id=UUID(int=number), site=site, by=CLERK, at=begins, kind=CredentialKind.CARD, resident=uuid4(), holder=Personal(scope, "李四"),
        value=Personal(scope, "04a2"), digest=b"d" * 32, valid_until=until,
    )  # fmt: skip


def plate_pass(site, at, native, plate=PLATE):
    """A car at the garage."""
    place, kind = GateRef(site.code, "garage"), read_plate(plate).kind
    shown = Shown(CredentialKind.PLATE, hashlib.sha256(plate.encode()).digest(), kind)
    value = Personal(day_scope(site.code, at), plate)
    return admit(
        Reading(id=observation_id(place, native), at=place, read_at=at, shown=shown, value=value), site
    )


def revoked(credential, at):
    credential.revoke(by=CLERK, at=at, ground=Ground.LOST)
    return credential


async def fold(running):
    for projection in PROJECTIONS.values():
        await catch_up(projection, running.pool, running.log)


@pytest.fixture
async def here(running):
    """A site, and what there was of persons at it and at the next one, within the last two days and before."""
    here, near = (
        await build_site(running.log, "here", garage=True),
        await build_site(running.log, "near", garage=True),
    )
    held = plate_pass(here, T - 20 * HOUR, "held")
    held.release(by=GUARD, at=T - 20 * HOUR, ground=ReleaseGround.RESIDENT_KNOWN)
    everything = [
        visit(here, 1, T - DAY), visit(here, 2, T - 10 * HOUR, "李四"), visit(here, 3, SINCE - 5 * HOUR), visit(near, 4, T - DAY),
        visit(here, 5, T), visit(here, 6, SINCE - HOUR, "王五"),
        card(here, 11, T - 9 * DAY), card(near, 12, T - 9 * DAY), card(here, 13, T - 9 * DAY, until=SINCE),
        revoked(card(here, 14, T - 9 * DAY), T - 5 * DAY), revoked(card(here, 15, T - 8 * DAY), T - DAY),
        a_pass(here, T - HOUR, number=1), held, plate_pass(here, T - 3 * HOUR, "other", "浙C99999"), a_pass(here, SINCE - HOUR / 60, number=2),
        a_pass(here, T, number=3), a_pass(near, T - HOUR, number=4), a_pass(here, SINCE, number=5),
    ]  # fmt: skip
    await append(running.log, everything, first_number=500)
    await fold(running)
    return here


@pytest.fixture
def inquiry(running, here):
    """Makes an inquiry into `here`, of the last two days, by ASKER and MATE; its id."""

    async def make(*, records=tuple(Records), approve=True, close=False, at=T, expires=DAY, sites=(here,)):
        made = Inquiry.request(
            id=uuid4(), by=ASKER, at=at, case="2026-17", purpose="where was the car", sites=sites, records=records, since=SINCE, until=T,
            expires_at=at + expires, colleagues=["mate"],
        )  # fmt: skip
        if approve:
            made.approve(by=OFFICER, at=at)
        if close:
            made.close(by=OFFICER, at=at, reason="done")
        await append(running.log, [made], first_number=uuid4().int >> 66)
        return made.id

    return make


def asked(inquiry_id, records=Records.VISITORS, **changed):
    given = {
        "id": str(inquiry_id),
        "records": records,
        "site": "here",
        "since": SINCE.isoformat(),
        "until": T.isoformat(),
    }
    return given | changed


def nodes(page):
    return [edge["node"] for edge in page["edges"]]


async def last(running, inquiry_id):
    *_, entry = await running.log.history(inquiry_id)
    return entry.event


# --- shown, and recorded ---------------------------------------------------------------------------------------------


async def test_visits_of_the_site_and_the_time_are_shown_with_who_came_and_that_is_in_the_log(
    running, asker, inquiry
):
    by = await inquiry()
    shown = await asker.data(LOOK, MATE, **asked(by))
    found = nodes(shown["visitors"])
    assert [UUID(one["id"]).int for one in found] == [6, 1, 2]
    assert [one["name"]["text"] for one in found] == ["王五", "张三", "李四"]
    assert (found[0]["phone"]["text"], found[0]["plate"]["text"]) == ("13800000000", PLATE)
    assert (shown["passes"], shown["images"], shown["credentials"]) == (None, None, None)
    event = await last(running, by)
    assert (event.TOPIC, event.actor, event.records, event.found, event.what) == (
        "inquiry.looked", "mate", Records.VISITORS, 3, None,
    )  # fmt: skip
    assert event.subjects == (UUID(int=1), UUID(int=2), UUID(int=6))
    assert (shown["id"], shown["position"]) == (str(by), await running.log.position())


async def test_credentials_that_were_good_then_are_shown_with_whose_they_are(running, asker, inquiry):
    by = await inquiry()
    found = nodes((await asker.data(LOOK, ASKER, **asked(by, Records.CREDENTIALS)))["credentials"])
    assert [(UUID(one["id"]).int, one["state"]) for one in found] == [(11, "ACTIVE"), (15, "REVOKED")]
    assert (found[0]["holder"]["text"], found[0]["value"]["text"]) == ("李四", "04a2")
    assert (await last(running, by)).subjects == (UUID(int=11), UUID(int=15))


async def test_passes_at_the_site_are_shown_as_they_were_read_and_decided(running, asker, inquiry):
    by = await inquiry()
    found = nodes((await asker.data(LOOK, ASKER, **asked(by, Records.PASSES)))["passes"])
    assert [(one["gate"], one["decision"], (one["value"] or {}).get("text")) for one in found] == [
        ("main", "RECORDED", None), ("garage", "OPENED", PLATE), ("garage", "HELD", "浙C99999"), ("main", "RECORDED", None),
    ]  # fmt: skip
    assert min(datetime.fromisoformat(one["passedAt"]) for one in found) == SINCE
    assert set((await last(running, by)).subjects) == {UUID(one["id"]) for one in found}


async def test_only_what_is_searched_for_is_shown_and_what_it_was_is_kept_sealed(running, asker, inquiry):
    by = await inquiry()
    (car,) = nodes((await asker.data(LOOK, ASKER, **asked(by, Records.PASSES, what=" 浙c·12345 ")))["passes"])
    event = await last(running, by)
    assert (event.subjects, event.found, event.what.text) == ((UUID(car["id"]),), 1, "浙c·12345")
    assert event.what.scope == of_subject(by)
    for what, numbers in (("李四", [2]), ("13800000000", [6, 1, 2]), ("浙C1234", []), ("??", [])):
        page = (await asker.data(LOOK, ASKER, **asked(by, what=what)))["visitors"]
        assert [UUID(one["id"]).int for one in nodes(page)] == numbers
        assert (await last(running, by)).found == len(numbers), "that nothing was found is a look too"
    stored = b"".join(row["state"] for row in await running.pool.fetch("select state from events"))
    assert b"12345" not in stored
    refusal = await asker.refusal(LOOK, ASKER, **asked(by, Records.IMAGES, what=PLATE))
    assert (refusal["code"], PLATE in refusal["message"]) == ("INVALID", False)


async def test_a_search_stops_in_time_and_goes_on_where_it_stopped(asker, inquiry, monkeypatch):
    by = await inquiry()
    monkeypatch.setattr("api.graphql.mutations.looking.BATCH", 1)
    monkeypatch.setattr("api.graphql.mutations.looking.MOST", 2)
    page = (await asker.data(LOOK, ASKER, **asked(by, what="李四")))["visitors"]
    assert (page["edges"], page["pageInfo"]["hasNextPage"]) == ([], True)
    page = (await asker.data(LOOK, ASKER, **asked(by, what="李四", after=page["pageInfo"]["endCursor"])))[
        "visitors"
    ]
    assert [UUID(one["id"]).int for one in nodes(page)] == [2]
    assert not page["pageInfo"]["hasNextPage"]


@pytest.mark.parametrize("records", [kind for kind in Records if kind is not Records.IMAGES])
async def test_a_page_is_a_look_of_its_own_and_no_more_than_it_is_recorded(running, asker, inquiry, records):
    by, name = await inquiry(), records.lower()
    whole = nodes((await asker.data(LOOK, ASKER, **asked(by, records)))[name])
    paged, after = [], None
    for number in range(len(whole)):
        page = (await asker.data(LOOK, ASKER, **asked(by, records, first=1, after=after)))[name]
        (one,), after = nodes(page), page["pageInfo"]["endCursor"]
        assert (await last(running, by)).subjects == (UUID(one["id"]),)
        assert page["pageInfo"]["hasNextPage"] == (number + 1 < len(whole))
        paged.append(one)
    assert paged == whole
    assert len(await running.log.history(by)) == 2 + 1 + len(whole)
    assert (await asker.refusal(LOOK, ASKER, **asked(by, records, first=501)))["code"] in {
        "INVALID",
        "TOO_COSTLY",
    }
    other = next(kind for kind in Records if kind is not records)
    assert (await asker.refusal(LOOK, ASKER, **asked(by, other, after=after)))["code"] == "INVALID"


async def test_images_are_named_by_their_digests_and_their_bytes_are_fetched_by_the_same_inquiry(
    running, asker, inquiry, here
):
    async def send(method, by, path="", **how):
        headers = {"Authorization": f"Bearer {asker.token(by)}"} | how.pop("headers", {})
        return await asker.client.request(method, f"/api/evidence{path}", headers=headers, **how)

    intake = person(Role.INTAKE)
    digest = (await send("POST", intake, content=PICTURE)).json()["sha256"]
    incidents = [
        reported(20, here, T - DAY),
        reported(21, here, T - 3 * DAY),
        reported(22, here, T - DAY, confidential=True),
    ]
    for incident, at in zip(incidents, (T - DAY, T - 3 * DAY, T - DAY), strict=True):
        incident.attach_evidence(by=intake, at=at, sha256=digest, media_type="image/jpeg", note="现场")
    await append(running.log, incidents, first_number=900)
    await fold(running)
    by = await inquiry()
    shown = (await asker.data(LOOK, ASKER, **asked(by, Records.IMAGES)))["images"]
    assert [(one["sha256"], one["incidentId"], one["leadId"]) for one in nodes(shown)] == [
        (digest, str(UUID(int=21)), None)
    ]
    assert (await last(running, by)).subjects == (UUID(int=21),)
    bytes_ = await send("GET", ASKER, f"/{digest}", headers={"Anju-Inquiry": str(by)})
    assert bytes_.content == PICTURE
    page = await running.log.read(0, 1000, frozenset({"reading.recorded"}))
    assert [entry.event.inquiry_id for entry in page.entries] == [by]


async def test_what_the_camera_saw_of_a_lead_is_an_image_of_the_site(
    running, asker, inquiry, here, monkeypatch
):
    monkeypatch.setattr("looking.NOW", T - HOUR)
    await append(running.log, [lead(30, here)[0]], first_number=950)
    await fold(running)
    by = await inquiry()
    (image,) = nodes((await asker.data(LOOK, ASKER, **asked(by, Records.IMAGES)))["images"])
    assert (image["sha256"], image["incidentId"]) == ("b" * 64, None)
    assert (await last(running, by)).subjects == (UUID(image["leadId"]),)


async def test_whoever_was_erased_is_shown_redacted(running, asker, inquiry):
    by = await inquiry()
    await destroy(running.log, of_subject(UUID(int=1)))
    found = nodes((await asker.data(LOOK, ASKER, **asked(by)))["visitors"])
    assert [one["name"] for one in found[:2]] == [
        {"text": "王五", "redacted": False}, {"text": None, "redacted": True},
    ]  # fmt: skip
    await destroy(running.log, day_scope("here", T - 20 * HOUR))
    found = nodes((await asker.data(LOOK, ASKER, **asked(by, Records.PASSES)))["passes"])
    assert {"text": None, "redacted": True} in [one["value"] for one in found]


async def test_the_record_of_reads_says_who_was_shown_this_visit(running, asker, inquiry):
    by = await inquiry()
    await asker.data(LOOK, ASKER, **asked(by))
    await fold(running)
    query = "query($subject: UUID) { reads(subject: $subject) { edges { node { kind groundId lookedBy records found subjects } } } }"
    (node,) = nodes(await asker.data(query, OFFICER, subject=str(UUID(int=1))))
    assert (node["kind"], node["groundId"], node["lookedBy"], node["records"], node["found"]) == (
        "INQUIRY", str(by), "asker", "VISITORS", 3,
    )  # fmt: skip
    assert nodes(await asker.data(query, OFFICER, subject=str(UUID(int=3)))) == []


# --- refused ---------------------------------------------------------------------------------------------------------


async def test_nothing_is_shown_that_cannot_be_recorded(running, asker, inquiry, monkeypatch):
    by = await inquiry()

    async def refuse(_request):
        raise UnavailableError("the disk is full")

    monkeypatch.setattr(running.log, "append", refuse)
    answer = await asker.answer(LOOK, ASKER, **asked(by))
    assert (answer["data"], answer["errors"][0]["extensions"]["code"]) == (None, "UNAVAILABLE")
    assert "张三" not in str(answer)


async def test_an_inquiry_that_is_not_theirs_or_not_approved_or_over_is_as_one_that_is_not_there(
    running, asker, inquiry, here
):
    far = person(Role.INVESTIGATOR, name="asker", scope=Scope("tangxia"))
    cases = [
        (ASKER, uuid4()), (ASKER, here.id), (STRANGER, await inquiry()), (far, await inquiry()), (ASKER, await inquiry(approve=False)),
        (ASKER, await inquiry(close=True)), (ASKER, await inquiry(at=T - 2 * DAY, expires=DAY)),
    ]  # fmt: skip
    before, words = await running.log.position(), set()
    for who, by in cases:
        refusal = await asker.refusal(LOOK, who, **asked(by))
        assert refusal["code"] == "NOT_FOUND"
        words.add(refusal["message"].replace(str(by), "ID").replace(who.id, "WHO"))
    assert len(words) == 1
    for role in (Role.PRIVACY_OFFICER, Role.AUDITOR, Role.SUPERVISOR, Role.GUARD):
        assert (await asker.refusal(LOOK, person(role, name="asker"), **asked(await inquiry())))[
            "code"
        ] == "FORBIDDEN"
    assert {entry.event.TOPIC for entry in (await running.log.read(before, 100)).entries} == {
        "inquiry.requested",
        "inquiry.approved",
    }


async def test_nothing_beyond_the_inquiry_is_looked_into(running, asker, inquiry):
    by = await inquiry(records=(Records.VISITORS, Records.PASSES))
    before = await running.log.position()
    for changed, why in (
        ({"records": Records.CREDENTIALS}, "is for PASSES, VISITORS, not CREDENTIALS"),
        ({"site": "near"}, "is not for site"),
        ({"since": (SINCE - HOUR).isoformat()}, "is for what happened from"),
        ({"until": (T + HOUR).isoformat()}, "is for what happened from"),
        ({"until": SINCE.isoformat()}, "to a later one"),
    ):
        refusal = await asker.refusal(LOOK, ASKER, **asked(by) | changed)
        assert (refusal["code"], why in refusal["message"]) == ("INVALID", True), refusal
    assert await running.log.position() == before


async def test_a_lost_answer_is_asked_for_again_and_shows_what_was_recorded_and_no_more(
    running, asker, inquiry, here
):
    by, request = await inquiry(), str(uuid4())
    first = await asker.data(LOOK, ASKER, **asked(by, requestId=request))
    await append(running.log, [visit(here, 7, T - 9 * HOUR, "赵六")], first_number=980)
    await fold(running)
    again = await asker.data(LOOK, ASKER, **asked(by, requestId=request))
    assert (again["repeated"], again["version"]) == (True, first["version"])
    assert nodes(again["visitors"]) == nodes(first["visitors"])
    assert len(await running.log.history(by)) == 3
    for changed in ({"records": Records.PASSES}, {"what": "张三"}):
        refusal = await asker.refusal(LOOK, ASKER, **asked(by, requestId=request) | changed)
        assert "used for something else" in refusal["message"]
    assert (
        "used for something else"
        in (await asker.refusal(LOOK, MATE, **asked(by, requestId=request)))["message"]
    )
    await commands.act(
        running.log, order(by=OFFICER, at=datetime.now(UTC)), Inquiry, Inquiry.close, by, reason="done"
    )
    assert (await asker.refusal(LOOK, ASKER, **asked(by, requestId=request)))["code"] == "NOT_FOUND"


async def test_a_look_on_a_version_that_is_gone_is_refused_and_shows_nothing(running, asker, inquiry):
    by = await inquiry()
    lost = await asker.refusal(LOOK, ASKER, **asked(by, expectedVersion=9))
    assert (lost["code"], lost["currentVersion"]) == ("CONFLICT", 2)
    assert (await asker.data(LOOK, ASKER, **asked(by, expectedVersion=2)))["version"] == 3
