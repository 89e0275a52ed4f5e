"""Time limits from a file: what a place sets for itself, in TOML.

version = "2026-2"

[[limit]]
step = "handle"        # sign, handle or verify
clock = "WORKING"      # WORKING: office hours of working days; WALL: every hour
days = 5               # and, or, hours
category = "noise"     # optional, as are urgency (NORMAL, URGENT, EMERGENCY) and township
"""

import tomllib
from pathlib import Path

import msgspec

from domain.deadlines import STEPS, Clock, Limit, Limits, Urgency
from domain.errors import InvalidError


class _Limit(msgspec.Struct, forbid_unknown_fields=True):
    """A `Limit` in which a misspelt word is an error."""

    step: str
    clock: Clock
    days: int = 0
    hours: int = 0
    category: str | None = None
    urgency: Urgency | None = None
    township: str | None = None


class _File(msgspec.Struct, forbid_unknown_fields=True):
    version: str
    limit: tuple[_Limit, ...]


def read_limits(path: Path) -> Limits:
    """The limits in the file; InvalidError says what is wrong with it."""
    try:
        found = msgspec.convert(tomllib.loads(path.read_text(encoding="utf-8")), _File)
        limits = tuple(Limit(**msgspec.structs.asdict(limit)) for limit in found.limit)
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise InvalidError(f"the time limits in {path} cannot be used: {error}") from error
    for step in STEPS:
        if not any(limit.step == step and not limit.particular for limit in limits):
            raise InvalidError(
                f"the time limits in {path} need one for {step!r} without a category, urgency and township"
            )
    if unknown := sorted({limit.step for limit in limits} - set(STEPS)):
        raise InvalidError(
            f"the time limits in {path} name steps that there are not: {', '.join(unknown)}; use {', '.join(STEPS)}"
        )
    return Limits(found.version, limits)
