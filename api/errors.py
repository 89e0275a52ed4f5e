"""How a refusal looks outside: GraphQL code, HTTP problem (RFC 9457), exit code. The one place that maps them."""

import logging
from collections.abc import Iterable, Iterator, Mapping
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from graphql import GraphQLError
from starlette.exceptions import HTTPException
from starlette.routing import Match
from strawberry.exceptions import MissingQueryError
from strawberry.extensions import MaskErrors
from strawberry.schema.exceptions import CannotGetOperationTypeError, InvalidOperationTypeError

from domain.errors import AnjuError, ConflictError, TokenError, TooCostlyError, TooSlowError

logger = logging.getLogger("anju.api")

STATUS = {
    "INVALID": 422,
    "FORBIDDEN": 403,
    "UNAUTHENTICATED": 401,
    "NOT_FOUND": 404,
    "CONFLICT": 409,
    "TOO_SLOW": 429,
    "TOO_COSTLY": 413,
    "UNAVAILABLE": 503,
}
_NOT_ASKED = (GraphQLError, MissingQueryError, CannotGetOperationTypeError, InvalidOperationTypeError)
"""What is wrong with a question is no error of ours."""
MEDIA_TYPE = "application/problem+json"
UNEXPECTED = "something went wrong here, not in your request; it was written down"


def extensions_of(error: AnjuError) -> dict[str, Any]:
    """What GraphQL says of a refusal beside its message."""
    match error:
        case ConflictError():
            return {"code": error.code, "currentVersion": error.current}
        case TooCostlyError():
            return {"code": error.code, "measure": error.measure, "cost": error.cost, "limit": error.limit}
        case TooSlowError():
            return {"code": error.code, "lastPosition": error.last}
        case _:
            return {"code": error.code}


def typed(error: GraphQLError) -> GraphQLError:
    """`error` with `extensions.code`; what is not ours is written to the log and told to nobody."""
    original = error.original_error
    message = error.message
    extensions: dict[str, Any] = {"code": "INVALID"}  # the query itself is wrong
    if isinstance(original, AnjuError) and original.code in STATUS:
        extensions = extensions_of(original)
    elif isinstance(original, InvalidOperationTypeError):
        message = f"{message} on a socket: send them to POST /graphql"
    elif isinstance(original, ValueError) and error.path is None:
        pass  # a literal that Python will not read, such as a number of 5,000 digits: nothing of ours has run yet
    elif original is not None and not isinstance(original, _NOT_ASKED):
        logger.error("unexpected error at %s", error.path, exc_info=original)
        message, extensions = UNEXPECTED, {"code": "INTERNAL"}
    return GraphQLError(
        message, error.nodes, error.source, error.positions, error.path, extensions=extensions
    )


class TypedErrors(MaskErrors):
    """The same for what a socket is answered."""

    def anonymise_error(self, error: GraphQLError) -> GraphQLError:
        return typed(error)


def problem(status: int, code: str, detail: str, headers: Mapping[str, str] | None = None) -> JSONResponse:
    """A problem+json answer; `type` is stable."""
    slug = code.lower().replace("_", "-")
    body = {"type": f"/problems/{slug}", "title": code, "status": status, "detail": detail}
    if status == STATUS["UNAUTHENTICATED"]:
        headers = {"WWW-Authenticate": "Bearer", **(headers or {})}
    return JSONResponse(body, status, headers, media_type=MEDIA_TYPE)


def _challenge(error: AnjuError) -> dict[str, str] | None:
    """What RFC 6750 adds for somebody who did show a token: get another one."""
    return {"WWW-Authenticate": 'Bearer error="invalid_token"'} if isinstance(error, TokenError) else None


def _allowed(request: Request) -> str:
    """The methods of all routes with this path: Starlette names those of the first one."""
    found = (
        route for route in _each(request.app.routes) if route.matches(request.scope)[0] is not Match.NONE
    )
    return ", ".join(sorted({method for route in found for method in getattr(route, "methods", None) or ()}))


def _each(routes: Iterable[Any]) -> Iterator[Any]:
    """The routes themselves, also those of routers that were included."""
    for route in routes:
        router = getattr(route, "original_router", None)
        yield from (route,) if router is None else _each(router.routes)


def handle_errors(app: FastAPI) -> None:
    """Answer every error of `app` as a problem."""

    @app.exception_handler(AnjuError)
    def refused(_request: Request, error: AnjuError) -> JSONResponse:
        if error.code not in STATUS:
            logger.error("unexpected error", exc_info=error)
            return problem(500, "INTERNAL", UNEXPECTED)
        return problem(STATUS[error.code], error.code, str(error), _challenge(error))

    @app.exception_handler(RequestValidationError)
    def malformed(_request: Request, error: RequestValidationError) -> JSONResponse:
        wrong = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
        return problem(422, "INVALID", wrong)

    @app.exception_handler(HTTPException)
    def answered(request: Request, error: HTTPException) -> JSONResponse:
        code = {404: "NOT_FOUND", 405: "METHOD_NOT_ALLOWED"}.get(error.status_code, "HTTP")
        headers = (
            {"Allow": _allowed(request)}
            if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED
            else error.headers
        )
        return problem(error.status_code, code, error.detail, headers)

    @app.exception_handler(Exception)
    def unexpected(_request: Request, error: Exception) -> JSONResponse:
        logger.error("unexpected error", exc_info=error)
        return problem(500, "INTERNAL", UNEXPECTED)
