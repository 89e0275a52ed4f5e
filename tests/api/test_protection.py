"""The edge: headers on every answer, other origins, proxies, and how often one may ask."""

import asyncio
import json
import re
from base64 import b64encode
from contextlib import asynccontextmanager
from dataclasses import replace
from hashlib import sha256
from urllib.parse import urlsplit

import httpx
import pytest
from given import person
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from api.http import application
from api.rate import SPAN, Buckets, Taken
from api.serving import serving
from api.settings import load_settings
from domain.errors import InvalidError
from domain.people import Role

ELSEWHERE = "https://evil.example"
CENTRE = "https://centre.example"
ASK = {"query": "{ __typename }"}


def allowing(running, **more):
    """The system, with other settings."""
    return replace(running, settings=running.settings.model_copy(update=more))


@asynccontextmanager
async def client_of(system, *, host="192.0.2.1", base_url="http://anju"):
    """Asks `system` from the address `host`."""
    transport = httpx.ASGITransport(application(system), raise_app_exceptions=False, client=(host, 1))
    async with httpx.AsyncClient(transport=transport, base_url=base_url) as client:
        yield client


# --- headers ---------------------------------------------------------------------------------------------------------


async def test_every_answer_tells_browsers_to_trust_it_with_little(running, asker):
    app = application(running)

    @app.get("/broken")
    async def broken() -> None:
        raise RuntimeError

    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://anju") as client:
        answers = [
            await client.get("/"), await client.get("/docs"), await client.get("/graphql", headers={"Accept": "text/html"}),
            await client.get("/healthz"), await client.get("/readyz"), await client.get("/metrics"), await client.head("/"),
            await client.get("/openapi.json"), await client.get("/nothing"), await client.put("/graphql"),
            await client.post("/graphql", json=ASK), await client.post("/graphql"), await client.get("/broken"),
            await client.get("/api/reports/gates.csv"), await client.get("/static/graphiql/graphiql.min.js"),
        ]  # fmt: skip
    assert {answer.status_code for answer in answers} == {200, 401, 404, 405, 415, 500}
    for answer in answers:
        policy = answer.headers["content-security-policy"]
        assert policy.startswith("default-src 'none'")
        assert "frame-ancestors 'none'" in policy
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert "strict-transport-security" not in answer.headers
        assert "set-cookie" not in answer.headers
        kept = "graphiql.min.js" in str(answer.url)
        assert answer.headers.get("cache-control") == (None if kept else "no-store"), answer.url


async def test_a_page_may_run_its_own_scripts_and_no_others(running, asker):
    for path in ("/", "/docs", "/graphql"):
        page = await asker.client.get(path, headers={"Accept": "text/html"})
        inline = re.findall(r"<script(?![^>]*src)[^>]*>(.*?)</script>", page.text, re.DOTALL)
        directives = dict(part.split(" ", 1) for part in page.headers["content-security-policy"].split("; "))
        allowed = directives["script-src"].split()
        assert allowed == ["'self'"] + [
            f"'sha256-{b64encode(sha256(script.encode()).digest()).decode()}'" for script in inline
        ]
        assert len(inline) == (path != "/")
        assert re.findall(r"\son\w+=", page.text) == []
    answer = await asker.client.post("/graphql", json=ASK)
    assert "script-src" not in answer.headers["content-security-policy"]


async def test_over_https_browsers_are_told_to_stay_there(running):
    async with client_of(running, base_url="https://anju") as client:
        assert (await client.get("/")).headers["strict-transport-security"] == "max-age=31536000"


async def test_what_serves_is_not_named_and_other_hosts_names_are_not_repeated(running):
    async with (
        serving(application(running), "127.0.0.1", 0) as url,
        httpx.AsyncClient(trust_env=False) as client,
    ):
        for path in ("/", "/docs/", "/api/reports", "/static/graphiql", "/nothing"):
            answer = await client.get(
                f"{url}{path}", headers={"Host": "evil.example", "X-Forwarded-Host": "evil.example"}
            )
            assert "server" not in answer.headers
            assert "evil.example" not in answer.text + str(answer.headers)


# --- other origins ---------------------------------------------------------------------------------------------------


async def test_a_cookie_says_nothing_about_who_asks(running, asker, site):
    token = asker.token(person(Role.SUPERVISOR))
    cookies = {"Authorization": f"Bearer {token}", "access_token": token, "token": token, "session": token}
    for name, value in cookies.items():
        headers = {"Cookie": f'{name}="{value}"', "Origin": "http://anju"}
        answer = await asker.client.get(
            "/api/reports/gates.json", params={"from": "2018-01-01", "to": "2018-01-31"}, headers=headers
        )
        assert answer.status_code == 401
        asked = {"query": "{ systemStatus { position } }"}
        answer = await asker.client.post("/graphql", json=asked, headers=headers)
        assert answer.json()["errors"][0]["extensions"]["code"] == "UNAUTHENTICATED"


def preflight(origin):
    return {
        "Origin": origin,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization,content-type",
    }


async def test_no_other_origin_is_allowed_anything(running, asker):
    for origin in (ELSEWHERE, "null", "http://anju"):
        for answer in (
            await asker.client.options("/graphql", headers=preflight(origin)),
            await asker.client.post("/graphql", json=ASK, headers={"Origin": origin}),
            await asker.client.get("/", headers={"Origin": origin}),
        ):
            assert [name for name in answer.headers if name.startswith("access-control")] == []


async def test_an_origin_that_is_named_may_ask_and_its_look_alikes_may_not(running):
    async with client_of(allowing(running, origins=(CENTRE,), stranger_rate=1)) as client:
        asked = await client.options("/graphql", headers=preflight(CENTRE))
        assert asked.status_code == 200
        assert asked.headers["access-control-allow-origin"] == CENTRE
        assert {"Authorization", "Content-Type"} <= set(
            asked.headers["access-control-allow-headers"].split(", ")
        )
        for origin in (
            ELSEWHERE,
            "null",
            f"{CENTRE}.evil.example",
            CENTRE.replace("https", "http"),
            f"{CENTRE}:8443",
        ):
            refused = await client.options("/graphql", headers=preflight(origin))
            assert refused.status_code == 400
            assert "access-control-allow-origin" not in refused.headers
        for _ in range(SPAN + 1):
            answer = await client.post("/graphql", json=ASK, headers={"Origin": CENTRE})
            assert answer.headers["access-control-allow-origin"] == CENTRE
            assert "access-control-allow-credentials" not in answer.headers
        assert answer.status_code == 429  # a page may know why, and when to come again
        assert "Retry-After" in answer.headers["access-control-expose-headers"]


def named(headers, name):
    """The words of a header with commas, in small letters."""
    return {word.strip().lower() for word in headers.get(name, "").split(",")}


async def test_a_page_from_elsewhere_may_send_every_header_that_is_read(running):
    system = allowing(running, origins=(CENTRE,))
    described = application(system).openapi()["paths"].values()
    parameters = [each for path in described for one in path.values() for each in one.get("parameters", ())]
    read = {each["name"].lower() for each in parameters if each["in"] == "header"}
    assert {"anju-purpose", "anju-inquiry", "if-none-match", "prefer"} <= read
    async with client_of(system) as client:
        asking = preflight(CENTRE) | {"Access-Control-Request-Headers": ", ".join(read)}
        allowed = await client.options("/graphql", headers=asking)
        assert (allowed.status_code, allowed.text) == (200, "OK")


ALWAYS_READABLE = {"cache-control", "content-language", "content-length", "content-type", "expires", "last-modified", "pragma"}  # fmt: skip
"""By the standard (Fetch: CORS-safelisted response-header names)."""
FOR_BROWSERS = {"content-security-policy", "referrer-policy", "vary", "x-content-type-options"}


async def test_a_page_from_elsewhere_may_read_every_header_that_is_sent(running, asker, site):
    token = asker.token(person(Role.SUPERVISOR, Role.AUDITOR))
    given = {"Authorization": f"Bearer {token}", "Origin": CENTRE, "Anju-Purpose": "review"}
    period = "from=2018-01-01&to=2018-01-31"
    async with client_of(allowing(running, origins=(CENTRE,), stranger_rate=1)) as client:
        answers = [
            await client.post("/graphql", json=ASK, headers=given),
            await client.put("/graphql", headers=given),
            await client.get(f"/api/reports/gates.csv?{period}", headers=given),
            await client.get(f"/api/reports/gates.csv?{period}", headers=given | {"Prefer": "respond-async"}),
            await client.get("/api/audit/checkpoints", headers=given),
            await client.get("/api/reports/jobs", headers={"Origin": CENTRE}),
        ]
        often = {"Origin": CENTRE}
        answers += [await client.post("/graphql", json=ASK, headers=often) for _ in range(SPAN + 1)]
    assert {answer.status_code for answer in answers} == {200, 202, 401, 405, 429}
    for answer in answers:
        sent = {name for name in answer.headers if not name.startswith("access-control-")}
        hidden = sent - ALWAYS_READABLE - FOR_BROWSERS
        hidden -= named(answer.headers, "access-control-expose-headers")
        assert not hidden, (answer.url, hidden)
    assert "anju-cost" in answers[0].headers


@pytest.mark.parametrize(
    "value", ["*", "https://*.example", "centre.example", "https://centre.example/", "null"]
)
def test_an_origin_is_written_as_browsers_write_it(monkeypatch, value):
    monkeypatch.setenv("ANJU_ORIGINS", f"https://good.example, {value}")
    with pytest.raises(InvalidError, match="ANJU_ORIGINS: write each as a browser does: https://host"):
        load_settings()


def test_several_origins_and_proxies_stand_in_one_variable(monkeypatch):
    monkeypatch.setenv("ANJU_ORIGINS", "https://a.example, http://b.example:81  http://[::1]:3000")
    monkeypatch.setenv("ANJU_TRUSTED_PROXIES", "10.0.0.0/8,::1")
    found = load_settings()
    assert found.origins == ("https://a.example", "http://b.example:81", "http://[::1]:3000")
    assert found.trusted_proxies == ("10.0.0.0/8", "::1")


# --- how often one may ask -------------------------------------------------------------------------------------------


def bearer(asker, name):
    return {"Authorization": f"Bearer {asker.token(person(Role.ADMIN, name=name))}"}


async def statuses_of(client, number, headers=None, path="/graphql"):
    return [(await client.post(path, json=ASK, headers=headers)).status_code for _ in range(number)]


async def test_who_asks_too_often_is_told_when_to_come_again_and_everybody_how_much_is_left(running, asker):
    async with client_of(allowing(running, rate=1)) as client:
        headers = bearer(asker, "busy")
        first = await client.post("/graphql", json=ASK, headers=headers)
        assert first.headers["ratelimit-policy"] == '"person";q=10;w=10'
        assert first.headers["ratelimit"] == '"person";r=9;t=1'
        assert set(await statuses_of(client, SPAN - 1, headers)) == {200}
        refused = await client.post("/graphql", json=ASK, headers=headers)
        assert (refused.status_code, refused.headers["content-type"]) == (429, "application/problem+json")
        assert refused.headers["retry-after"] == "1"
        assert refused.headers["ratelimit"] == '"person";r=0;t=10'
        assert refused.json() == {
            "type": "/problems/too-many-requests",
            "title": "TOO_MANY_REQUESTS",
            "status": 429,
            "detail": "more than 1 requests a second from one person: try again in 1 s, or ask for more in one request",
        }
        report = await client.get("/api/reports/gates.json", headers=headers)
        assert report.status_code == 429  # one limit for all that is asked
        assert await statuses_of(client, 1, bearer(asker, "other")) == [200]
        assert await statuses_of(client, 1) == [200]


async def test_whose_token_is_not_believed_asks_as_a_stranger_whatever_name_it_has(running, asker):
    victim = bearer(asker, "victim")
    async with client_of(allowing(running, rate=1, stranger_rate=2)) as client:
        for n in range(2 * SPAN):
            forged = victim["Authorization"][:-4] + f"{n:04}"
            answer = await client.post("/graphql", json=ASK, headers={"Authorization": forged})
            assert answer.headers["ratelimit"].startswith(f'"address";r={2 * SPAN - 1 - n}')
        for headers in (None, {"Authorization": "Bearer x"}, {"X-Forwarded-For": "192.0.2.77"}):
            assert await statuses_of(client, 1, headers) == [429]
        assert await statuses_of(client, 1, victim) == [200]


async def test_each_address_has_a_limit_of_its_own_and_an_ipv6_household_one(running):
    app = application(allowing(running, stranger_rate=1))

    async def ask(host):
        transport = httpx.ASGITransport(app, client=(host, 1))
        async with httpx.AsyncClient(transport=transport, base_url="http://anju") as client:
            return (await client.get("/")).headers["ratelimit"].split(";")[1]

    assert [await ask(f"192.0.2.{n}") for n in (1, 2, 1)] == ["r=9", "r=9", "r=8"]
    assert [await ask(host) for host in ("2001:db8::1", "2001:db8::2:3:4:5", "2001:db8:0:1::1")] == [
        "r=9",
        "r=8",
        "r=9",
    ]
    assert await ask("::ffff:192.0.2.1") == "r=7"


async def test_health_and_measurements_are_free_and_no_limit_is_possible(running):
    async with client_of(allowing(running, stranger_rate=1)) as client:
        for _ in range(SPAN + 1):
            page = await client.get("/")
        assert page.status_code == 429
        for path in ("/healthz", "/readyz", "/metrics"):
            for _ in range(3):
                answer = await client.get(path)
                assert (answer.status_code, answer.headers.get("ratelimit")) == (200, None)
    async with client_of(allowing(running, stranger_rate=0)) as client:
        answers = [await client.get("/") for _ in range(SPAN + 1)]
        assert {(answer.status_code, answer.headers.get("ratelimit")) for answer in answers} == {(200, None)}


async def test_sockets_pass_through_and_are_counted_when_they_are_opened(running, asker):
    limited = allowing(running, stranger_rate=1)
    async with serving(application(limited), "127.0.0.1", 0) as url:
        where = f"{url.replace('http', 'ws')}/graphql"
        for _ in range(SPAN):
            async with connect(where, subprotocols=["graphql-transport-ws"], proxy=None) as socket:
                await socket.send(json.dumps({"type": "connection_init", "payload": bearer(asker, "centre")}))
                assert json.loads(await socket.recv()) == {"type": "connection_ack"}
        with pytest.raises(InvalidStatus) as refused:
            await connect(where, subprotocols=["graphql-transport-ws"], proxy=None)
        answer = refused.value.response
        assert (answer.status_code, int(answer.headers["Retry-After"])) == (429, 1)
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert json.loads(answer.body)["title"] == "TOO_MANY_REQUESTS"


async def test_for_whom_a_proxy_asks_counts_if_the_proxy_is_trusted(running):
    app = application(allowing(running, stranger_rate=1))
    for proxies, expected, https in (((), ["r=9", "r=8"], False), (("127.0.0.1",), ["r=9", "r=9"], True)):
        async with (
            serving(application(app.state.system), "127.0.0.1", 0, trusted_proxies=proxies) as url,
            httpx.AsyncClient(trust_env=False) as client,
        ):
            answers = [
                await client.get(
                    url, headers={"X-Forwarded-For": f"192.0.2.{n}", "X-Forwarded-Proto": "https"}
                )
                for n in (1, 2)
            ]
            assert urlsplit(url).hostname == "127.0.0.1"
            assert [answer.headers["ratelimit"].split(";")[1] for answer in answers] == expected
            assert ["strict-transport-security" in answer.headers for answer in answers] == [https] * 2


# --- buckets ---------------------------------------------------------------------------------------------------------


class Clock:
    """Nanoseconds; goes when it is told to."""

    def __init__(self):
        self.now = 0

    def __call__(self):
        return self.now

    def wait(self, seconds):
        self.now += int(seconds * 1e9)


@pytest.mark.parametrize("rate", [1, 3, 7, 100, 1000])
def test_a_bucket_gives_what_is_in_it_and_fills_at_its_rate(rate):
    clock = Clock()
    buckets = Buckets(rate, clock)

    def drawn():
        number = 0
        while not buckets.take("a").wait:
            number += 1
        return number

    assert drawn() == SPAN * rate
    assert drawn() == 0
    clock.wait(1.000_001)
    assert drawn() == rate
    clock.wait(SPAN * 10)
    assert drawn() == SPAN * rate  # it runs over: no more than it holds


def test_who_comes_as_often_as_is_allowed_is_never_refused_and_who_waits_as_told_is_let_in():
    clock = Clock()
    buckets = Buckets(4, clock)
    for _ in range(1000):
        assert buckets.take("steady").wait == 0
        clock.wait(0.25)
    while not (taken := buckets.take("hasty")).wait:
        pass
    assert taken == Taken(left=0, wait=1, full=10)
    clock.wait(taken.wait)
    assert buckets.take("hasty").wait == 0


def test_only_so_many_names_are_remembered_and_who_asks_is_not_the_one_forgotten():
    clock = Clock()
    buckets = Buckets(1, clock, most=10)
    while not buckets.take("busy").wait:
        pass
    for n in range(1000):
        buckets.take(f"stranger-{n}")
        assert buckets.take("busy").wait
    assert len(buckets._full_at) == 10


async def test_many_at_once_get_no_more_than_there_is(running, asker):
    async with client_of(allowing(running, rate=2)) as client:
        headers = bearer(asker, "busy")
        answers = await asyncio.gather(
            *(client.post("/graphql", json=ASK, headers=headers) for _ in range(100))
        )
    passed = sum(answer.status_code == 200 for answer in answers)
    assert 2 * SPAN <= passed < 100
