"""The key vault: one data key for each scope, wrapped in PostgreSQL, unwrapped here for a moment.

Destroying a key is not done here: appending `key.destroyed` does it, in one transaction (migrations/versions/v0003_vault.sql), and
its NOTIFY on the channel `keys` makes every process forget what it has unwrapped. After a lost NOTIFY nothing is opened for longer than LIFETIME.
"""

import asyncio
import os
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable
from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import Any, cast
from uuid import uuid4

import aiosql
import asyncpg
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from adapters import keyring
from adapters.database import LOST
from adapters.keyring import Keyring
from adapters.sealing import DataKey, Keys
from domain.errors import CorruptError, UnavailableError

SQL: Any = aiosql.from_path(Path(__file__).with_suffix(".sql"), "asyncpg", mandatory_parameters=False)
LIFETIME = 1.0
"""Seconds for which an unwrapped key opens what is sealed without asking the database whether it still is there."""
SEALING_LIFETIME = 60.0
"""The same for sealing: what is sealed with a key that is destroyed opens nowhere, so it is erased as it is written."""
LARGEST = 10_000
"""Unwrapped keys in memory, at most."""


class Vault:
    """The data keys of one database, with the master keys in the file `path`."""

    def __init__(self, pool: asyncpg.Pool, path: Path, clock: Callable[[], float] = time.monotonic) -> None:
        self._pool = pool
        self._path = path
        self._clock = clock
        self._ring: Keyring | None = None
        self._next: tuple[set[str], asyncio.Task[Keys]] | None = None
        self._one_at_a_time = asyncio.Lock()
        self._known: OrderedDict[str, tuple[DataKey | None, float]] = OrderedDict()  # and when it was found

    async def for_reading(self, scopes: AbstractSet[str]) -> Keys:
        """The key of each scope, None if it is destroyed. CorruptError if the vault has lost one; UnavailableError."""
        found = await self._find(scopes)
        if lost := scopes - found.keys():
            raise CorruptError(
                f"the vault has lost {len(lost)} keys, such as that of {min(lost)}, which nobody destroyed: restore vault_keys "
                "from a backup"
            )
        return found

    async def for_writing(self, scopes: AbstractSet[str]) -> Keys:
        """The key of each scope, made if there is none yet, None if it is destroyed. UnavailableError, and nothing is made."""
        found = self._cached(scopes, SEALING_LIFETIME)
        if missing := scopes - found.keys():
            made = await self._make_together(missing)
            found |= {scope: made[scope] for scope in missing}
        return found

    async def destroyed(self, scopes: AbstractSet[str]) -> frozenset[str]:
        """Those of `scopes` whose keys are destroyed; no key is unwrapped for it."""
        rows = await self._fetch(SQL.destroyed.sql, list(scopes))
        return frozenset(row["scope"] for row in rows)

    def forget(self, scope: str) -> None:
        """Somebody changed the key of `scope`, or (empty) many keys or the master keys: ask the database again."""
        if scope:
            self._known.pop(scope, None)
        else:
            self._known.clear()
            self._ring = None

    async def forget_destroyed(self) -> int:
        """Destroy what the log says is destroyed but a restored vault still has; how many there were."""
        (row,) = await self._fetch(SQL.forget_destroyed.sql)
        return int(row[0])

    async def master_keys(self) -> Keyring:
        """The master keys, all that the vault uses among them. The file is made with the first key of an unused vault."""
        if self._ring is None:
            used = [row["master_key"] for row in await self._fetch(SQL.masters.sql)]
            ring = await asyncio.to_thread(keyring.load, self._path, may_make=not used)
            ring.require(used)
            if ring.newest.id not in used:
                await self._fetch(SQL.register_master.sql, ring.newest.id)
            self._ring = ring
        return self._ring

    def _make_together(self, scopes: AbstractSet[str]) -> "asyncio.Future[Keys]":
        """Find or make these keys with those that others ask for at the moment: one commit serves them all."""
        if self._next is None:
            self._next = set(), asyncio.create_task(self._make_next(), name="vault-keys")
        wanted, task = self._next
        wanted |= scopes
        return asyncio.shield(task)

    async def _make_next(self) -> Keys:
        async with self._one_at_a_time:
            assert self._next is not None
            (scopes, _), self._next = self._next, None
            found = await self._find(scopes)
            while missing := scopes - found.keys():
                found |= await self._make(missing)
                found |= await self._find(scopes - found.keys())
            return found

    def _cached(self, scopes: AbstractSet[str], lifetime: float) -> dict[str, DataKey | None]:
        oldest = self._clock() - lifetime
        return {
            scope: known[0] for scope in scopes if (known := self._known.get(scope)) and oldest < known[1]
        }

    async def _find(self, scopes: AbstractSet[str]) -> dict[str, DataKey | None]:
        now = self._clock()
        found = self._cached(scopes, LIFETIME)
        if missing := scopes - found.keys():
            rows = await self._fetch(SQL.keys.sql, list(missing))
            found |= self._remember(await self._unwrapped(rows), now)
        return found

    async def _make(self, scopes: Iterable[str]) -> dict[str, DataKey | None]:
        """Make the keys of `scopes`, except those that another process makes at the same moment."""
        for last in (False, True):
            ring = await self.master_keys()
            new = {scope: (uuid4(), os.urandom(keyring.SIZE)) for scope in scopes}
            wrapped = [ring.wrap(secret, key_id, scope) for scope, (key_id, secret) in new.items()]
            ids = [key_id for key_id, _ in new.values()]
            now = self._clock()
            try:
                made = await self._fetch(SQL.make.sql, list(new), ids, wrapped, ring.newest.id)
            except asyncpg.ForeignKeyViolationError as error:  # our newest master key has been retired
                if last:
                    raise UnavailableError(
                        f"the master key {ring.newest.id} in {self._path} is retired: the file is older than the vault. "
                        "Restore it from its latest backup"
                    ) from error
                self._ring = None
            else:
                keys: dict[str, DataKey | None] = {
                    row["scope"]: DataKey(row["key_id"], AESGCM(new[row["scope"]][1])) for row in made
                }
                return self._remember(keys, now)
        raise AssertionError("unreachable")

    async def _unwrapped(self, rows: Iterable[Any]) -> dict[str, DataKey | None]:
        live = [row for row in rows if row["wrapped"] is not None]
        keys: dict[str, DataKey | None] = {row["scope"]: None for row in rows}
        if live:
            ring = await self.master_keys()
            if any(row["master_key"] not in ring.keys for row in live):  # rotated since we read the file
                self._ring = None
                ring = await self.master_keys()
            for row in live:
                scope, key_id = row["scope"], row["key_id"]
                secret = ring.unwrap(row["wrapped"], row["master_key"], key_id, scope)
                keys[scope] = DataKey(key_id, AESGCM(secret))
        return keys

    def _remember(self, keys: dict[str, DataKey | None], found_at: float) -> dict[str, DataKey | None]:
        for scope, key in keys.items():
            self._known[scope] = key, found_at
            self._known.move_to_end(scope)
        while len(self._known) > LARGEST:
            self._known.popitem(last=False)
        return keys

    async def _fetch(self, sql: str, *values: object) -> list[Any]:
        try:
            return cast("list[Any]", await self._pool.fetch(sql, *values))
        except LOST as error:
            raise UnavailableError(
                f"the key vault cannot be reached: the database does not answer ({error})"
            ) from error
