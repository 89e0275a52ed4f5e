"""The archive of one leaf of the log: a file that says by itself what it holds, and proves that it is whole.

    "ANJUARC1"                            8 bytes
    block, block, ..                      each: length (4 bytes), then so many bytes of zlib (RFC 1950)
    manifest                              JSON, UTF-8: see `Manifest`
    length of the manifest                4 bytes
    SHA-256 of everything before          32 bytes

Numbers are in network byte order. Unpacked, a block is a series of runs, each of rows whose positions follow one another:

    first position (8), count of rows (4), chain hash at the position before the first (32)
    row, row, ..                          each: length (4), then so many bytes of header || state as `domain/chain.py` hashes them

So every block can be checked by itself: with the hash before a run, the chain hash of each of its rows follows. The position, the
time, the ids and the topic stand in the header, the category is the topic's first word: a row is complete.
"""

import struct
import zlib
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from os import SEEK_END
from pathlib import Path
from typing import BinaryIO

import msgspec

from domain.chain import LENGTH, Record, link, packed, unpacked
from domain.errors import CorruptError, InvalidError, NotFoundError, UnavailableError
from domain.retention import Summary

MAGIC = b"ANJUARC1"
FORMAT = "anju-archive/1"
SUFFIX = ".anju-archive"
ROWS_IN_BLOCK = 1000
_RUN = struct.Struct(">QI32s")
_DIGEST = sha256().digest_size


class Manifest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the file holds: rows of `leaf`, whose partition was for positions `lower` up to but not `upper`.

    root: RFC 6962's Merkle tree hash, in hex, over the chain hashes of the rows in the order of their positions.
    blocks: of each, the first position in it and where in the file its length stands.
    """

    format: str
    leaf: str
    lower: int
    upper: int
    rows: int
    first: int
    last: int
    root: str
    blocks: list[tuple[int, int]]


@dataclass(frozen=True, slots=True)
class Row:
    """One row with its chain hash, recomputed from the file."""

    record: Record
    hash: bytes


class ArchiveWriter:
    """Writes rows, in the order of their positions, into a new file. Nothing is an archive before `finish`."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._digest = sha256()
        self._runs: list[tuple[int, bytes, list[bytes]]] = []
        self._in_block = 0
        self._blocks: list[tuple[int, int]] = []
        self._root = Summary()
        self._last = (0, b"")  # position and hash
        self._rows = 0
        self._write(MAGIC)

    def add(self, record: Record, before: bytes | None) -> bytes:
        """The next row; its chain hash. `before`: the hash at the position before it, None if that is the row added last."""
        if self._in_block == ROWS_IN_BLOCK:
            self._end_block()
        previous = self._last[1] if before is None else before
        if before is not None or not self._runs:
            self._runs.append((record.position, previous, []))
        data = packed(record)
        self._runs[-1][2].append(LENGTH.pack(len(data)) + data)
        self._last = record.position, sha256(previous + data).digest()
        self._root.add(self._last[1])
        self._in_block += 1
        self._rows += 1
        return self._last[1]

    def finish(self, leaf: str, lower: int, upper: int) -> Manifest:
        """Write what is left, the manifest and the digest."""
        if self._runs:
            self._end_block()
        first = self._blocks[0][0] if self._blocks else 0
        root = self._root.root.hex()
        manifest = Manifest(FORMAT, leaf, lower, upper, self._rows, first, self._last[0], root, self._blocks)
        text = msgspec.json.encode(manifest)
        self._write(text + LENGTH.pack(len(text)))
        self._file.write(self._digest.digest())
        return manifest

    def _end_block(self) -> None:
        data = b"".join(
            _RUN.pack(first, len(rows), before) + b"".join(rows) for first, before, rows in self._runs
        )
        self._blocks.append((self._runs[0][0], self._file.tell()))
        block = zlib.compress(data, 6)
        self._write(LENGTH.pack(len(block)) + block)
        self._runs, self._in_block = [], 0

    def _write(self, data: bytes) -> None:
        self._file.write(data)
        self._digest.update(data)


class ArchiveFile:
    """An archive that is there. All of it blocks."""

    def __init__(self, path: Path) -> None:
        """Read the manifest. NotFoundError: there is no such file; InvalidError: another version's; CorruptError: damaged."""
        self.path = path
        try:
            with path.open("rb") as file:
                self.manifest = _manifest(file, path)
        except FileNotFoundError as error:
            raise NotFoundError(f"there is no archive {path}") from error
        except OSError as error:
            raise UnavailableError(f"{path} cannot be read: {error.strerror}") from error

    def require_whole(self) -> None:
        """CorruptError if a byte of the file is not what was written."""
        with self.path.open("rb") as file:
            whole = sha256()
            left = self.path.stat().st_size - _DIGEST
            while left > 0 and (data := file.read(min(left, 2**20))):
                whole.update(data)
                left -= len(data)
            if file.read() != whole.digest():
                raise CorruptError(f"{self.path} is not what was archived (its SHA-256 differs)")

    def rows(self, after: int = 0, through: int | None = None) -> Iterator[Row]:
        """The rows at positions beyond `after`, up to `through`, in order; CorruptError if what is read is not rows."""
        starts = [first for first, _ in self.manifest.blocks]
        begin = max(bisect_right(starts, after + 1) - 1, 0)
        last = self.manifest.last if through is None else through
        with self.path.open("rb") as file:
            for first, offset in self.manifest.blocks[begin:]:
                if first > last:
                    return
                for row in self._block(file, offset):
                    if after < row.record.position <= last:
                        yield row

    def _block(self, file: BinaryIO, offset: int) -> Iterator[Row]:
        try:
            file.seek(offset)
            (size,) = LENGTH.unpack(file.read(LENGTH.size))
            yield from _rows(zlib.decompress(file.read(size)))
        except (struct.error, zlib.error, ValueError) as error:
            raise CorruptError(
                f"{self.path} is damaged in the block at byte {offset} ({error}): use another copy of it"
            ) from error


def _rows(data: bytes) -> Iterator[Row]:
    offset = 0
    while offset < len(data):
        first, count, hash_ = _RUN.unpack_from(data, offset)
        offset += _RUN.size
        for position in range(first, first + count):
            (size,) = LENGTH.unpack_from(data, offset)
            offset += LENGTH.size
            record = unpacked(data[offset : offset + size])
            offset += size
            if record.position != position:
                raise ValueError(f"position {record.position} stands where {position} should")
            hash_ = link(hash_, record)
            yield Row(record, hash_)


def _manifest(file: BinaryIO, path: Path) -> Manifest:
    try:
        if file.read(len(MAGIC)) != MAGIC:
            raise InvalidError(
                f"{path} is not an archive of Anju, or of another version: it should begin with {MAGIC!r}"
            )
        end = file.seek(-_DIGEST - LENGTH.size, SEEK_END)
        (size,) = LENGTH.unpack(file.read(LENGTH.size))
        file.seek(end - size)
        manifest = msgspec.json.decode(file.read(size), type=Manifest)
    except (OSError, ValueError, struct.error) as error:
        raise CorruptError(f"{path} is cut off or damaged: its manifest cannot be read ({error})") from error
    if manifest.format != FORMAT:
        raise InvalidError(f"{path} is of format {manifest.format}; this version of Anju reads {FORMAT}")
    return manifest
