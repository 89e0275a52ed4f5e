"""What the public says with a report beside its description: where exactly, a picture's address, answers to the service's questions."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

from domain.errors import InvalidError
from domain.lifecycle import require_text

LONGEST_ADDRESS = 2000


@dataclass(frozen=True, slots=True)
class Answer:
    """What was answered to one question; several values where several were to be chosen."""

    code: str
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Details:
    """place: finer than the site, in words. latitude, longitude: WGS 84 degrees, both or neither. media_url: never fetched by us."""

    place: str | None = None
    latitude: float | None = None
    longitude: float | None = None
    media_url: str | None = None
    answers: tuple[Answer, ...] = ()


def require_details(details: Details) -> Details:
    """`details`, trimmed, if they can be what they say; InvalidError."""
    if (details.latitude is None) != (details.longitude is None):
        raise InvalidError("a position has a latitude and a longitude: give both, or neither")
    for name, value, most in (("latitude", details.latitude, 90), ("longitude", details.longitude, 180)):
        if value is not None and not -most <= value <= most:  # NaN is not between them either
            raise InvalidError(f"{name} {value} is not accepted: WGS 84 degrees from -{most} to {most} are")
    return Details(
        place=None if details.place is None else require_text(details.place, "place", 200),
        latitude=details.latitude,
        longitude=details.longitude,
        media_url=None if details.media_url is None else _require_address(details.media_url),
        answers=tuple(
            Answer(answer.code, tuple(require_text(value, answer.code) for value in answer.values))
            for answer in details.answers
        ),
    )


def _require_address(url: str) -> str:
    address = require_text(url, "media_url", LONGEST_ADDRESS)
    try:
        parts = urlsplit(address)
        found = parts.scheme in {"http", "https"} and parts.hostname and address.isprintable()
    except ValueError:
        found = None
    if not found or " " in address:
        raise InvalidError("media_url is no address of the web: write it as https://host/path")
    return address
