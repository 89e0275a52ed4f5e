"""The schema and its place under /graphql, with GraphiQL's files served from here."""

import json
from collections.abc import Callable, Coroutine
from email.message import Message
from pathlib import Path
from typing import Any

import graphene_django_graphiql_static
import msgspec
import strawberry
from fastapi import FastAPI
from fastapi.routing import APIRoute
from graphql import GraphQLError, build_schema, lexicographic_sort_schema, print_schema
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.staticfiles import StaticFiles
from starlette.types import Message as Received
from starlette.types import Receive
from strawberry.fastapi import GraphQLRouter
from strawberry.http import GraphQLRequestData
from strawberry.http.base import BaseRequestProtocol
from strawberry.schema.config import StrawberryConfig
from strawberry.subscriptions import GRAPHQL_TRANSPORT_WS_PROTOCOL
from strawberry.types import ExecutionContext
from strawberry.types.graphql import OperationType

from api.errors import TypedErrors, problem
from api.graphql.context import Context, context_getter
from api.graphql.documents import by_name, read_documents
from api.graphql.executor import Executor
from api.graphql.guard import Guard
from api.graphql.labels import describe
from api.graphql.limits import BODY
from api.graphql.mutations import Mutation
from api.graphql.queries import Query
from api.graphql.recorded import Recorded
from api.graphql.socket import INIT_WITHIN, Socket
from api.graphql.subscriptions import Subscription
from api.graphql.types import SCALARS
from api.settings import Settings
from domain.errors import NotFoundError, TooCostlyError


class Schema(strawberry.Schema):
    """Strawberry's, with our labels, and without its log: a refusal is an answer, and `TypedErrors` writes down what is not one."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        describe(self._schema)

    def process_errors(
        self, errors: list[GraphQLError], execution_context: ExecutionContext | None = None
    ) -> None:
        return

    async def stream(self, query: str | None, *arguments: Any, **options: Any) -> Any:
        """What a socket asks: subscriptions. Questions and commands go by POST, where they are counted, limited and recorded."""
        return await super().stream(
            query, *arguments, **options | {"allowed_operation_types": {OperationType.SUBSCRIPTION}}
        )


schema = Schema(
    query=Query,
    mutation=Mutation,
    subscription=Subscription,
    extensions=[TypedErrors, Guard, Recorded],
    config=StrawberryConfig(scalar_map=SCALARS),
    execution_context_class=Executor,
)


def sdl() -> str:
    """The schema in GraphQL's own language, in the order of names: docs/schema.graphql."""
    return print_schema(lexicographic_sort_schema(build_schema(schema.as_str()))) + "\n"


_NAME = "graphene_django_graphiql_static"
_FILES = Path(graphene_django_graphiql_static.__file__).parent / "static" / _NAME
_PAGE = (Path(__file__).parent / "graphiql.html").read_text(encoding="utf-8")


class _Route(APIRoute):
    """Refuses what is too large or no JSON; and what Strawberry answers in plain text is a problem, as everywhere."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        answer = self._asked if self.methods == {"POST"} else super().get_route_handler()

        async def answered(request: Request) -> Response:
            if request.method == "POST" and _media_type(request) != "application/json":
                # A form of any web site can post the other types without being asked whether it may.
                return problem(
                    415,
                    "INVALID",
                    "send one operation as JSON, with the header `Content-Type: application/json`",
                )
            response = await answer(Request(request.scope, _bounded(request)))
            if isinstance(response, PlainTextResponse):
                return problem(response.status_code, "INVALID", bytes(response.body).decode())
            return response

        return answered

    async def _asked(self, request: Request) -> Response:
        """What FastAPI hands to the endpoint, made here: it would look for each of the parameters anew, a tenth of an answer's time."""
        context = await context_getter(request)
        context.request, context.response = request, Response()
        del context.response.headers["content-length"]  # it stands for the headers of another
        response: Response = await self.endpoint(
            request=request, response=context.response, context=context, root_value=None
        )
        return response


def _media_type(request: Request) -> str:
    """Without parameters, in small letters; text/plain if none was given."""
    message = Message()
    message["content-type"] = request.headers.get("content-type", "")
    return message.get_content_type()


def _bounded(request: Request) -> Receive:
    """What the request receives, up to BODY bytes, whether or not it said beforehand how many come."""
    taken = 0

    async def receive() -> Received:
        nonlocal taken
        message = await request.receive()
        taken += len(message.get("body", b""))
        if taken > BODY:
            raise TooCostlyError(
                f"a request may have {BODY:,} bytes: make several of it",
                measure="bytes",
                cost=taken,
                limit=BODY,
            )
        return message

    return receive


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
            whole = (
                request.query_params
                if request.method == "GET"
                else self.decode_json(await request.get_body())
            )
            given.extensions = by_name(given.extensions, whole.get("documentId"))
        return given

    def encode_json(self, data: object) -> str | bytes:
        """As text: bytes would be binary frames of a socket. `json` alone can write what UTF-8 cannot: surrogates that a question has."""
        try:
            return msgspec.json.encode(data).decode()
        except UnicodeEncodeError:
            return super().encode_json(data)

    def decode_json(self, data: str | bytes) -> Any:
        try:
            return json.loads(data)
        except (
            ValueError,
            RecursionError,
        ) as error:  # also numbers that are too long and lists too deep to read
            raise json.JSONDecodeError(str(error), "", 0) from error


def mount(app: FastAPI, settings: Settings) -> None:
    """Serve the schema at /graphql and GraphiQL's files below /static/graphiql."""
    trusted = settings.trusted_documents
    app.state.documents = None if trusted is None else read_documents(trusted, schema._schema)  # noqa: SLF001 - it has no other name
    router = Router(
        schema,
        path="/graphql",
        context_getter=context_getter,
        route_class=_Route,
        subscription_protocols=[GRAPHQL_TRANSPORT_WS_PROTOCOL],
        connection_init_wait_timeout=INIT_WITHIN,
        max_subscriptions_per_connection=None,  # Socket counts them
        allowed_origins=settings.origins,
    )
    app.include_router(router, include_in_schema=False)  # it describes itself
    app.mount("/static/graphiql", StaticFiles(directory=_FILES), name="graphiql")
