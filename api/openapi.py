"""What the description of the HTTP interface says of every route behind a token: how a refusal looks. `anju openapi` prints it."""

from typing import Any

from fastapi import FastAPI
from pydantic import BaseModel, Field

from api.errors import MEDIA_TYPE

_REFUSALS = {
    401: "UNAUTHENTICATED: nobody says who asks, or the token is not believed.",
    403: "FORBIDDEN: this person may not do this, or not here.",
    422: "INVALID: something that was given cannot be so; `detail` says what would be accepted.",
    429: "TOO_MANY_REQUESTS: ask again after `Retry-After` seconds.",
    503: "UNAVAILABLE: something that is needed does not answer, or is busy; `detail` says how to mend it.",
}
_NOT_FOUND = "NOT_FOUND: there is no such thing, or none that you may see."


class Problem(BaseModel):
    """A refusal, as RFC 9457 writes it."""

    type: str = Field(description="Stable: /problems/ and the code in small letters.")
    title: str = Field(description="The code, the same as in GraphQL.")
    status: int = Field(description="That of HTTP.")
    detail: str = Field(description="What was refused, why, and what would be accepted.")


def refusal(description: str) -> dict[str, Any]:
    """A response with a problem in it, for the `responses` of a route."""
    schema = {"$ref": "#/components/schemas/Problem"}
    return {"description": description, "content": {MEDIA_TYPE: {"schema": schema}}}


NOT_FOUND: dict[int | str, dict[str, Any]] = {404: refusal(_NOT_FOUND)}
"""For a route that is about one thing."""


def describe(app: FastAPI) -> None:
    """Add to the description of each route behind a token what all of them answer; what a route says itself stays."""
    built = app.openapi

    def described() -> dict[str, Any]:
        if app.openapi_schema is None:
            found = built()
            schemas = found.setdefault("components", {}).setdefault("schemas", {})
            schemas["Problem"] = Problem.model_json_schema()
            for name in ("HTTPValidationError", "ValidationError"):  # FastAPI's own, which nobody here sends
                schemas.pop(name, None)
            for path in found["paths"].values():
                for operation in path.values():
                    for parameter in operation.get("parameters", ()):
                        _sent_or_not(parameter["schema"])
                    if "security" in operation:
                        _refuse(operation["responses"])
                    elif "HTTPValidationError" in str(operation["responses"].get("422")):
                        del operation["responses"]["422"]
        assert app.openapi_schema is not None
        return app.openapi_schema

    app.openapi = described  # type: ignore[method-assign]  # FastAPI's documented way to extend it


def _sent_or_not(schema: dict[str, Any]) -> None:
    """A parameter may be left out, and cannot be null: there is no such thing in an address or a header."""
    match schema.pop("anyOf", None):
        case [given, {"type": "null"}]:
            schema |= given
        case None:
            pass
        case several:
            schema["anyOf"] = several


def _refuse(responses: dict[str, Any]) -> None:
    for status, description in _REFUSALS.items():
        said = responses.get(str(status), {}).get("content", {})
        if not said or "HTTPValidationError" in str(said):
            responses[str(status)] = refusal(description)
