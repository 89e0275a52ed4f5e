"""The Merkle tree over the log, as RFC 6962 and RFC 9162 (section 2.1) define it. Pure.

Leaf number i (from 0) is the chain hash of position i + 1. A proof is first a list of ranges (`first`, `after_last`) of leaves; the
hash of each range, in that order, is the proof. So whoever makes one decides where the hashes come from.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256

EMPTY = sha256().digest()
"""The root of a tree without leaves."""
Range = tuple[int, int]


def leaf_hash(data: bytes) -> bytes:
    """The hash of the leaf that holds `data`."""
    return sha256(b"\x00" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """The hash of the node over two others."""
    return sha256(b"\x01" + left + right).digest()


def _split(size: int) -> int:
    """The largest power of two below `size`: so many leaves stand on the left."""
    return 1 << (size - 1).bit_length() - 1


def inclusion_ranges(index: int, size: int) -> list[Range]:
    """The ranges beside the way from leaf `index` up to the root of `size` leaves; the lowest first."""
    if not 0 <= index < size:
        raise ValueError(f"there is no leaf {index} among {size}")
    ranges: list[Range] = []
    first, after_last = 0, size
    while after_last - first > 1:
        middle = first + _split(after_last - first)
        if index < middle:
            ranges.append((middle, after_last))
            after_last = middle
        else:
            ranges.append((first, middle))
            first = middle
    return ranges[::-1]


def consistency_ranges(old: int, new: int) -> list[Range]:
    """The ranges whose hashes show that the tree of `old` leaves is the beginning of that of `new`."""
    if not 0 <= old <= new:
        raise ValueError(f"a log of {new} events does not continue one of {old}")
    if old in {0, new}:
        return []
    ranges: list[Range] = []
    first, after_last = 0, new
    while after_last != old:
        middle = first + _split(after_last - first)
        if old <= middle:
            ranges.append((middle, after_last))
            after_last = middle
        else:
            ranges.append((first, middle))
            first = middle
    if first:  # else it is the old tree itself, whose root the reader has
        ranges.append((first, after_last))
    return ranges[::-1]


def verify_inclusion(leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes) -> bool:
    """Whether `proof` shows that the leaf with hash `leaf` is number `index` of the `size` under `root` (RFC 9162, 2.1.3.2)."""
    if not 0 <= index < size:
        return False
    place, last, reached = index, size - 1, leaf
    for sibling in proof:
        if last == 0:
            return False
        if place & 1 or place == last:
            reached = node_hash(sibling, reached)
            while not place & 1 and place:
                place, last = place >> 1, last >> 1
        else:
            reached = node_hash(reached, sibling)
        place, last = place >> 1, last >> 1
    return last == 0 and reached == root


def verify_consistency(old: int, new: int, proof: Sequence[bytes], old_root: bytes, new_root: bytes) -> bool:
    """Whether `proof` shows that the tree of `old` leaves under `old_root` begins that of `new` (RFC 9162, 2.1.4.2)."""
    if old in {0, new}:
        return not proof and old_root == (new_root if old else EMPTY)
    if not 0 < old < new:
        return False
    path = list(proof)
    if old & (old - 1) == 0:
        path.insert(0, old_root)
    if not path:
        return False
    place, last = old - 1, new - 1
    while place & 1:
        place, last = place >> 1, last >> 1
    before = after = path[0]
    for sibling in path[1:]:
        if last == 0:
            return False
        if place & 1 or place == last:
            before, after = node_hash(sibling, before), node_hash(sibling, after)
            while not place & 1 and place:
                place, last = place >> 1, last >> 1
        else:
            after = node_hash(after, sibling)
        place, last = place >> 1, last >> 1
    return last == 0 and before == old_root and after == new_root


class Levels:
    """A tree with all its nodes in memory. Its lowest ones may be leaves, or the roots of equally large complete trees."""

    def __init__(self, lowest: Sequence[bytes]) -> None:
        """`lowest`: the hashes of the lowest nodes. Only the last may stand for a smaller tree than the others."""
        self._levels = [list(lowest)]
        while len(level := self._levels[-1]) > 1:
            pairs = iter(level)
            self._levels.append(
                [sha256(b"\x01" + a + b).digest() for a, b in zip(pairs, pairs, strict=False)]
            )

    @property
    def root(self) -> bytes:
        """The root of the whole tree."""
        return self.over((0, len(self._levels[0])))

    def over(self, wanted: Range) -> bytes:
        """The root of the tree over a range of the lowest nodes."""
        first, after_last = wanted
        size = after_last - first
        if size <= 0:
            return EMPTY
        height = size.bit_length() - 1
        if size == 1 << height and first % size == 0:
            return self._levels[height][first >> height]
        middle = first + _split(size)
        return node_hash(self.over((first, middle)), self.over((middle, after_last)))
