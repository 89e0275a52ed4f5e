"""Recompute the hash chain over a range of positions; as a program, over the ranges that come in on stdin.

Rows are read as COPY's binary format (PostgreSQL's documentation, "COPY", "Binary Format"), one row a message, straight from libpq:
half the time of a cursor with typed columns. One range is in flight, one row in memory.
"""

import struct
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import msgspec
import psycopg
from psycopg.pq import ExecStatus

from domain.chain import GENESIS, HEADER, LENGTH

_SETTINGS = (
    "-c role=anju_app -c application_name=anju-verify -c jit=off -c max_parallel_workers_per_gather=0 "
    "-c enable_sort=off -c enable_bitmapscan=off -c enable_seqscan=off"
)
"""A range is read in the order of the partitions' indexes, whatever the planner thinks of a table that just grew."""
_BEGINNING = b"PGCOPY\n\xff\r\n\x00" + bytes(8)
_ROW = struct.Struct(">2x 4xq 4xq 4x16s 4xI 4x16s 4x? I")
"""After the count of columns, each after its length: position, recorded_at (microseconds since 2000), originator, version, request,
whether the category is right; and the length of the topic."""
_EPOCH = 946_684_800_000_000  # 2000-01-01 in microseconds since 1970-01-01
_LOWEST = -(1 << 63)  # what stands before the first position is read, and found wrong
_HASH = 32
_TAIL = _HASH + 4


class Job(msgspec.Struct, frozen=True):
    """What a worker needs to begin: where the log is, which snapshot of it, and the statement that reads a range."""

    url: str
    snapshot: str
    sql: str


class Range(msgspec.Struct, frozen=True):
    """The positions `after` + 1 to `through`; the hash stored at `after` is taken as it stands."""

    after: int
    through: int


class Finding(msgspec.Struct, frozen=True):
    """`checked` positions hold; `problem` is None if that is the whole range, else what is wrong at `position`."""

    checked: int
    position: int | None = None
    problem: str | None = None


@dataclass(slots=True)
class Reader:
    """A connection that sees the log as the snapshot saw it."""

    connection: psycopg.Connection[Any]
    sql: str

    @classmethod
    def open(cls, job: Job) -> "Reader":
        connection = psycopg.connect(job.url, options=_SETTINGS, autocommit=True)
        connection.execute("begin isolation level repeatable read read only")
        connection.execute(f"set transaction snapshot '{job.snapshot}'".encode())
        return cls(connection, job.sql)

    def rows(self, wanted: Range) -> Iterator[bytes]:
        """The rows of `wanted`, each as one message of COPY without the file's own header and end."""
        sql = psycopg.ClientCursor(self.connection).mogrify(
            self.sql.encode(), {"after": wanted.after or _LOWEST, "through": wanted.through}
        )
        server = self.connection.pgconn
        result = server.exec_(sql.encode())
        if result.status != ExecStatus.COPY_OUT:
            raise psycopg.OperationalError(result.get_error_message())
        read = server.get_copy_data
        size, row = read(0)
        row = row[len(_BEGINNING) :]
        try:
            while size > 0 and len(row) > 2:  # noqa: PLR2004 - the end is a count of -1, in two bytes
                yield bytes(row)
                size, row = read(0)
        finally:
            while size > 0:
                size, row = read(0)
            while (ended := server.get_result()) is not None:
                if ended.status != ExecStatus.COMMAND_OK:
                    raise psycopg.OperationalError(ended.get_error_message())

    def check(self, wanted: Range) -> Finding:
        """Recompute the chain over `wanted`."""
        return check(self.rows(wanted), wanted)


def check(rows: Iterator[bytes], wanted: Range) -> Finding:
    """Recompute the chain over `rows`; the first position at which it does not hold ends it."""
    unpack, fixed, header, length, hashed = (
        _ROW.unpack_from,
        _ROW.size,
        HEADER.pack,
        LENGTH.unpack_from,
        sha256,
    )
    previous, place = GENESIS, wanted.after
    if place:
        row = next(rows, b"")
        if int.from_bytes(row[6:14]) != place:
            return Finding(0, place, f"position {place} is missing")
        previous = row[-_HASH:]
    for row in rows:
        place += 1
        try:
            position, recorded, originator, version, request, filed, topic = unpack(row)
            first = position if version else int.from_bytes(row[fixed + 8 : fixed + 16])
            if first != place:
                return _bad(wanted, place, f"is missing: the next one is {first}")
            if not version:  # an archived stretch: what follows it shows whether its hash is right
                place, previous = position, row[-_HASH:]
                continue
            (metadata,) = length(row, fixed + topic)
            state = fixed + topic + LENGTH.size + metadata
            recomputed = hashed(
                previous
                + header(position, recorded + _EPOCH, originator, version, request, topic)
                + row[fixed:state]
                + row[state + LENGTH.size : -_TAIL]
            ).digest()
        except struct.error:
            return _bad(wanted, place, "is not what was appended: a column holds no such value")
        if recomputed != row[-_HASH:]:
            return _bad(wanted, place, "is not what was appended: its hash does not follow")
        if not filed:
            return _bad(wanted, place, "lies in a partition where its topic does not belong")
        previous = recomputed
    return _bad(wanted, place + 1, "is missing") if place < wanted.through else Finding(place - wanted.after)


def _bad(wanted: Range, place: int, why: str) -> Finding:
    return Finding(place - 1 - wanted.after, place, f"position {place} {why}")


def main() -> None:
    """Serve one parent: a job, then ranges, one JSON line each; a finding goes back for each range."""
    reader = Reader.open(msgspec.json.decode(sys.stdin.buffer.readline(), type=Job))
    for line in sys.stdin.buffer:
        wanted = msgspec.json.decode(line, type=Range)
        sys.stdout.buffer.write(msgspec.json.encode(reader.check(wanted)) + b"\n")
        sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
