"""Appends a second beside what else a team might use: a row with an audit row (CRUD), and emmett (Node) where npm installs it."""

import asyncio
import json
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import asyncpg
import uvloop
from append import ours
from common import migrated, opened, reported
from harness import Row, arguments, compare, show

CLIENTS = 64
COUNT = 6_400
EMMETT = ("@event-driven-io/emmett@0.42.0", "@event-driven-io/emmett-postgresql@0.42.0")
CRUD = """
create table crud_incidents (id uuid primary key, site_id uuid, township text, category text, source text, description text, reporter text,
                             state text, reported_at timestamptz, version int);
create index on crud_incidents (site_id, reported_at);
create table crud_audit (id bigint generated always as identity primary key, incident_id uuid, actor text, action text,
                         at timestamptz default now(), changes jsonb);
create index on crud_audit (incident_id);
"""


async def crud(url: str) -> float:
    """Inserts a second of a row and its audit row, each pair in a transaction, from a pool with a connection a client."""

    async def client() -> None:
        for _ in range(COUNT // CLIENTS):
            made = reported()
            assert made.reporter is not None
            async with pool.acquire() as connection, connection.transaction():
                await connection.execute(
                    "insert into crud_incidents values ($1, $2, $3, $4, $5, $6, $7, $8, $9, 1)",
                    made.id,
                    made.site_id,
                    made.township,
                    made.category,
                    made.source,
                    made.description,
                    made.reporter.text,
                    made.state,
                    made.created_on,
                )
                await connection.execute(
                    "insert into crud_audit (incident_id, actor, action, changes) values ($1, $2, $3, $4)",
                    made.id,
                    "bench",
                    "report",
                    json.dumps({"description": made.description, "category": made.category}),
                )

    async with asyncpg.create_pool(url, min_size=CLIENTS, max_size=CLIENTS) as pool:
        began = time.perf_counter()
        await asyncio.gather(*(client() for _ in range(CLIENTS)))
        return COUNT / (time.perf_counter() - began)


def install_emmett(folder: Path) -> bool:
    """Whether emmett could be installed into `folder`."""
    if shutil.which("npm") is None:
        return False
    (folder / "package.json").write_text('{"type": "module"}')
    shutil.copy(Path(__file__).parent / "emmett.mjs", folder)
    command = ["npm", "install", "--silent", "--no-audit", "--no-fund", *EMMETT]
    return subprocess.run(command, cwd=folder, check=False, capture_output=True).returncode == 0


async def emmett(folder: Path, url: str) -> float:
    """Appends a second, as its own process counts them."""
    parts = urlsplit(url)
    socket = parse_qs(parts.query)["host"][0]
    address = f"socket://anju@{socket}/?db={parts.path.lstrip('/')}"
    process = await asyncio.create_subprocess_exec(
        "node", "emmett.mjs", address, str(CLIENTS), str(COUNT), cwd=folder, stdout=asyncio.subprocess.PIPE
    )
    output, _ = await process.communicate()
    return float(json.loads(output)["rate"])


async def main() -> list[Row]:
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryDirectory() as node:
        async with migrated() as server:
            admin = await asyncpg.connect(server.url)
            await admin.execute(CRUD)
            await admin.execute("create database emmett")
            await admin.close()
            async with opened(server.url, Path(folder) / "keys") as log:
                await ours(log, CLIENTS, COUNT)  # every resident has reported once
                what = f"appends a second, {CLIENTS} clients; peer:"
                rows = [
                    await compare(
                        f"{what} row + audit row", lambda: ours(log, CLIENTS, COUNT), lambda: crud(server.url)
                    )
                ]
                if await asyncio.to_thread(install_emmett, Path(node)):
                    address = urlsplit(server.url)._replace(path="/emmett").geturl()
                    rows.append(
                        await compare(
                            f"{what} emmett {EMMETT[1].rpartition('@')[2]}",
                            lambda: ours(log, CLIENTS, COUNT),
                            lambda: emmett(Path(node), address),
                        )
                    )
                return rows


if __name__ == "__main__":
    given = arguments(__doc__)
    show(uvloop.run(main()), as_json=given.json)
