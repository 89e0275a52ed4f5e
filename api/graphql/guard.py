"""Every operation passes here, over HTTP and over a socket: what is run, what it may cost, how long it may take."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from functools import lru_cache
from typing import cast

from graphql import (
    DocumentNode,
    FieldNode,
    GraphQLError,
    GraphQLSchema,
    GraphQLSyntaxError,
    NameNode,
    NoSchemaIntrospectionCustomRule,
    OperationDefinitionNode,
    SelectionSetNode,
    get_operation_ast,
    parse,
    specified_rules,
    validate,
)
from graphql import OperationType as Kind
from strawberry.extensions import SchemaExtension
from strawberry.schema.validation_rules.maybe_null import MaybeNullValidationRule
from strawberry.schema.validation_rules.one_of import OneOfInputValidationRule
from strawberry.types.graphql import OperationType

from api.errors import extensions_of
from api.graphql.context import Context
from api.graphql.documents import Documents, asked_for
from api.graphql.limits import TOKENS, Measured, measure, require_affordable, whole
from api.settings import Settings
from domain.errors import AnjuError, TooCostlyError

COST = "Anju-Cost"
"""The header of an answer that says what its operation cost."""
_TOO_LONG = f"Syntax Error: Document contains more than {TOKENS} tokens. Parsing aborted."
_REMEMBERED = 128
"""Documents, with what validation found: a front end sends the same few again and again. At most 3 MB each."""
Sizes = tuple[tuple[str, int | None], ...]
"""Variables by name; None: something that is no whole number."""
_ERRORS = 10
"""Errors that are told of one document."""
_NOTHING = SelectionSetNode(selections=(FieldNode(name=NameNode(value="__typename")),))


@lru_cache(_REMEMBERED)
def _parsed(text: str) -> DocumentNode:
    return parse(text, max_tokens=TOKENS)


@lru_cache(_REMEMBERED)
def _validated(schema: GraphQLSchema, text: str, *, introspection: bool) -> list[GraphQLError]:
    """What is wrong with the document, by the rules that Strawberry applies. Looking for errors, and for what was meant, takes long.

    By its text: to hash what was parsed takes longer than to hash the text, once for each of its nodes.
    """
    rules = (*specified_rules, MaybeNullValidationRule, OneOfInputValidationRule)
    secret = () if introspection else (NoSchemaIntrospectionCustomRule,)
    return validate(
        schema, _parsed(text), (*rules, *secret), max_errors=_ERRORS, hide_suggestions=not introspection
    )


@lru_cache(_REMEMBERED)
def _measured(schema: GraphQLSchema, text: str, name: str | None, given: Sizes) -> Measured | None:
    """What the operation of this name asks for; None if there is no such one, which validation refuses."""
    document = _parsed(text)
    operation = get_operation_ast(document, name)
    return None if operation is None else measure(schema, document, operation, dict(given))


def _sizes(text: str, variables: object) -> Sizes:
    """What of the variables a measure can depend on: of those that an operation declares, which are given, and the whole numbers."""
    if not isinstance(variables, dict) or not variables:
        return ()
    declared = {
        one.variable.name.value
        for node in _parsed(text).definitions
        if isinstance(node, OperationDefinitionNode)
        for one in node.variable_definitions or ()
    }
    return tuple((name, whole(value)) for name, value in sorted(variables.items()) if name in declared)


class Guard(SchemaExtension):
    """Refuses before anything is looked up, and stops what takes too long."""

    def on_operation(self) -> Iterator[None]:
        """Find the text that is to be run, where there is a list of trusted ones."""
        asked = self.execution_context
        try:
            asked.query = asked_for(self._documents, asked.query, asked.operation_extensions)
        except AnjuError as error:
            self._refuse(error)
        yield

    def on_parse(self) -> Iterator[None]:
        """Parse a text that is not too long. What is wrong with any other, Strawberry finds and says itself."""
        asked = self.execution_context
        if asked.graphql_document is None and asked.query:
            try:
                asked.graphql_document = _parsed(asked.query)
            except GraphQLSyntaxError as error:
                if error.message == _TOO_LONG:
                    self._refuse(
                        TooCostlyError(
                            f"the document has more than {TOKENS} words and signs: give values as variables, "
                            "or make several requests of it",
                            measure="tokens",
                            cost=TOKENS + 1,
                            limit=TOKENS,
                        )
                    )
        yield

    def on_validate(self) -> Iterator[None]:
        """Measure first: validation itself can be made to take long."""
        asked = self.execution_context
        if asked.pre_execution_errors is None:
            try:
                self._require_affordable()
            except TooCostlyError as error:
                self._refuse(error)
            else:
                assert asked.query is not None
                asked.pre_execution_errors = _validated(
                    asked.schema._schema,  # noqa: SLF001 - it has no other name
                    asked.query,
                    introspection=self._settings.introspection,
                )
        yield

    async def on_execute(self) -> AsyncIterator[None]:
        """Stop what takes too long; the database is told to stop too. A subscription may last."""
        if self.execution_context.operation_type is OperationType.SUBSCRIPTION:
            yield
            return
        limit = self._settings.graphql_seconds
        try:
            async with asyncio.timeout(limit):
                yield
        except TimeoutError as late:
            error = TooCostlyError(
                _too_late(self.execution_context.operation_type, limit),
                measure="seconds",
                cost=limit,
                limit=limit,
            )
            # Strawberry lets no other extension see what is raised here: the code has to come with it.
            raise GraphQLError(str(error), original_error=error, extensions=extensions_of(error)) from late

    @property
    def _context(self) -> Context:
        return cast("Context", self.execution_context.context)

    @property
    def _settings(self) -> Settings:
        return self._context.system.settings

    @property
    def _documents(self) -> Documents | None:
        assert self._context.request is not None
        return cast("Documents | None", self._context.request.app.state.documents)

    def _require_affordable(self) -> None:
        asked = self.execution_context
        assert asked.query is not None
        measured = _measured(
            asked.schema._schema,  # noqa: SLF001 - as above
            asked.query,
            asked.operation_name,
            _sizes(asked.query, asked.variables),
        )
        if measured is None:
            return
        if self._context.response is not None:  # a socket has none
            self._context.response.headers[COST] = str(measured.cost)
        require_affordable(measured, self._settings.graphql_cost)

    def _refuse(self, error: AnjuError) -> None:
        """Answer with `error`: a document that has errors is not run, and where none was parsed, one stands in for it."""
        asked = self.execution_context
        if asked.graphql_document is None:
            kind = Kind(next(iter(asked.allowed_operations)).value)
            name = None if asked.operation_name is None else NameNode(value=asked.operation_name)
            operation = OperationDefinitionNode(operation=kind, name=name, selection_set=_NOTHING)
            asked.graphql_document = DocumentNode(definitions=(operation,))
        asked.pre_execution_errors = [GraphQLError(str(error), original_error=error)]


def _too_late(kind: OperationType, limit: float) -> str:
    stopped = f"the answer took longer than {limit:g} seconds and was stopped"
    if kind is OperationType.MUTATION:
        return f"{stopped}: what was asked for may have been done; ask again with the same `requestId`, and it is done once"
    return f"{stopped}: ask for a shorter period or fewer fields"
