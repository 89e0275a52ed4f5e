"""What /api/audit answers with, as the description of the interface shows it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Self
from uuid import UUID

from pydantic import Field

from adapters.checkpoints import Signed
from adapters.verifications import Verification as Found
from domain.checkpoint import PublicKey, time_text


@dataclass(frozen=True, slots=True)
class Change:
    """A field before and after; null where there was nothing."""

    before: object
    after: object


@dataclass(frozen=True, slots=True)
class PastEvent:
    """One event of a thing's history. said: what is personal in it stays sealed."""

    position: int
    version: int
    topic: str
    actor: str
    happened_at: datetime
    recorded_at: datetime
    said: Mapping[str, object]
    changed: Mapping[str, Change]


@dataclass(frozen=True, slots=True)
class Between:
    """One thing of the log between two moments. version: at the later one."""

    id: UUID
    kind: Annotated[str, Field(description="What it is, such as incident.")]
    version: int
    events: Sequence[PastEvent]


@dataclass(frozen=True, slots=True)
class Replayed(Between):
    """The same, and what it was at the later moment."""

    state: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Difference(Between):
    """The same, and what differs between the two moments."""

    changed: Mapping[str, Change]


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """What recomputing the hash chain of positions `first` to `last` found."""

    id: UUID
    first: int
    last: int
    started_by: str
    started_at: datetime
    running: bool
    checked: Annotated[int, Field(description="How many positions, by now.")]
    ended_at: datetime | None
    holds: Annotated[bool | None, Field(description="Null while it runs, and if it could not be finished.")]
    position: Annotated[int | None, Field(description="The first that does not hold.")]
    problem: str | None
    hash: Annotated[str | None, Field(description="The chain's at `last`, in hex.")]

    @classmethod
    def of(cls, found: Found) -> Self:
        """The verification, as it is told."""
        fields = {name: getattr(found, name) for name in Found.__dataclass_fields__}
        return cls(**fields | {"hash": found.hash and found.hash.hex()})


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """How the log stood, signed. note: the signed text itself; see docs/proof.md."""

    size: int
    root: str
    last_hash: str
    recorded_at: str
    made_at: str
    note: str


@dataclass(frozen=True, slots=True)
class Checkpoints:
    """Signed checkpoints, the newest first, and the key that checks them; without a key there are none."""

    key: str | None
    fingerprint: str | None
    checkpoints: Sequence[Checkpoint]

    @classmethod
    def of(cls, key: PublicKey | None, found: Sequence[Signed]) -> Self:
        """The checkpoints, as they are told."""
        return cls(
            None if key is None else str(key),
            None if key is None else key.fingerprint,
            [
                Checkpoint(
                    size=one.checkpoint.size,
                    root=one.checkpoint.root.hex(),
                    last_hash=one.checkpoint.last_hash.hex(),
                    recorded_at=time_text(one.checkpoint.recorded_at),
                    made_at=time_text(one.checkpoint.made_at),
                    note=one.note,
                )
                for one in found
            ],
        )
