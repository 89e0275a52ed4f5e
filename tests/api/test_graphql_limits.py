"""What one operation may ask for: how it is measured, what is refused, and that what takes too long is stopped on the server."""

import asyncio
import json
from contextlib import asynccontextmanager
from dataclasses import replace

import asyncpg
import httpx
import pytest
from asking import Asker
from given import person, until
from graphql import OperationDefinitionNode, get_introspection_query, parse

from api.graphql.guard import COST
from api.graphql.limits import ASKING, BODY, DEPTH, LISTED, REPEATS, SIZES, TOKENS, Measured, measure
from api.graphql.schema import schema
from api.http import application
from domain.errors import TooCostlyError
from domain.incident import Source
from domain.people import Role

SUPERVISOR, STATISTICIAN, WORKER = (
    person(Role.SUPERVISOR),
    person(Role.STATISTICIAN),
    person(Role.GRID_WORKER),
)
PERIOD = '(period: {from: "2018-11-01", to: "2018-11-30"})'
RATE = f"{{ closureRate{PERIOD} {{ received }} }}"
JSON = {"Content-Type": "application/json"}


@asynccontextmanager
async def set_to(running, **changed):
    """Asks `running` with other settings."""
    system = replace(running, settings=running.settings.model_copy(update=changed))
    transport = httpx.ASGITransport(application(system), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://anju") as client:
        yield Asker(client, running.issuer)


def measured(text: str, **variables: object) -> Measured:
    document = parse(text)
    operation = next(node for node in document.definitions if isinstance(node, OperationDefinitionNode))
    return measure(schema._schema, document, operation, variables)


# --- what an operation costs -----------------------------------------------------------------------------------------


PAGE = 4  # edges, node, id and cursor
COSTS = [
    ("{ systemStatus { position } }", {}, ASKING + 1),
    ("{ systemStatus { position deadLetters } }", {}, ASKING + 1 + ASKING),
    ("{ systemStatus { projections { name lag } } }", {}, ASKING + 1 + LISTED * 2),
    ("{ incidents { edges { cursor node { id } } } }", {}, ASKING + 50 * PAGE),
    ("{ incidents(first: 7) { edges { cursor node { id } } } }", {}, ASKING + 7 * PAGE),
    ("{ incidents(first: 0) { edges { cursor node { id } } } }", {}, ASKING + PAGE),
    (
        "query($n: Int!) { incidents(first: $n) { edges { cursor node { id } } } }",
        {"n": 9},
        ASKING + 9 * PAGE,
    ),
    (
        "query($n: Int! = 8) { incidents(first: $n) { edges { cursor node { id } } } }",
        {},
        ASKING + 8 * PAGE,
    ),
    (
        "query($n: Int! = 8) { incidents(first: $n) { edges { cursor node { id } } } }",
        {"n": None},
        ASKING + 50 * PAGE,
    ),
    (
        f"{{ closureSeries{PERIOD} {{ figures {{ lineage(first: 5) {{ edges {{ cursor }} }} }} }} }}",
        {},
        ASKING + SIZES["closureSeries"] * (1 + ASKING + 5 * 2),
    ),
    ("{ nothing { like: this } }", {}, 2),
]


@pytest.mark.parametrize(("text", "variables", "cost"), COSTS)
def test_a_field_costs_what_it_takes_and_a_connection_its_page_times_what_is_inside(text, variables, cost):
    assert measured(text, **variables).cost == cost


SAME = [
    "{ systemStatus { ...F } } fragment F on SystemStatus { position }",
    "{ systemStatus { ... { position } } }",
    "{ systemStatus { ... on SystemStatus { position } } }",
    "{ systemStatus { ... @include(if: false) { position } } }",
    "{ systemStatus { position @skip(if: true) } }",
    "{ ...Q } fragment Q on Query { systemStatus { ...F } } fragment F on SystemStatus { ... { position } }",
]


@pytest.mark.parametrize("text", SAME)
def test_fragments_and_directives_change_nothing(text):
    assert measured(text) == Measured(cost=ASKING + 1, depth=2, repeats=0)


def test_a_fragment_counts_as_often_as_it_is_spread_with_what_it_repeats():
    once = measured("{ systemStatus { ...F } } fragment F on SystemStatus { a: position b: position }")
    thrice = measured(
        "{ systemStatus { ...F ...F ...F } } fragment F on SystemStatus { a: position b: position }"
    )
    assert (once.cost, once.repeats) == (ASKING + 2, 2)
    assert (thrice.cost, thrice.repeats) == (ASKING + 6, 6)


def test_fragments_that_double_forty_times_are_measured_at_once():
    doubling = " ".join(f"fragment F{n} on SystemStatus {{ ...F{n + 1} ...F{n + 1} }}" for n in range(40))
    text = f"{{ systemStatus {{ ...F0 }} }} {doubling} fragment F40 on SystemStatus {{ position }}"
    assert measured(text).cost == ASKING + 2**40


def test_fragments_that_hold_themselves_end():
    text = "{ systemStatus { ...A } } fragment A on SystemStatus { position ...B } fragment B on SystemStatus { ...A }"
    assert measured(text).cost == ASKING + 1


def test_a_chain_of_fragments_that_would_end_the_stack_is_refused():
    chain = " ".join(f"fragment F{n} on SystemStatus {{ ...F{n + 1} }}" for n in range(400))
    with pytest.raises(TooCostlyError, match="nested more than"):
        measured(f"{{ systemStatus {{ ...F0 }} }} {chain} fragment F400 on SystemStatus {{ position }}")


# --- what is refused -------------------------------------------------------------------------------------------------


def deep(levels: int) -> str:
    inner = "received"
    for _ in range(levels):
        inner = f"yearOnYear {{ figures {{ {inner} }} }}"
    return f"{{ closureRate{PERIOD} {{ {inner} }} }}"


REFUSED = [
    (deep(DEPTH // 2), "depth", DEPTH + 2, DEPTH),
    (f"{{ {' '.join(['systemStatus { position }'] * (REPEATS + 2))} }}", "repeats", REPEATS + 1, REPEATS),
    (
        f"{{ {' '.join(f'a{n}: systemStatus {{ position }}' for n in range(REPEATS + 1))} }}",
        "repeats",
        REPEATS + 1,
        REPEATS,
    ),
    (
        "{ incidents(first: 500) { edges { node { timeline { topic } } } } }",
        "cost",
        ASKING + 500 * (2 + ASKING + LISTED),
        1000,
    ),
    (f"{{ systemStatus {{ {'position ' * TOKENS} }} }}", "tokens", TOKENS + 1, TOKENS),
    (
        f"{{ systemStatus {{ {'# a note' + chr(10)} {('#' + chr(10)) * TOKENS} position }} }}",
        "tokens",
        TOKENS + 1,
        TOKENS,
    ),
]


@pytest.mark.parametrize(
    ("text", "what", "cost", "limit"),
    REFUSED,
    ids=["depth", "again", "aliases", "cost", "tokens", "comments"],
)
async def test_what_asks_for_too_much_is_refused_with_what_it_costs_before_anybody_is_asked_who_they_are(
    running, text, what, cost, limit
):
    async with set_to(running, graphql_cost=1000) as asker:
        refusal = await asker.refusal(text, None)
    message = refusal.pop("message")
    assert refusal == {"code": "TOO_COSTLY", "measure": what, "cost": cost, "limit": limit}
    assert str(limit) in message


async def test_what_is_refused_in_a_named_operation_is_refused_by_that_name(running, asker):
    body = {
        "query": f"query Big {{ systemStatus {{ {'position ' * TOKENS} }} }}",
        "operationName": "Big",
    }
    answer = (await asker.client.post("/graphql", json=body)).json()
    assert answer["errors"][0]["extensions"]["code"] == "TOO_COSTLY"


async def test_only_the_operation_that_runs_is_measured(working, asker):
    text = f'query Small {{ labels(enum: "Unit") {{ zh }} }} query Deep {deep(DEPTH)}'
    for name, expected in (("Small", None), ("Deep", "TOO_COSTLY")):
        response = await asker.client.post("/graphql", json={"query": text, "operationName": name})
        errors = response.json().get("errors")
        assert (errors and errors[0]["extensions"]["code"]) == expected


async def test_an_answer_says_what_it_cost(working, asker):
    headers = {"Authorization": f"Bearer {asker.token(STATISTICIAN)}"}
    response = await asker.client.post("/graphql", json={"query": RATE}, headers=headers)
    assert "errors" not in response.json()
    assert response.headers[COST] == str(ASKING + 1)


async def test_the_largest_page_of_incidents_and_the_whole_schema_are_affordable(working, asker):
    text = "{ incidents(first: 500) { edges { node { id state township category urgency reportedAt } } pageInfo { endCursor } } }"
    assert (await asker.data(text, SUPERVISOR))["edges"] == []
    assert await asker.data(get_introspection_query(), SUPERVISOR)


async def test_a_circle_of_fragments_is_invalid(running, asker):
    text = "{ systemStatus { ...A } } fragment A on SystemStatus { position ...A }"
    assert (await asker.answer(text, SUPERVISOR))["errors"][0]["extensions"]["code"] == "INVALID"


async def test_ten_errors_of_a_document_are_told_and_no_more_are_looked_for(running, asker):
    wrong = " ".join(f"x{n}: 1" for n in range(600))
    answer = await asker.answer(f"{{ incidents(filter: {{ {wrong} }}) {{ edges {{ cursor }} }} }}", None)
    assert len(answer["errors"]) == 11
    assert "error limit reached" in answer["errors"][-1]["message"]


@pytest.mark.parametrize("first", ["9" * 5000, "-" + "9" * 11])
async def test_a_number_that_is_none_is_invalid(running, asker, first, caplog):
    text = f"{{ incidents(first: {first}) {{ edges {{ cursor }} }} }}"
    codes = {error["extensions"]["code"] for error in (await asker.answer(text, SUPERVISOR))["errors"]}
    assert codes <= {"INVALID", "TOO_COSTLY"}
    assert not caplog.records


# --- what comes in ---------------------------------------------------------------------------------------------------


def is_problem(response: httpx.Response, status: int) -> str:
    assert (response.status_code, response.headers["content-type"]) == (status, "application/problem+json")
    return response.json()["detail"]


async def test_a_body_that_is_too_large_is_refused_whether_or_not_it_says_so(running, asker):
    body = json.dumps({"query": RATE, "variables": {"x": "x" * BODY}}).encode()

    async def in_chunks():
        for start in range(0, len(body), 65536):
            yield body[start : start + 65536]

    for content in (body, in_chunks()):
        response = await asker.client.post("/graphql", content=content, headers=JSON)
        assert f"{BODY:,}" in is_problem(response, 413)


@pytest.mark.parametrize(
    "body", [b'{"variables": ' + b"9" * 5000 + b"}", b"[" * 100_000, b'{"query": "\\ud800"']
)
async def test_json_that_python_cannot_read_is_a_problem_of_who_sent_it(running, asker, body):
    is_problem(await asker.client.post("/graphql", content=body, headers=JSON), 400)


async def test_an_array_of_operations_is_refused(running, asker):
    response = await asker.client.post("/graphql", json=[{"query": RATE}, {"query": RATE}])
    assert "Batching" in is_problem(response, 400)


@pytest.mark.parametrize(
    "kind",
    [
        None,
        "text/plain",
        "text/plain; charset=application/json",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/graphql",
        "text/json",
    ],
)
async def test_what_a_form_of_another_site_can_post_is_refused(running, asker, kind):
    headers = {} if kind is None else {"Content-Type": kind}
    response = await asker.client.post("/graphql", content=json.dumps({"query": RATE}), headers=headers)
    assert "application/json" in is_problem(response, 415)


async def test_json_may_name_its_letters(working, asker):
    headers = {"Content-Type": "application/json; charset=utf-8"}
    response = await asker.client.post(
        "/graphql", content=json.dumps({"query": "{ __typename }"}), headers=headers
    )
    assert response.json() == {"data": {"__typename": "Query"}}


async def test_get_asks_and_changes_nothing(working, asker, log, site):
    end = await log.position()
    headers = {"Authorization": f"Bearer {asker.token(WORKER)}"}
    mutation = 'mutation { reportIncident(site: "runjinyuan", source: CITIZEN, category: "noise", description: "x") { id } }'
    for accept in ("*/*", "text/html", "application/json"):
        response = await asker.client.get(
            "/graphql", params={"query": mutation}, headers=headers | {"Accept": accept}
        )
        is_problem(response, 400)
    assert await log.position() == end
    response = await asker.client.get("/graphql", params={"query": "{ __typename }"})
    assert response.json() == {"data": {"__typename": "Query"}}
    assert (await asker.client.get("/graphql", params={"query": deep(DEPTH)})).json()["errors"]


# --- how long it may take --------------------------------------------------------------------------------------------


@asynccontextmanager
async def holding(database_url, table):
    """Nobody else reads `table` inside."""
    connection = await asyncpg.connect(database_url)
    try:
        await connection.execute(f"begin; lock table {table} in access exclusive mode")
        yield
    finally:
        await connection.close()


WAITING = (
    "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'"
)


async def test_what_takes_too_long_is_stopped_in_the_database_too(running, database_url, forger):
    text = f"{{ a: closureRate{PERIOD} {{ received }} b: closureRate{PERIOD} {{ received }} }}"

    async def waiting(number):
        return await forger.fetchval(WAITING) == number

    async def given_back():
        return running.pool.get_idle_size() == running.pool.get_size()

    async with set_to(running, graphql_seconds=1) as asker:
        async with holding(database_url, "closures"):
            asked = asyncio.create_task(asker.refusal(text, STATISTICIAN))
            await until(lambda: waiting(2))
            refusal = await asked
            await until(lambda: waiting(0))  # while the table is still locked
        assert (refusal["code"], refusal["measure"], refusal["limit"]) == ("TOO_COSTLY", "seconds", 1)
        await until(given_back)  # the pool does so beside us
        assert (await asker.data(RATE, STATISTICIAN)) == {"received": 0}


async def test_a_mutation_that_was_stopped_may_have_been_done_and_says_what_to_do(
    running, database_url, site
):
    report = {"site": site.code, "source": Source.CITIZEN, "category": "noise", "description": "夜间噪声"}
    async with (
        set_to(running, graphql_seconds=0.5) as asker,
        holding(database_url, "log_head"),
    ):
        refusal = await asker.refused("reportIncident", WORKER, **report)
    assert refusal["code"] == "TOO_COSTLY"
    assert "requestId" in refusal["message"]


# --- what can be switched off ----------------------------------------------------------------------------------------


async def test_the_schema_is_not_told_where_introspection_is_off(running):
    async with set_to(running, introspection=False) as asker:
        for text in (
            "{ __schema { types { name } } }",
            '{ ...F } fragment F on Query { __type(name: "Query") { name } }',
        ):
            errors = (await asker.answer(text, SUPERVISOR))["errors"]
            assert {error["extensions"]["code"] for error in errors} == {"INVALID"}
            assert "introspection has been disabled" in errors[0]["message"]
        assert await asker.data("{ __typename }", SUPERVISOR) == "Query"
        assert "Did you mean" not in (await asker.refusal("{ systemStatu { position } }", None))["message"]
    async with set_to(running, introspection=True) as asker:
        assert await asker.data("{ __schema { types { name } } }", SUPERVISOR)
        assert "Did you mean" in (await asker.refusal("{ systemStatu { position } }", None))["message"]


async def test_there_is_no_page_where_graphiql_is_off(running):
    async with set_to(running, graphiql=False) as asker:
        response = await asker.client.get("/graphql", headers={"Accept": "text/html"})
        assert "ANJU_GRAPHIQL" in is_problem(response, 404)
