"""The API: who may do and see what, what comes back, and how a refusal looks."""

import base64
import json
import logging
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from given import build_site, person
from gql import Client, gql
from gql.transport.aiohttp import AIOHTTPTransport

from api.graphql import context, schema
from api.graphql.types import cursor
from api.http import application
from api.serving import serving
from api.tokens import Issuer
from domain.credentials import CredentialKind
from domain.incident import Incident, IncidentState, Source
from domain.people import Role, Scope
from domain.site import Direction, GateMode, Measure, site_id
from projections import closure_figures
from projections.all import PROJECTIONS

WORKER = person(Role.GRID_WORKER, name="grid-07")
INTAKE = person(Role.INTAKE, name="intake-01")
DISPATCHER = person(Role.DISPATCHER, name="dispatch-01")
HANDLER = person(Role.UNIT_HANDLER, name="police-11", units=("police-station",))
VERIFIER = person(Role.VERIFIER, name="verify-01")
SUPERVISOR = person(Role.SUPERVISOR, name="chief-01")
STATISTICIAN = person(Role.STATISTICIAN, name="figures-01")
ADMIN = person(Role.ADMIN, name="admin-01")
REPORT = {"site": "runjinyuan", "source": Source.CITIZEN, "category": "noise", "description": "夜间施工噪声"}
INCIDENT = """
query($id: UUID!, $after: Position) { incident(id: $id, afterPosition: $after) {
  id state version position leadUnit round reportedAt closedAt
  timeline { position version topic actor occurredAt recordedAt state }
} }
"""
RATE = """
query($after: Position, $township: String, $site: String) {
  closureRate(period: {from: "2000-01-01", to: "2199-12-31"}, township: $township, site: $site, afterPosition: $after) {
    received closed open rate percent position definition
  }
}
"""
LIST = """
query($first: Int! = 50, $after: String, $filter: IncidentFilter, $seen: Position) {
  incidents(first: $first, after: $after, filter: $filter, afterPosition: $seen) {
    edges { cursor node { id state township } } pageInfo { hasNextPage endCursor }
  }
}
"""
LINEAGE = """
query($first: Int! = 50, $after: String, $seen: Position) {
  closureRate(period: {from: "2000-01-01", to: "2199-12-31"}, afterPosition: $seen) {
    received closed
    lineage(first: $first, after: $after) {
      edges { node { incidentId position closedPosition } } pageInfo { hasNextPage endCursor }
    }
  }
}
"""
STATUS = "{ systemStatus { position projections { name version position lag lagSeconds folded missing digest provedPosition error } observationsWaiting deadLetters } }"


async def reported(asker, by=WORKER, **changes):
    return await asker.do("reportIncident", by, **{**REPORT, **changes})


async def closed(asker, **changes):
    """An incident driven from its report to its closing, each step by somebody else."""
    done = await reported(asker, **changes)
    for mutation, by, arguments in LIFE:
        done = await asker.do(mutation, by, id=done["id"], expectedVersion=done["version"], **arguments)
    return done


LIFE = [
    ("acceptIncident", INTAKE, {}),
    ("dispatchIncident", DISPATCHER, {"leadUnit": "police-station"}),
    ("signIncident", HANDLER, {}),
    ("startHandling", HANDLER, {}),
    ("giveFeedback", HANDLER, {"result": "已劝止"}),
    ("verifyIncident", VERIFIER, {"passed": True, "note": "属实"}),
]


STRAIGHT = {"REPORTED", "ACCEPTED", "DISPATCHED", "SIGNED", "HANDLING", "VERIFYING", "CLOSED"}
"""The states on that way."""


# --- the life of an incident -----------------------------------------------------------------------------------------


async def test_an_incident_is_driven_to_its_closing_by_different_people_and_every_step_is_read_back_at_once(
    working, asker, site
):
    done = await reported(asker)
    assert (done["version"], done["repeated"]) == (1, False)
    states = ["REPORTED"]
    for version, (mutation, by, arguments) in enumerate(LIFE, start=2):
        done = await asker.do(mutation, by, id=done["id"], **arguments)
        assert done["version"] == version
        seen = await asker.data(INCIDENT, SUPERVISOR, id=done["id"], after=done["position"])
        assert (seen["version"], seen["position"]) == (done["version"], done["position"])
        states.append(seen["state"])
    assert states == ["REPORTED", "ACCEPTED", "DISPATCHED", "SIGNED", "HANDLING", "VERIFYING", "CLOSED"]
    assert (seen["leadUnit"], seen["round"]) == ("police-station", 1)
    assert seen["closedAt"] >= seen["reportedAt"]

    figure = await asker.data(RATE, STATISTICIAN, after=done["position"])
    assert (figure["received"], figure["closed"], figure["open"]) == (1, 1, 0)
    assert (figure["rate"], figure["percent"], figure["position"]) == (1.0, "100.00", done["position"])
    assert figure["definition"] == closure_figures.DEFINITIONS["COHORT"]


async def test_the_timeline_tells_who_did_what_when_and_what_it_led_to(working, asker, site):
    happened = datetime.now(UTC) - timedelta(hours=3)
    before = datetime.now(UTC)
    done = await closed(asker, occurredAt=happened.isoformat())
    timeline = (await asker.data(INCIDENT, SUPERVISOR, id=done["id"], after=done["position"]))["timeline"]
    assert [(entry["topic"], entry["actor"], entry["state"]) for entry in timeline] == [
        ("incident.reported", "grid-07", "REPORTED"),
        ("incident.accepted", "intake-01", "ACCEPTED"),
        ("incident.dispatched", "dispatch-01", "DISPATCHED"),
        ("incident.signed", "police-11", "SIGNED"),
        ("incident.handling_started", "police-11", "HANDLING"),
        ("incident.feedback_given", "police-11", "VERIFYING"),
        ("incident.closed", "verify-01", "CLOSED"),
    ]
    assert [entry["version"] for entry in timeline] == list(range(1, 8))
    positions = [entry["position"] for entry in timeline]
    assert positions == sorted(set(positions))
    for entry in timeline:
        assert before <= datetime.fromisoformat(entry["occurredAt"]) <= datetime.now(UTC)
        assert abs(datetime.fromisoformat(entry["recordedAt"]) - before) < timedelta(minutes=1)


async def test_a_failed_verification_sends_it_back_and_counts_a_round(working, asker, site):
    done = await reported(asker)
    for mutation, by, arguments in LIFE[:-1]:
        done = await asker.do(mutation, by, id=done["id"], **arguments)
    done = await asker.do("verifyIncident", VERIFIER, id=done["id"], passed=False, note="仍有噪声")
    seen = await asker.data(INCIDENT, SUPERVISOR, id=done["id"], after=done["position"])
    assert (seen["state"], seen["round"]) == ("HANDLING", 2)


async def test_over_a_real_connection_the_gql_client_reads_its_own_write(working, site, asker):
    async with serving(application(working), "127.0.0.1", 0) as url:
        headers = {"Authorization": f"Bearer {asker.token(INTAKE)}"}
        async with Client(
            transport=AIOHTTPTransport(f"{url}/graphql", headers=headers), fetch_schema_from_transport=True
        ) as session:
            report = gql(
                'mutation { reportIncident(site: "runjinyuan", source: HOTLINE, category: "noise", description: "x") { id position } }'
            )
            done = (await session.execute(report))["reportIncident"]
            request = gql(INCIDENT)
            request.variable_values = {"id": done["id"], "after": done["position"]}
            seen = (await session.execute(request))["incident"]
    assert (seen["id"], seen["state"]) == (done["id"], "REPORTED")


# --- reading one's own write -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "question",
    [RATE, LIST.replace("$seen", "$after").replace("$after: String, ", "").replace("after: $after, ", "")],
)
async def test_a_position_beyond_the_log_is_refused(working, asker, site, question):
    refusal = await asker.refusal(question, SUPERVISOR, after=1000)
    assert refusal["code"] == "INVALID"
    assert "afterPosition 1000 is beyond the end of the log, which is 6" in refusal["message"]


async def test_without_its_projection_a_question_is_given_up_after_a_bounded_time(
    running, asker, site, monkeypatch
):
    monkeypatch.setattr(context, "WAIT", 0.3)
    done = await reported(asker)
    refusal = await asker.refusal(INCIDENT, SUPERVISOR, id=done["id"], after=done["position"])
    assert refusal["code"] == "UNAVAILABLE"
    assert f"incidents is at position 0 and has not reached {done['position']} yet" in refusal["message"]


async def test_a_figure_can_be_asked_for_before_anything_was_ever_folded(running, asker, site):
    figure = await asker.data(RATE, STATISTICIAN)
    assert (figure["received"], figure["rate"], figure["percent"], figure["position"]) == (0, None, None, 0)


# --- conflicts and repeats -------------------------------------------------------------------------------------------


async def test_a_version_that_is_not_the_one_it_has_is_a_conflict_that_names_it(running, asker, site):
    done = await reported(asker)
    await asker.do("acceptIncident", INTAKE, id=done["id"], expectedVersion=1)
    refusal = await asker.refused(
        "dispatchIncident", DISPATCHER, id=done["id"], expectedVersion=1, leadUnit="police-station"
    )
    assert (refusal["code"], refusal["currentVersion"]) == ("CONFLICT", 2)
    assert "is at version 2, not 1: read it again" in refusal["message"]


async def test_a_request_given_twice_is_done_once(running, asker, site):
    request = uuid4()
    first = await reported(asker, requestId=request)
    again = await reported(asker, requestId=request)
    assert again == {**first, "repeated": True}
    accept = uuid4()
    first = await asker.do("acceptIncident", INTAKE, id=first["id"], requestId=accept, expectedVersion=1)
    again = await asker.do("acceptIncident", INTAKE, id=first["id"], requestId=accept, expectedVersion=1)
    assert again == {**first, "repeated": True}
    assert await running.log.position() == first["position"]


# --- who may -----------------------------------------------------------------------------------------------------------


async def test_a_role_that_may_not_is_told_which_may(running, asker, site):
    done = await reported(asker)
    for mutation, _, arguments in LIFE:
        refusal = await asker.refused(mutation, SUPERVISOR, id=done["id"], **arguments)
        assert refusal["code"] == "FORBIDDEN", mutation
        assert "needs one of these roles" in refusal["message"]
        assert "chief-01 has supervisor" in refusal["message"]
    assert await running.log.position() == done["position"]


async def test_somebody_of_another_township_neither_acts_nor_sees(working, asker, site):
    await build_site(working.log, "shaozhai", "tangxia")
    ours = await reported(asker)
    theirs = await reported(asker, site="shaozhai")
    scope = Scope("tangxia")
    intake = person(Role.INTAKE, scope=scope)
    refusal = await asker.refused("acceptIncident", intake, id=ours["id"])
    assert (refusal["code"], refusal["message"]) == (
        "FORBIDDEN", "p-intake is responsible for township tangxia, and this lies outside",
    )  # fmt: skip
    assert (await asker.refused("reportIncident", intake, **REPORT))["code"] == "FORBIDDEN"
    await asker.do("acceptIncident", intake, id=theirs["id"])

    assert await asker.data(INCIDENT, intake, id=ours["id"], after=theirs["position"]) is None
    seen = await asker.data(LIST, intake, seen=theirs["position"])
    assert [edge["node"]["id"] for edge in seen["edges"]] == [theirs["id"]]
    assert (await asker.data(LIST, intake, filter={"site": "runjinyuan"}))["edges"] == []
    assert (await asker.data(RATE, intake, after=theirs["position"]))["received"] == 1
    assert (await asker.data(RATE, intake, township="yuhai"))["received"] == 0
    assert (await asker.data(RATE, intake, site="runjinyuan"))["received"] == 0
    lineage = await asker.data(LINEAGE, intake)
    assert [edge["node"]["incidentId"] for edge in lineage["lineage"]["edges"]] == [theirs["id"]]
    assert (await asker.refusal(TRAFFIC, intake))["code"] == "FORBIDDEN"


TRAFFIC = '{ gateTraffic(site: "runjinyuan", period: {from: "2026-03-01", to: "2026-03-01"}) { passes } }'


async def test_somebody_of_one_site_sees_that_site_only(working, asker, site):
    await build_site(working.log, "gaoqiao", "yuhai")
    await reported(asker, site="gaoqiao")
    ours = await reported(asker)
    guard = person(Role.GUARD, scope=Scope(site_id=site.id))
    seen = await asker.data(LIST, guard, seen=ours["position"])
    assert [edge["node"]["id"] for edge in seen["edges"]] == [ours["id"]]
    assert (await asker.data(RATE, guard, after=ours["position"]))["received"] == 1
    assert (await asker.refused("reportIncident", guard, **{**REPORT, "site": "gaoqiao"}))[
        "code"
    ] == "FORBIDDEN"


async def test_a_statistician_reads_figures_and_no_case(working, asker, site):
    done = await reported(asker)
    assert (await asker.data(RATE, STATISTICIAN, after=done["position"]))["received"] == 1
    assert await asker.data(TRAFFIC, STATISTICIAN) == []
    for question in (LIST, LINEAGE, STATUS):
        assert (await asker.refusal(question, STATISTICIAN))["code"] == "FORBIDDEN"
    assert (await asker.refusal(INCIDENT, STATISTICIAN, id=done["id"]))["code"] == "FORBIDDEN"


def forged(asker, header, claims=None, key=b""):
    """A token put together by hand."""
    body = {
        "iss": "anju",
        "aud": "anju",
        "sub": "x",
        "iat": 0,
        "exp": 1 << 33,
        "roles": ["admin"],
        **(claims or {}),
    }
    parts = [base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=") for part in (header, body)]
    signing = b".".join(parts)
    signature = jwt.get_algorithm_by_name(header["alg"]).sign(signing, key)
    return (signing + b"." + base64.urlsafe_b64encode(signature).rstrip(b"=")).decode()


def public_key_as_a_secret(asker):
    return asker.issuer.key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)


TOKENS = {
    "nobody": lambda asker: None,
    "nonsense": lambda asker: "nonsense",
    "broken": lambda asker: asker.token(SUPERVISOR)[:-4] + "AAAA",
    "expired": lambda asker: asker.token(SUPERVISOR, lifetime=-timedelta(seconds=1)),
    "another key": lambda asker: Issuer(Ed25519PrivateKey.generate()).sign(SUPERVISOR, datetime.now(UTC)),
    "alg none": lambda asker: forged(asker, {"alg": "none", "typ": "JWT"}, key=None),
    "HS256 with the public key": lambda asker: forged(
        asker, {"alg": "HS256", "typ": "JWT"}, key=public_key_as_a_secret(asker)
    ),
    "another audience": lambda asker: forged(asker, {"alg": "EdDSA"}, {"aud": "elsewhere"}, asker.issuer.key),
    "another issuer": lambda asker: forged(asker, {"alg": "EdDSA"}, {"iss": "elsewhere"}, asker.issuer.key),
    "a role there is not": lambda asker: forged(
        asker, {"alg": "EdDSA"}, {"roles": ["emperor"]}, asker.issuer.key
    ),
}


async def test_a_token_that_cannot_be_believed_opens_nothing(running, asker, site):
    for case, token in TOKENS.items():
        for question in (RATE, LIST, STATUS, TRAFFIC):
            assert (await asker.refusal(question, token(asker)))["code"] == "UNAUTHENTICATED", case
        refusal = await asker.refused("reportIncident", token(asker), **REPORT)
        assert refusal["code"] == "UNAUTHENTICATED", case
    assert await running.log.position() == 6


async def test_the_forger_of_these_tests_would_be_believed_with_the_right_key(running, asker, site):
    token = forged(asker, {"alg": "EdDSA"}, {}, asker.issuer.key)
    assert "errors" not in await asker.answer(STATUS, token)


# --- values ----------------------------------------------------------------------------------------------------------


async def test_what_is_not_there_is_not_found(running, asker, site):
    for mutation, by, arguments in LIFE:
        unknown = uuid4()
        refusal = await asker.refused(mutation, by, id=unknown, **arguments)
        assert refusal == {"code": "NOT_FOUND", "message": f"there is no incident {unknown}"}, mutation
        refusal = await asker.refused(mutation, by, id=site.id, **arguments)  # is there, and is no incident
        assert refusal == {"code": "NOT_FOUND", "message": f"there is no incident {site.id}"}, mutation


async def test_an_incident_that_is_not_there_is_null_and_a_site_that_is_not_is_named(running, asker, site):
    assert await asker.data(INCIDENT, SUPERVISOR, id=str(uuid4())) is None
    refusal = await asker.refused("reportIncident", WORKER, **{**REPORT, "site": "atlantis"})
    assert refusal == {"code": "NOT_FOUND", "message": "there is no site 'atlantis'"}
    assert (await asker.refusal(TRAFFIC.replace("runjinyuan", "atlantis"), SUPERVISOR)) == refusal


REPORTED_WITH = """
mutation($site: String!, $source: Source!, $category: String!, $description: String!, $occurredAt: DateTime, $requestId: UUID) {
  reportIncident(
    site: $site, source: $source, category: $category, description: $description, occurredAt: $occurredAt, requestId: $requestId
  ) { id }
}
"""
BAD_VALUES = [
    ({"site": "Runjinyuan!"}, "is not a code"),
    ({"site": "\ud800"}, "is not a code"),
    ({"category": "Noise at night"}, "is not a code"),
    ({"description": "   "}, "description is empty"),
    ({"description": "x" * 4001}, "at most 4000"),
    ({"description": "a\x00b"}, "not text"),
    ({"description": "a\ud800b"}, "not text"),
    ({"occurredAt": "2018-01-01T00:00:00"}, "no time zone"),
    ({"occurredAt": "2199-01-01T00:00:00Z"}, "cannot have happened after it was reported"),
    ({"occurredAt": "yesterday"}, "DateTime"),
    ({"source": "RUMOUR"}, "Source"),
    ({"requestId": "17"}, "UUID"),
]


async def test_a_value_that_will_not_do_is_refused_with_the_reason(running, asker, site):
    for change, why in BAD_VALUES:
        refusal = await asker.refusal(REPORTED_WITH, WORKER, **{**REPORT, **change})
        assert refusal["code"] == "INVALID", change
        assert why in refusal["message"], change
    assert await running.log.position() == 6


BAD_QUESTIONS = [
    '{ closureRate(period: {from: "2018-02-01", to: "2018-01-01"}) { received } }',
    '{ closureRate(period: {from: "2018-02-30", to: "2018-03-01"}) { received } }',
    '{ closureRate(period: {from: "2018-02-01", to: "2018-03-01"}, township: "塘下镇") { received } }',
    '{ closureRate(period: {from: "2018-02-01", to: "2018-03-01"}, site: "\\u0000") { received } }',
    '{ closureRate(period: {from: "2018-02-01", to: "2018-03-01"}, category: "") { received } }',
    '{ gateTraffic(site: "runjinyuan", period: {from: "0001-01-01", to: "2018-01-01"}) { passes } }',
    '{ gateTraffic(site: "runjinyuan", period: {from: "2018-01-01", to: "9999-12-31"}) { passes } }',
    '{ gateTraffic(site: "runjinyuan", period: {from: "2018-02-01", to: "2018-01-01"}) { passes } }',
    '{ gateTraffic(site: "runjinyuan", period: {from: "2018-01-01", to: "2018-01-01"}, asOf: "9999-12-31") { passes } }',
    '{ incidents(filter: {reportedFrom: "2018-01-01T00:00:00"}) { edges { cursor } } }',
    '{ incidents(filter: {reportedUntil: "2018-01-01T00:00:00"}) { edges { cursor } } }',
    '{ incidents(filter: {township: "\\u0000"}) { edges { cursor } } }',
    '{ incidents(filter: {site: "\\u0000"}) { edges { cursor } } }',
    '{ incidents(filter: {category: "\\u0000"}) { edges { cursor } } }',
    "{ incidents(first: 0) { edges { cursor } } }",
    "{ incidents(first: 501) { edges { cursor } } }",
    "{ incidents(first: -1) { edges { cursor } } }",
    "{ incidents(afterPosition: -1) { edges { cursor } } }",
    "{ incidents(afterPosition: 9007199254740993) { edges { cursor } } }",
    "{ incidents(afterPosition: true) { edges { cursor } } }",
    '{ closureRate(period: {from: "2018-01-01", to: "2018-03-01"}) { lineage(first: 0) { edges { cursor } } } }',
    '{ closureRate(period: {from: "2018-01-01", to: "2018-03-01"}) { lineage(first: 501) { edges { cursor } } } }',
    "{ incidents { edges { node { id } } }",
    "{ nothing }",
    "{ incidents { edges } }",
    "query($x: Nothing) { incidents { edges { cursor } } }",
    "subscription { nothing }",
    "mutation { verifyIncident { id } }",
]


async def test_a_question_that_will_not_do_is_invalid(running, asker, site):
    for question in BAD_QUESTIONS:
        answer = await asker.answer(question, SUPERVISOR)
        assert {error["extensions"]["code"] for error in answer["errors"]} == {"INVALID"}, question


async def test_a_cursor_of_another_list_or_of_nobody_is_refused(working, asker, site):
    done = await reported(asker)
    page = await asker.data(LIST, SUPERVISOR, seen=done["position"])
    lineage = (await asker.data(LINEAGE, SUPERVISOR, seen=done["position"]))["lineage"]
    strangers = [
        "", "garbage", "a", "?", "\ud800", "5" * 5000, cursor("x"), cursor("x", "y"), cursor("2018-01-01", uuid4()),
        cursor("0001-01-01T00:00:00", uuid4()), cursor("2018-01-01T00:00:00+00:00", "1"), cursor(-1), cursor(1, 2, 3),
        cursor("9" * 30), cursor("9" * 5000), cursor("1.5"), "3Q==",
    ]  # fmt: skip
    for stranger in [*strangers, lineage["pageInfo"]["endCursor"]]:
        assert (await asker.refusal(LIST, SUPERVISOR, after=stranger))["code"] == "INVALID"
    for stranger in [*strangers, page["pageInfo"]["endCursor"]]:
        assert (await asker.refusal(LINEAGE, SUPERVISOR, after=stranger))["code"] == "INVALID"


async def test_pages_follow_each_other_to_the_end(working, asker, site):
    ids = [(await closed(asker))["id"] for _ in range(2)]
    last = None
    for _ in range(3):
        last = await reported(asker)
        ids.append(last["id"])
    found, after = [], None
    while True:
        page = await asker.data(LIST, SUPERVISOR, first=2, after=after, seen=last["position"])
        found += [edge["node"]["id"] for edge in page["edges"]]
        after = page["pageInfo"]["endCursor"]
        if not page["pageInfo"]["hasNextPage"]:
            break
    assert found == ids[::-1]
    nodes, after = [], None
    while True:
        rate = await asker.data(LINEAGE, SUPERVISOR, first=2, after=after, seen=last["position"])
        nodes += [edge["node"] for edge in rate["lineage"]["edges"]]
        after = rate["lineage"]["pageInfo"]["endCursor"]
        if not rate["lineage"]["pageInfo"]["hasNextPage"]:
            break
    assert [node["incidentId"] for node in nodes] == ids
    assert (rate["received"], rate["closed"]) == (
        5,
        sum(node["closedPosition"] is not None for node in nodes),
    )
    for node in nodes:
        history = await working.log.history(node["incidentId"])
        assert history[0].position == node["position"]
        ends = [entry.position for entry in history if isinstance(entry.event, Incident.Closed)]
        assert ends == [node["closedPosition"]] * bool(ends)


async def test_the_list_is_filtered_by_state(working, asker, site):
    for steps in range(len(LIFE) + 1):
        done = await reported(asker)
        for mutation, by, arguments in LIFE[:steps]:
            done = await asker.do(mutation, by, id=done["id"], **arguments)
    for state in IncidentState:
        page = await asker.data(LIST, SUPERVISOR, filter={"state": state}, seen=done["position"])
        assert [edge["node"]["state"] for edge in page["edges"]] == [state] * (state in STRAIGHT)


# --- sites -----------------------------------------------------------------------------------------------------------


async def test_a_site_is_planned_built_and_opened_and_a_rule_says_no_to_a_step_out_of_order(running, asker):
    planned = await asker.do("planSite", ADMIN, code="gaoqiao", name="高桥小区", township="xianjiang")
    assert planned["id"] == str(site_id("gaoqiao"))
    refusal = await asker.refused("startOperation", ADMIN, id=planned["id"])
    assert refusal["code"] == "INVALID"
    assert "the site is PLANNED, and it must be ACCEPTED" in refusal["message"]
    await asker.do("startConstruction", ADMIN, id=planned["id"])
    gate = {"code": "east-1", "name": "东门", "mode": GateMode.GUARDED, "direction": Direction.IN}
    await asker.do("addGate", ADMIN, id=planned["id"], gate=gate)
    refusal = await asker.refused("acceptSite", ADMIN, id=planned["id"], inspector="p-7")
    assert "cannot be accepted without a measure" in refusal["message"]
    await asker.do("installMeasure", ADMIN, id=planned["id"], measure=Measure.FACE_CAPTURE, gate="east-1")
    await asker.do("acceptSite", ADMIN, id=planned["id"], inspector="p-7")
    await asker.do("startOperation", ADMIN, id=planned["id"])
    both = [CredentialKind.FACE, CredentialKind.CARD]
    await asker.do("changeCredentials", ADMIN, id=planned["id"], gate="east-1", credentials=both)
    await asker.do("countHouseholds", ADMIN, id=planned["id"], households=1200, countsFrom="2018-01-01")
    assert (await asker.refused("addGate", ADMIN, id=planned["id"], gate=gate))["code"] == "INVALID"
    assert (await asker.refused("planSite", ADMIN, code="gaoqiao", name="x", township="y"))[
        "code"
    ] == "CONFLICT"


# --- what is not the asker's fault -----------------------------------------------------------------------------------


async def test_an_unexpected_error_is_written_down_and_told_to_nobody(
    running, asker, site, monkeypatch, caplog
):
    async def broken(*args, **more):
        raise RuntimeError("secret: the admin's password is 1234")

    monkeypatch.setattr(closure_figures, "closure", broken)
    with caplog.at_level(logging.ERROR):
        answer = await asker.answer(RATE, SUPERVISOR)
    (error,) = answer["errors"]
    assert error["extensions"] == {"code": "INTERNAL"}
    for word in ("secret", "1234", "RuntimeError", "Traceback", "broken"):
        assert word not in json.dumps(answer)
    assert "secret" in caplog.text


async def test_a_refusal_is_an_answer_and_not_an_error_of_ours(running, asker, site, caplog):
    with caplog.at_level(logging.INFO):
        await asker.refused("reportIncident", WORKER, **{**REPORT, "description": " "})
        await asker.refusal(RATE, None)
        await asker.refusal("{ nothing }", None)
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


async def test_a_stopped_projection_shows_in_the_status_of_the_system(working, asker, site):
    async with working.pool.acquire() as connection:
        await connection.execute(
            "insert into projections (name, version, error) values ('gone', 1, 'gone cannot fold position 7: because')"
        )
    done = await reported(asker)
    await asker.data(RATE, SUPERVISOR, after=done["position"])
    await asker.data(INCIDENT, SUPERVISOR, id=done["id"], after=done["position"])
    status = await asker.data(STATUS, person(Role.AUDITOR))
    by_name = {row["name"]: row for row in status["projections"]}
    assert status["position"] == done["position"]
    assert (status["observationsWaiting"], status["deadLetters"]) == (0, 0)
    gone, closure = by_name["gone"], by_name["closure"]
    assert (gone["position"], gone["lag"], gone["folded"]) == (0, done["position"], 0)
    assert gone["error"] == "gone cannot fold position 7: because"
    assert gone["lagSeconds"] > 0
    assert closure == {
        "name": "closure", "version": PROJECTIONS["closure"].version, "position": done["position"], "lag": 0, "lagSeconds": 0,
        "folded": 1, "missing": 0, "digest": None, "provedPosition": None, "error": None,
    }  # fmt: skip


async def test_a_lost_bus_is_unavailable_and_the_rest_of_the_status_is_there(
    running, asker, site, monkeypatch
):
    async def lost(self):
        raise context.UnavailableError("the bus did not count")

    monkeypatch.setattr(type(running.bus), "backlog", lost)
    answer = await asker.answer(STATUS, SUPERVISOR)
    assert [error["extensions"]["code"] for error in answer["errors"]] == ["UNAVAILABLE"]
    assert answer["data"]["systemStatus"]["position"] == 6
    assert answer["data"]["systemStatus"]["observationsWaiting"] is None


async def test_a_lost_database_is_unavailable(running, asker, site):
    await running.pool.close()
    for question in (RATE, LIST, STATUS):
        refusal = await asker.refusal(question, SUPERVISOR)
        assert refusal["code"] == "UNAVAILABLE", refusal
        assert "database" in refusal["message"]


# --- the schema ------------------------------------------------------------------------------------------------------


def test_no_field_shows_a_plate_a_phone_or_a_face():
    """Mutations take some of them, and seal them; nothing that is asked for has them but the visits that an inquiry looks into."""
    shown = schema.schema.as_str().lower()
    for kind in ("type mutation {", "type visitorrecord {"):
        start = shown.index(kind)
        shown = shown[:start] + shown[shown.index("\n}", start) :]
    for word in ("embedding", "faceid", "plate:", "phone"):
        assert word not in shown
