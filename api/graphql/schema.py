"""The schema and its place under /graphql, with GraphiQL's files served from here."""

from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import graphene_django_graphiql_static
import strawberry
from fastapi import FastAPI
from fastapi.routing import APIRoute
from graphql import GraphQLError
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.staticfiles import StaticFiles
from strawberry.fastapi import GraphQLRouter
from strawberry.schema.config import StrawberryConfig
from strawberry.subscriptions import GRAPHQL_TRANSPORT_WS_PROTOCOL
from strawberry.types import ExecutionContext
from strawberry.types.graphql import OperationType

from api.errors import TypedErrors, problem
from api.graphql.context import Context, context_getter
from api.graphql.mutations import Mutation
from api.graphql.queries import Query
from api.graphql.socket import INIT_WITHIN, Socket
from api.graphql.subscriptions import Subscription
from api.graphql.types import SCALARS


class Schema(strawberry.Schema):
    """Strawberry's, without its log: a refusal is an answer, and `TypedErrors` writes down what is not one."""

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
    extensions=[TypedErrors],
    config=StrawberryConfig(scalar_map=SCALARS),
)

_NAME = "graphene_django_graphiql_static"
_FILES = Path(graphene_django_graphiql_static.__file__).parent / "static" / _NAME
_PAGE = (Path(__file__).parent / "graphiql.html").read_text(encoding="utf-8")


class _Route(APIRoute):
    """Strawberry answers a request that holds no operation in plain text: here it is a problem, as everywhere."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        answer = super().get_route_handler()

        async def answered(request: Request) -> Response:
            response = await answer(request)
            if isinstance(response, PlainTextResponse):
                return problem(response.status_code, "INVALID", bytes(response.body).decode())
            return response

        return answered


class Router(GraphQLRouter[Context, None]):
    """Strawberry's router, with a GraphiQL page that asks no other host for anything, and our socket."""

    graphql_transport_ws_handler_class = Socket

    async def render_graphql_ide(self, request: Request) -> HTMLResponse:
        return HTMLResponse(_PAGE)


def mount(app: FastAPI) -> None:
    """Serve the schema at /graphql and GraphiQL's files below /static/graphiql."""
    router = Router(
        schema,
        path="/graphql",
        context_getter=context_getter,
        route_class=_Route,
        subscription_protocols=[GRAPHQL_TRANSPORT_WS_PROTOCOL],
        connection_init_wait_timeout=INIT_WITHIN,
        max_subscriptions_per_connection=None,  # Socket counts them
        allowed_origins=app.state.system.settings.origins,
    )
    app.include_router(router, include_in_schema=False)  # it describes itself
    app.mount("/static/graphiql", StaticFiles(directory=_FILES), name="graphiql")
