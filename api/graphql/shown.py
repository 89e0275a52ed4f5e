"""What is shown of a thing: the fields of a GraphQL type, each from where it is called the same."""

from collections.abc import Callable
from dataclasses import fields
from functools import cache
from typing import Any, TypeVar, cast

T = TypeVar("T")


def shown(kind: type[T], row: Any, **others: Any) -> T:
    """`kind` made of the columns of `row` that are called as its fields; `others` are the fields that are not."""
    return _made(kind, row.__getitem__, others)


def copied(kind: type[T], it: object, **others: Any) -> T:
    """The same of the attributes of `it`, whose tuples are lists here."""

    def value(name: str) -> Any:
        found = getattr(it, name)
        return list(found) if isinstance(found, tuple) else found

    return _made(kind, value, others)


def _made(kind: type[T], value: Callable[[str], Any], others: dict[str, Any]) -> T:
    return kind(**{name: value(name) for name in _given(cast("Any", kind)) if name not in others}, **others)


@cache
def _given(kind: Any) -> list[str]:
    """The fields that are given when one is made."""
    return [field.name for field in fields(kind) if field.init]
