"""What a figure is asked for: a period, a place, and what was known when; docs/figures.md says what each of them means."""

from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Self
from uuid import UUID

from domain.errors import InvalidError
from domain.people import CITY, Scope
from projections.inside import inside
from projections.period import Period, midnight

CALENDAR = range(1000, 9999)
"""The years that can be asked about: every day of them has a midnight and a neighbour, in any time zone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """`scope` is where the asker may look, `township` and `site_id` what they ask for; None is any.

    now: the clock, of which no figure here depends but by its cut-off. as_of: only what was done by the end of this day counts.
    at_position: only what the log knew at this position; it is asked inside `at_position.then`.
    """

    period: Period
    now: datetime
    scope: Scope = CITY
    township: str | None = None
    site_id: UUID | None = None
    as_of: date | None = None
    at_position: int | None = None

    def __post_init__(self) -> None:
        if self.as_of is not None and self.at_position is not None:
            raise InvalidError("asOf and atPosition are both given: one of them says which moment is meant")
        for day in (self.period.start, self.period.end, self.as_of):
            if day is not None and day.year not in CALENDAR:
                raise InvalidError(f"{day} is not of the years {CALENDAR.start} to {CALENDAR.stop - 1}")

    @property
    def until(self) -> datetime | None:
        """What was done at this moment or after it does not count; None if everything does."""
        return None if self.as_of is None else midnight(self.as_of + timedelta(days=1))

    @property
    def cut_off(self) -> datetime:
        """The end of the period, or of the as-of day, or now, whichever comes first."""
        return min(self.period.over, self.now, self.until or self.now)

    def during(self, period: Period) -> Self:
        """The same question about another period."""
        return replace(self, period=period)

    def values(self) -> dict[str, object]:
        """The question as the parameters of queries."""
        return {
            "start": midnight(self.period.start),
            "over": self.period.over,
            "until": self.until,
            **inside(self.scope),
            "township": self.township,
            "site_id": self.site_id,
        }
