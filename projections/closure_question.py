"""What is asked of the figures of closure, and the moments that follow from it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from projections.period import Period
from projections.question import Question as _Question

NEVER = datetime(9999, 1, 1, tzinfo=UTC)
"""Later than anything happens: as of then, everything counts."""
_MOMENT = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Question(_Question):
    """As of places, and of incidents of a category, a unit or a joint mechanism; None is any."""

    category: str | None = None
    unit: str | None = None
    mechanism: str | None = None

    def filters(self) -> dict[str, object]:
        """The parameters that every query has."""
        return self.values() | {
            "end": self.period.over,
            "until": self.until or NEVER,
            "latest": self.as_of is None,
            "category": self.category,
            "unit": self.unit,
            "mechanism": self.mechanism,
        }


class Cut(NamedTuple):
    """The cut-off of a bucket; what was done before `done` was done by then."""

    bucket: int
    at: datetime
    done: datetime


def cuts(question: Question, buckets: Sequence[Period]) -> list[Cut]:
    """The cut-off of each: the end of the bucket, or of the as-of day, or now, whichever is first."""
    ends = [min(period.over, question.until or NEVER) for period in buckets]
    return [
        Cut(bucket, end, end) if end <= question.now else Cut(bucket, question.now, question.now + _MOMENT)
        for bucket, end in enumerate(ends, 1)
    ]
