"""What is asked of the figures of closure, and the moments that follow from it."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import NamedTuple
from uuid import UUID

import asyncpg

from domain.errors import InvalidError
from domain.lifecycle import YEARS
from domain.people import CITY, Scope
from projections.period import Period, midnight

NEVER = datetime(9999, 1, 1, tzinfo=UTC)
"""Later than anything happens: as of then, everything counts."""
_DAY = timedelta(days=1)
_MOMENT = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What is counted: a period, as of the end of a day (None: everything counts), inside `scope`; None is any.

    now: of the asker. InvalidError for days of years in which nothing can have happened.
    """

    period: Period
    now: datetime
    scope: Scope = CITY
    township: str | None = None
    site_id: UUID | None = None
    category: str | None = None
    unit: str | None = None
    mechanism: str | None = None
    as_of: date | None = None

    def __post_init__(self) -> None:
        for day in (self.period.start, self.period.end, self.as_of):
            if day is not None and day.year not in YEARS:
                raise InvalidError(f"{day} is not of the years {YEARS.start} to {YEARS.stop - 1}")

    @property
    def until(self) -> datetime:
        """What was done before this counts."""
        return NEVER if self.as_of is None else midnight(self.as_of + _DAY)

    def filters(self) -> dict[str, object]:
        """The parameters that every query has."""
        return {
            "scope_township": self.scope.township,
            "scope_site": self.scope.site_id,
            "township": self.township,
            "site_id": self.site_id,
            "category": self.category,
            "unit": self.unit,
            "mechanism": self.mechanism,
            "until": self.until,
            "latest": self.as_of is None,
            "start": midnight(self.period.start),
            "end": self.period.over,
        }


class Cut(NamedTuple):
    """The cut-off of a bucket; what was done before `done` was done by then."""

    bucket: int
    at: datetime
    done: datetime


def cuts(question: Question, buckets: Sequence[Period]) -> list[Cut]:
    """The cut-off of each: the end of the bucket, or of the as-of day, or now, whichever is first."""
    ends = [min(period.over, question.until) for period in buckets]
    return [
        Cut(bucket, end, end) if end <= question.now else Cut(bucket, question.now, question.now + _MOMENT)
        for bucket, end in enumerate(ends, 1)
    ]


@asynccontextmanager
async def snapshot(connection: asyncpg.Connection) -> AsyncIterator[None]:
    """Everything that is read inside was counted at one position of the log."""
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        yield
