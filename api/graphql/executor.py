"""How an operation is executed: by graphql-core, except for what can be answered for all rows of a list at once (`columns.py`).

Field by field, a list of fifty incidents with their sites and last events is a thousand calls and a hundred tasks. Here a field under
which everything is at hand, or is read for all rows together, is one column. Where something is not plainly as its type says (a null
that may not be, a value of another type, an error, a refusal), graphql-core executes that field anew, and with it the rest of the
operation: so messages, paths and nulls are its own. Nothing is done twice by that: columns only read, and what is recorded, changed
or asked with arguments has a resolver, which is never part of one.
"""

from collections.abc import Sequence
from functools import lru_cache
from operator import is_
from typing import Any

from graphql import GraphQLObjectType, GraphQLSchema, Node
from graphql.execution.collect_fields import DeferUsage, FieldDetailsList, GroupedFieldSet
from graphql.pyutils import Path
from strawberry.schema.schema import StrawberryGraphQLCoreExecutionContext

from api.graphql.columns import Column, Single, at_once, column

Columns = dict[tuple[object, ...], Column | None]
"""By where a field stands: its parent and its nodes."""
Leaves = dict[tuple[object, ...], dict[str, Single] | None]
"""The fields of an object, by where they stand; None if not all of them are leaves."""
_REMEMBERED = 128
"""Operations whose columns are remembered: as many as there are documents that the guard remembers."""


class _Same:
    """Nodes of a document, equal to themselves alone: to compare what they say takes longer than all the rest."""

    __slots__ = ("_nodes",)

    def __init__(self, nodes: tuple[Node, ...]) -> None:
        self._nodes = nodes

    def __hash__(self) -> int:
        return id(self._nodes[0])

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, _Same)
            and len(self._nodes) == len(other._nodes)
            and all(map(is_, self._nodes, other._nodes))
        )


@lru_cache(_REMEMBERED)
def _made_out(
    _schema: GraphQLSchema, _nodes: _Same, _flags: frozenset[tuple[str, bool]]
) -> tuple[Columns, Leaves]:
    """What was made out of an operation, kept with its nodes. `_flags`: its Boolean variables, for @include and @skip."""
    return {}, {}


class Executor(StrawberryGraphQLCoreExecutionContext):
    """Executes one operation. For each event of a subscription graphql-core makes a shallow copy, which shares what was made out."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        manager = self.middleware_manager
        self._usual = manager is None or not manager.middlewares  # which would want to see every field
        self._columns, self._leaves = _made_out(
            self.schema,
            _Same((self.operation, *self.fragment_definitions.values())),
            frozenset(item for item in self.variable_values.coerced.items() if isinstance(item[1], bool)),
        )
        self._roots: list[GroupedFieldSet] = []

    def execute_collected_root_fields(
        self,
        root_type: GraphQLObjectType,
        root_value: Any,
        grouped_field_set: GroupedFieldSet,
        serially: bool,
        new_defer_usages: Sequence[DeferUsage],
    ) -> Any:
        """All events of a subscription with the fields collected for the first: what is below is remembered, and kept, by their lists."""
        if not self._roots:
            self._roots.append(grouped_field_set)
        return super().execute_collected_root_fields(
            root_type, root_value, self._roots[0], serially, new_defer_usages
        )

    def execute_fields(
        self,
        parent_type: GraphQLObjectType,
        source_value: Any,
        path: Path | None,
        grouped_field_set: GroupedFieldSet,
        position_context: Any,
    ) -> Any:
        """An object of which only leaves are asked for is read at once."""
        leaves = self._all_leaves(parent_type, grouped_field_set) if self._usual else None
        if leaves is not None:
            try:
                return {name: read(source_value) for name, read in leaves.items()}
            except Exception:  # noqa: BLE001 - whatever it is, the library meets it again, and says it at the right place
                self._usual = False
        return super().execute_fields(parent_type, source_value, path, grouped_field_set, position_context)

    def execute_field(
        self,
        parent_type: GraphQLObjectType,
        source: Any,
        field_details_list: FieldDetailsList,
        path: Path,
        position_context: Any,
    ) -> Any:
        """The field as a column of one row, if it can be one."""
        found = self._column(parent_type, field_details_list) if self._usual else None
        if found is None:
            return super().execute_field(parent_type, source, field_details_list, path, position_context)
        if found.waits:
            return self._awaited(found, parent_type, source, field_details_list, path, position_context)
        try:
            if found.alone is not None:
                return found.alone(source)
            return at_once(found.complete(self.context_value, [source]))[0]
        except Exception:  # noqa: BLE001 - as above
            self._usual = False
            return super().execute_field(parent_type, source, field_details_list, path, position_context)

    async def _awaited(
        self,
        found: Column,
        parent_type: GraphQLObjectType,
        source: Any,
        field_details_list: FieldDetailsList,
        path: Path,
        position_context: Any,
    ) -> Any:
        try:
            (value,) = await found.complete(self.context_value, [source])
        except Exception:  # noqa: BLE001 - as above
            self._usual = False
            value = super().execute_field(parent_type, source, field_details_list, path, position_context)
            if self.is_awaitable(value):
                value = await value
        return value

    def _all_leaves(
        self, parent_type: GraphQLObjectType, fields: GroupedFieldSet
    ) -> dict[str, Single] | None:
        key = (parent_type, *(id(details[0].node) for details in fields.values()))
        if key not in self._leaves:
            columns = {name: self._column(parent_type, details) for name, details in fields.items()}
            alone = {
                name: one.alone for name, one in columns.items() if one is not None and one.alone is not None
            }
            self._leaves[key] = alone if len(alone) == len(columns) else None
        return self._leaves[key]

    def _column(self, parent_type: GraphQLObjectType, field_details_list: FieldDetailsList) -> Column | None:
        key = (parent_type, *(id(one.node) for one in field_details_list))
        if key not in self._columns:
            self._columns[key] = column(self, parent_type, field_details_list)
        return self._columns[key]
