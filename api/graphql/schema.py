"""The schema and its place under /graphql, with GraphiQL's files served from here."""

from pathlib import Path

import graphene_django_graphiql_static
import strawberry
from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import HTMLResponse
from starlette.staticfiles import StaticFiles
from strawberry.fastapi import GraphQLRouter
from strawberry.schema.config import StrawberryConfig

from api.errors import TypedErrors
from api.graphql.context import Context, context_getter
from api.graphql.mutations import Mutation
from api.graphql.queries import Query
from api.graphql.types import SCALARS

schema = strawberry.Schema(
    query=Query, mutation=Mutation, extensions=[TypedErrors], config=StrawberryConfig(scalar_map=SCALARS)
)

_NAME = "graphene_django_graphiql_static"
_FILES = Path(graphene_django_graphiql_static.__file__).parent / "static" / _NAME
_PAGE = (Path(__file__).parent / "graphiql.html").read_text(encoding="utf-8")


class Router(GraphQLRouter[Context, None]):
    """Strawberry's router, with a GraphiQL page that asks no other host for anything."""

    async def render_graphql_ide(self, request: Request) -> HTMLResponse:
        return HTMLResponse(_PAGE)


def mount(app: FastAPI) -> None:
    """Serve the schema at /graphql and GraphiQL's files below /static/graphiql."""
    app.include_router(Router(schema, path="/graphql", context_getter=context_getter))
    app.mount("/static/graphiql", StaticFiles(directory=_FILES), name="graphiql")
