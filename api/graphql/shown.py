"""What is shown of a thing: the fields of a GraphQL type, each from where it is called the same."""

from collections.abc import Callable
from dataclasses import fields
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
    wanted = [field.name for field in fields(cast("Any", kind)) if field.init and field.name not in others]
    return kind(**{name: value(name) for name in wanted}, **others)
