"""What is asked of the lists, from the address: everything may be left out, and empty is left out. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from api.open311.city import City
from domain.errors import InvalidError

SPAN = timedelta(days=90)
MOST = 1000
"""Requests in one answer."""
DEEPEST = 100_000
"""How far one can page: beyond it, ask for fewer days."""
_SECOND = timedelta(seconds=1)
STATUSES = {"open": True, "closed": False}

Query = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Page:
    """The part of a list that is wanted."""

    first: int
    skip: int


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which requests are asked for. since: inclusive; until: exclusive; opened: None is open and closed ones."""

    categories: Sequence[str]
    ids: Sequence[UUID] | None = None
    since: datetime | None = None
    until: datetime | None = None
    opened: bool | None = None


def wanted(query: Query, city: City, now: datetime) -> Wanted:
    """What GET requests asks for; ids override everything else."""
    public = [service.code for service in city.service]
    if (ids := ids_of(query)) is not None:
        return Wanted(public, ids)
    categories = [city.service_of(code).code for code in several(query, "service_code") or public]
    since, until = span(query, now)
    return Wanted(categories, None, since, until, opened(query))


def several(query: Query, name: str) -> list[str] | None:
    """The words of a list with commas; None if there is none."""
    words = [word.strip() for word in query.get(name, "").split(",")]
    return [word for word in words if word] or None


def ids_of(query: Query) -> list[UUID] | None:
    """The requests that are asked for by id; what can be no id is nobody's, as an unknown one is."""
    words = several(query, "service_request_id")
    if words is None:
        return None
    if len(words) > MOST:
        raise InvalidError(f"service_request_id names {len(words)} requests: at most {MOST} are accepted")
    return [found for word in words if (found := id_of(word))]


def id_of(word: str) -> UUID | None:
    """The id that `word` writes."""
    try:
        return UUID(word)
    except ValueError:
        return None


def opened(query: Query) -> bool | None:
    """Whether open or closed ones are asked for; None: both."""
    words = set(several(query, "status") or STATUSES)
    if unknown := sorted(words - STATUSES.keys()):
        raise InvalidError(f"status {unknown[0]!r:.80} is not accepted: open and closed are")
    return None if len(words) == len(STATUSES) else STATUSES[words.pop()]


def span(query: Query, now: datetime) -> tuple[datetime, datetime]:
    """From when (inclusive) and until when (exclusive): the last 90 days, or 90 days from the start or to the end that is given."""
    start, end = _moment(query, "start_date"), _moment(query, "end_date")
    try:
        if start is None:
            start = (end or now) - SPAN
        elif end is None:
            end = start + SPAN
        # What is shown is rounded down to a second: who asks until a time that they were shown means all of that second.
        until = (end or now) + _SECOND
    except OverflowError as error:
        raise InvalidError("start_date and end_date are too far from our time") from error
    if start >= until:
        raise InvalidError("end_date is before start_date")
    if until - start > SPAN + _SECOND:
        raise InvalidError(
            f"start_date and end_date are more than {SPAN.days} days apart: ask for fewer at a time"
        )
    return start, until


def page(query: Query) -> Page:
    """The page that is asked for; the first, of as many as there may be, if none is."""
    size = _number(query, "page_size", MOST, MOST)
    return Page(size, (_number(query, "page", 1, DEEPEST // size) - 1) * size)


def _number(query: Query, name: str, default: int, most: int) -> int:
    word = query.get(name, "").strip() or str(default)
    try:
        number = int(word)
    except ValueError:
        number = 0
    if not 1 <= number <= most:
        raise InvalidError(f"{name} {word!r:.80} is not accepted: a number from 1 to {most} is")
    return number


def _moment(query: Query, name: str) -> datetime | None:
    word = query.get(name, "").strip().replace(" ", "+")  # a + that was not escaped
    if not word:
        return None
    try:
        at = datetime.fromisoformat(word)
    except ValueError:
        at = None
    if at is None or at.tzinfo is None:
        raise InvalidError(
            f"{name} {word!r:.80} is not accepted: write it with its time zone, as 2026-03-01T00:00:00Z"
        )
    return at
