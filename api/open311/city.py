"""What this place offers the public, from a file: jurisdictions, services and their questions, where the sites lie. See city.toml."""

import tomllib
from collections.abc import Iterable
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from domain.errors import InvalidError, NotFoundError
from domain.observation import require_code

OURS = Path(__file__).with_name("city.toml")
"""That of the demonstration."""


class Datatype(StrEnum):
    """What is answered to a question."""

    STRING = "string"
    NUMBER = "number"
    DATETIME = "datetime"
    TEXT = "text"
    SINGLE = "singlevaluelist"
    MULTI = "multivaluelist"


LISTS = (Datatype.SINGLE, Datatype.MULTI)


class _Table(msgspec.Struct, forbid_unknown_fields=True):
    """In which a misspelt word is an error."""


class Value(_Table):
    """What can be chosen: its key, and what a person reads."""

    key: str
    name: str


class Attribute(_Table):
    """A question of a service. hint: how to answer. asked: false if `description` only tells something."""

    code: str
    datatype: Datatype
    description: str
    required: bool = False
    hint: str | None = None
    asked: bool = True
    values: tuple[Value, ...] = ()


class Service(_Table):
    """What can be reported; `code` is the incident's category. notice: what happens after a report."""

    code: str
    name: str
    description: str
    group: str
    keywords: tuple[str, ...] = ()
    notice: str | None = None
    attribute: tuple[Attribute, ...] = ()


class Jurisdiction(_Table):
    """Whom it is for: the city, or one township (its code)."""

    id: str
    township: str | None = None
    zipcode: str | None = None


class Place(_Table):
    """Where a site (its code) lies, in WGS 84 degrees."""

    site: str
    latitude: Annotated[float, Meta(ge=-90, le=90)]
    longitude: Annotated[float, Meta(ge=-180, le=180)]


class City(_Table):
    """The whole file. url: where we are reached, if requests do not say it truly. reach: metres from a site that count as in it."""

    changeset: str
    contact: str
    key_service: str
    jurisdiction: Annotated[tuple[Jurisdiction, ...], Meta(min_length=1)]
    service: Annotated[tuple[Service, ...], Meta(min_length=1)]
    place: tuple[Place, ...] = ()
    reach: Annotated[int, Meta(ge=1)] = 1000
    kind: Literal["production", "test"] = "production"
    url: str | None = None

    def jurisdiction_of(self, given: str | None) -> Jurisdiction:
        """The one with this id; the only one there is if none is given."""
        known = ", ".join(one.id for one in self.jurisdiction)
        if given is None:
            if len(self.jurisdiction) > 1:
                raise InvalidError(f"jurisdiction_id was not provided; it is one of {known}")
            return self.jurisdiction[0]
        for one in self.jurisdiction:
            if one.id == given:
                return one
        raise NotFoundError(f"jurisdiction_id {given!r:.80} was not found; there are: {known}")

    def service_of(self, code: str) -> Service:
        """The service with this code; NotFoundError names those there are."""
        for one in self.service:
            if one.code == code:
                return one
        known = ", ".join(one.code for one in self.service)
        raise NotFoundError(f"service_code {code!r:.80} was not found; there are: {known}")


def read_city(path: Path) -> City:
    """The city in the file; InvalidError says what is wrong with it."""
    try:
        city = msgspec.convert(tomllib.loads(path.read_text(encoding="utf-8")), City)
        _require_codes("jurisdiction", (one.id for one in city.jurisdiction))
        _require_codes("service", (require_code(one.code, "service") for one in city.service))
        _require_codes("place", (require_code(one.site, "site") for one in city.place))
        for service in city.service:
            _require_codes(f"attribute of {service.code}", (one.code for one in service.attribute))
            for attribute in service.attribute:
                _require_values(attribute)
    except (OSError, ValueError, InvalidError) as error:  # TOML, its encoding and its types raise ValueErrors
        raise InvalidError(f"the services in {path} cannot be used: {error}") from error
    return city


def _require_codes(what: str, codes: Iterable[str]) -> None:
    seen: set[str] = set()
    for code in codes:
        if code in seen:
            raise InvalidError(f"the {what} {code!r} stands there twice")
        seen.add(code)


def _require_values(attribute: Attribute) -> None:
    if bool(attribute.values) != (attribute.datatype in LISTS):
        raise InvalidError(
            f"the attribute {attribute.code!r} is a {attribute.datatype}: lists have values, and nothing else has"
        )
    _require_codes(f"value of {attribute.code}", (one.key for one in attribute.values))
