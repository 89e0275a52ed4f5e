"""Columns: a field that can be answered for all rows of a list at once, made out before the first row is looked at.

graphql-core asks for each field of each row on its own: its path, an info for its resolver, the resolver, its value by its type. Most
fields need none of that: they are attributes, or are read for all rows together (`together.py`). A column is such a field with
everything under it: it takes the attribute of all rows, and the values go to their form in the answer together, inside lists and objects
as outside. What is not plainly of its type is not looked into here: it raises `Unusual`, and graphql-core itself finds out what it is.
"""

from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from enum import Enum
from functools import cache
from itertools import chain, islice
from operator import attrgetter
from types import GeneratorType, NoneType
from typing import Any, cast
from uuid import UUID

from graphql import (
    Executor,
    GraphQLBoolean,
    GraphQLField,
    GraphQLLeafType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLOutputType,
    GraphQLScalarType,
    GraphQLString,
    TypeNameMetaFieldDef,
    is_leaf_type,
)
from graphql.execution.collect_fields import FieldDetailsList
from graphql.pyutils import gather_with_cancel
from strawberry.schema.schema_converter import GraphQLCoreConverter
from strawberry.types.field import StrawberryField
from strawberry.types.fields.resolver import StrawberryResolver

MANY = "many"
"""Under this name the metadata of a Strawberry field have the function that reads it for all rows; `together` puts it there."""

Values = list[Any]
Step = Callable[[Any, Values], Coroutine[Any, Any, Values]]
"""Is given the context and the values of all rows; gives as many, in the same order."""

Single = Callable[[Any], Any]
"""Is given one row, or one value."""

_ATOMS = frozenset({str, int, float, bool, UUID, datetime, date, time})
"""Types of which a value is nothing but a value: no error, nothing to wait for."""
_AS_IT_IS: dict[GraphQLScalarType, type] = {GraphQLString: str, GraphQLBoolean: bool}
"""Scalars with the type whose values they show as they are."""


class Unusual(Exception):  # noqa: N818 - it is no error: the library can tell
    """A value is not plainly what its type says."""


@dataclass(frozen=True, slots=True)
class Column:
    """complete: from the rows to the values in the answer; waits: whether anything is asked for, so that it has to be awaited.

    alone: the same for one row, where a field is a leaf: an object that is no row of a list has no others to share the work with.
    """

    complete: Step
    waits: bool
    alone: Single | None = None


def column(executor: Executor[Any], parent: GraphQLObjectType, details: FieldDetailsList) -> Column | None:
    """The field of `parent` as a column; None if it, or anything under it, has to be resolved row by row."""
    node = details[0].node
    field = executor.schema.get_field(parent, node.name.value)
    if field is None or any(_is_special(one) for one in details):
        return None
    if parent is executor.schema.mutation_type:  # what is done is done once
        return None
    if parent is executor.schema.subscription_type and field is not TypeNameMetaFieldDef:
        # its arguments chose the events, each of which is the value
        source: Column | None = Column(_each(lambda events: events), waits=False)
    elif field.args or node.arguments:
        source = None
    else:
        source = _source(parent, field)
    below = None if source is None else _completion(executor, field.type, details)
    if source is None or below is None:
        return None
    read, completed = source.complete, below.complete

    async def complete(context: Any, rows: Values) -> Values:
        return await completed(context, await read(context, rows))

    return Column(complete, source.waits or below.waits, _after(source.alone, below.alone))


def _after(read: Single | None, completed: Single | None) -> Single | None:
    return None if read is None or completed is None else lambda row: completed(read(row))


def _is_special(details: Any) -> bool:
    """@defer, @stream and variables of fragments: graphql-core's own matter."""
    directives = details.node.directives or ()
    own = details.defer_usage is not None or details.fragment_variable_values is not None
    return own or any(one.name.value == "stream" for one in directives)


def _source(parent: GraphQLObjectType, field: GraphQLField) -> Column | None:
    """Where the values come from."""
    if field is TypeNameMetaFieldDef:
        return Column(_each(lambda rows: [parent.name] * len(rows)), False, lambda _row: parent.name)
    known = field.extensions.get(GraphQLCoreConverter.DEFINITION_BACKREF)
    if type(known) is not StrawberryField or known.extensions:
        return None
    if (many := known.metadata.get(MANY)) is not None:
        return Column(_together(many), waits=True)
    read = attrgetter(known.python_name) if known.base_resolver is None else _of_itself(known.base_resolver)
    return None if read is None else Column(_each(lambda rows: list(map(read, rows))), False, read)


def _of_itself(resolver: StrawberryResolver[Any]) -> Callable[[Any], Any] | None:
    """The resolver, if it is given nothing but the row: it can do no more than an attribute, neither ask nor record."""
    alone = resolver.self_parameter is not None and len(resolver.signature.parameters) == 1
    return cast("Callable[[Any], Any]", resolver.wrapped_func) if alone and not resolver.is_async else None


def _each(function: Callable[[Values], Values]) -> Step:
    async def complete(_context: Any, values: Values) -> Values:
        return function(values)

    return complete


def _together(many: Callable[[Any, Sequence[Any]], Awaitable[Sequence[Any]]]) -> Step:
    async def read(context: Any, rows: Values) -> Values:
        found = list(await many(context, rows)) if rows else []
        if len(found) != len(rows):
            raise Unusual
        return found

    return read


def _completion(executor: Executor[Any], kind: GraphQLOutputType, details: FieldDetailsList) -> Column | None:
    """How values of this type become those of the answer."""
    required = isinstance(kind, GraphQLNonNull)
    nullable = cast("GraphQLOutputType", kind.of_type) if isinstance(kind, GraphQLNonNull) else kind
    if isinstance(nullable, GraphQLList):
        below = _completion(executor, nullable.of_type, details)
    elif is_leaf_type(nullable):
        below = Column(_each(_leaves(nullable)), False, _leaf(nullable, required=required))
    elif isinstance(nullable, GraphQLObjectType) and nullable.is_type_of is None:
        below = _objects(executor, nullable, details)
    else:
        return None
    if below is None:
        return None
    inner = _lists(below.complete) if isinstance(nullable, GraphQLList) else below.complete
    alone = None if isinstance(nullable, GraphQLList) else below.alone
    return Column(_present(inner, required=required), below.waits, alone)


def _present(inner: Step, *, required: bool) -> Step:
    """The values that are there; null stays null where it may."""

    async def complete(context: Any, values: Values) -> Values:
        if NoneType not in set(map(type, values)):
            return await inner(context, values)
        if required:
            raise Unusual
        there = iter(await inner(context, [value for value in values if value is not None]))
        return [None if value is None else next(there) for value in values]

    return complete


def _lists(inner: Step) -> Step:
    """The items of all lists as one, and back into lists of the same lengths."""

    async def complete(context: Any, values: Values) -> Values:
        if not {list, tuple}.issuperset(map(type, values)):
            raise Unusual
        items = iter(await inner(context, list(chain.from_iterable(values))))
        return [list(islice(items, len(value))) for value in values]

    return complete


@cache
def _leaves(kind: GraphQLLeafType) -> Callable[[Values], Values]:
    """As the library coerces each of them."""
    coerce = kind.coerce_output_value
    as_it_is = _AS_IT_IS.get(kind) if isinstance(kind, GraphQLScalarType) else None

    def complete(values: Values) -> Values:
        kinds = set(map(type, values))
        if kinds == {as_it_is}:
            return values
        if all(issubclass(one, Enum) for one in kinds) and len(kinds) == 1:
            names = {value: coerce(value) for value in set(values)}  # few, and slow to find
            done = [names[value] for value in values]
        elif _ATOMS.issuperset(kinds):
            done = list(map(coerce, values))
        else:
            raise Unusual
        if not _ATOMS.issuperset(map(type, done)):
            raise Unusual
        return done

    return complete


@cache
def _leaf(kind: GraphQLLeafType, *, required: bool) -> Single:
    """One value, as the library coerces it."""
    coerce = kind.coerce_output_value
    as_it_is = _AS_IT_IS.get(kind) if isinstance(kind, GraphQLScalarType) else None

    def complete(value: Any) -> Any:
        of = type(value)
        if of is as_it_is or (value is None and not required):
            return value
        if of not in _ATOMS and not issubclass(of, Enum):
            raise Unusual
        done = coerce(value)
        if type(done) not in _ATOMS:
            raise Unusual
        return done

    return complete


def _objects(executor: Executor[Any], kind: GraphQLObjectType, details: FieldDetailsList) -> Column | None:
    """Objects, field after field: first what is at hand, then what has to be asked for, all at the same time."""
    grouped, deferred, _ = executor.collect_subfields(kind, details)
    columns = {name: column(executor, kind, below) for name, below in grouped.items()}
    if deferred or not all(columns.values()):
        return None
    at_hand = {name: one.complete for name, one in columns.items() if one is not None and not one.waits}
    asked = {name: one.complete for name, one in columns.items() if one is not None and one.waits}

    async def complete(context: Any, rows: Values) -> Values:
        if not all(map(_is_plain, set(map(type, rows)))):
            raise Unusual
        done = {name: await one(context, rows) for name, one in at_hand.items()}
        waiting = [one(context, rows) for one in asked.values()]
        done.update(zip(asked, await _all(waiting), strict=True))
        if not columns:  # all were skipped
            return [{} for _ in rows]
        values = zip(*(done[name] for name in columns), strict=True)
        return [dict(zip(columns, row, strict=True)) for row in values]

    return Column(complete, waits=bool(asked))


async def _all(waiting: Sequence[Coroutine[Any, Any, Values]]) -> Sequence[Values]:
    """What they give; without a task where there is only one."""
    return [await one for one in waiting] if len(waiting) < 2 else await gather_with_cancel(*waiting)  # noqa: PLR2004 - see above


@cache
def _is_plain(kind: type) -> bool:
    """Whether an object of this class is no error, and nothing to wait for."""
    return not (issubclass(kind, Exception | GeneratorType) or hasattr(kind, "__await__"))


def at_once(complete: Coroutine[Any, Any, Values]) -> Values:
    """What a column that does not wait gives."""
    try:
        complete.send(None)
    except StopIteration as done:
        return cast("Values", done.value)
    raise AssertionError("it does not wait")
