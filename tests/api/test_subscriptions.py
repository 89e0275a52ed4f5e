"""What subscribers are told: each change once and in order, to whom it concerns, wherever they begin and however they are cut off."""

import asyncio
from contextlib import AsyncExitStack
from datetime import timedelta
from random import Random
from socket import SO_RCVBUF, SOL_SOCKET
from socket import socket as tcp
from uuid import UUID

import pytest
from asking import Asker
from given import NOW, build_site, person, until
from gql import Client, gql
from gql.transport.websockets import WebsocketsTransport
from histories import TO_CLOSURE, a_pass, append, driven, reported, step
from lives import a_lead
from sockets import opened

from api import closure_feed, feed
from api.changes import INCIDENTS
from api.http import application
from api.serving import serving
from domain.alarm import Alarm, Trigger
from domain.deadlines import Urgency
from domain.people import Role, Scope

GUARD = person(Role.GUARD)
HERE = person(Role.SUPERVISOR, scope=Scope("yuhai"))
NEXT_DOOR = person(Role.SUPERVISOR, name="p-next-door", scope=Scope("tangxia"))
CHANGED = """subscription ($filter: IncidentChangeFilter, $from: Position) {
  incidentChanged(filter: $filter, fromPosition: $from) {
    position topic actor matches occurredAt recordedAt incident { id version state description township units round }
  }
}"""
"""With everything of which something is said below."""


@pytest.fixture
async def served(running):
    async with serving(application(running), "127.0.0.1", 0) as url:
        yield url


@pytest.fixture
def token_of(running):
    asker = Asker(None, running.issuer)
    return asker.token


@pytest.fixture
async def listening(served, token_of, running):
    """Opens a socket of somebody who subscribes, and returns once they are told what comes."""
    async with AsyncExitStack() as stack:

        async def listen(by, query=CHANGED, **variables):
            open_before = len(running.feed._followers)
            socket = await stack.enter_async_context(opened(served, token_of(by)))
            await (await socket.init()).subscribe(query, **variables)
            if "statistics" not in query:
                await until(lambda: _follow(running, open_before + 1))
            return socket

        yield listen


async def _follow(running, number):
    return len(running.feed._followers) == number


async def test_each_event_of_an_incident_is_told_with_how_it_stood_after_it(listening, log, site):
    socket = await listening(GUARD)
    incident = driven(reported(1, site, NOW), TO_CLOSURE)
    await append(log, [incident])
    told = [await socket.next() for _ in range(TO_CLOSURE + 1)]
    first = told[0]["position"]
    assert [one["position"] for one in told] == list(range(first, first + TO_CLOSURE + 1))
    assert [one["incident"]["version"] for one in told] == list(range(1, TO_CLOSURE + 2))
    assert [one["incident"]["state"] for one in told] == [
        "REPORTED",
        "ACCEPTED",
        "DISPATCHED",
        "SIGNED",
        "HANDLING",
        "VERIFYING",
        "CLOSED",
    ]
    assert told[2]["topic"] == "incident.dispatched"
    assert (told[1]["incident"]["units"], told[2]["incident"]["units"]) == ([], ["police-station"])
    assert {one["incident"]["id"] for one in told} == {str(incident.id)}


async def test_of_an_incident_from_before_it_is_known_how_it_stood(listening, log, site):
    incident = driven(reported(1, site, NOW), 3)
    await append(log, [incident])
    socket = await listening(GUARD)
    step(incident, NOW + timedelta(days=1))
    await append(log, [incident], first_number=1)
    told = await socket.next()
    assert (told["incident"]["state"], told["incident"]["version"]) == ("HANDLING", 5)
    assert told["incident"]["units"] == ["police-station"]


async def test_the_past_is_told_just_as_it_was_told_when_it_was_now(listening, log, site):
    live = await listening(GUARD)
    start = await log.position()
    await append(log, [driven(reported(n, site, NOW), n % 7) for n in range(20)])
    told = [await live.next() for _ in range(20 + sum(n % 7 for n in range(20)))]
    again = await listening(GUARD, **{"from": start})
    assert [await again.next() for _ in told] == told
    assert await again.quiet()
    middle = await listening(GUARD, **{"from": told[30]["position"]})
    assert [await middle.next() for _ in told[31:]] == told[31:]


async def test_a_filter_tells_what_it_asks_for_and_when_that_is_so_no_longer(listening, log, site):
    other = await build_site(log, "qiaotou", "yuhai")
    socket = await listening(
        GUARD,
        filter={"states": ["ACCEPTED"], "site": "runjinyuan", "categories": ["noise"], "urgency": "NORMAL"},
    )
    await append(
        log,
        [
            driven(reported(1, other, NOW), 3),
            driven(reported(2, site, NOW, category="theft"), 3),
            driven(reported(3, site, NOW, urgency=Urgency.URGENT), 3),
            driven(reported(4, site, NOW), 3),
        ],
    )
    told = [await socket.next() for _ in range(2)]
    assert {one["incident"]["id"] for one in told} == {str(UUID(int=5))}
    assert [(one["incident"]["state"], one["matches"]) for one in told] == [
        ("ACCEPTED", True),
        ("DISPATCHED", False),
    ]
    assert await socket.quiet()


async def test_the_neighbours_are_told_nothing_of_it(listening, log, site):
    lists = {
        "incidentChanged": NEXT_DOOR,
        "alarmRaised": NEXT_DOOR,
        "leadProposed": NEXT_DOOR,
        "gatePassed": NEXT_DOOR,
    }
    away = [await listening(by, f"subscription {{ {name} {{ position }} }}") for name, by in lists.items()]
    here = [await listening(HERE, f"subscription {{ {name} {{ position }} }}") for name in lists]
    await append(log, [reported(1, site, NOW), a_pass(site, NOW, number=1)])
    await append(log, _trip_and_hit(site), first_number=10)
    for socket in here:
        assert (await socket.next())["position"] > 0
    for socket in away:
        assert await socket.quiet()


async def test_who_is_responsible_for_a_site_is_told_what_happens_there_and_nowhere_else(
    listening, log, site
):
    other = await build_site(log, "qiaotou", "yuhai")
    sockets = {}
    for place in (site, other):
        by = person(Role.SUPERVISOR, name=f"p-{place.code}", scope=Scope("yuhai", place.id))
        for name in ("incidentChanged", "alarmRaised", "leadProposed", "gatePassed"):
            sockets[place.code, name] = await listening(by, f"subscription {{ {name} {{ position }} }}")
    elsewhere = person(Role.SUPERVISOR, name="p-both", scope=Scope("yuhai", other.id))
    sockets["qiaotou", "asked"] = await listening(
        elsewhere, CHANGED, filter={"site": "runjinyuan"}
    )  # they may ask, and there is nothing for them
    await append(log, [reported(1, site, NOW), a_pass(site, NOW, number=1)])
    await append(log, _trip_and_hit(site), first_number=10)
    for (code, _), socket in sockets.items():
        if code == site.code:
            assert (await socket.next())["position"] > 0
        assert await socket.quiet()


async def test_whoever_comes_when_all_have_left_is_told_how_it_stood_then(log, site, monkeypatch):
    """What happened between is not known to the reader, which did not see that nobody was there."""
    monkeypatch.setattr(feed, "POLL", 0.5)
    everything = feed.Wants(INCIDENTS, None, lambda _change: True)
    incident = reported(1, site, NOW)
    async with feed.Feed(log, _Deaf()) as following:

        async def follow():
            changes = following.follow(everything, await following.start(None))
            first = asyncio.create_task(anext(changes))
            await asyncio.sleep(0)
            assert len(following._followers) == 1
            return changes, first

        changes, first = await follow()
        await append(log, [incident])
        assert (await first).after.version == 1
        await changes.aclose()
        step(incident, NOW)
        await append(log, [incident], first_number=1)
        changes, first = await follow()
        step(incident, NOW)
        await append(log, [incident], first_number=2)
        change = await first
        assert (change.before.version, change.after.version) == (2, 3)
        await changes.aclose()


class _Deaf:
    """Hears nothing: whoever waits looks again after a while."""

    async def wait(self, _name, _beyond, timeout):  # noqa: ASYNC109  (a bound, not a deadline)
        await asyncio.sleep(timeout)


def _trip_and_hit(site):
    alarm = Alarm.trip(
        id=UUID(int=99), site=site, sensor="wall-3", trigger=Trigger.SENSOR, by=person(Role.DEVICE), at=NOW
    )
    return [alarm, a_lead(Random(1), 1, site, NOW)]


async def test_a_confidential_text_is_told_to_those_who_may_read_it_and_to_the_units(listening, log, site):
    sockets = {
        "supervisor": await listening(HERE),
        "guard": await listening(GUARD),
        "unit": await listening(person(Role.UNIT_HANDLER, units=("police-station",))),
        "other unit": await listening(person(Role.UNIT_HANDLER, name="p-x", units=("water",))),
    }
    await append(log, [driven(reported(1, site, NOW, confidential=True, description="机密"), 2)])
    seen = {}
    for who, socket in sockets.items():
        seen[who] = [(await socket.next())["incident"]["description"] for _ in range(3)]
    assert seen["supervisor"] == ["机密", "机密", "机密"]
    assert seen["guard"] == seen["other unit"] == [None, None, None]
    assert seen["unit"] == [None, None, "机密"]  # once it is theirs


@pytest.mark.parametrize(
    ("by", "query", "code"),
    [
        (person(Role.STATISTICIAN), "incidentChanged { position }", "FORBIDDEN"),
        (person(Role.STATISTICIAN), "gatePassed { position }", "FORBIDDEN"),
        (person(Role.MEDIATOR), "gatePassed { position }", "FORBIDDEN"),
        (GUARD, "leadProposed { position }", "FORBIDDEN"),
        (
            person(Role.DEVICE),
            'statistics(period: {from: "2026-01-01", to: "2026-12-31"}) { rate }',
            "FORBIDDEN",
        ),
        (NEXT_DOOR, 'alarmRaised(site: "runjinyuan") { position }', "FORBIDDEN"),
        (GUARD, 'alarmRaised(site: "nowhere") { position }', "NOT_FOUND"),
        (GUARD, 'alarmRaised(site: "No Code") { position }', "INVALID"),
        (GUARD, 'incidentChanged(filter: {township: "No Code"}) { position }', "INVALID"),
        (GUARD, "incidentChanged(fromPosition: 1000) { position }", "INVALID"),
        (GUARD, "incidentChanged(fromPosition: -1) { position }", "INVALID"),
    ],
)
async def test_what_may_not_be_followed_is_refused_at_once(served, token_of, site, by, query, code):
    async with opened(served, token_of(by)) as socket:
        await (await socket.init()).subscribe(f"subscription {{ {query} }}")
        message = await socket.receive()
        assert message["type"] == "error", message
        assert message["payload"][0]["extensions"]["code"] == code, message


async def test_a_pass_is_told_without_who_it_was_or_what_was_seen(listening, log, site):
    socket = await listening(
        GUARD,
        'subscription { gatePassed(site: "runjinyuan") { position id gate direction credential decision reason siteId township } }',
    )
    seen = a_pass(site, NOW, number=1)
    await append(log, [seen])
    assert await socket.next() == {
        "position": await log.position(),
        "id": str(seen.id),
        "gate": "main",
        "direction": "IN",
        "credential": "FACE",
        "decision": "RECORDED",
        "reason": "open gate",
        "siteId": str(site.id),
        "township": "yuhai",
    }


async def test_a_token_that_expires_ends_what_it_opened(served, token_of, running, log, site):
    short = token_of(GUARD, lifetime=timedelta(seconds=2))
    async with opened(served, short) as socket:
        await socket.init()
        await socket.subscribe(CHANGED)
        await socket.subscribe(
            'subscription { statistics(period: {from: "2026-01-01", to: "2026-12-31"}) { received } }', "2"
        )
        assert (await socket.next("2"))["received"] == 0
        ended = {}
        while len(ended) < 2:
            message = await socket.receive()
            if message["type"] == "next":
                ended[message["id"]] = message["payload"]["errors"][0]["extensions"]["code"]
        assert ended == {"1": "UNAUTHENTICATED", "2": "UNAUTHENTICATED"}
    assert not running.feed._followers


async def test_whoever_is_cut_off_time_and_again_misses_nothing_and_is_told_nothing_twice(
    served, token_of, log, site
):
    start, told, cuts = await log.position(), [], 0
    incidents = [reported(n, site, NOW) for n in range(100)]

    async def write():
        for number in range(20):
            await append(log, incidents, first_number=1000 * number)
            for incident in incidents:
                incident.comment(by=GUARD, at=NOW, text="x")
            await asyncio.sleep(0.05)

    writing = asyncio.create_task(write())
    try:
        async with asyncio.timeout(60):
            while len(told) < 2000:
                async with opened(served, token_of(GUARD)) as socket:
                    await socket.init()
                    await socket.subscribe(CHANGED, **{"from": told[-1] if told else start})
                    told += [(await socket.next())["position"] for _ in range(min(137, 2000 - len(told)))]
                    socket.connection.transport.abort()
                    cuts += 1
    finally:
        await writing
    assert cuts > 10
    assert told == list(range(start + 1, start + 2001))


async def test_a_burst_that_is_more_than_may_wait_is_told_whole(listening, log, site, monkeypatch):
    monkeypatch.setattr(feed, "DEPTH", 50)
    monkeypatch.setattr(feed, "PAGE", 40)
    socket, start = await listening(GUARD), await log.position()
    await append(log, [reported(n, site, NOW) for n in range(1000)])
    told = [(await socket.next())["position"] for _ in range(1000)]
    assert told == list(range(start + 1, start + 1001))


async def test_whoever_does_not_take_what_they_are_told_is_dropped_and_the_others_get_all(
    listening, served, token_of, running, log, site, monkeypatch
):
    monkeypatch.setattr(feed, "DEPTH", 50)
    monkeypatch.setattr(feed, "GRACE", 0.3)
    wide = (
        "subscription { incidentChanged { position "
        + " ".join(f"a{n}: incident {{ description }}" for n in range(10))
        + " } }"
    )
    plain = tcp()
    plain.setsockopt(SOL_SOCKET, SO_RCVBUF, 4096)
    host, _, port = served.removeprefix("http://").partition(":")
    plain.setblocking(False)
    await asyncio.get_running_loop().sock_connect(plain, (host, int(port)))
    start = await log.position()
    async with opened(served, token_of(GUARD), sock=plain, max_queue=1, close_timeout=1) as slow:
        await slow.init()
        await slow.subscribe(wide)
        await until(lambda: _follow(running, 1))
        quick = await listening(GUARD)
        for number in range(40):
            await append(
                log,
                [reported(number * 10 + n, site, NOW, description="事" * 2000) for n in range(10)],
                first_number=number * 10,
            )
            for _ in range(10):
                await quick.next()
        await until(lambda: _follow(running, 1))
        await asyncio.sleep(0.5)
        told = start
        while True:
            message = await slow.receive()
            if message["payload"].get("errors"):
                break
            assert message["payload"]["data"]["incidentChanged"]["position"] == told + 1
            told += 1
        (error,) = message["payload"]["errors"]
        assert error["extensions"] == {"code": "TOO_SLOW", "lastPosition": told}
        assert start < told < start + 400
        assert (await slow.receive())["type"] == "complete"
        await slow.subscribe(CHANGED, "2", **{"from": told})
        assert (await slow.next("2"))["position"] == told + 1


async def test_a_thousand_subscribers_are_told_of_the_same_event(served, token_of, running, log, site):
    token = token_of(GUARD)
    async with AsyncExitStack() as stack:
        sockets = [await stack.enter_async_context(opened(served, token)) for _ in range(10)]
        for socket in sockets:
            await socket.init()
            for key in range(100):
                await socket.subscribe("subscription { incidentChanged { position } }", str(key))
        await until(lambda: _follow(running, 1000), 60)
        read, real = 0, running.log.read

        async def counted(*arguments, **options):
            nonlocal read
            read += 1
            return await real(*arguments, **options)

        running.log.read = counted
        await append(log, [reported(1, site, NOW)])
        position, told = await log.position(), set()
        for number, socket in enumerate(sockets):
            for _ in range(100):
                message = await socket.receive(60)
                assert message["payload"]["data"]["incidentChanged"]["position"] == position
                told.add((number, message["id"]))
        assert len(told) == 1000
        assert read < 20  # by the one reader, however many follow


async def test_more_than_the_process_can_bear_are_not_taken(served, token_of, listening, monkeypatch):
    monkeypatch.setattr(feed, "LARGEST", 1)
    await listening(GUARD)
    async with opened(served, token_of(GUARD)) as socket:
        await (await socket.init()).subscribe(CHANGED)
        assert (await socket.error())["code"] == "UNAVAILABLE"


async def test_the_gql_client_follows_over_a_socket_of_its_own(served, token_of, running, log, site):
    transport = WebsocketsTransport(
        url=served.replace("http", "ws") + "/graphql",
        init_payload={"authorization": f"Bearer {token_of(GUARD)}"},
        subprotocols=["graphql-transport-ws"],
        connect_args={"proxy": None},
    )
    async with Client(transport=transport) as session:
        following = session.subscribe(gql("subscription { incidentChanged { position incident { state } } }"))
        first = asyncio.create_task(anext(following))
        await until(lambda: _follow(running, 1))
        await append(log, [reported(1, site, NOW)])
        assert (await first)["incidentChanged"] == {
            "position": await log.position(),
            "incident": {"state": "REPORTED"},
        }
        await following.aclose()
        await until(lambda: _follow(running, 0))


STATISTICS = """subscription ($township: String) {
  statistics(period: {from: "2026-01-01", to: "2026-12-31"}, township: $township) { received closed open percent position }
}"""


async def test_figures_are_told_when_they_change_and_counted_once_for_all_who_ask(
    working, served, token_of, log, site, monkeypatch
):
    monkeypatch.setattr(closure_feed, "PACE", 0.05)
    asked, real = [], closure_feed.closure_figures.closure

    async def counted(connection, question):
        asked.append(question.township)
        return await real(connection, question)

    monkeypatch.setattr(closure_feed.closure_figures, "closure", counted)
    token = token_of(person(Role.STATISTICIAN))
    async with AsyncExitStack() as stack:
        sockets = [await stack.enter_async_context(opened(served, token)) for _ in range(20)]
        for socket in sockets:
            await (await socket.init()).subscribe(STATISTICS)
            assert (await socket.next())["received"] == 0
        await append(log, [driven(reported(1, site, NOW), TO_CLOSURE), reported(2, site, NOW)])
        for socket in sockets:
            told = await socket.next()
            while told["received"] < 2:
                told = await socket.next()
            assert (told["received"], told["closed"], told["open"], told["percent"]) == (2, 1, 1, "50.00")
        assert len(asked) < 20
    await until(lambda: _none(working.closure_feed._asked))


async def test_figures_stay_inside_the_scope_of_who_asks(working, listening, log, site):
    await append(log, [reported(1, site, NOW)])
    away = await listening(NEXT_DOOR, STATISTICS, township="yuhai")
    here = await listening(HERE, STATISTICS)
    assert (await away.next())["received"] == 0
    told = await here.next()
    while told["received"] < 1:
        told = await here.next()


async def test_too_many_different_figures_are_not_taken(served, token_of, working, listening, monkeypatch):
    monkeypatch.setattr(closure_feed, "LARGEST", 1)
    socket = await listening(GUARD, STATISTICS)
    await socket.next()
    await socket.subscribe(STATISTICS, "same")
    await socket.next("same")
    await socket.subscribe(STATISTICS, "other", township="yuhai")
    assert (await socket.error("other"))["code"] == "UNAVAILABLE"


async def _none(things):
    return not things
