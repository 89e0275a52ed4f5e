"""/api/audit and the same in GraphQL: what the log holds, inside the reader's scope, sealed, for a reason, and every read in the log."""

import asyncio
import json
from datetime import timedelta
from urllib.parse import parse_qs
from uuid import UUID

import pytest
from given import NOW, build_site, destroy, order, person, report

from adapters import verifications
from api import check_bundle
from api.audit import verifying
from domain import commands
from domain.incident import Incident
from domain.people import Role, Scope
from domain.personal import Personal, of_subject
from domain.policy import ALLOWED
from domain.reading import Shown

NAME, SUBJECT = "陈女士 13800000000", of_subject(UUID(int=7))
AUDITOR = person(Role.AUDITOR)
WHY = {"Anju-Purpose": "audit%20of%20March"}


@pytest.fixture
async def get(asker):
    """GET below /api/audit as somebody: (path, person, headers, parameters) -> response."""

    async def ask(path, by=AUDITOR, headers=WHY, **parameters):
        token = {"Authorization": f"Bearer {asker.token(by)}"} if by else {}
        parameters = {name.rstrip("_"): value for name, value in parameters.items()}
        return await asker.client.get(
            f"/api/audit/{path}", params=parameters or None, headers=token | headers
        )

    return ask


@pytest.fixture
async def story(running):
    """Positions 1 to 6 a site in yuhai, 7 to 12 one in tangxia; 13 an incident in yuhai with a reporter, 14 accepted, 15 one in tangxia."""
    near, far = await build_site(running.log), await build_site(running.log, "far", "tangxia")
    done = await report(running.log, near, reporter=Personal(SUBJECT, NAME))
    later = order(Role.INTAKE, at=NOW + timedelta(hours=1))
    await commands.act(running.log, later, Incident, Incident.accept, done.id)
    other = await report(running.log, far)
    return done.id, other.id


async def readings(running):
    page = await running.log.read(0, 1000, frozenset({"reading.recorded"}))
    return [entry.event for entry in page.entries]


def positions(response):
    assert response.status_code == 200, response.text
    return [event["position"] for event in response.json()["events"]]


def refused(response, status, why):
    assert (response.status_code, response.headers["content-type"]) == (status, "application/problem+json")
    assert why in response.json()["detail"]


async def test_events_come_by_each_filter(get, running, story):
    incident, other = story
    moment = (await running.log.history(incident))[0].recorded_at
    for asked, expected in [
        ({"category": "incident"}, [13, 14, 15]),
        ({"topic": "incident.reported"}, [13, 15]),
        ({"aggregate": incident}, [13, 14]),
        ({"actor": "p-intake", "through": 14}, [13, 14]),
        ({"from": moment.isoformat(), "category": "incident"}, [13, 14, 15]),
        ({"to": moment.isoformat(), "category": "incident"}, []),
        ({"after": 4, "through": 8}, [5, 6, 7, 8]),
        ({"after": 11, "first": 2}, [12, 13]),
        ({"actor": "nobody"}, []),
    ]:
        assert positions(await get("events", **asked)) == expected, asked
    request = (await get("events", aggregate=other)).json()["events"][0]["request_id"]
    assert positions(await get("events", correlation=request)) == [15]


async def test_pages_follow_each_other_and_end(get, story):
    found, after, more = [], 0, True
    while more:
        page = (await get("events", first=4, after=after, through=15)).json()
        found += [event["position"] for event in page["events"]]
        after, more = page["through"], page["more"]
    assert found == list(range(1, 16))


async def test_rare_events_are_looked_for_stretch_by_stretch(get, story, monkeypatch):
    monkeypatch.setattr("adapters.audit_events.WINDOW", 3)
    monkeypatch.setattr("adapters.audit_events.MOST_WINDOWS", 2)
    short = (await get("events", category="incident")).json()
    assert (short["events"], short["through"], short["more"]) == ([], 6, True)
    assert positions(await get("events", category="incident", after=12)) == [13, 14, 15]
    lines = await get("events.jsonl", category="incident", through=15)
    assert len(lines.text.splitlines()) == 3


async def test_json_lines_are_the_whole_log_as_it_was_when_asked(get, running, story):
    response = await get("events.jsonl")
    assert response.headers["content-type"] == "application/jsonl"
    events = [json.loads(line) for line in response.text.splitlines()]
    assert [event["position"] for event in events] == list(range(1, 16))
    (said,) = await readings(running)
    assert (said.shown, said.purpose, said.found) == (Shown.EVENTS, "audit of March", None)
    assert parse_qs(said.asked) == {"after": ["0"], "through": ["15"]}


async def test_what_is_personal_stays_sealed_and_says_when_it_is_forgotten(get, running, story):
    incident, _ = story
    for path in (f"events?aggregate={incident}", f"history/{incident}", f"replay/{incident}"):
        text = (await get(path)).text
        assert "[sealed]" in text
        assert NAME not in text
    await destroy(running.log, SUBJECT)
    assert "[redacted]" in (await get("events", aggregate=incident)).text


async def test_who_has_a_township_sees_the_log_of_that_township(get, running, story):
    incident, other = story
    for scope, seen in ((Scope("yuhai"), {*range(1, 7), 13, 14}), (Scope("tangxia"), {*range(7, 13), 15})):
        there = person(Role.AUDITOR, scope=scope)
        assert set(positions(await get("events", there, through=15))) == seen
        hidden = other if 13 in seen else incident
        for path in ("history", "replay", "proofs"):
            refused(await get(f"{path}/{hidden}", there), 403, "this lies outside")
        assert positions(await get("events", there, aggregate=hidden)) == []
    site = await running.log.load(Incident, incident)
    there = person(Role.AUDITOR, scope=Scope(site_id=site.site_id))
    assert set(positions(await get("events", there, through=15))) == {*range(1, 7), 13, 14}


async def test_only_readers_of_the_log_get_anything(get, story):
    incident, _ = story
    paths = ["events", "events.jsonl", "verify", "verifications", "checkpoints"]
    paths += [f"{name}/{incident}" for name in ("history", "replay", "proofs")]
    for path in paths:
        for role in set(Role) - ALLOWED["read.log"]:
            refused(await get(path, person(role)), 403, "read.log needs one of these roles")
        refused(await get(path, None), 401, "say who you are")


async def test_nothing_is_read_out_of_the_log_without_a_reason_and_each_read_is_in_it(get, running, story):
    incident, _ = story
    asked = {
        "events": Shown.EVENTS,
        "events.jsonl": Shown.EVENTS,
        f"history/{incident}": Shown.HISTORY,
        f"replay/{incident}": Shown.REPLAY,
        f"diff/{incident}?from=13&to=14": Shown.DIFFERENCE,
        f"proofs/{incident}": Shown.PROOF,
    }
    for path in asked:
        refused(await get(path, headers={}), 422, "say why, with the header Anju-Purpose")
    assert await readings(running) == []
    for path in asked:
        assert (await get(path)).status_code == 200, path
    found = await readings(running)
    assert [one.shown for one in found] == list(asked.values())
    assert {one.actor for one in found} == {"p-auditor"}
    assert [one.subjects for one in found if one.shown != Shown.EVENTS] == [(incident,)] * 4
    assert {one.township for one in found if one.subjects} == {"yuhai"}


async def test_a_thing_is_shown_at_a_position_at_a_time_and_between_two(get, running, story):
    incident, _ = story
    first, second = (entry.recorded_at.isoformat() for entry in await running.log.history(incident))
    for moment in ({"position": 13}, {"at": first}):
        seen = (await get(f"replay/{incident}", **moment)).json()
        assert (seen["version"], seen["state"]["state"]) == (1, "REPORTED")
    assert (await get(f"replay/{incident}")).json()["state"]["state"] == "ACCEPTED"
    for since, until in ((13, 14), (first, second)):
        told = (await get(f"diff/{incident}", from_=since, to=until)).json()
        assert told["changed"]["state"] == {"before": "REPORTED", "after": "ACCEPTED"}
    refused(await get(f"replay/{incident}", position=12), 404, "its first event has position 13")
    refused(await get(f"replay/{incident}", position=13, at=first), 422, "choose one of")
    refused(await get(f"diff/{incident}", from_=14, to=13), 422, "name the earlier moment first")
    refused(await get(f"history/{UUID(int=5)}"), 404, "nothing in the log has the id")


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        ({"topic": "incident.imagined"}, "there is no topic"),
        ({"category": "weather"}, "there is no category 'weather'; there are alarm"),
        ({"first": 501}, "1 to 500 events are served"),
        ({"from": "2026-03-01T08:00:00"}, "has no time zone"),
        ({"colour": "red"}, "Extra inputs"),
    ],
)
async def test_what_cannot_be_asked_is_a_problem(get, asked, why):
    refused(await get("events", **asked), 422, why)


async def test_a_log_that_holds_is_said_to_and_one_that_does_not_says_where(get, running, story, forger):
    held = (await get("verify")).json()
    assert (held["holds"], held["checked"], held["last"], held["started_by"]) == (True, 15, 15, "p-auditor")
    await forger.execute("update events set state = 'x' where notification_id = 9")
    broken = (await get("verify")).json()
    assert (broken["holds"], broken["position"]) == (False, 9)
    assert (await get("verify", from_=1, to=8)).json()["holds"]
    kept = (await get("verifications")).json()
    assert [one["holds"] for one in kept] == [True, False, True]
    assert (await get(f"verifications/{kept[1]['id']}")).json() == broken
    refused(await get("verify", from_=9, to=99), 422, "the log has 1 to 15")
    refused(await get(f"verifications/{UUID(int=1)}"), 404, "there is no verification")


async def test_a_long_verification_goes_on_and_nobody_begins_it_twice(get, story, monkeypatch):
    monkeypatch.setattr(verifying, "PATIENCE", 0)
    audit, asked = verifications.audit, asyncio.Event()

    async def long(*given, **options):
        await asked.wait()
        return await audit(*given, **options)

    monkeypatch.setattr(verifications, "audit", long)
    first, second = await get("verify"), await get("verify")
    assert {first.status_code, second.status_code} == {202}
    assert first.headers["location"] == second.headers["location"]
    refused(await get("verify", from_=1, to=3), 503, "another stretch of the log is being verified")
    asked.set()
    path = first.headers["location"].removeprefix("/api/audit/")
    async with asyncio.timeout(20):
        while (found := (await get(path)).json())["running"]:
            await asyncio.sleep(0.05)
    assert (found["holds"], found["checked"]) == (True, 15)


async def test_a_proof_holds_for_whoever_checks_it_and_its_checkpoint_is_listed(get, story):
    incident, _ = story
    assert (await get("checkpoints")).json() == {"key": None, "fingerprint": None, "checkpoints": []}
    proof = await get(f"proofs/{incident}")
    assert proof.headers["content-disposition"] == f'attachment; filename="{incident}.proof.json"'
    proven = check_bundle.check(check_bundle.load(proof.text))
    assert [event.position for event in proven.events] == [13, 14]
    told = (await get("checkpoints")).json()
    (one,) = told["checkpoints"]
    assert (one["size"], told["fingerprint"]) == (proven.checkpoint.size, proven.key.fingerprint)
    assert one["note"] == proof.json()["checkpoint"]
    assert (await get("checkpoints", before=one["size"])).json()["checkpoints"] == []


async def test_graphql_asks_the_same_with_the_same_reason(asker, running, story):
    incident, _ = story
    query = """query ($id: UUID!) {
      auditEvents(filter: {category: "incident"}, first: 2) {
        edges { node { position topic said } } pageInfo { hasNextPage endCursor } }
      history(id: $id) { kind events { topic changed { field after } } }
      replay(id: $id, position: 13) { version state }
      diff(id: $id, from: "13", to: "14") { changed { field before after } }
      verification { holds } checkpoints { size } }"""
    refusal = await asker.answer(query, AUDITOR, id=str(incident))
    assert {error["extensions"]["code"] for error in refusal["errors"]} == {"INVALID"}
    assert await readings(running) == []
    headers = {"Authorization": f"Bearer {asker.token(AUDITOR)}"} | WHY
    body = {"query": query, "variables": {"id": str(incident)}}
    answer = (await asker.client.post("/graphql", json=body, headers=headers)).json()
    found = answer["data"]
    assert [edge["node"]["position"] for edge in found["auditEvents"]["edges"]] == [13, 14]
    assert found["auditEvents"]["pageInfo"]["hasNextPage"]
    assert found["auditEvents"]["edges"][0]["node"]["said"]["reporter"] == "[sealed]"
    assert [event["topic"] for event in found["history"]["events"]] == [
        "incident.reported",
        "incident.accepted",
    ]
    assert (found["replay"]["version"], found["replay"]["state"]["state"]) == (1, "REPORTED")
    assert {"field": "state", "before": "REPORTED", "after": "ACCEPTED"} in found["diff"]["changed"]
    assert (found["verification"], found["checkpoints"]) == (None, [])
    shown = sorted(event.shown for event in await readings(running))
    assert shown == ["DIFFERENCE", "EVENTS", "HISTORY", "OPERATION", "REPLAY"]
    recorded = await running.log.read(15, 100)
    assert len({entry.recorded_at for entry in recorded.entries}) <= 5


async def test_numbers_that_no_position_can_be_are_refused_and_not_looked_for(get, story):
    incident, _ = story
    refused(await get("events", after=1 << 63), 422, "query.after")
    refused(await get("checkpoints", before=1 << 63), 422, "query.before")
    refused(await get(f"diff/{incident}", from_="1", to="9" * 5000), 422, "is no time")


async def test_whoever_shows_no_token_is_told_that_before_anything_else(get, story):
    incident, _ = story
    refused(await get(f"diff/{incident}", by=None, from_="", to=""), 401, "say who you are")
    refused(await get("events", by=None, topic="nothing"), 401, "say who you are")
