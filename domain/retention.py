"""What stays of a stretch of the log when its rows are taken off to an archive: enough for the chain and the Merkle tree to hold.

Observations and case events share one chain, so a leaf of observations leaves holes between the case events. For each hole stay
the chain hash of its last position, which the next row follows, and the roots of the complete subtrees of the log's Merkle tree
(`domain/merkle.py`) that lie in it. From these and the rows that stay, the root of every checkpoint can be computed, and a proof
of every row that stays: no node of either lies inside a hole without being one of those roots or a node over them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from domain.merkle import EMPTY, Levels, Range, leaf_hash, node_hash

BLOCK = 16_384
"""Leaves of the Merkle tree that are summed up, checked and proved together; no stretch reaches from one block into the next."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """Positions `first` to `last` without their rows. `hash`: the chain's, at `last`. `roots`: of `subtrees(first, last)`."""

    first: int
    last: int
    hash: bytes
    roots: tuple[bytes, ...]


def subtrees(first: int, last: int) -> list[Range]:
    """The fewest complete subtrees over the positions `first` to `last`, as ranges of the tree's leaves, which count from 0."""
    found: list[Range] = []
    place = first - 1
    while place < last:
        size = 1 << ((last - place).bit_length() - 1)
        if place:
            size = min(size, place & -place)
        found.append((place, place + size))
        place += size
    return found


def stretches(rows: Iterable[tuple[int, bytes]], checkpoints: Collection[int]) -> Iterator[Stretch]:
    """Sum up (position, chain hash), in order. A stretch also ends at each block's end and at each size in `checkpoints`."""
    first, hashes = 0, list[bytes]()
    for position, hash_ in rows:
        last = first + len(hashes) - 1
        if hashes and (position != last + 1 or last % BLOCK == 0 or last in checkpoints):
            yield _summed(first, hashes)
            hashes = []
        if not hashes:
            first = position
        hashes.append(hash_)
    if hashes:
        yield _summed(first, hashes)


def _summed(first: int, hashes: Sequence[bytes]) -> Stretch:
    last = first + len(hashes) - 1
    leaves = [leaf_hash(hash_) for hash_ in hashes]
    start = first - 1
    roots = (Levels(leaves[low - start : high - start]).root for low, high in subtrees(first, last))
    return Stretch(first, last, hashes[-1], tuple(roots))


@dataclass(slots=True)
class Summary:
    """The Merkle root over hashes that come one by one; memory for one block and the roots of the others."""

    _leaves: list[bytes] = field(default_factory=list)
    _blocks: list[bytes] = field(default_factory=list)

    def add(self, hash_: bytes) -> None:
        """The next leaf holds `hash_`."""
        self._leaves.append(leaf_hash(hash_))
        if len(self._leaves) == BLOCK:
            self._blocks.append(Levels(self._leaves).root)
            self._leaves.clear()

    @property
    def root(self) -> bytes:
        """The root over all that were added."""
        last = [Levels(self._leaves).root] if self._leaves else []
        lowest = [*self._blocks, *last]
        return Levels(lowest).root if lowest else EMPTY


class Remains:
    """A part of the log's Merkle tree of which some leaves are known, and of others only subtrees over them."""

    def __init__(self, nodes: Mapping[Range, bytes]) -> None:
        """`nodes`: the hashes of leaves and subtrees, by their range of leaves."""
        self._nodes = nodes

    def over(self, wanted: Range) -> bytes:
        """The root of the tree over a range of leaves, as `Levels.over`; LookupError if it ends inside an archived stretch."""
        if wanted in self._nodes:
            return self._nodes[wanted]
        first, after_last = wanted
        if after_last - first <= 0:
            return EMPTY
        if after_last - first == 1:
            raise LookupError(f"the hash of position {after_last} is in an archive")
        middle = first + (1 << (after_last - first - 1).bit_length() - 1)
        return node_hash(self.over((first, middle)), self.over((middle, after_last)))


def nodes(hashes: Mapping[int, bytes], archived: Iterable[Stretch], start: int = 0) -> dict[Range, bytes]:
    """What `Remains` takes: of rows that are there (chain hash by position), and of stretches that are not.

    Leaves are counted from `start`, which is where a block begins.
    """
    found = {(position - 1, position): leaf_hash(hash_) for position, hash_ in hashes.items()}
    for stretch in archived:
        found.update(zip(subtrees(stretch.first, stretch.last), stretch.roots, strict=True))
    return {(first - start, after_last - start): hash_ for (first, after_last), hash_ in found.items()}
