"""Health, problems and documents; everything a page needs comes from here."""

import gc
import os
import re
import signal
from html.parser import HTMLParser
from urllib.parse import urljoin, urlsplit

import httpx
import pytest
from given import NOW, until
from histories import append, reported
from prometheus_client.parser import text_string_to_metric_families

from adapters.embedded import nats
from api import http
from api.bootstrap import system
from api.http import application
from api.serving import serving
from api.settings import Settings
from domain.errors import UnavailableError
from projections.all import PROJECTIONS
from projections.status import statuses


class References(HTMLParser):
    """What a page loads or links to."""

    def __init__(self):
        super().__init__()
        self.found = []

    def handle_starttag(self, tag, attrs):
        self.found += [
            value for name, value in attrs if name in {"src", "href", "action", "srcset", "poster"}
        ]


def references(page):
    parser = References()
    parser.feed(page)
    return parser.found


async def ready(asker):
    response = await asker.client.get("/readyz")
    return response.status_code, response.json()


async def test_a_process_that_answers_is_healthy_and_one_whose_servers_answer_is_ready(running, asker):
    response = await asker.client.get("/healthz")
    assert (response.status_code, response.json()) == (200, {"status": "ok"})
    assert await ready(asker) == (200, {"status": "ok", "checks": {"database": True, "bus": True}})


async def test_the_metrics_say_how_far_each_projection_is_and_what_it_lost(working, asker, site, log):
    await append(log, [reported(n, site, NOW) for n in range(4)])
    end = await log.position()

    async def at(position):
        rows = await statuses(working.pool)
        return {row["position"] for row in rows} == {position} and len(rows) == len(PROJECTIONS)

    await until(lambda: at(end))
    await working.pool.execute(
        "update projections set folded = folded - 3, error = 'why' where name = 'incidents'"
    )
    response = await asker.client.get("/metrics")
    assert response.headers["content-type"].startswith("text/plain; version=0.0.4")
    found = {
        (sample.name, sample.labels.get("projection")): sample.value
        for family in text_string_to_metric_families(response.text)
        for sample in family.samples
    }
    assert found["anju_log_position", None] == end
    for name, value in {
        "position": end,
        "version": PROJECTIONS["incidents"].version,
        "lag": 0,
        "lag_seconds": 0,
        "folded": 1,
        "missing": 3,
        "stopped": 1,
    }.items():
        assert found[f"anju_projection_{name}", "incidents"] == value, name
    assert found["anju_projection_missing", "closure"] == 0
    assert found["anju_projection_stopped", "closure"] == 0
    assert {name for _, name in found if name} == set(PROJECTIONS)


async def test_without_the_database_there_are_no_metrics(running, asker):
    await running.pool.close()
    assert (await asker.client.get("/metrics")).status_code == 503


async def test_without_the_database_it_is_healthy_and_not_ready(running, asker):
    await running.pool.close()
    assert await ready(asker) == (503, {"status": "unavailable", "checks": {"database": False, "bus": True}})
    assert (await asker.client.get("/healthz")).status_code == 200


async def test_when_every_connection_is_taken_it_says_so_in_a_bounded_time(running, asker, monkeypatch):
    monkeypatch.setattr(http, "PATIENCE", 0.1)
    taken = [await running.pool.acquire() for _ in range(running.pool.get_max_size())]
    status, _ = await ready(asker)
    for connection in taken:
        await running.pool.release(connection)
    assert status == 503
    assert (await ready(asker))[0] == 200


async def test_without_the_bus_it_is_not_ready(database_url, tmp_path):
    async with nats(tmp_path) as server:
        settings = Settings(database_url=database_url, nats_url=server.url, data_dir=tmp_path)
        async with system(settings) as running:
            transport = httpx.ASGITransport(application(running))
            async with httpx.AsyncClient(transport=transport, base_url="http://anju") as client:

                async def answers(status):
                    return (await client.get("/readyz")).status_code == status

                assert await answers(200)
                os.kill(server.pid, signal.SIGKILL)
                await until(lambda: answers(503))


async def test_who_was_given_no_bus_is_ready_without_one(database_url, tmp_path):
    settings = Settings(database_url=database_url, nats_url=None, data_dir=tmp_path)
    async with system(settings, with_bus=False) as running:
        transport = httpx.ASGITransport(application(running))
        async with httpx.AsyncClient(transport=transport, base_url="http://anju") as client:
            response = await client.get("/readyz")
    assert (response.status_code, response.json()["checks"]) == (200, {"database": True})


async def test_a_browser_that_gets_graphql_is_given_graphiql(running, asker):
    accept = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
    response = await asker.client.get("/graphql", headers={"Accept": accept})
    assert response.status_code == 200
    assert response.headers["content-type"].startswith("text/html")
    assert "GraphiQL.createFetcher" in response.text


async def test_every_function_that_the_page_calls_is_in_the_files_that_come_with_it(running, asker):
    page = (await asker.client.get("/graphql", headers={"Accept": "text/html"})).text
    files = {
        "React": "react.production.min.js",
        "ReactDOM": "react-dom.production.min.js",
        "GraphiQL": "graphiql.min.js",
        "GraphiQLPluginExplorer": "graphiql-plugin-explorer.umd.js",
    }
    called = set(re.findall(r"\b(React|ReactDOM|GraphiQL|GraphiQLPluginExplorer)\.(\w+)\(", page))
    assert {library for library, _ in called} == set(files)
    for library, function in called:
        assert function in (await asker.client.get(f"/static/graphiql/{files[library]}")).text, function


async def test_the_page_names_the_socket_for_subscriptions_and_its_files_speak_our_protocol(running, asker):
    page = (await asker.client.get("/graphql", headers={"Accept": "text/html"})).text
    assert (
        'socket = location.origin.replace(/^http/, "ws") + "/graphql"' in page
    )  # wss, where the page came by https
    assert 'createFetcher({ url: "/graphql", subscriptionUrl: socket })' in page
    files = (await asker.client.get("/static/graphiql/graphiql.min.js")).text
    assert {"subscriptionUrl", "graphql-transport-ws"} <= set(re.findall(r"[\w-]+", files))


async def test_everything_a_page_refers_to_is_served_from_here(running, asker):
    for page in ("/", "/docs", "/graphql"):
        response = await asker.client.get(page, headers={"Accept": "text/html"})
        assert response.status_code == 200
        found = references(response.text)
        assert len(found) >= 3
        for reference in found:
            if not reference.startswith("data:"):
                assert urlsplit(reference).netloc == "", reference
                asset = await asker.client.get(urljoin(page, reference), headers={"Accept": "*/*"})
                assert asset.status_code == 200, reference
                assert len(asset.content) > 0
        inline = re.sub(r"<(script|link|style)[^>]*>", "", response.text)
        assert re.findall(r"(?:https?:)?//[a-z0-9-]+\.[a-z]+", inline) == []


async def test_style_sheets_load_nothing_from_elsewhere(running, asker):
    for page in ("/docs", "/graphql"):
        response = await asker.client.get(page, headers={"Accept": "text/html"})
        sheets = [reference for reference in references(response.text) if reference.endswith(".css")]
        assert sheets
        for reference in sheets:
            sheet = (await asker.client.get(urljoin(page, reference))).text
            loaded = re.findall(r"(?:url\(|@import)\s*['\"]?([^'\")\s;]+)", sheet)
            assert [url for url in loaded if not url.startswith(("data:", "#", "%23"))] == []


async def test_the_interface_is_described(running, asker):
    described = (await asker.client.get("/openapi.json")).json()
    assert described["info"]["title"] == "Anju 安居"
    assert {"/healthz", "/readyz"} <= set(described["paths"])
    assert all(
        operation.get("summary") for path in described["paths"].values() for operation in path.values()
    )


UNANSWERABLE = [
    ("GET", "/nothing", 404, "NOT_FOUND"),
    ("GET", "/static/graphiql/nothing.js", 404, "NOT_FOUND"),
    ("GET", "/static/graphiql/../../../pyproject.toml", 404, "NOT_FOUND"),
    ("POST", "/healthz", 405, "METHOD_NOT_ALLOWED"),
    ("PUT", "/graphql", 405, "METHOD_NOT_ALLOWED"),
    ("POST", "/graphql", 415, "INVALID"),
]


async def test_a_request_that_cannot_be_answered_gets_a_problem(running, asker):
    for method, path, status, code in UNANSWERABLE:
        response = await asker.client.request(method, path)
        problem(response, status, code)
        assert (status != 405) or response.headers["allow"], path


def problem(response, status, code):
    assert (response.status_code, response.headers["content-type"]) == (status, "application/problem+json")
    body = response.json()
    assert body == {
        "type": f"/problems/{code.lower().replace('_', '-')}",
        "title": code,
        "status": status,
        "detail": body["detail"],
    }
    assert body["detail"]


async def test_a_body_that_holds_no_question_is_a_problem(running, asker):
    for body in (
        b"",
        b"{",
        b"[]",
        b"{}",
        b"5",
        b"null",
        b'"{__typename}"',
        b'{"query": 5}',
        b'{"query": "{__typename}", "variables": []}',
        b"\xff\xfe",
    ):
        headers = {"Content-Type": "application/json"}
        problem(await asker.client.post("/graphql", content=body, headers=headers), 400, "INVALID")


async def test_values_that_do_not_validate_refusals_and_our_own_errors_are_problems(running, asker, caplog):
    app = application(running)

    @app.get("/add")
    async def add(number: int) -> int:
        return number + 1

    @app.get("/gone")
    async def gone() -> None:
        raise UnavailableError("the archive is away: mount it")

    @app.get("/broken")
    async def broken() -> None:
        raise RuntimeError("secret")

    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://anju") as client:
        wrong = await client.get("/add", params={"number": "five"})
        problem(wrong, 422, "INVALID")
        assert "query.number" in wrong.json()["detail"]
        unavailable = await client.get("/gone")
        problem(unavailable, 503, "UNAVAILABLE")
        assert unavailable.json()["detail"] == "the archive is away: mount it"
        ours = await client.get("/broken")
        problem(ours, 500, "INTERNAL")
        assert "secret" not in ours.text
        assert "secret" in caplog.text


async def test_what_serves_is_not_searched_for_garbage_until_it_ends(running):
    before = gc.get_freeze_count()
    async with serving(application(running), "127.0.0.1", 0):
        assert gc.get_freeze_count() > before
    assert gc.get_freeze_count() <= before


async def test_a_port_that_is_taken_is_refused_in_one_clear_line(running):
    async with serving(application(running), "127.0.0.1", 0) as url:
        port = urlsplit(url).port
        with pytest.raises(
            UnavailableError, match=rf"127\.0\.0\.1:{port} cannot be served: .*in use.*--port"
        ):
            async with serving(application(running), "127.0.0.1", port):
                pass
        async with httpx.AsyncClient(trust_env=False) as client:
            assert (await client.get(f"{url}/healthz")).status_code == 200


async def test_an_address_of_six_is_written_so_that_it_can_be_followed(running):
    async with serving(application(running), "::1", 0) as url, httpx.AsyncClient(trust_env=False) as client:
        assert url.startswith("http://[::1]:")
        assert (await client.get(f"{url}/healthz")).status_code == 200
