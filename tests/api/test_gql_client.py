"""A client that nobody here wrote has all it needs in docs/schema.graphql: over HTTP, over a socket, and when it is refused."""

import asyncio
from contextlib import asynccontextmanager
from uuid import uuid4

import pytest
from commanding import ROOT
from given import person
from gql import Client, gql
from gql.transport.aiohttp import AIOHTTPTransport
from gql.transport.exceptions import TransportError, TransportQueryError
from gql.transport.websockets import WebsocketsTransport
from graphql import build_schema, lexicographic_sort_schema, print_schema

from api.http import application
from api.serving import serving
from domain.people import Role

SCHEMA = build_schema((ROOT / "docs" / "schema.graphql").read_text(encoding="utf-8"))
INTAKE = person(Role.INTAKE)
REPORT = """mutation ($request: UUID!) {
  reportIncident(requestId: $request, site: "runjinyuan", category: "lighting", description: "路灯不亮", source: CITIZEN) {
    id version position repeated
  }
}"""
TOLD = """subscription ($from: Position!) {
  incidentChanged(filter: { site: "runjinyuan" }, fromPosition: $from) { position topic incident { id state } }
}"""


def asked(text, variables):
    request = gql(text)
    request.variable_values = variables
    return request


@pytest.fixture
async def served(working, site):
    async with serving(application(working), "127.0.0.1", 0) as url:
        yield f"{url}/graphql"


@pytest.fixture
def over_http(served, asker):
    """A session of somebody, whose questions the client checks against the schema before it sends them."""

    def session(by=INTAKE, **options):
        headers = {"Authorization": f"Bearer {asker.token(by)}"}
        return Client(transport=AIOHTTPTransport(served, headers=headers), **{"schema": SCHEMA} | options)

    return session


@pytest.fixture
def over_socket(served, asker):
    """The same over a socket, with the token in the first message, as browsers send it."""

    @asynccontextmanager
    async def session(token=None):
        transport = WebsocketsTransport(
            served.replace("http", "ws", 1),
            init_payload={"authorization": f"Bearer {token or asker.token(INTAKE)}"},
            subprotocols=[WebsocketsTransport.GRAPHQLWS_SUBPROTOCOL],
        )
        async with Client(transport=transport, schema=SCHEMA) as opened:
            yield opened

    return session


async def test_what_introspection_tells_is_the_schema_that_is_written_down(over_http):
    everything = {"specified_by_url": True, "input_object_one_of": True, "input_value_deprecation": True}
    client = over_http(schema=None, fetch_schema_from_transport=True, introspection_args=everything)
    async with client:
        assert client.schema is not None
        assert print_schema(lexicographic_sort_schema(client.schema)) == print_schema(
            lexicographic_sort_schema(SCHEMA)
        )


async def test_what_is_done_over_http_is_told_over_the_socket_and_done_once(over_http, over_socket, running):
    request = asked(REPORT, {"request": str(uuid4())})
    start = await running.log.position()
    async with over_http() as http, over_socket() as socket:
        done, again = [(await http.execute(request))["reportIncident"] for _ in range(2)]
        assert (again["id"], done["repeated"], again["repeated"]) == (done["id"], False, True)
        async with asyncio.timeout(15):
            async for told in socket.subscribe(asked(TOLD, {"from": start})):
                assert told["incidentChanged"] == {
                    "position": done["position"],
                    "topic": "incident.reported",
                    "incident": {"id": done["id"], "state": "REPORTED"},
                }
                break


async def test_a_refusal_reaches_the_client_with_its_code_and_what_to_do_next(over_http):
    accept = "mutation ($id: UUID!) { acceptIncident(id: $id, expectedVersion: 7) { version } }"
    async with over_http() as session:
        done = await session.execute(asked(REPORT, {"request": str(uuid4())}))
        with pytest.raises(TransportQueryError) as refused:
            await session.execute(asked(accept, {"id": done["reportIncident"]["id"]}))
    (error,) = refused.value.errors
    assert error["extensions"] == {"code": "CONFLICT", "currentVersion": 1}


async def test_a_token_that_is_not_believed_opens_no_socket(over_socket):
    with pytest.raises(TransportError) as refused:
        async with over_socket(token="nobody"):
            pass
    assert refused.value.__cause__.rcvd.code in {4401, 4403}
