"""Who asks. The header `Authorization` says it, and nothing else does: no cookie, no address, no body."""

from typing import TYPE_CHECKING, Annotated

from fastapi import Depends, Request
from fastapi.security import HTTPBearer
from fastapi.security.http import HTTPAuthorizationCredentials
from starlette.requests import HTTPConnection

from api.tokens import names_us
from domain.errors import AnjuError, TokenError, UnauthenticatedError
from domain.people import Person

if TYPE_CHECKING:
    from api.bootstrap import System

LONGEST_TOKEN = 16_384
"""Characters; those of providers have one or two thousand."""
_ASKING = "anju.asking"
_described = HTTPBearer(
    auto_error=False, description="A token of the identity provider, or of `anju token ROLE`."
)


async def identify(system: "System", authorization: str | None) -> Person:
    """Who this value of the header (or of a socket's first message) says is asking.

    UnauthenticatedError: nobody; TokenError: nobody to believe; ForbiddenError: somebody of whom the token says too little;
    UnavailableError: the identity provider would have to be asked, and does not answer.
    """
    scheme, _, token = (authorization or "").partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise UnauthenticatedError(
            "say who you are: send the header `Authorization: Bearer TOKEN` (`anju token ROLE`)"
        )
    if len(token) > LONGEST_TOKEN:
        raise TokenError(f"the token is not accepted: it has more than {LONGEST_TOKEN} characters")
    if system.provider is None or (system.settings.own_tokens and names_us(token)):
        return system.issuer.person(token)
    return await system.provider.person(token)


async def asking(connection: HTTPConnection) -> Person | AnjuError:
    """Who asks, or why we do not know; found out once for each request. An error is a value here: many things need nobody."""
    scope = connection.scope
    if _ASKING not in scope:
        try:
            scope[_ASKING] = await identify(connection.app.state.system, _header(connection))
        except AnjuError as error:
            scope[_ASKING] = error
    found: Person | AnjuError = scope[_ASKING]
    return found


def believed(found: Person | AnjuError) -> Person:
    """The person that was found; raises what was found instead."""
    if isinstance(found, AnjuError):
        raise found
    return found


async def person_of(
    request: Request, _: Annotated[HTTPAuthorizationCredentials | None, Depends(_described)] = None
) -> Person:
    """For REST routes: who asks; raises what `identify` raises."""
    return believed(await asking(request))


Asking = Annotated[Person, Depends(person_of)]
"""A parameter of a REST route: the person asking."""


def _header(connection: HTTPConnection) -> str | None:
    if connection.scope["query_string"] and "access_token" in connection.query_params:
        raise TokenError(
            "a token in an address ends up in logs and histories: send it as `Authorization: Bearer TOKEN`, and get a new one"
        )
    given = connection.headers.getlist("authorization")
    if len(given) > 1:
        raise TokenError(f"{len(given)} headers `Authorization` were sent: one is accepted")
    return given[0] if given else None
