"""What was answered to a service's questions: each against its kind. Pure."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from math import isfinite

from api.open311.city import LISTS, Attribute, Datatype, Service
from domain.details import Answer
from domain.errors import InvalidError

LONGEST_STRING = 200
LONGEST_TEXT = 2000


def answers_to(service: Service, given: Mapping[str, Sequence[str]]) -> tuple[Answer, ...]:
    """The answers, in the order of the questions; InvalidError names the first that is wrong, missing or not asked."""
    asked = {one.code: one for one in service.attribute if one.asked}
    if unknown := sorted(given.keys() - asked.keys()):
        known = ", ".join(asked) or "none"
        raise InvalidError(f"attribute[{unknown[0]:.80}] is not asked for {service.code}; asked are: {known}")
    for attribute in asked.values():
        if attribute.required and attribute.code not in given:
            raise InvalidError(f"attribute[{attribute.code}] was not provided: {service.code} requires it")
    return tuple(
        Answer(code, tuple(_answers(attribute, given[code])))
        for code, attribute in asked.items()
        if code in given
    )


def _answers(attribute: Attribute, given: Sequence[str]) -> Sequence[str]:
    if len(given) > 1 and attribute.datatype is not Datatype.MULTI:
        raise InvalidError(f"attribute[{attribute.code}] was given {len(given)} times: it has one value")
    for value in given:
        if not _fits(attribute, value):
            raise InvalidError(
                f"attribute[{attribute.code}] {value!r:.80} is not accepted: {_wanted(attribute)}"
            )
    return list(dict.fromkeys(given))


def _fits(attribute: Attribute, value: str) -> bool:
    try:
        match attribute.datatype:
            case Datatype.NUMBER:
                return isfinite(float(value))
            case Datatype.DATETIME:
                return datetime.fromisoformat(value).tzinfo is not None
            case Datatype.STRING:
                return len(value) <= LONGEST_STRING and len(value.splitlines()) == 1
            case Datatype.TEXT:
                return len(value) <= LONGEST_TEXT
            case _:
                return value in {one.key for one in attribute.values}
    except ValueError:
        return False


def _wanted(attribute: Attribute) -> str:
    if attribute.datatype in LISTS:
        return f"one of {', '.join(one.key for one in attribute.values)}"
    return {
        Datatype.NUMBER: "a number",
        Datatype.DATETIME: "an ISO 8601 date and time with its zone, such as 2026-03-01T08:00:00+08:00",
        Datatype.STRING: f"one line of at most {LONGEST_STRING} characters",
        Datatype.TEXT: f"at most {LONGEST_TEXT} characters",
    }[attribute.datatype]
