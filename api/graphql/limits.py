"""What an operation asks for, measured from its text and variables before anything is looked up. docs/limits.md tells users.

Every fragment is measured once, however often it is spread: the work grows with the text, not with what it unfolds to.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLField,
    GraphQLNamedType,
    GraphQLSchema,
    InlineFragmentNode,
    IntValueNode,
    OperationDefinitionNode,
    SelectionNode,
    SelectionSetNode,
    VariableNode,
    get_named_type,
    get_nullable_type,
    is_composite_type,
    is_list_type,
)
from strawberry.schema.schema_converter import GraphQLCoreConverter

from domain.errors import TooCostlyError

BODY = 256 * 1024
"""Bytes of a request's body."""
TOKENS = 2000
"""Words, numbers and signs of a document, comments included; GraphiQL's own question about the schema has 163."""
DEPTH = 16
"""Fields inside fields; that question needs 15."""
REPEATS = 30
"""Fields of one selection that are asked for under another name, or again."""

ASKING = 20
"""What a field costs that asks the database; any other costs 1."""
LISTED = 10
"""How long a list is taken to be that has no `first`."""
SIZES = {"closureSeries": 100, "args": 2}
"""How long the lists are of which we know better."""

_NESTING = 4 * DEPTH
"""Selections inside selections, fragments included: keeps the recursion below Python's own limit."""


@dataclass(frozen=True, slots=True)
class Measured:
    """`cost`: values in the answer, at most, and what it takes to find them; `depth` and `repeats` as the limits above count."""

    cost: int = 0
    depth: int = 0
    repeats: int = 0


@dataclass(frozen=True, slots=True)
class _Asked:
    """A document with its variables, and what its fragments were measured at so far."""

    schema: GraphQLSchema
    fragments: Mapping[str, FragmentDefinitionNode]
    variables: Mapping[str, Any]
    known: dict[str, Measured] = field(default_factory=dict)


def measure(
    schema: GraphQLSchema,
    document: DocumentNode,
    operation: OperationDefinitionNode,
    variables: Mapping[str, Any],
) -> Measured:
    """What `operation` asks for, for any document that can be parsed; TooCostlyError if its fragments are nested too deeply."""
    fragments = {
        node.name.value: node for node in document.definitions if isinstance(node, FragmentDefinitionNode)
    }
    defaults = {node.variable.name.value: node.default_value for node in operation.variable_definitions or ()}
    asked = _Asked(schema, fragments, {**defaults, **variables})
    return _selection(asked, operation.selection_set, schema.get_root_type(operation.operation), 0)


def require_affordable(measured: Measured, cost: int) -> None:
    """TooCostlyError if a limit is passed; `cost` is the limit of the cost."""
    if measured.depth > DEPTH:
        raise TooCostlyError(
            f"fields are nested {measured.depth} deep; {DEPTH} are answered: ask again for what is inside, by its id",
            measure="depth",
            cost=measured.depth,
            limit=DEPTH,
        )
    if measured.repeats > REPEATS:
        raise TooCostlyError(
            f"{measured.repeats} fields are asked for under an alias or again; {REPEATS} are answered: "
            "use a list with a filter, or several requests",
            measure="repeats",
            cost=measured.repeats,
            limit=REPEATS,
        )
    if measured.cost > cost:
        raise TooCostlyError(
            f"this costs {measured.cost}, and {cost} is given: ask for fewer fields or a smaller `first`, "
            "and for the rest with `after`",
            measure="cost",
            cost=measured.cost,
            limit=cost,
        )


def _selection(
    asked: _Asked, selection: SelectionSetNode, parent: GraphQLNamedType | None, nesting: int
) -> Measured:
    if nesting > _NESTING:
        raise TooCostlyError(
            f"selections and fragments are nested more than {_NESTING} deep: write it flatter",
            measure="depth",
            cost=nesting,
            limit=_NESTING,
        )
    parts = [_part(asked, node, parent, nesting + 1) for node in selection.selections]
    return Measured(
        cost=sum(part.cost for part in parts),
        depth=max((part.depth for part in parts), default=0),
        repeats=sum(part.repeats for part in parts) + sum(_repeats(selection)),
    )


def _repeats(selection: SelectionSetNode) -> Iterator[bool]:
    seen: set[str] = set()
    for node in selection.selections:
        if isinstance(node, FieldNode):
            yield node.alias is not None or node.name.value in seen
            seen.add(node.name.value)


def _part(asked: _Asked, node: SelectionNode, parent: GraphQLNamedType | None, nesting: int) -> Measured:
    """One part of a selection; what the schema does not have counts too: validation refuses it afterwards."""
    match node:
        case FieldNode():
            return _field(asked, node, parent, nesting)
        case InlineFragmentNode(type_condition=None):
            return _selection(asked, node.selection_set, parent, nesting)
        case InlineFragmentNode(type_condition=condition):
            assert condition is not None
            return _selection(asked, node.selection_set, asked.schema.get_type(condition.name.value), nesting)
        case FragmentSpreadNode():
            return _fragment(asked, node.name.value, nesting)
        case _:
            raise AssertionError(node)  # GraphQL has no other selections


def _fragment(asked: _Asked, name: str, nesting: int) -> Measured:
    definition = asked.fragments.get(name)
    if definition is None:
        return Measured()
    if name not in asked.known:
        # a fragment that holds itself is refused afterwards, but measured before
        asked.known[name] = Measured()
        on = asked.schema.get_type(definition.type_condition.name.value)
        asked.known[name] = _selection(asked, definition.selection_set, on, nesting)
    return asked.known[name]


def _field(asked: _Asked, node: FieldNode, parent: GraphQLNamedType | None, nesting: int) -> Measured:
    definition = asked.schema.get_field(parent, node.name.value) if is_composite_type(parent) else None
    own = ASKING if definition is not None and _asks(definition) else 1
    if node.selection_set is None:
        return Measured(cost=own, depth=1)
    kind = None if definition is None else get_named_type(definition.type)
    inner = _selection(asked, node.selection_set, kind, nesting)
    times = 1 if definition is None or not inner.cost else _times(asked, node, definition, parent)
    return Measured(cost=own + times * inner.cost, depth=inner.depth + 1, repeats=inner.repeats)


def _asks(definition: GraphQLField) -> bool:
    """Whether the field has a resolver of its own; the others are read off what one has found."""
    known = definition.extensions.get(GraphQLCoreConverter.DEFINITION_BACKREF)
    return known is not None and known.base_resolver is not None


def _times(asked: _Asked, node: FieldNode, definition: GraphQLField, parent: GraphQLNamedType | None) -> int:
    """How many of what is inside the field come back: the page's size for a connection, whose own lists are that page."""
    if "first" in definition.args:
        given = next((one.value for one in node.arguments or () if one.name.value == "first"), None)
        numbers = (_number(asked, given), _number(asked, definition.args["first"].default_value), LISTED)
        return max(1, next(number for number in numbers if number is not None))
    if parent is not None and parent.name.endswith("Connection"):
        return 1
    if is_list_type(get_nullable_type(definition.type)):
        return SIZES.get(node.name.value, LISTED)
    return 1


def _number(asked: _Asked, value: object) -> int | None:
    """The whole number that is written, given as a variable, or a default; None if there is none."""
    found = asked.variables.get(value.name.value) if isinstance(value, VariableNode) else value
    if isinstance(found, IntValueNode):
        # Python refuses to read very long ones; GraphQL's Int ends at ten digits
        return int(found.value[:12])
    return whole(found)


def whole(value: object) -> int | None:
    """The whole number that a variable is, as GraphQL reads it: JSON's 500.0 is an Int."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value if isinstance(value, int) else None
