"""Rotation of the master key: a new one, every data key wrapped anew with it, and the old ones retired when they wrap nothing.

What is sealed does not change, and nobody has to stop. Killed at any moment it goes on where it was when it is run again.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import asyncpg

from adapters import keyring
from adapters.keyring import Keyring
from adapters.vault import SQL, Vault
from domain.errors import RuleError

BATCH = 1000
Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Rotation:
    """`master_key` wraps now; `rewrapped` keys were wrapped anew. `resumed`: an interrupted rotation was brought to its end."""

    master_key: str
    rewrapped: int
    resumed: bool


async def rotate(pool: asyncpg.Pool, vault: Vault, progress: Progress | None = None) -> Rotation:
    """Add a master key to the keyring (unless an earlier rotation is unfinished) and wrap every data key with it."""
    async with _one_at_a_time(pool) as connection:
        ring = await _read_anew(vault)
        resumed = bool(await connection.fetchval(SQL.count_others.sql, ring.newest.id))
        if not resumed:
            ring = await asyncio.to_thread(keyring.add, ring.path)
            await connection.execute(SQL.register_master.sql, ring.newest.id)
            await _announce(connection, vault)
        return Rotation(ring.newest.id, await _rewrap(connection, ring, progress), resumed)


async def retire(pool: asyncpg.Pool, vault: Vault) -> Sequence[str]:
    """Take every master key but the newest out of the vault and out of the keyring; their ids. What they still wrap is wrapped anew.

    From then on, copies of data keys in old write-ahead logs and backups do not open, unless somebody kept the old file.
    """
    async with _one_at_a_time(pool) as connection:
        ring = await _read_anew(vault)
        old = [one for one in ring.keys if one != ring.newest.id]
        await _rewrap(connection, ring, None)
        async with connection.transaction():
            await connection.execute(SQL.check_at_the_end.sql)
            # a process that still wraps with one waits here
            await connection.execute(SQL.forget_masters.sql, old)
            await _rewrap(connection, ring, None)
        await asyncio.to_thread(keyring.remove, ring.path, old)
        await _announce(connection, vault)
        return old


@dataclass(frozen=True, slots=True)
class Inventory:
    """How many keys there are; never which, and never what they are."""

    kinds: Sequence[dict[str, Any]]
    held: int
    masters: Sequence[dict[str, Any]]


async def inventory(pool: asyncpg.Pool) -> Inventory:
    """Keys by kind of scope (live, destroyed), those under legal hold, and how many each master key wraps, oldest first."""
    async with pool.acquire() as connection:
        return Inventory(
            [dict(row) for row in await connection.fetch(SQL.counts.sql)],
            await connection.fetchval(SQL.count_held.sql),
            [dict(row) for row in await connection.fetch(SQL.count_wrapped.sql)],
        )


async def _announce(connection: asyncpg.Connection, vault: Vault) -> None:
    """The keyring has changed: whoever holds keys unwrapped looks again, here at once."""
    vault.forget("")
    await connection.execute(SQL.announce.sql)


async def _read_anew(vault: Vault) -> Keyring:
    vault.forget("")
    return await vault.master_keys()


async def _rewrap(connection: asyncpg.Connection, ring: Keyring, progress: Progress | None) -> int:
    """Wrap with the newest master key what another one wraps; keys that are made meanwhile with an old one too."""
    done = 0
    while total := await connection.fetchval(SQL.count_others.sql, ring.newest.id):
        beyond = ""
        while rows := await _rewrap_some(connection, ring, beyond):
            beyond, done = rows[-1]["scope"], done + len(rows)
            if progress is not None:
                progress(done, max(done, total))
    return done


async def _rewrap_some(connection: asyncpg.Connection, ring: Keyring, beyond: str) -> Sequence[Any]:
    async with connection.transaction():
        rows: Sequence[Any] = await connection.fetch(SQL.some_others.sql, ring.newest.id, beyond, BATCH)
        wrapped = [
            ring.wrap(
                ring.unwrap(row["wrapped"], row["master_key"], row["key_id"], row["scope"]),
                row["key_id"],
                row["scope"],
            )
            for row in rows
        ]
        await connection.execute(SQL.rewrap.sql, [row["scope"] for row in rows], wrapped, ring.newest.id)
        return rows


@asynccontextmanager
async def _one_at_a_time(pool: asyncpg.Pool) -> AsyncIterator[asyncpg.Connection]:
    """A connection, while no other rotation of this database runs."""
    async with pool.acquire() as connection:
        if not await connection.fetchval(SQL.one_rotation.sql):
            raise RuleError("another rotation of the master key is running: wait for its end")
        try:
            yield connection
        finally:
            await connection.execute(SQL.rotation_ends.sql)
