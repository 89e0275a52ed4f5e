"""The hash chain of the log: what is hashed, byte for byte, so that anybody can recompute it.

    hash[n] = SHA-256(hash[n-1] || header[n] || state[n])        hash[0] = 32 zero bytes

`header` is, in network byte order: position (8 bytes), recorded_at (8, microseconds since 1970-01-01 UTC), originator_id (16),
originator_version (4), request_id (16), then topic and metadata, each as its UTF-8 bytes after their length (4). `state` is the
rest: the stored bytes of the event. Every part has a fixed or stated length, so no two records hash the same bytes.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from uuid import UUID

GENESIS = bytes(32)
HEADER = struct.Struct(">Qq16sI16sI")
LENGTH = struct.Struct(">I")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Record:
    """One row of the log, without its hash. `metadata` is the stored JSON text."""

    position: int
    recorded_at: datetime
    originator_id: UUID
    originator_version: int
    request_id: UUID
    topic: str
    metadata: str
    state: bytes


def packed(record: Record) -> bytes:
    """Header || state: what of `record` is hashed."""
    topic = record.topic.encode()
    metadata = record.metadata.encode()
    return b"".join(
        (
            HEADER.pack(
                record.position,
                (record.recorded_at - _EPOCH) // _MICROSECOND,
                record.originator_id.bytes,
                record.originator_version,
                record.request_id.bytes,
                len(topic),
            ),
            topic,
            LENGTH.pack(len(metadata)),
            metadata,
            record.state,
        ),
    )


def unpacked(data: bytes) -> Record:
    """The record that was `packed`; ValueError if `data` is none."""
    try:
        position, recorded, originator, version, request, size = HEADER.unpack_from(data)
        end = HEADER.size + size
        (length,) = LENGTH.unpack_from(data, end)
        metadata = end + LENGTH.size
        record = Record(
            position,
            _EPOCH + recorded * _MICROSECOND,
            UUID(bytes=originator),
            version,
            UUID(bytes=request),
            data[HEADER.size : end].decode(),
            data[metadata : metadata + length].decode(),
            data[metadata + length :],
        )
    except (struct.error, OverflowError, UnicodeDecodeError) as error:
        raise ValueError(f"this is not a record of the log: {error}") from error
    if packed(record) != data:
        raise ValueError("this is not a record of the log: it is cut off")
    return record


def link(previous: bytes, record: Record) -> bytes:
    """The 32-byte hash of `record` after `previous`."""
    return sha256(previous + packed(record)).digest()
