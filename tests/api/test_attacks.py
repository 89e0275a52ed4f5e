"""What somebody tries who wants more than is theirs: ids of others' requests, numbers and texts that no database takes, requests and
questions without end.
"""

import asyncio
import json
import time
from contextlib import asynccontextmanager
from datetime import timedelta
from urllib.parse import urlsplit
from uuid import uuid4

import graphql
import httpx
import pytest
from asking import Asker, example
from given import build_site, person, report
from poison import poisoned, unsayable
from sockets import opened

from api import serving as edge
from api.graphql import schema
from api.graphql.types import LAST, cursor
from api.http import application
from api.serving import LARGEST_HEAD, serving
from domain.incident import Source
from domain.people import Role, Scope
from domain.visitor import Requester

HERE, NEXT = Scope("yuhai"), Scope("tangxia")
STATISTICIAN, AUDITOR = person(Role.STATISTICIAN), person(Role.AUDITOR)
WHOLE_CALENDAR = 'period: {from: "1000-01-01", to: "9998-12-31"}'
JSON = {"Content-Type": "application/json"}
BLINK = 1.0
"""Seconds in which a refusal is given, also on a busy machine: nobody else is answered meanwhile."""


# --- the id of somebody else's request ---------------------------------------------------------------------------------


@pytest.fixture
async def shaozhai(running, site):
    """A site of the next township."""
    return await build_site(running.log, "shaozhai", "tangxia")


def incident(code, request, **changed):
    fields = {"source": Source.CITIZEN, "category": "noise", "description": "夜间施工"}
    return fields | {"site": code, "requestId": request} | changed


def visit(running, request, **changed):
    now = running.now()
    times = {"validFrom": now.isoformat(), "validUntil": (now + timedelta(days=1)).isoformat()}
    fields = {"site": "shaozhai", "host": uuid4(), "requester": Requester.VISITOR, "name": "张某"}
    return fields | times | {"requestId": request} | changed


async def test_the_id_of_a_request_elsewhere_says_nothing_of_what_became_of_it(running, asker, shaozhai):
    request = uuid4()
    ours = person(Role.INTAKE, scope=HERE)
    done = await asker.do("reportIncident", ours, **incident("runjinyuan", request))
    theirs = person(Role.INTAKE, Role.GUARD, scope=NEXT)
    for mutation, fields in (
        ("reportIncident", incident("shaozhai", request)),
        (
            "reportIncident",
            incident("shaozhai", request, description=""),
        ),  # refused, if it were not done before
        ("requestVisit", visit(running, request)),
    ):
        refusal = await asker.refused(mutation, theirs, **fields)
        assert (refusal["code"], "used for something else" in refusal["message"]) == ("INVALID", True)
        assert str(done["id"]) not in refusal["message"]
    assert await asker.do("reportIncident", ours, **incident("runjinyuan", request)) == done | {
        "repeated": True
    }


async def test_one_request_does_not_make_two_things(running, asker, shaozhai):
    request, both = uuid4(), person(Role.INTAKE, Role.GUARD)
    await asker.do("requestVisit", both, **visit(running, request))
    refusal = await asker.refused("reportIncident", both, **incident("shaozhai", request))
    assert "used for something else" in refusal["message"]


APPROVE = """
mutation($id: UUID!, $host: UUID!, $requestId: UUID!) {
  approveVisit(id: $id, host: $host, requestId: $requestId) { code repeated }
}
"""


async def test_the_code_of_a_visit_is_given_for_its_approval_and_for_no_other_request(
    running, asker, shaozhai
):
    writer, other = (person(Role.GUARD, name=name) for name in ("writer", "other"))
    asked, approval, host = uuid4(), uuid4(), uuid4()
    made = await asker.do("requestVisit", writer, **visit(running, asked, host=host))
    given = {"id": made["id"], "host": str(host)}
    code = running.digests.code_of(made["id"])

    async def refused(by, request):
        answer = await asker.answer(APPROVE, by, **given, requestId=str(request))
        assert answer["errors"][0]["extensions"]["code"] == "INVALID"
        assert code not in str(answer)

    await refused(writer, uuid4())  # who wrote down what the visitor asked for
    await refused(writer, asked)
    first = await asker.data(APPROVE, other, **given, requestId=str(approval))
    assert first == {"code": code, "repeated": False}
    assert await asker.data(APPROVE, other, **given, requestId=str(approval)) == first | {"repeated": True}
    await refused(writer, asked)


# --- numbers and texts that no database takes --------------------------------------------------------------------------

BEYOND = (LAST + 1, 2**63, 10**30)


@pytest.mark.parametrize("beyond", BEYOND)
async def test_a_position_beyond_all_positions_is_invalid_wherever_it_is_asked_for(
    running, asker, site, beyond
):
    made = await report(running.log, site)
    headers = {"Authorization": f"Bearer {asker.token(AUDITOR)}", "Anju-Purpose": "review"}
    for path in (
        f"events?after={beyond}",
        f"events?through={beyond}",
        f"events.jsonl?after={beyond}",
        f"events.jsonl?through={beyond}",
        f"replay/{made.id}?position={beyond}",
        f"checkpoints?before={beyond}",
        f"verify?to={beyond}",
        f"diff/{made.id}?from={'9' * 5000}&to=7",
        f"diff/{made.id}?from=1&to={'9' * 5000}",
    ):
        response = await asker.client.get(f"/api/audit/{path}", headers=headers)
        assert (response.status_code, response.json()["title"]) == (422, "INVALID"), path


@pytest.mark.parametrize("forged", [*BEYOND, -1, "9" * 5000, "\x00", "1;drop table events"])
async def test_a_forged_cursor_of_the_log_is_invalid(asker, forged):
    query = "query($after: String) { auditEvents(after: $after) { edges { cursor } } }"
    refusal = await asker.refusal(query, AUDITOR, after=cursor(forged))
    assert refusal["code"] == "INVALID"


async def test_no_question_takes_what_nothing_can_hold(running, asker, site):
    fields = schema.schema._schema.query_type.fields
    everybody = person(*(role for role in Role if role is not Role.DEVICE))
    headers = {"Authorization": f"Bearer {asker.token(everybody)}", "Anju-Purpose": "review"}
    tried = 0
    for name, field in fields.items():
        needed = {
            one: example(kind.type) for one, kind in field.args.items() if graphql.is_required_argument(kind)
        }
        inside = " { __typename }" if graphql.is_composite_type(graphql.get_named_type(field.type)) else ""
        for argument, kind in field.args.items():
            for value in poisoned(kind.type):
                given = needed | {argument: value}
                declared = ", ".join(f"${one}: {field.args[one].type}" for one in given)
                passed = ", ".join(f"{one}: ${one}" for one in given)
                body = {"query": f"query({declared}) {{ {name}({passed}){inside} }}", "variables": given}
                response = await asker.client.post(
                    "/graphql", content=json.dumps(body), headers=headers | JSON
                )
                codes = {error["extensions"]["code"] for error in response.json().get("errors", ())}
                assert codes <= {"INVALID", "NOT_FOUND", "TOO_COSTLY"}, (name, argument, value)
                assert codes or not unsayable(value), (name, argument, value)
                tried += 1
    assert tried > 100


@pytest.mark.parametrize("message", [{"type": "\ud800"}, {"type": "ping", "\ud800": 1}])
async def test_half_of_a_character_on_a_socket_is_no_message(running, message, caplog):
    token = Asker(None, running.issuer).token(person(Role.GUARD))
    async with serving(application(running), "127.0.0.1", 0) as url, opened(url, token) as socket:
        await socket.send(json.dumps(message))
        assert (await socket.closed())[0] == 4400
    assert "Traceback" not in caplog.text


# --- without end -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("question", "why"),
    [
        (f"closureSeries({WHOLE_CALENDAR}, by: DAY) {{ from }}", "more than 1,000 buckets by DAY"),
        (
            f'gateTraffic(site: "runjinyuan", {WHOLE_CALENDAR}) {{ passes }}',
            "more than 10,000 stretches by HOUR",
        ),
        (f"closureRate({WHOLE_CALENDAR}) {{ periodOnPeriod {{ delta }} }}", "begins before the calendar"),
        (
            f"closureRate({WHOLE_CALENDAR.replace('12-31', '12-30')}) {{ periodOnPeriod {{ delta }} }}",
            "begins before the calendar",
        ),
    ],
)
async def test_the_whole_calendar_is_refused_before_it_is_counted(asker, site, question, why):
    began = time.monotonic()
    refusal = await asker.refusal(f"{{ {question} }}", STATISTICIAN)
    assert (refusal["code"], why in refusal["message"]) == ("INVALID", True)
    assert time.monotonic() - began < BLINK


@pytest.mark.parametrize("size", [500, 500.0])
async def test_a_page_costs_its_size_however_the_number_is_written(asker, site, size):
    query = "query($first: Int!) { incidents(first: $first) { edges { node { timeline { said } evidence { note } } } } }"
    refusal = await asker.refusal(query, person(Role.SUPERVISOR), first=size)
    assert (refusal["code"], refusal["measure"]) == ("TOO_COSTLY", "cost")


@asynccontextmanager
async def bare(running):
    """Both ends of a bare connection to the served application, for what is no whole request."""
    async with serving(application(running), "127.0.0.1", 0) as url:
        reader, writer = await asyncio.open_connection("127.0.0.1", urlsplit(url).port)
        yield reader, writer
        writer.close()


HEAD = b"POST /graphql HTTP/1.1\r\nHost: anju\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"


@pytest.mark.parametrize(
    ("start", "more"),
    [
        (b"GET /", b"a" * 1000),
        (HEAD + b"X: ", b"a" * 1000),
        (HEAD, b"X: a\r\n" * 100),
        (CHUNKED + b"1;", b"a" * 1000),
        (CHUNKED + b"0\r\n", b"X: a\r\n" * 100),
    ],
    ids=["address", "header", "headers", "chunk", "trailers"],
)
async def test_nothing_beside_a_body_is_taken_without_end(running, start, more):
    async with bare(running) as (_, writer):
        writer.write(start)

        async def send():
            for _ in range(100 * LARGEST_HEAD // len(more)):
                writer.write(more)
                await writer.drain()
                await asyncio.sleep(0)

        with pytest.raises(ConnectionError):
            await send()


async def test_who_does_not_finish_what_they_ask_is_waited_for_a_bounded_time(monkeypatch, running):
    monkeypatch.setattr(edge, "HEAD_WITHIN", 0.2)
    for begun in (b"", HEAD):
        async with bare(running) as (reader, writer), asyncio.timeout(10):
            writer.write(begun)
            assert await reader.read() == b""


async def test_a_body_may_be_long_and_come_slowly_and_one_connection_asks_again(monkeypatch, running):
    monkeypatch.setattr(edge, "HEAD_WITHIN", 0.2)
    token = Asker(None, running.issuer).token(person(Role.GUARD))

    async def picture():
        for _ in range(8):
            await asyncio.sleep(0.05)
            yield b"x" * LARGEST_HEAD

    async with (
        serving(application(running), "127.0.0.1", 0) as url,
        httpx.AsyncClient(base_url=url, trust_env=False) as client,
    ):
        headers = {"Authorization": f"Bearer {token}"}
        for content in (picture(), b"y" * 8 * LARGEST_HEAD):
            response = await client.post("/api/evidence", content=content, headers=headers)
            assert (response.status_code, response.json()["size"]) == (201, 8 * LARGEST_HEAD)
            await asyncio.sleep(0.3)
