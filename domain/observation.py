"""What a recognition engine or a device says it saw: an observation proposes, it never decides."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from math import isfinite
from typing import Protocol
from uuid import UUID, uuid5

from domain.errors import InvalidError
from domain.lifecycle import require_aware, require_text

NAMESPACE = UUID("b5a1f0ce-6e3c-5d0a-9a57-0a4a756e6a75")
"""Anju's own UUID namespace: every id that is derived (RFC 9562, version 5) is derived below it."""

LONGEST_CODE = 64
_CODE = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_SHA256 = re.compile(r"[0-9a-f]{64}")


class Kind(StrEnum):
    """What was seen; the last token of the subject on the bus."""

    FACE = "face"


def require_code(value: str, what: str) -> str:
    """`value`, if it can stand in a subject on the bus: at most 64 lower-case ASCII letters, digits and single hyphens."""
    if len(value) > LONGEST_CODE:
        raise InvalidError(f"{what} has {len(value)} characters; a code has at most {LONGEST_CODE}")
    if not _CODE.fullmatch(value):
        raise InvalidError(
            f"{what} {value!r} is not a code: use lower-case letters, digits and hyphens, such as 'east-1'"
        )
    return value


def require_sha256(value: str, what: str) -> str:
    """`value`, if it is a SHA-256 in 64 lower-case hexadecimal digits."""
    if not _SHA256.fullmatch(value):
        raise InvalidError(f"{what} must be 64 lower-case hex digits")
    return value


@dataclass(frozen=True, slots=True, order=True)
class GateRef:
    """A gate by the codes of its site and itself, written `site.gate`."""

    site: str
    gate: str

    def __post_init__(self) -> None:
        require_code(self.site, "site")
        require_code(self.gate, "gate")

    def __str__(self) -> str:
        return f"{self.site}.{self.gate}"

    @classmethod
    def parse(cls, text: str) -> GateRef:
        """`GateRef` from `site.gate`; InvalidError says what is missing."""
        site, dot, gate = text.partition(".")
        if not dot:
            raise InvalidError(f"gate {text!r} has no site: write it as SITE.GATE, such as 'runjinyuan.main'")
        return cls(site, gate)


@dataclass(frozen=True, slots=True)
class ModelUse:
    """A model file that took part in an observation: its name and the SHA-256 of its bytes (64 hex digits)."""

    name: str
    sha256: str

    def __post_init__(self) -> None:
        require_text(self.name, "model name", 200)
        require_sha256(self.sha256, f"model {self.name!r}: sha256")


@dataclass(frozen=True, slots=True, kw_only=True)
class FaceObservation:
    """One face in one frame at one gate.

    box: x, y, width, height in pixels of the frame. score: the detector's, 0..1.
    embedding: 128 (SFace) or 512 (ArcFace) little-endian float32 of unit length; it travels on the bus and is matched,
    and is never written to the log. frame_sha256: of the encoded image or video the face was found in.
    """

    id: UUID
    at: GateRef
    captured_at: datetime
    box: tuple[float, float, float, float]
    score: float
    embedding: bytes = field(repr=False)
    detector: ModelUse
    embedder: ModelUse
    frame_sha256: str
    latency_ms: float

    def __post_init__(self) -> None:
        require_aware(self.captured_at)
        if not 0.0 <= self.score <= 1.0:
            raise InvalidError(f"score {self.score} is outside 0..1")
        if not (isfinite(self.latency_ms) and self.latency_ms >= 0):
            raise InvalidError(f"latency_ms {self.latency_ms} is not a time that passed")
        require_sha256(self.frame_sha256, "frame_sha256")
        if len(self.embedding) not in (128 * 4, 512 * 4):
            raise InvalidError(f"embedding has {len(self.embedding)} bytes: 128 or 512 float32 are expected")


def source_of(at: GateRef) -> str:
    """CloudEvents `source` of a gate's observations."""
    return f"/anju/{at.site}/{at.gate}"


def observation_id(at: GateRef, native_id: str) -> UUID:
    """The id of an observation: the same source and native id always give the same one, so a repeat is seen as such."""
    return uuid5(NAMESPACE, f"{source_of(at)}#{native_id}")


class ObservationPublisher(Protocol):
    """Where recognition sends what it saw; returns once the bus has stored it."""

    async def publish(self, observation: FaceObservation) -> None:
        """Store `observation` on the bus; UnavailableError if the bus cannot be reached."""
