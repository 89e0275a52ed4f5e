"""Every operation passes here, over HTTP and over a socket: what is run, what it may cost, how long it may take."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
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
from strawberry.types import ExecutionContext
from strawberry.types.graphql import OperationType

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
    return tuple((name, whole(value)) for name, value in sorted(variables.items()) if name in _declared(text))


@lru_cache(_REMEMBERED)
def _declared(text: str) -> frozenset[str]:
    """The variables of all operations of a document."""
    return frozenset(
        one.variable.name.value
        for node in _parsed(text).definitions
        if isinstance(node, OperationDefinitionNode)
        for one in node.variable_definitions or ()
    )


class Guard(SchemaExtension):
    """The same for what a socket asks: Strawberry calls its extensions, where `Schema.execute` calls these functions."""

    def on_operation(self) -> Iterator[None]:
        find(self.execution_context)
        yield

    def on_parse(self) -> Iterator[None]:
        read(self.execution_context)
        yield

    def on_validate(self) -> Iterator[None]:
        check(self.execution_context)
        yield


def find(asked: ExecutionContext) -> None:
    """Find the text that is to be run, where there is a list of trusted ones."""
    try:
        asked.query = asked_for(_documents(asked), asked.query, asked.operation_extensions)
    except AnjuError as error:
        _refuse(asked, error)


def read(asked: ExecutionContext) -> None:
    """Parse a text that is not too long; `pre_execution_errors` say what is wrong with it."""
    if asked.graphql_document is not None or not asked.query:
        return
    try:
        asked.graphql_document = _parsed(asked.query)
    except GraphQLSyntaxError as error:
        if error.message == _TOO_LONG:
            too_long = TooCostlyError(
                f"the document has more than {TOKENS} words and signs: give values as variables, "
                "or make several requests of it",
                measure="tokens",
                cost=TOKENS + 1,
                limit=TOKENS,
            )
            _refuse(asked, too_long)
        else:
            asked.pre_execution_errors = [error]


def check(asked: ExecutionContext) -> None:
    """Measure first: validation itself can be made to take long."""
    if asked.pre_execution_errors is not None:
        return
    try:
        _require_affordable(asked)
    except TooCostlyError as error:
        _refuse(asked, error)
    else:
        assert asked.query is not None
        asked.pre_execution_errors = _validated(
            asked.schema._schema,  # noqa: SLF001 - it has no other name
            asked.query,
            introspection=_settings(asked).introspection,
        )


@asynccontextmanager
async def time_limit(asked: ExecutionContext) -> AsyncIterator[None]:
    """Stop what takes too long; the database is told to stop too. TooCostlyError."""
    limit = _settings(asked).graphql_seconds
    try:
        async with asyncio.timeout(limit):
            yield
    except TimeoutError as late:
        raise TooCostlyError(
            _too_late(asked.operation_type, limit), measure="seconds", cost=limit, limit=limit
        ) from late


def _context(asked: ExecutionContext) -> Context:
    return cast("Context", asked.context)


def _settings(asked: ExecutionContext) -> Settings:
    return _context(asked).system.settings


def _documents(asked: ExecutionContext) -> Documents | None:
    request = _context(asked).request
    assert request is not None
    return cast("Documents | None", request.app.state.documents)


def _require_affordable(asked: ExecutionContext) -> None:
    assert asked.query is not None
    measured = _measured(
        asked.schema._schema,  # noqa: SLF001 - as above
        asked.query,
        asked.operation_name,
        _sizes(asked.query, asked.variables),
    )
    if measured is None:
        return
    response = _context(asked).response
    if response is not None:  # a socket has none
        response.headers[COST] = str(measured.cost)
    require_affordable(measured, _settings(asked).graphql_cost)


def _refuse(asked: ExecutionContext, error: AnjuError) -> None:
    """Answer with `error`: a document that has errors is not run, and where none was parsed, one stands in for it."""
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
