"""The protocol of the socket, message by message: graphql-transport-ws, and nothing else gets in."""

import asyncio
import json
from dataclasses import replace
from datetime import timedelta

import httpx
import pytest
import websockets
from asking import Asker
from given import person, until
from sockets import opened

from api.graphql import socket as module
from api.graphql.schema import Router
from api.http import application
from api.serving import LARGEST_MESSAGE, serving
from domain.people import Role

GUARD = person(Role.GUARD)
CHANGED = "subscription { incidentChanged { position } }"


@pytest.fixture
async def served(running):
    async with serving(application(running), "127.0.0.1", 0) as url:
        yield url


@pytest.fixture
def token(running):
    return Asker(None, running.issuer).token(GUARD)


async def test_who_says_who_they_are_in_a_header_or_in_the_first_message_is_let_in(served, token, running):
    async with opened(served, token) as socket:
        await socket.init()
    for name in ("authorization", "Authorization"):
        async with opened(served) as socket:
            await socket.init({name: f"Bearer {token}"})
            await socket.subscribe(CHANGED)
            await until(lambda: _open(running, 1))


@pytest.mark.parametrize("payload", [None, {}, {"authorization": "Bearer x"}, {"authorization": 7}])
async def test_who_does_not_say_it_is_shown_out_at_the_first_message(served, payload):
    async with opened(served) as socket:
        await socket.send({"type": "connection_init", "payload": payload})
        code, reason = await socket.closed()
    assert (code, reason[:17]) == (4403, "UNAUTHENTICATED: ")


async def test_a_token_in_the_first_message_counts_before_one_in_the_header(served, token):
    async with opened(served, token) as socket:
        await socket.send({"type": "connection_init", "payload": {"authorization": "Bearer x"}})
        assert (await socket.closed())[0] == 4403


async def test_who_says_nothing_is_shown_out_after_a_while(running, monkeypatch):
    init, schema = Router.__init__, module.INIT_WITHIN

    def quicker(self, *arguments, **options):
        assert options["connection_init_wait_timeout"] == schema
        init(self, *arguments, **options | {"connection_init_wait_timeout": timedelta(seconds=0.1)})

    monkeypatch.setattr(Router, "__init__", quicker)
    async with serving(application(running), "127.0.0.1", 0) as url, opened(url) as socket:
        assert (await socket.closed())[0] == 4408


async def test_a_second_init_is_too_many(served, token):
    async with opened(served, token) as socket:
        await socket.init()
        await socket.send({"type": "connection_init"})
        assert (await socket.closed())[0] == 4429


async def test_nobody_subscribes_before_they_said_who_they_are(served, token):
    async with opened(served, token) as socket:
        await socket.subscribe(CHANGED)
        assert (await socket.closed())[0] == 4401


async def test_an_id_that_is_taken_is_taken(served, token):
    async with opened(served, token) as socket:
        await socket.init()
        await socket.subscribe(CHANGED)
        await socket.subscribe(CHANGED)
        assert (await socket.closed())[0] == 4409


BAD = [
    "",
    "{",
    b"\x00",
    "null",
    "7",
    "[]",
    "{}",
    '{"type": null}',
    '{"type": "start"}',
    '{"type": "subscribe"}',
    '{"type": "subscribe", "id": 7, "payload": {"query": "{ __typename }"}}',
    '{"type": "subscribe", "id": {}, "payload": {"query": "{ __typename }"}}',
    '{"type": "subscribe", "id": "1"}',
    '{"type": "subscribe", "id": "1", "payload": "x"}',
    '{"type": "subscribe", "id": "1", "payload": {"query": 7}}',
    '{"type": "subscribe", "id": "1", "payload": {"query": "{ x }", "variables": []}}',
    '{"type": "subscribe", "id": "1", "payload": {"query": "{ x }", "operationName": {}}}',
    '{"type": "complete", "id": []}',
    '{"type": "ping", "payload": 7}',
    '{"type": "connection_init", "payload": "x"}',
]


@pytest.mark.parametrize("message", BAD)
async def test_what_is_no_message_of_the_protocol_closes_the_socket(served, token, message):
    async with opened(served, token) as socket:
        await socket.init()
        await socket.send(message)
        assert (await socket.closed())[0] == 4400


async def test_a_message_that_is_too_large_is_not_read(served, token):
    async with opened(served, token) as socket:
        await socket.send(json.dumps({"type": "ping", "payload": {"x": "y" * LARGEST_MESSAGE}}))
        assert (await socket.closed())[0] == 1009


async def test_a_ping_is_answered_and_a_pong_is_not(served, token):
    async with opened(served, token) as socket:
        await socket.init()
        await socket.send({"type": "pong"})
        await socket.send({"type": "ping"})
        assert await socket.receive() == {"type": "pong"}


@pytest.mark.parametrize("protocol", ["graphql-ws", "graphql-sse", "mqtt", None])
async def test_another_protocol_is_not_spoken(served, token, protocol):
    async with opened(served, token, protocol=protocol) as socket:
        assert (await socket.closed())[0] == 4406


async def test_a_page_from_elsewhere_is_refused_before_the_socket_is_open(running, token):
    settings = running.settings.model_copy(update={"origins": ("https://centre.example",)})
    app = application(replace(running, settings=settings))
    async with serving(app, "127.0.0.1", 0) as url:
        for origin in (
            "https://evil.example",
            "http://centre.example",
            "null",
            "https://centre.example.evil",
        ):
            with pytest.raises(websockets.InvalidStatus) as refused:
                async with opened(url, token, origin=origin):
                    pass
            assert refused.value.response.status_code == 403
        for origin in (None, url, "https://centre.example"):
            async with opened(url, token, origin=origin) as socket:
                await socket.init()


async def test_questions_and_commands_are_not_taken_on_a_socket(served, token):
    async with opened(served, token) as socket:
        await socket.init()
        for question in ("{ __typename }", 'mutation { acceptIncident(id: "x") { id } }'):
            await socket.subscribe(question)
            refusal = await socket.error()
            assert refusal["code"] == "INVALID"
            assert "send them to POST /graphql" in refusal["message"]


@pytest.mark.parametrize("question", ["", "subscription {", "subscription { nothing }"])
async def test_a_question_that_cannot_be_asked_is_refused_and_the_others_go_on(
    served, token, running, question
):
    async with opened(served, token) as socket:
        await socket.init()
        await socket.subscribe(CHANGED, "other")
        await until(lambda: _open(running, 1))
        await socket.subscribe(question)
        assert (await socket.error())["code"] == "INVALID"
        assert running.feed._open == 1


async def test_one_socket_asks_so_much_and_no_more(served, token, running, monkeypatch):
    monkeypatch.setattr(module, "LARGEST", 2)
    async with opened(served, token) as socket:
        await socket.init()
        for key in ("1", "2"):
            await socket.subscribe(CHANGED, key)
        await socket.subscribe(CHANGED, "3")
        assert "2 subscriptions are open on this socket" in (await socket.error("3"))["message"]
        await socket.send({"id": "1", "type": "complete"})
        await socket.subscribe(CHANGED, "3")
        await until(lambda: _open(running, 2))


async def test_what_a_client_completes_or_leaves_is_not_worked_for_any_more(served, token, running):
    async with opened(served, token) as socket:
        await socket.init()
        for key in ("1", "2", "3"):
            await socket.subscribe(CHANGED, key)
        await until(lambda: _open(running, 3))
        await socket.send({"id": "2", "type": "complete"})
        await until(lambda: _open(running, 2))
    await until(lambda: _open(running, 0))
    assert not running.feed._followers


async def test_a_subscription_is_not_answered_by_post(served, token, running):
    async with httpx.AsyncClient(trust_env=False) as client:
        for accept in ("*/*", "text/event-stream", 'multipart/mixed;subscriptionSpec="1.0"'):
            answer = await client.post(
                f"{served}/graphql",
                json={"query": CHANGED},
                headers={"Authorization": f"Bearer {token}", "Accept": accept},
            )
            assert "application" in answer.headers["content-type"], answer.text
            assert answer.status_code == 400 or answer.json()["errors"], answer.text
    assert running.feed._open == 0


async def test_nothing_is_left_when_the_server_stops(running, token):
    before = asyncio.all_tasks()
    async with serving(application(running), "127.0.0.1", 0) as url:
        sockets = [opened(url, token) for _ in range(5)]
        for opening in sockets:
            socket = await opening.__aenter__()
            await socket.init()
            await socket.subscribe(CHANGED)
        await until(lambda: _open(running, 5))
        started = asyncio.get_running_loop().time()
    assert asyncio.get_running_loop().time() - started < 4  # and not after the grace of the server
    await until(lambda: _open(running, 0))
    for opening in sockets:
        await opening.__aexit__(None, None, None)
    await until(lambda: _none(asyncio.all_tasks() - before))


async def _open(running, number):
    return running.feed._open == number


async def _none(tasks):
    return not tasks
