"""A checkpoint: how the log stood at a size, signed. Written as a C2SP signed note (c2sp.org/signed-note, c2sp.org/tlog-checkpoint).

    <origin>                        the log's name
    <size>                          how many events: the last position
    <root>                          base64 of the root of the Merkle tree over them
    last-hash <hash>                base64 of the chain hash at the last position
    recorded-at <time>              when the last event was recorded
    made-at <time>                  when this was signed
                                    (an empty line)
    — <origin> <signature>          base64 of the key's id (4 bytes) and the Ed25519 signature (64) over the lines above

Lines end with a newline; the signature covers all of them up to the empty one. Times are UTC: 2026-03-01T08:00:00.000000Z.
"""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256

from domain.errors import CorruptError, InvalidError

HASH_BYTES = 32
_SIGNATURE_BYTES = 4 + 64
_ED25519 = b"\x01"
_NAME = re.compile(r"[^\s+\x00-\x1f]+")
_TIME = "%Y-%m-%dT%H:%M:%S.%fZ"


def to_text(data: bytes) -> str:
    """`data` in base64 (RFC 4648, section 4)."""
    return base64.b64encode(data).decode()


def from_text(text: str, length: int = HASH_BYTES) -> bytes:
    """The `length` bytes that `to_text` wrote; ValueError if it was not exactly that."""
    data = base64.b64decode(text, validate=True)
    if len(data) != length or to_text(data) != text:
        raise ValueError(f"{text!r} is not {length} bytes in base64")
    return data


def time_text(at: datetime) -> str:
    """`at` in UTC with six digits of a second."""
    return at.astimezone(UTC).strftime(_TIME)


def require_origin(origin: str) -> str:
    """`origin`, if it can name a log and its key: no spaces and no plus sign."""
    if not _NAME.fullmatch(origin):
        raise InvalidError(
            f"origin {origin!r} cannot name a log: use a name without spaces and plus signs, such as 'anju.example.com/log'"
        )
    return origin


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """How the log stood when it had `size` events."""

    origin: str
    size: int
    root: bytes
    last_hash: bytes
    recorded_at: datetime
    made_at: datetime

    @property
    def text(self) -> str:
        """What is signed."""
        return (
            f"{require_origin(self.origin)}\n{self.size}\n{to_text(self.root)}\n"
            f"last-hash {to_text(self.last_hash)}\n"
            f"recorded-at {time_text(self.recorded_at)}\nmade-at {time_text(self.made_at)}\n"
        )


@dataclass(frozen=True, slots=True)
class PublicKey:
    """The key that checks a log's signatures, under the log's name. `raw`: 32 bytes as in RFC 8032."""

    name: str
    raw: bytes

    @property
    def id(self) -> bytes:
        """Four bytes that tell keys apart in a note; they prove nothing."""
        return sha256(self.name.encode() + b"\n" + _ED25519 + self.raw).digest()[:4]

    @property
    def fingerprint(self) -> str:
        """SHA-256 over the 32 bytes, in hex: what people compare."""
        return sha256(self.raw).hexdigest()

    def __str__(self) -> str:
        return f"{self.name}+{self.id.hex()}+{to_text(_ED25519 + self.raw)}"


def note(text: str, key: PublicKey, signature: bytes) -> str:
    """`text` with its signature."""
    return f"{text}\n— {key.name} {to_text(key.id + signature)}\n"


def opened(signed: str, key: PublicKey) -> tuple[str, bytes]:
    """(the text of a note, the signature of `key` under it), the signature not yet checked. CorruptError if there is none."""
    text, empty, lines = signed.rpartition("\n\n")
    if not empty:
        raise CorruptError("it is not a signed note")
    start = f"— {key.name} "
    for line in lines.splitlines():
        if line.startswith(start):
            try:
                found = from_text(line.removeprefix(start), _SIGNATURE_BYTES)
            except (ValueError, binascii.Error):
                continue
            if found.startswith(key.id):
                return f"{text}\n", found[4:]
    raise CorruptError(f"it is not signed by the key {key.id.hex()} of {key.name}")


def parsed(text: str) -> Checkpoint:
    """The checkpoint that was written as `text`; CorruptError if it is none."""
    try:
        origin, size, root, *rest = text.removesuffix("\n").split("\n")
        last_hash, recorded_at, made_at = (
            line.removeprefix(f"{name} ")
            for name, line in zip(("last-hash", "recorded-at", "made-at"), rest, strict=True)
        )
        found = Checkpoint(
            origin,
            int(size),
            from_text(root),
            from_text(last_hash),
            *(datetime.strptime(value, _TIME).replace(tzinfo=UTC) for value in (recorded_at, made_at)),
        )
    except ValueError as error:
        raise CorruptError(f"it is not a checkpoint of this log: {error}") from error
    if found.text != text:
        raise CorruptError("it is not a checkpoint of this log: it is not written as it should be")
    return found
