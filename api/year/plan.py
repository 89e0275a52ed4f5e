"""The plan of the story's year: how many incidents on which day, of which kind, where, and how each of them ends. Pure, and always the same."""

import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import Enum, auto
from itertools import accumulate, pairwise
from math import exp
from pathlib import Path
from random import Random
from typing import Any
from uuid import UUID

import msgspec

from api.scenario import Scenario
from domain.deadlines import Urgency
from domain.incident import Source
from domain.working_time import ZONE, is_working_day

FILE = Path(__file__).parents[1] / "scenarios" / "year.toml"
CRIMINAL = "criminal-case"
RUNJINYUAN = "runjinyuan"
"""润锦苑, whose criminal cases the story counts."""
LONG = 12
"""Months of a category that names none: every one alike."""


class Category(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A kind of incident; see year.toml."""

    code: str
    unit: str
    weight: float
    on_the_spot: float
    texts: tuple[str, ...]
    months: tuple[float, ...] = (1.0,) * LONG

    def weight_in(self, month: int) -> float:
        """How many of them there are on a day of the month (1 to 12), beside other categories."""
        return self.weight * self.months[month - 1] * LONG / sum(self.months)


class Ending(Enum):
    """Where an incident of the plan ends."""

    CLOSED = auto()
    OPEN = auto()
    REJECTED = auto()


@dataclass(frozen=True, slots=True)
class Case:
    """One made-up incident before it begins. request: under which it goes into the log. duplicate: the id of a second report of the same
    matter, merged into this one.
    """

    id: UUID
    request: UUID
    site: str
    category: Category
    urgency: Urgency
    source: Source
    description: str
    reported_at: datetime
    ending: Ending
    duplicate: UUID | None = None


@dataclass(frozen=True, slots=True)
class Day:
    """How many are reported on a day, of them open for good; and those rejected, and merged, which come on top."""

    date: date
    reported: int
    open: int
    rejected: int
    merged: int


@dataclass(frozen=True, slots=True)
class Chapter:
    """A part of the year, which goes into the log in one transaction."""

    name: str
    cases: Sequence[Case]


@dataclass(frozen=True, slots=True)
class Place:
    """A site: its name, township, and how many households were counted. made_up: the story does not know it."""

    code: str
    name: str
    township: str
    households: int
    made_up: bool


@dataclass(frozen=True, slots=True)
class Year:
    """`reported` incidents, of which `open` are never closed; what is known of them stands in `facts` (ruian.toml) and `made_up` (year.toml)."""

    reported: int
    open: int
    places: Sequence[Place]
    facts: dict[str, Any]
    made_up: dict[str, Any]
    categories: Sequence[Category]

    @property
    def closed(self) -> int:
        """Reported, and closed in the end."""
        return self.reported - self.open

    @property
    def rejected(self) -> int:
        """How many are rejected, beside those that are reported."""
        return round(self.reported * float(self.made_up["rejected"]))

    @property
    def merged(self) -> int:
        """How many are merged into one that is reported, beside those."""
        return round(self.reported * float(self.made_up["merged"]))

    @property
    def cases(self) -> int:
        """All that the chapters tell of, but for those merged."""
        return self.reported + self.rejected + sum(self.criminal_cases.values())

    @property
    def criminal_cases(self) -> dict[int, int]:
        """The criminal cases of 润锦苑 before the year."""
        (site,) = (site for site in self.facts["site"] if "criminal_cases" in site)
        told = site["criminal_cases"]
        return {2016: told["2016"], 2017: told["2017_to_2018"]}

    def chapters(self, part: int = 0, of: int = 1) -> Iterator[Chapter]:
        """Each made when it is asked for, and in need of no other: the `part`-th one of the first `of` of them, and so on."""
        parts: list[Day | tuple[int, int]] = [*self.criminal_cases.items(), *self.days()]
        for told in parts[part::of]:
            match told:
                case Day():
                    yield Chapter(told.date.isoformat(), self._reported(told))
                case (year, cases):
                    yield Chapter(str(year), self._earlier(year, cases))

    def days(self) -> list[Day]:
        """Every day of the story's months; the numbers add up to those of the year."""
        start, end = map(date.fromisoformat, self.facts["platform"]["period"])
        calendar = self.made_up["calendar"]
        dates = [start + timedelta(days=number) for number in range((end - start).days + 1)]
        weights = [
            sum(category.weight_in(one.month) for category in self.categories)
            * (1.0 if is_working_day(one) else calendar["day_off"])
            for one in dates
        ]
        recent = [
            weight * exp((one - end).days / calendar["open_days"])
            for one, weight in zip(dates, weights, strict=True)
        ]
        parts = (
            spread(self.reported, weights),
            spread(self.open, recent),
            spread(self.rejected, weights),
            spread(self.merged, weights),
        )
        return [Day(*numbers) for numbers in zip(dates, *parts, strict=True)]

    def _reported(self, day: Day) -> list[Case]:
        random = self._random(day.date.isoformat())
        total = day.reported + day.rejected
        chosen = random.sample(range(total), day.open + day.rejected)
        endings = dict.fromkeys(chosen[: day.open], Ending.OPEN) | dict.fromkeys(
            chosen[day.open :], Ending.REJECTED
        )
        closing = [number for number in range(total) if number not in endings]
        doubled = set(random.sample(closing, day.merged))
        moments = sorted(self._moment(random, day.date) for _ in range(total))
        places = random.choices(self.places, [place.households for place in self.places], k=total)
        kinds = random.choices(
            self.categories, [category.weight_in(day.date.month) for category in self.categories], k=total
        )
        return [
            self._case(
                random,
                kinds[number],
                places[number].code,
                moments[number],
                endings.get(number, Ending.CLOSED),
                doubled=number in doubled,
            )
            for number in range(total)
        ]

    def _earlier(self, year: int, cases: int) -> list[Case]:
        random = self._random(str(year))
        (category,) = (category for category in self.categories if category.code == CRIMINAL)
        days = sorted(random.randrange(365) for _ in range(cases))
        moments = [self._moment(random, date(year, 1, 1) + timedelta(days=day)) for day in days]
        return [self._case(random, category, RUNJINYUAN, moment, Ending.CLOSED) for moment in moments]

    def _case(
        self,
        random: Random,
        category: Category,
        site: str,
        reported_at: datetime,
        ending: Ending,
        *,
        doubled: bool = False,
    ) -> Case:
        return Case(
            id=new_id(random),
            request=new_id(random),
            site=site,
            category=category,
            urgency=self._urgency(random),
            source=random.choice(SOURCES),
            description=f"{random.choice(category.texts)}（模拟 synthetic）",
            reported_at=reported_at,
            ending=ending,
            duplicate=new_id(random) if doubled else None,
        )

    def _urgency(self, random: Random) -> Urgency:
        shares, drawn = self.made_up["shares"], random.random()
        if drawn < shares["emergency"]:
            return Urgency.EMERGENCY
        return Urgency.URGENT if drawn < shares["emergency"] + shares["urgent"] else Urgency.NORMAL

    def _moment(self, random: Random, day: date) -> datetime:
        (hour,) = random.choices(range(24), self.made_up["calendar"]["hours"])
        return midnight(day) + timedelta(hours=hour, seconds=int(3600 * random.random()))

    def _random(self, chapter: str) -> Random:
        """Of a chapter of this very year: another number of incidents is another year, with other ids."""
        return Random(f"{self.made_up['seed']}:{self.reported}:{chapter}")  # noqa: S311  (a repeatable story, not a secret)


SOURCES = (Source.GRID_WORKER,) * 6 + (Source.CITIZEN,) * 3 + (Source.HOTLINE,) * 2 + (Source.OPEN311,)
"""Who reports, as often as they stand here."""


def midnight(day: date) -> datetime:
    """When the day begins in Rui'an, in UTC."""
    return datetime.combine(day, time(), ZONE).astimezone(UTC)


def new_id(random: Random) -> UUID:
    """A UUID that follows from the seed."""
    return UUID(int=random.getrandbits(128), version=4)


def spread(total: int, weights: Sequence[float]) -> list[int]:
    """`total` in whole parts, each as near to its weight as those before it allow; they add up."""
    whole = sum(weights)
    ends = [0, *(round(total * part / whole) for part in accumulate(weights))]
    return [after - before for before, after in pairwise(ends)]


def plan_year(scenario: Scenario, *, part: int = 1, seed: int | None = None) -> Year:
    """The story's year, but for the sample that the scenario tells of it already; or a `part`-th of it, with the same shares."""
    made_up = tomllib.loads(FILE.read_text(encoding="utf-8"))
    told, sample = scenario.facts["platform"], scenario.synthetic["sample"]
    return Year(
        reported=(told["reported"] - sample["reported"]) // part,
        open=-(-(told["reported"] - told["closed"] - sample["open"]) // part),
        places=_places(scenario, made_up),
        facts=scenario.facts,
        made_up=made_up if seed is None else {**made_up, "seed": seed},
        categories=msgspec.convert(made_up["category"], tuple[Category, ...]),
    )


def _places(scenario: Scenario, made_up: dict[str, Any]) -> tuple[Place, ...]:
    """The sites of the story, and a made-up one in each township for all that lies outside them."""
    random = Random(made_up["seed"])  # noqa: S311  (a repeatable story, not a secret)
    told = (
        Place(code, name, township, random.randrange(*made_up["households"]["range"]), made_up=False)
        for code, (name, township) in scenario.sites.items()
    )
    rest = (
        Place(f"rest-of-{code}", f"{name}其余（模拟 synthetic）", code, households, made_up=True)
        for code, (name, households) in made_up["townships"].items()
    )
    return (*told, *rest)
