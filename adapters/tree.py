"""The Merkle tree over the log in the database. The roots of complete chunks are kept, so that no proof reads more than it needs."""

import asyncio
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import aiosql
import asyncpg

from domain.checkpoint import HASH_BYTES
from domain.errors import CorruptError
from domain.merkle import Levels, Range, leaf_hash
from domain.retention import BLOCK, Remains, Stretch, nodes

SQL: Any = aiosql.from_path(Path(__file__).parent / "checkpoints.sql", "asyncpg", mandatory_parameters=False)
CHUNK = BLOCK
"""Leaves below a kept root: 2 kB of roots for a million events, and at most this many hashes read for one event's proof."""


class Tree:
    """The tree over the first `size` positions. `kept`: the roots of its first chunks, as far as they are known."""

    def __init__(self, connection: asyncpg.Connection, size: int, kept: Sequence[bytes]) -> None:
        self._connection = connection
        self.size = size
        self.chunks = list(kept)

    @property
    def complete(self) -> bool:
        """Whether the root of every complete chunk is known, and of no other."""
        return len(self.chunks) == self.size // CHUNK

    async def grow(self) -> None:
        """Work out the roots of the chunks that were completed since."""
        for number in range(len(self.chunks), self.size // CHUNK):
            levels = await self._levels(number * CHUNK, (number + 1) * CHUNK)
            self.chunks.append(levels.over((0, CHUNK)))

    async def root(self, size: int) -> bytes:
        """The root of the tree over the first `size` positions."""
        (root,) = await self.hashes([(0, size)])
        return root

    async def hashes(self, wanted: Sequence[Range]) -> list[bytes]:
        """The hash over each range of leaves. Ranges longer than a chunk begin where one begins, as those of proofs do."""
        found = {
            part: self.chunks[part[0] // CHUNK] for one in wanted for part in _parts(one) if self._kept(part)
        }
        missing = sorted({part for one in wanted for part in _parts(one)} - found.keys())
        levels: Levels | Remains = Levels([])
        held = -1
        for first, after_last in missing:
            number = first // CHUNK
            if number != held:
                held = number
                levels = await self._levels(number * CHUNK, min((number + 1) * CHUNK, self.size))
            start = number * CHUNK
            found[first, after_last] = levels.over((first - start, after_last - start))
        return [Levels([found[part] for part in _parts(one)]).root for one in wanted]

    def _kept(self, part: Range) -> bool:
        first, after_last = part
        return after_last - first == CHUNK and first // CHUNK < len(self.chunks)

    async def _levels(self, first: int, after_last: int) -> Levels | Remains:
        joined = await self._connection.fetchval(SQL.leaves.sql, first, after_last) or b""
        if len(joined) == (after_last - first) * HASH_BYTES:
            return await asyncio.to_thread(_build, joined)
        rows = await self._connection.fetch(SQL.rows_among.sql, first, after_last)
        archived = await self._connection.fetch(SQL.stretches_among.sql, first, after_last)
        stretches = [
            Stretch(row["first"], row["last"], row["hash"], _hashes(row["roots"])) for row in archived
        ]
        if len(rows) + sum(one.last - one.first + 1 for one in stretches) != after_last - first:
            raise CorruptError(
                f"positions are missing among {first + 1} to {after_last}: run `anju verify`, which names the first"
            )
        try:
            return Remains(nodes({row["position"]: row["hash"] for row in rows}, stretches, first))
        except ValueError as error:
            raise CorruptError(
                f"what stayed of the archived positions among {first + 1} to {after_last} was altered"
            ) from error


def _parts(wanted: Range) -> Iterator[Range]:
    """A range, cut where chunks begin."""
    first, after_last = wanted
    while first < after_last:
        middle = min((first // CHUNK + 1) * CHUNK, after_last)
        yield first, middle
        first = middle


def _build(joined: bytes) -> Levels:
    return Levels([leaf_hash(hash_) for hash_ in _hashes(joined)])


def _hashes(joined: bytes) -> tuple[bytes, ...]:
    return tuple(joined[at : at + HASH_BYTES] for at in range(0, len(joined), HASH_BYTES))
