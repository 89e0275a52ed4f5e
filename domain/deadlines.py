"""Deadlines: until when something has to be done, by which version of which rule; stored in the event that sets them.

Time limits differ by place, category and urgency. They are configuration with a version (`Limits`); what was computed from them never
changes afterwards.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from domain.errors import InvalidError, RuleError
from domain.lifecycle import Step, require_aware
from domain.working_time import DAY, after_working_time

if TYPE_CHECKING:
    from collections.abc import Iterable


@dataclass(frozen=True, slots=True)
class Deadline:
    """`name` is to be done by `due_at`, as `rule` says. The name is unique within its aggregate, such as `sign:water`."""

    name: str
    due_at: datetime
    rule: str


class Timed(Step):
    """An event after which other deadlines run than before. `deadlines`: all that run now."""

    deadlines: tuple[Deadline, ...]

    def apply(self, aggregate: Any) -> None:
        super().apply(aggregate)
        aggregate.deadlines = self.deadlines


def passed(deadlines: Iterable[Deadline], name: str, at: datetime) -> Deadline | None:
    """The deadline `name` among those that run, if it has passed."""
    return next((one for one in deadlines if one.name == name and one.due_at <= require_aware(at)), None)


def require_end(what: str, at: datetime, end: datetime, longest: timedelta) -> datetime:
    """`end`, if `what` may end then: after `at`, and at most `longest` later. RuleError."""
    if not require_aware(at) < require_aware(end) <= at + longest:
        raise RuleError(f"{what} ends after now and within {longest.days} days, not at {end}")
    return end


def without(deadlines: Iterable[Deadline], *names: str) -> tuple[Deadline, ...]:
    """The deadlines that go on when those called `names` are over."""
    return tuple(one for one in deadlines if one.name not in names)


class Urgency(StrEnum):
    """How soon it has to be dealt with."""

    NORMAL = "NORMAL"  # 一般
    URGENT = "URGENT"  # 紧急
    EMERGENCY = "EMERGENCY"  # 特急


STEPS = ("sign", "handle", "verify")
"""What has a time limit: a unit signs, a unit handles, the centre verifies."""
PARTICULARS = ("category", "urgency", "township")


class Clock(StrEnum):
    """What passes: every hour, or office hours of working days only."""

    WALL = "WALL"  # 自然时
    WORKING = "WORKING"  # 工作时


@dataclass(frozen=True, slots=True)
class Limit:
    """How long `step` may take. `days` are calendar days or working days, `hours` hours or working hours, as `clock` says.

    None stands for any category, urgency or township; of the limits that fit, the one that names most of them counts.
    """

    step: str
    clock: Clock
    days: int = 0
    hours: int = 0
    category: str | None = None
    urgency: Urgency | None = None
    township: str | None = None

    @property
    def particular(self) -> int:
        """How much it names."""
        return sum(getattr(self, name) is not None for name in PARTICULARS)

    def after(self, start: datetime) -> datetime:
        """When it is over, if it begins at `start`."""
        match self.clock:
            case Clock.WALL:
                return start + timedelta(days=self.days, hours=self.hours)
            case Clock.WORKING:
                return after_working_time(start, self.days * DAY + timedelta(hours=self.hours))


@dataclass(frozen=True, slots=True)
class Limits:
    """All time limits in force. `version` is written into every deadline that is computed from them."""

    version: str
    limits: tuple[Limit, ...]

    def __post_init__(self) -> None:
        for limit in self.limits:
            if limit.days < 0 or limit.hours < 0 or not limit.days + limit.hours:
                raise InvalidError(f"time limits {self.version}: {limit.step} must take some days or hours")

    @property
    def rule(self) -> str:
        """What a deadline says that was computed from them."""
        return f"limits-{self.version}"

    def deadline(
        self, step: str, start: datetime, *, category: str, urgency: Urgency, township: str, of: str = ""
    ) -> Deadline:
        """The deadline of `step` that begins at `start`; it is called `step`, or `step:of`. InvalidError if no limit fits."""
        limit = self.limit(step, category=category, urgency=urgency, township=township)
        return Deadline(f"{step}:{of}" if of else step, limit.after(start), self.rule)

    def limit(self, step: str, *, category: str, urgency: Urgency, township: str) -> Limit:
        """The limit of `step` that fits best; InvalidError if none does."""
        fits = [
            limit
            for limit in self.limits
            if limit.step == step
            and limit.category in (None, category)
            and limit.urgency in (None, urgency)
            and limit.township in (None, township)
        ]
        if not fits:
            raise InvalidError(
                f"time limits {self.version} say nothing of {step!r} for {category} in {township}"
            )
        return max(fits, key=lambda one: one.particular)


DEFAULT_LIMITS = Limits(
    "2026-1",
    (
        Limit("sign", Clock.WORKING, hours=4),
        Limit("sign", Clock.WORKING, hours=2, urgency=Urgency.URGENT),
        Limit("sign", Clock.WALL, hours=1, urgency=Urgency.EMERGENCY),
        Limit("handle", Clock.WORKING, days=5),
        Limit("handle", Clock.WORKING, days=2, urgency=Urgency.URGENT),
        Limit("handle", Clock.WALL, hours=24, urgency=Urgency.EMERGENCY),
        Limit("verify", Clock.WORKING, days=2),
    ),
)
"""Made up, as every place sets its own; ANJU_LIMITS names a file with others."""
