"""Requests a second over HTTP, 64 clients: our GraphQL beside bare FastAPI routes, PostGraphile, and a CRUD application.

Every server is a process of its own on one PostgreSQL, served as `anju serve` does; the clients are in this process. Ours knows who asks,
looks whether they may, and measures, limits and counts what they ask; of the peers none does.
"""

import asyncio
import json
import shutil
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import asyncpg
import http_peers
import uvloop
from common import migrated, opened
from figures import SITES, YEAR, fill
from harness import Row, arguments, compare, show

from adapters.database import create_pool
from domain.ports import Request
from projections import sites
from projections.runner import catch_up

CLIENTS = 64
POSTGRAPHILE = ("postgraphile@5.1.5", "node@22")
"""It needs Node 22, which npm brings along."""
RELATIONS = """
comment on table incidents is E'@foreignKey (site_id) references sites (site_id)\\n@foreignKey (incident_id, version) references events (originator_id, originator_version)';
comment on table events is '@unique originator_id,originator_version';
"""
"""What it is told of our tables: that the last event of an incident has its id and its version."""
CLOSURE = """query ($from: Date!, $to: Date!) { closureRate(period: {from: $from, to: $to}) {
  rate percent closed open received backlog closings reopened overdue returned extended reworked onTimeRate position } }"""
LIST = """{ incidents(first: 50) { edges { node { id state category leadUnit reportedAt site { code name }
  lastEvent { topic recordedAt } } } pageInfo { hasNextPage endCursor } } }"""
PEERS_LIST = """{ allIncidents(first: 50, orderBy: [REPORTED_AT_DESC, INCIDENT_ID_DESC]) { edges { node {
  incidentId state category leadUnit reportedAt siteBySiteId { code name }
  eventByIncidentIdAndVersion { topic recordedAt } } } pageInfo { hasNextPage endCursor } } }"""
REPORT = """mutation ($site: String!, $source: Source!, $category: String!, $description: String!) {
  reportIncident(site: $site, source: $source, category: $category, description: $description) { id version position } }"""
REPORTED = {
    "site": SITES[0].code,
    "source": "CITIZEN",
    "category": "noise",
    "description": "夜间施工噪声, from about eleven at night until after one, on the east side",
}


@dataclass(frozen=True)
class Question:
    """What every client asks again and again; `body` is JSON, None: it is a GET."""

    url: str
    body: Any = None
    token: str = ""

    async def ask(self, session: aiohttp.ClientSession) -> bytes:
        """The answer; an error of HTTP or of GraphQL fails the run."""
        headers = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        method = "GET" if self.body is None else "POST"
        async with session.request(method, self.url, json=self.body, headers=headers) as response:
            found = await response.read()
        if response.status != 200 or b'"errors":' in found:
            raise RuntimeError(f"{self.url}: {response.status} {found[:2000]!r}")
        return found


def graphql(server: tuple[str, str], query: str, **variables: Any) -> Question:
    url, token = server
    return Question(f"{url}/graphql", {"query": query, "variables": variables}, token)


async def rate(question: Question, count: int) -> float:
    """Answers a second to CLIENTS clients, `count` in all."""

    async def client() -> None:
        for _ in range(count // CLIENTS):
            await question.ask(session)

    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=CLIENTS)) as session:
        await question.ask(session)  # warm
        began = time.perf_counter()
        await asyncio.gather(*(client() for _ in range(CLIENTS)))
        return count // CLIENTS * CLIENTS / (time.perf_counter() - began)


async def beside(what: str, ours: Question, peer: Question, count: int, *, at_least: float) -> Row:
    return await compare(
        f"{what}, a second, {CLIENTS} clients",
        lambda: rate(ours, count),
        lambda: rate(peer, count),
        at_least=at_least,
    )


async def answers(*questions: Question) -> list[Any]:
    async with aiohttp.ClientSession() as session:
        return [json.loads(await question.ask(session)) for question in questions]


async def figures(ours: tuple[str, str], bare: tuple[str, str], count: int) -> Row:
    days = {"from": YEAR.start.isoformat(), "to": YEAR.end.isoformat()}
    asked = graphql(ours, CLOSURE, **days)
    same = Question(f"{bare[0]}/closure?start={days['from']}&end={days['to']}")
    mine, other = await answers(asked, same)
    assert mine == other, (mine, other)
    return await beside("closureRate; peer: bare FastAPI, the same figure", asked, same, count, at_least=0.5)


async def lists(ours: tuple[str, str], stack: AsyncExitStack, url: str, count: int) -> Row:
    asked = graphql(ours, LIST)
    what = "50 incidents with site and last event"
    if (address := await stack.enter_async_context(postgraphile(url))) is None:
        found = await rate(asked, count)
        return Row(
            f"{what}, a second; no peer: npm could not install {POSTGRAPHILE[0]}", round(found, 1), 0, 0
        )
    same = graphql((address, ""), PEERS_LIST)
    mine, other = await answers(asked, same)
    assert _topics(mine["data"]["incidents"], "lastEvent") == _topics(
        other["data"]["allIncidents"], "eventByIncidentIdAndVersion"
    )
    return await beside(
        f"{what}; peer: {POSTGRAPHILE[0].replace('@', ' ')}", asked, same, count, at_least=1.5
    )


def _topics(page: Any, name: str) -> list[Any]:
    return [(edge["node"]["reportedAt"][:19], edge["node"][name]["topic"]) for edge in page["edges"]]


async def reports(
    ours: tuple[str, str], bare: tuple[str, str], crud: tuple[str, str], count: int
) -> list[Row]:
    asked = graphql(ours, REPORT, **REPORTED)
    return [
        await beside(
            f"reportIncident; peer: {what}",
            asked,
            Question(f"{peer[0]}/incidents", REPORTED),
            count,
            at_least=at_least,
        )
        for what, peer, at_least in (
            ("bare FastAPI, the same append", bare, 0.4),
            ("FastAPI and SQLAlchemy, a row and its audit row", crud, 3.0),
        )
    ]


def install_postgraphile(folder: Path) -> bool:
    """Whether npm could install it into `folder`."""
    if shutil.which("npm") is None:
        return False
    (folder / "package.json").write_text('{"type": "module"}')
    shutil.copy(Path(__file__).parent / "postgraphile.mjs", folder)
    command = ["npm", "install", "--silent", "--no-audit", "--no-fund", *POSTGRAPHILE]
    return subprocess.run(command, cwd=folder, check=False, capture_output=True).returncode == 0


@asynccontextmanager
async def postgraphile(url: str) -> AsyncIterator[str | None]:
    """The address of PostGraphile over the same tables; None if it cannot be had."""
    with tempfile.TemporaryDirectory() as folder:
        if not await asyncio.to_thread(install_postgraphile, Path(folder)):
            yield None
            return
        process = await asyncio.create_subprocess_exec(
            "node_modules/.bin/node", "postgraphile.mjs", url, cwd=folder,
            env={"NODE_ENV": "production", "GRAPHILE_ENV": "production"}, stdout=asyncio.subprocess.PIPE,
        )  # fmt: skip
        assert process.stdout is not None
        try:
            yield (await process.stdout.readline()).decode().strip()
        finally:
            process.terminate()
            await process.wait()


async def fill_all(url: str, incidents: int, keys: Path) -> None:
    """A year of incidents at their sites, and the read models of both."""
    async with opened(url, keys) as log, create_pool(url) as pool:
        await log.append_all([Request(site.id, site.collect_events(), {}) for site in SITES])
        await catch_up(sites.PROJECTION, pool, log)
    await fill(url, incidents, keys)
    owner = await asyncpg.connect(url)
    await owner.execute(RELATIONS)
    await owner.close()


async def main(incidents: int, requests: int) -> list[Row]:
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder)
        async with migrated() as server, AsyncExitStack() as stack:
            await fill_all(server.url, incidents, data / "master-keys")
            ours, bare, crud = [
                await stack.enter_async_context(http_peers.running(one, server.url, data))
                for one in (http_peers.anju, http_peers.bare, http_peers.crud)
            ]
            return [
                await figures(ours, bare, requests),
                await lists(ours, stack, server.url, requests // 4),
                *await reports(ours, bare, crud, requests * 2),
            ]


if __name__ == "__main__":
    given = arguments(__doc__, incidents=20_000, requests=1_280)
    show(uvloop.run(main(given.incidents, given.requests)), as_json=given.json)
