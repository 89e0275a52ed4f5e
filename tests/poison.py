"""Values of GraphQL's types that nothing can hold, each inside of an example of what is expected."""

from collections.abc import Iterator
from typing import Any

import graphql
from asking import example

NUL, HALF = "\x00", "\ud800"
POISON: dict[str, list[Any]] = {
    "String": [NUL, HALF],
    "Int": [2**31 - 1, -(2**31)],
    "Float": [1e308],
    "Date": ["0001-01-01", "9999-12-31"],
    "DateTime": ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "2026-01-01T00:00:00"],
    "Position": [-1, 2**53, 2**64],
    "UUID": [5, HALF],
}
"""Half of a character, and a NUL, are no text of PostgreSQL; the others are at the end of what there is, or beyond it."""


def poisoned(kind: graphql.GraphQLInputType) -> Iterator[Any]:
    """Examples of the type with one value that nothing can hold: each such value, at each place there is."""
    match graphql.get_nullable_type(kind):
        case graphql.GraphQLList(of_type=one):
            for value in poisoned(one):
                yield [value]
        case graphql.GraphQLInputObjectType() as whole:
            for name, field in whole.fields.items():
                for value in poisoned(field.type):
                    yield example(whole) | {name: value}
        case simple:
            yield from POISON.get(getattr(simple, "name", ""), ())


def unsayable(value: Any) -> bool:
    """Whether there is text in `value` that must be refused."""
    match value:
        case dict():
            return any(map(unsayable, value.values()))
        case list():
            return any(map(unsayable, value))
        case _:
            return value in (NUL, HALF)
