"""From the append of a change to the subscriber that it concerns, over real sockets; beside a bare client that is told it by NOTIFY.

200 subscribers, each of a site of its own, in another process; the changes come at a steady pace, and both hear of every one in the same run.
"""

import asyncio
import json
import multiprocessing
import statistics
import tempfile
import time
from multiprocessing.connection import Connection
from pathlib import Path
from uuid import uuid4

import asyncpg
import uvloop
import websockets
from common import BY, NOW, migrated
from harness import RUNS, Row, arguments, show
from websockets.typing import Subprotocol

from api.bootstrap import System, system
from api.http import application
from api.serving import serving
from api.settings import load_settings
from domain.incident import Incident, Source
from domain.people import Person, Role
from domain.ports import Request
from domain.site import Site

READER = Person("bench", frozenset({Role.SUPERVISOR}))
SUBSCRIBE = "subscription ($site: String) { incidentChanged(filter: {site: $site}) { position topic incident { id state } } }"


def _subscribers(url: str, token: str, sites: list[str], number: int, ready: Connection) -> None:
    """Hear `number` changes in all; then when each position was heard."""

    async def hear() -> None:
        heard: dict[int, float] = {}
        enough = asyncio.Event()

        async def follow(site: str) -> None:
            async with websockets.connect(
                url.replace("http", "ws", 1) + "/graphql",
                subprotocols=[Subprotocol("graphql-transport-ws")],
                proxy=None,
            ) as socket:
                await socket.send(
                    json.dumps({"type": "connection_init", "payload": {"authorization": f"Bearer {token}"}})
                )
                await socket.recv()
                await socket.send(
                    json.dumps(
                        {
                            "id": "1",
                            "type": "subscribe",
                            "payload": {"query": SUBSCRIBE, "variables": {"site": site}},
                        }
                    )
                )
                async for text in socket:
                    at = time.monotonic()
                    heard[json.loads(text)["payload"]["data"]["incidentChanged"]["position"]] = at
                    if len(heard) == number:
                        enough.set()

        tasks = [asyncio.create_task(follow(site)) for site in sites]
        await enough.wait()
        ready.send(heard)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    uvloop.run(hear())


def _listener(url: str, number: int, pipe: Connection) -> None:
    """The peer: a connection that listens to the log's own channel; a batch is told once, by its last position."""

    async def listen() -> None:
        heard: dict[int, float] = {}
        enough = asyncio.Event()
        connection = await asyncpg.connect(url)
        last = await connection.fetchval("select position from log_head")

        def hear(_connection: object, _pid: int, _channel: str, payload: str) -> None:
            nonlocal last
            at, through = time.monotonic(), int(payload)
            heard.update(dict.fromkeys(range(last + 1, through + 1), at))
            last = max(last, through)
            if len(heard) >= number:
                enough.set()

        await connection.add_listener("log", hear)
        pipe.send("ready")
        await enough.wait()
        pipe.send(heard)
        await connection.close()

    uvloop.run(listen())


def _change(site: Site) -> Incident:
    return Incident.report(
        id=uuid4(),
        site=site,
        by=BY,
        at=NOW,
        source=Source.CITIZEN,
        category="noise",
        description="夜间施工噪声",
    )


async def run(running: System, url: str, sites: list[Site], rate: int, seconds: int) -> tuple[float, float]:
    """The 99th percentiles, in ms: ours and the peer's."""
    number = rate * seconds
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    token = running.issuer.sign(READER, running.now())
    codes = [site.code for site in sites]
    peer_here, peer_there = context.Pipe()
    processes = [
        context.Process(target=_subscribers, args=(url, token, codes, number, there)),
        context.Process(target=_listener, args=(running.settings.require_database_url, number, peer_there)),
    ]
    for process in processes:
        process.start()
    await asyncio.to_thread(peer_here.recv)
    while len(running.feed._followers) < len(sites):  # noqa: ASYNC110, SLF001  (nobody else tells)
        await asyncio.sleep(0.05)
    sent: dict[int, float] = {}

    async def append(index: int) -> None:
        incident = _change(sites[index % len(sites)])
        at = time.monotonic()
        done = await running.log.append(Request(incident.id, incident.collect_events(), {}))
        sent[done.last] = at

    began = time.monotonic()
    tasks: list[asyncio.Task[None]] = []
    for index in range(number):
        await asyncio.sleep(max(0.0, began + index / rate - time.monotonic()))
        tasks.append(asyncio.create_task(append(index)))
    await asyncio.gather(*tasks)
    heard: dict[int, float] = await asyncio.to_thread(here.recv)
    notified: dict[int, float] = await asyncio.to_thread(peer_here.recv)
    for process in processes:
        await asyncio.to_thread(process.join)
    return _p99(sent, heard), _p99(sent, notified)


def _p99(sent: dict[int, float], heard: dict[int, float]) -> float:
    delays = [1000 * (heard[position] - at) for position, at in sent.items()]
    return statistics.quantiles(delays, n=100)[98]


async def main(rate: int, seconds: int, subscribers: int, runs: int) -> list[Row]:
    with tempfile.TemporaryDirectory() as folder:
        async with migrated() as server:
            settings = load_settings(database_url=server.url, data_dir=Path(folder), rate=1_000_000)
            async with (
                system(settings, with_bus=False) as running,
                serving(application(running), "127.0.0.1", 0) as url,
            ):
                sites = [
                    Site.plan(code=f"site-{n}", name="x", township="bench", by=BY, at=NOW)
                    for n in range(subscribers)
                ]
                results = [await run(running, url, sites, rate, seconds) for _ in range(runs)]
    ours, peer = (statistics.median(values) for values in zip(*results, strict=True))
    what = f"p99, ms, from append to {subscribers} subscribers at {rate} changes a second; peer: to a bare LISTEN, of the same changes"
    return [Row(what, round(ours, 1), round(peer, 1), ours / peer, at_most=2.0)]


if __name__ == "__main__":
    given = arguments(__doc__, rate=500, seconds=5, subscribers=200, runs=RUNS)
    rows = uvloop.run(main(given.rate, given.seconds, given.subscribers, given.runs))
    show(rows, as_json=given.json)
