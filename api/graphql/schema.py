"""The schema and its place under /graphql, with GraphiQL's files served from here."""

import json
from collections.abc import Callable, Coroutine, Iterable
from functools import cache
from inspect import isawaitable
from pathlib import Path
from typing import Any

import graphene_django_graphiql_static
import strawberry
from fastapi import FastAPI
from fastapi.routing import APIRoute
from graphql import GraphQLError, build_schema, execute, lexicographic_sort_schema, print_schema
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.staticfiles import StaticFiles
from strawberry.exceptions import MissingQueryError
from strawberry.execution import optimized_is_awaitable
from strawberry.extensions import SchemaExtension
from strawberry.extensions.runner import SchemaExtensionsRunner
from strawberry.fastapi import GraphQLRouter
from strawberry.http import GraphQLRequestData
from strawberry.http.base import BaseRequestProtocol
from strawberry.schema.config import StrawberryConfig
from strawberry.schema.exceptions import CannotGetOperationTypeError, InvalidOperationTypeError
from strawberry.schema.name_converter import NameConverter
from strawberry.subscriptions import GRAPHQL_TRANSPORT_WS_PROTOCOL
from strawberry.types import ExecutionContext, ExecutionResult
from strawberry.types.graphql import OperationType

from api.errors import TypedErrors, problem, typed
from api.graphql import guard
from api.graphql.context import Context, context_getter
from api.graphql.documents import by_name, read_documents
from api.graphql.executor import Executor
from api.graphql.labels import describe
from api.graphql.mutations import Mutation
from api.graphql.post import Post, encoded
from api.graphql.queries import Query
from api.graphql.recorded import record_answer
from api.graphql.socket import INIT_WITHIN, Runner, Socket
from api.graphql.subscriptions import Subscription
from api.graphql.types import SCALARS
from api.settings import Settings
from domain.errors import NotFoundError


class Schema(strawberry.Schema):
    """Strawberry's, with our labels, and without its log: a refusal is an answer, and `TypedErrors` writes down what is not one."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        describe(self._schema)

    def process_errors(
        self, errors: list[GraphQLError], execution_context: ExecutionContext | None = None
    ) -> None:
        return

    async def execute(
        self,
        query: str | None,
        variable_values: dict[str, Any] | None = None,
        context_value: Any | None = None,
        root_value: Any | None = None,
        operation_name: str | None = None,
        allowed_operation_types: Iterable[OperationType] | None = None,
        operation_extensions: dict[str, Any] | None = None,
    ) -> ExecutionResult:
        """What GET and POST ask. Strawberry's own enters four stacks of extensions for each operation: a tenth of an answer's time."""
        asked = ExecutionContext(
            query=query,
            schema=self,
            allowed_operations=allowed_operation_types or set(OperationType),
            context=context_value,
            variables=variable_values,
            root_value=root_value,
            provided_operation_name=operation_name,
            operation_extensions=operation_extensions,
        )
        try:
            result = await self._answer(asked)
        except (MissingQueryError, CannotGetOperationTypeError, InvalidOperationTypeError):
            raise  # no operation at all: the router says so
        except Exception as error:  # noqa: BLE001 - `typed` writes down what is not ours
            wrapped = (
                error if isinstance(error, GraphQLError) else GraphQLError(str(error), original_error=error)
            )
            result = ExecutionResult(None, [wrapped])
        if result.errors:
            result.errors = [typed(error) for error in result.errors]
        return result

    async def _answer(self, asked: ExecutionContext) -> ExecutionResult:
        """The steps of an operation, each of which may refuse it."""
        guard.find(asked)
        if not asked.query and asked.graphql_document is None:
            raise MissingQueryError
        guard.read(asked)
        if asked.graphql_document is None:
            return ExecutionResult(None, asked.pre_execution_errors)
        try:
            kind = asked.operation_type
        except RuntimeError as error:
            raise CannotGetOperationTypeError(asked.operation_name) from error
        if kind not in asked.allowed_operations:
            raise InvalidOperationTypeError(kind)
        guard.check(asked)
        if asked.pre_execution_errors:
            return ExecutionResult(None, asked.pre_execution_errors)
        async with guard.time_limit(asked):
            found = execute(
                self._schema,
                asked.graphql_document,
                asked.root_value,
                asked.context,
                asked.variables,
                asked.operation_name,
                executor_class=self.execution_context_class,
                is_awaitable=optimized_is_awaitable,  # type: ignore[arg-type]  # Strawberry declares it as a plain bool
                operation_extensions=asked.operation_extensions,
            )
            result = await found if isawaitable(found) else found
            await record_answer(asked, result)
        return ExecutionResult(result.data, result.errors)

    async def stream(self, query: str | None, *arguments: Any, **options: Any) -> Any:
        """What a socket asks: subscriptions. Questions and commands go by POST, where they are counted, limited and recorded."""
        return await super().stream(
            query, *arguments, **options | {"allowed_operation_types": {OperationType.SUBSCRIPTION}}
        )

    def create_extensions_runner(
        self, execution_context: ExecutionContext, extensions: list[SchemaExtension]
    ) -> SchemaExtensionsRunner:
        return Runner(execution_context, extensions)


class _Names(NameConverter):
    """Strawberry's, which makes the names of all arguments anew for each call of a field."""

    apply_naming_config = staticmethod(cache(NameConverter().apply_naming_config))


schema = Schema(
    query=Query,
    mutation=Mutation,
    subscription=Subscription,
    extensions=[TypedErrors, guard.Guard],
    config=StrawberryConfig(name_converter=_Names(), scalar_map=SCALARS),
    execution_context_class=Executor,
)


def sdl() -> str:
    """The schema in GraphQL's own language, in the order of names: docs/schema.graphql."""
    return print_schema(lexicographic_sort_schema(build_schema(schema.as_str()))) + "\n"


_NAME = "graphene_django_graphiql_static"
_FILES = Path(graphene_django_graphiql_static.__file__).parent / "static" / _NAME
_PAGE = (Path(__file__).parent / "graphiql.html").read_text(encoding="utf-8")


class Router(GraphQLRouter[Context, None]):
    """Strawberry's router, with documents by name, a GraphiQL page that asks no other host for anything, and our socket."""

    graphql_transport_ws_handler_class = Socket

    def should_render_graphql_ide(self, request: BaseRequestProtocol) -> bool:
        named = {"documentId", "extensions"} & set(request.query_params)
        return not named and super().should_render_graphql_ide(request)

    async def render_graphql_ide(self, request: Request) -> HTMLResponse:
        if not request.app.state.system.settings.graphiql:
            raise NotFoundError("there is no page here: ANJU_GRAPHIQL is off; POST an operation as JSON")
        return HTMLResponse(_PAGE)

    async def parse_http_body(self, request: Any) -> GraphQLRequestData | list[GraphQLRequestData]:
        given = await super().parse_http_body(request)
        if isinstance(given, GraphQLRequestData) and given.query is None:
            given.extensions = by_name(given.extensions, request.query_params.get("documentId"))
        return given

    def encode_json(self, data: object) -> str:
        """As text: bytes would be binary frames of a socket."""
        return encoded(data).decode()

    def decode_json(self, data: str | bytes) -> Any:
        try:
            return json.loads(data)
        except (
            ValueError,
            RecursionError,
        ) as error:  # also numbers that are too long and lists too deep to read
            raise json.JSONDecodeError(str(error), "", 0) from error


class _Get(APIRoute):
    """What Strawberry answers in plain text is a problem, as everywhere."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        answer = super().get_route_handler()

        async def answered(request: Request) -> Response:
            response = await answer(request)
            if isinstance(response, PlainTextResponse):
                return problem(response.status_code, "INVALID", bytes(response.body).decode())
            return response

        return answered


def mount(app: FastAPI, settings: Settings) -> None:
    """Serve the schema at /graphql and GraphiQL's files below /static/graphiql."""
    trusted = settings.trusted_documents
    app.state.documents = None if trusted is None else read_documents(trusted, schema._schema)  # noqa: SLF001 - it has no other name
    router = Router(
        schema,
        path="/graphql",
        context_getter=context_getter,
        route_class=_Get,
        subscription_protocols=[GRAPHQL_TRANSPORT_WS_PROTOCOL],
        connection_init_wait_timeout=INIT_WITHIN,
        max_subscriptions_per_connection=None,  # Socket counts them
        allowed_origins=settings.origins,
    )
    app.include_router(router, include_in_schema=False)  # it describes itself
    # Before all other routes, each of which would be asked whether it is meant.
    app.router.routes.insert(0, Route("/graphql", Post(schema), methods=["POST"], include_in_schema=False))
    app.mount("/static/graphiql", StaticFiles(directory=_FILES), name="graphiql")
