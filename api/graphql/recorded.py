"""Everything that an auditor asks is recorded: one reading for each operation, before it is answered."""

from dataclasses import dataclass
from typing import Any, cast
from uuid import UUID

from graphql import (
    DocumentNode,
    ExecutionResult,
    FieldNode,
    GraphQLSchema,
    OperationDefinitionNode,
    TypeInfo,
    TypeInfoVisitor,
    Visitor,
    get_operation_ast,
    separate_operations,
    visit,
)
from graphql.execution.values import VariableValues, get_argument_values, get_variable_values
from strawberry.types import ExecutionContext
from strawberry.types.graphql import OperationType

from api.graphql.context import Context, Info


@dataclass(frozen=True, slots=True)
class Asked:
    """What an operation asks for, in the words of the schema alone: names and texts that the asker chose may be those of persons.

    fields: each as `Type.field`; ids: what was asked for by its id.
    """

    kind: str
    fields: frozenset[str]
    ids: frozenset[UUID]

    @classmethod
    def of(
        cls,
        schema: GraphQLSchema,
        document: DocumentNode,
        operation: OperationDefinitionNode,
        variables: dict[str, Any],
    ) -> "Asked":
        """What `operation` of a valid `document` asks for, with its variables as resolvers get them."""
        name = operation.name.value if operation.name else ""
        types = TypeInfo(schema)
        seen = _Fields(types, VariableValues({}, variables))
        visit(separate_operations(document)[name], TypeInfoVisitor(types, seen))
        return cls(operation.operation.value, frozenset(seen.fields), frozenset(seen.ids))

    async def record(self, context: Context) -> None:
        """Record it, if an auditor asks. Questions about the schema itself show nothing that would have to be."""
        if self.fields:
            await context.record_operation(f"graphql {self.kind}", fields=self.fields, subjects=self.ids)


class _Fields(Visitor):
    """Collects the fields of the schema that are asked for, and the ids among their arguments."""

    def __init__(self, types: TypeInfo, variables: VariableValues) -> None:
        super().__init__()
        self.fields: set[str] = set()
        self.ids: set[UUID] = set()
        self._types = types
        self._variables = variables

    def enter_field(self, node: FieldNode, *_: Any) -> None:
        parent, field = self._types.get_parent_type(), self._types.get_field_def()
        assert parent is not None
        assert field is not None
        if node.name.value.startswith("__") or parent.name.startswith("__"):
            return
        self.fields.add(f"{parent.name}.{node.name.value}")
        given = get_argument_values(field, node, self._variables)
        self.ids.update(value for value in given.values() if isinstance(value, UUID))


async def record_answer(done: ExecutionContext, result: ExecutionResult) -> None:
    """Record what an auditor was found, and nothing where all was refused. What cannot be recorded is not shown: it raises.

    After it was executed, and before anybody sees the result. A command is an event of its own; a subscription is recorded when it
    starts (`record_subscription`).
    """
    context = cast("Context", done.context)
    if not context.audited or done.operation_type is not OperationType.QUERY or not _shows(result):
        return
    schema, document = done.schema._schema, done.graphql_document  # noqa: SLF001 - it has no other name
    assert document is not None
    operation = get_operation_ast(document, done.operation_name)
    assert operation is not None
    variables = get_variable_values(schema, operation.variable_definitions or (), done.variables or {})
    assert isinstance(variables, VariableValues)
    await Asked.of(schema, document, operation, variables.coerced).record(context)


async def record_subscription(info: Info) -> None:
    """Record that an auditor begins to follow something, before they are told anything."""
    if info.context.audited:
        raw = info._raw_info  # noqa: SLF001 - Strawberry gives the document in no other way
        document = DocumentNode(definitions=(raw.operation, *raw.fragments.values()))
        variables = cast("dict[str, Any]", raw.variable_values)  # Strawberry's own: the coerced ones alone
        await Asked.of(raw.schema, document, raw.operation, variables).record(info.context)


def _shows(result: ExecutionResult) -> bool:
    """Whether there is anything in the answer."""
    return any(value is not None for value in (result.data or {}).values())
