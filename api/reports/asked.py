"""What a report is asked for, from the command line or over HTTP."""

from collections.abc import Iterable
from dataclasses import dataclass, fields
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID

from domain.errors import InvalidError
from domain.lifecycle import YEARS
from domain.observation import require_code
from domain.people import CITY, Scope
from domain.site import site_id
from projections.period import Grain, Period, midnight


class Name(StrEnum):
    """The reports there are."""

    CLOSURE = "closure"
    SAFETY = "safety"
    MEDIATION = "mediation"
    GATES = "gates"


@dataclass(frozen=True, slots=True, kw_only=True)
class Where:
    """Only this part of the whole; everything by its code, None is any."""

    township: str | None = None
    site: str | None = None
    category: str | None = None
    unit: str | None = None
    mechanism: str | None = None

    def __post_init__(self) -> None:
        for name, code in self.given().items():
            if name != "mechanism":
                require_code(code, name)

    def given(self) -> dict[str, str]:
        """What is not any."""
        values = ((field.name, getattr(self, field.name)) for field in fields(self))
        return {name: value for name, value in values if value is not None}

    @property
    def site_id(self) -> UUID | None:
        """The id of the site."""
        return None if self.site is None else site_id(self.site)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A report of `period` as of a day, as `scope` may see it. by, group: a table by stretches of time, by parts, or by both."""

    name: Name
    period: Period
    now: datetime
    scope: Scope = CITY
    where: Where = Where()
    as_of: date | None = None
    by: Grain | None = None
    group: str | None = None

    @property
    def ends(self) -> datetime:
        """After this, nothing counts: the period is over, or the as-of day."""
        ends = [self.period.over] + ([] if self.as_of is None else [midnight(self.as_of + timedelta(days=1))])
        return min(ends)

    def place(self) -> dict[str, Any]:
        """What every question about figures has."""
        return {
            "period": self.period,
            "now": self.now,
            "scope": self.scope,
            "township": self.where.township,
            "site_id": self.where.site_id,
            "as_of": self.as_of,
        }

    def require_known(self, narrows: frozenset[str], groups: type[StrEnum]) -> None:
        """InvalidError if something is asked of this report that it does not know."""
        for day in (self.period.start, self.period.end, self.as_of):
            if day is not None and day.year not in YEARS:
                raise InvalidError(f"{day} is not in the years {YEARS.start} to {YEARS.stop - 1}")
        for name in self.where.given():
            if name not in narrows:
                raise InvalidError(
                    f"the report {self.name} knows no {name}; it can be narrowed by {_listed(narrows)}"
                )
        if self.group is not None and self.group not in list(groups):
            raise InvalidError(
                f"the report {self.name} is not grouped by {self.group}, but by one of {_listed(groups)}"
            )


def _listed(names: Iterable[str]) -> str:
    return ", ".join(sorted(names))
