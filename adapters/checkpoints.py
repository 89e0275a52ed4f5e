"""Make signed checkpoints of the log and keep them. Making one costs as much as there are new events, however long the log is."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime

import asyncpg

from adapters.database import LOST, NO_SCHEMA, UNMIGRATED, connect
from adapters.signing import Signer, checked
from adapters.tree import SQL, Tree
from adapters.verify import Anchor, Progress, verify
from domain.checkpoint import HASH_BYTES, Checkpoint, PublicKey, parsed
from domain.errors import CorruptError, RuleError, UnavailableError


@dataclass(frozen=True, slots=True)
class Signed:
    """A checkpoint and the note that carries it. `source` says where it was found."""

    checkpoint: Checkpoint
    note: str
    source: str

    @property
    def anchor(self) -> Anchor:
        """What it says of the hash chain."""
        return Anchor(self.source, self.checkpoint.size, self.checkpoint.last_hash)


@dataclass(frozen=True, slots=True)
class Kept:
    """The checkpoints in the database, in order, and the chunk roots kept with them."""

    checkpoints: Sequence[Signed]
    chunks: Sequence[bytes]

    @property
    def newest(self) -> Signed | None:
        return self.checkpoints[-1] if self.checkpoints else None


def open_note(note: str, key: PublicKey, source: str) -> Signed:
    """The checkpoint in `note`, signed by `key`; CorruptError names `source` and what is wrong."""
    try:
        found = parsed(checked(note, key))
    except CorruptError as error:
        raise CorruptError(f"{source}: {error}") from error
    if found.origin != key.name:
        raise CorruptError(f"{source}: it is of the log {found.origin}, not {key.name}")
    return Signed(found, note, source)


@asynccontextmanager
async def reading(database_url: str) -> AsyncIterator[asyncpg.Connection]:
    """A connection; a lost one is UnavailableError, as is a database without a schema."""
    try:
        connection = await connect(database_url)
        try:
            yield connection
        finally:
            connection.terminate()
    except UNMIGRATED as error:
        raise UnavailableError(NO_SCHEMA) from error
    except LOST as error:
        raise UnavailableError(f"the database does not answer ({error}); is it running?") from error


async def kept(connection: asyncpg.Connection, key: PublicKey) -> Kept:
    """The checkpoints in the database, each with its signature checked, the newest also against the tree; CorruptError."""
    checkpoints: list[Signed] = []
    chunks: list[bytes] = []
    for row in await connection.fetch(SQL.stored.sql):
        source = f"checkpoint {row['size']} in the database"
        checkpoints.append(open_note(row["note"], key, source))
        if checkpoints[-1].checkpoint.size != row["size"]:
            raise CorruptError(f"{source}: its note is of size {checkpoints[-1].checkpoint.size}")
        joined = row["subtrees"]
        chunks += [joined[at : at + HASH_BYTES] for at in range(0, len(joined), HASH_BYTES)]
    return Kept(checkpoints, chunks)


async def listed(
    connection: asyncpg.Connection, key: PublicKey, *, first: int, before: int | None = None
) -> list[Signed]:
    """At most `first` checkpoints, the newest first, smaller than `before`, each with its signature checked; CorruptError."""
    rows = await connection.fetch(SQL.newest_first.sql, first, before)
    return [open_note(row["note"], key, f"checkpoint {row['size']} in the database") for row in rows]


async def require_row(connection: asyncpg.Connection, signed: Signed) -> None:
    """The row at the end of `signed` is there with the hash that it says; CorruptError."""
    size = signed.checkpoint.size
    row = await connection.fetchrow(SQL.row_at.sql, size)
    if row is None:
        raise CorruptError(f"the log was cut: {signed.source} saw position {size}, which is gone")
    if row["hash"] != signed.checkpoint.last_hash:
        raise CorruptError(f"the log was rewritten: at position {size}, {signed.source} saw another hash")


async def tree_of(connection: asyncpg.Connection, have: Kept) -> Tree | None:
    """The tree under the newest checkpoint, found to have the root that was signed; None without a checkpoint. CorruptError."""
    if have.newest is None:
        return None
    signed = have.newest.checkpoint
    tree = Tree(connection, signed.size, have.chunks)
    await require_row(connection, have.newest)
    if not tree.complete or await tree.root(signed.size) != signed.root:
        raise CorruptError(
            f"{have.newest.source}: the hashes in the log and the subtrees kept with the checkpoints do not give the root that was signed"
        )
    return tree


async def make(database_url: str, signer: Signer, now: datetime, progress: Progress | None = None) -> Signed:
    """A checkpoint of the log as it is now: the newest one if nothing was appended since.

    The events since the newest one are verified first, and that one is found again in the log: a log that was cut or rewritten is
    never signed. CorruptError says what is wrong; RuleError if the log is empty.
    """
    async with reading(database_url) as connection, connection.transaction():
        await connection.execute(SQL.one_at_a_time.sql)
        have = await kept(connection, signer.public)
        before = await tree_of(connection, have)
        old = before.size if before is not None else 0
        verdict = await verify(database_url, first=old + 1, progress=progress, lend_a_hand=True)
        if verdict.problem is not None:
            raise CorruptError(f"a log that does not hold is not signed: {verdict.problem}")
        if verdict.events == 0:
            if have.newest is None:
                raise RuleError("the log is empty: there is nothing to sign")
            return have.newest
        size = old + verdict.events
        row = await connection.fetchrow(SQL.row_at.sql, size)
        tree = Tree(connection, size, have.chunks)
        await tree.grow()
        checkpoint = Checkpoint(
            signer.origin, size, await tree.root(size), row["hash"], row["recorded_at"], now
        )
        note = signer.sign(checkpoint.text)
        added = b"".join(tree.chunks[len(have.chunks) :])
        await connection.execute(SQL.store.sql, size, note, added)
        return Signed(checkpoint, note, f"checkpoint {size} in the database")
