"""Tokens of an identity provider (OpenID Connect): which are believed, and who their claims say is asking. docs/identity.md"""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
import jwt

from api.believed import Believed
from api.jwks import KeySet
from api.settings import Settings
from domain.errors import ForbiddenError, InvalidError, TokenError
from domain.observation import require_code
from domain.people import CITY, Person, Role, Scope
from domain.site import site_id

LEEWAY = 30.0
"""Seconds by which the provider's clock and ours may differ."""
WHOLE_CITY = "*"
"""The township of somebody who is responsible for all of them. No claim means no access: what is forgotten opens nothing."""
LONGEST_ID = 255
"""Characters of a subject, as OpenID Connect limits it."""
_HEADER_TYPES = frozenset({"jwt", "at+jwt", "application/at+jwt"})
# of Keycloak, which signs ID and logout tokens with the same keys
_CLAIM_TYPES = frozenset({None, "Bearer", "JWT"})


@dataclass(frozen=True, slots=True)
class ClaimNames:
    """What the provider calls the claims that we need."""

    id: str
    roles: str
    units: str
    township: str
    site: str


@dataclass(frozen=True, slots=True)
class Provider:
    """Believes the access tokens that `issuer` signed for `audience`."""

    issuer: str
    audience: str
    names: ClaimNames
    keys: KeySet
    _believed: Believed = field(default_factory=Believed, init=False, repr=False, compare=False)

    async def person(self, token: str) -> Person:
        """Who `token` says is asking. TokenError: it is not believed; ForbiddenError: it says too little, or what we do not know."""
        try:
            header = jwt.get_unverified_header(token)
            key = await self.keys.find(header.get("kid"), header.get("alg"))  # each time: it may be withdrawn
            known = self._believed.recall(token, key)
            if known is not None:
                return known
            claims = jwt.decode(
                token,
                key,
                algorithms=[key.algorithm_name],
                audience=self.audience,
                issuer=self.issuer,
                leeway=LEEWAY,
                options={
                    "require": ["exp", "iat", "iss", "aud", "sub"],
                    "enforce_minimum_key_length": True,
                },
            )
        except (jwt.PyJWTError, ValueError) as error:
            raise TokenError(f"the token is not accepted: {error}") from error
        if (
            str(header.get("typ", "JWT")).lower() not in _HEADER_TYPES
            or claims.get("typ") not in _CLAIM_TYPES
        ):
            raise TokenError("the token is not accepted: it is no access token, but of another kind")
        person = person_of_claims(claims, self.names)
        self._believed.remember(token, key, person, int(claims["exp"]) + LEEWAY)
        return person


def person_of_claims(claims: Mapping[str, Any], names: ClaimNames) -> Person:
    """Who believed claims describe; ForbiddenError says which claim must be mended, and how."""
    holder = _one(claims, names.id)
    if not holder or len(holder) > LONGEST_ID or not holder.isprintable():
        raise ForbiddenError(f"the token's claim {names.id!r} must hold a staff number")
    return Person(
        holder,
        frozenset(_role(name) for name in _several(claims, names.roles)),
        _scope(claims, names),
        frozenset(_code(unit, names.units) for unit in _several(claims, names.units)),
    )


def _role(name: str) -> Role:
    try:
        role = Role(name)
    except ValueError:
        raise ForbiddenError(
            f"the token gives a role that there is not: {name!r:.80}; there are {', '.join(sorted(set(Role) - {Role.DEVICE}))}"
        ) from None
    if role is Role.DEVICE:
        raise ForbiddenError(
            f"the token gives the role {role.value!r}, which no person has: devices have credentials of their own"
        )
    return role


def _scope(claims: Mapping[str, Any], names: ClaimNames) -> Scope:
    township, site = _one(claims, names.township), _one(claims, names.site)
    if township is None and site is None:
        raise ForbiddenError(
            f"the token does not say for where: its claim {names.township!r} must hold a township's code "
            f"({WHOLE_CITY!r}: the whole city), or its claim {names.site!r} a site's"
        )
    if township == WHOLE_CITY:
        if site is not None:
            raise ForbiddenError(f"the token is for the whole city and for the site {site!r:.80}: which?")
        return CITY
    return Scope(
        None if township is None else _code(township, names.township),
        None if site is None else site_id(_code(site, names.site)),
    )


def _code(value: str, claim: str) -> str:
    try:
        return require_code(value, f"the token's claim {claim!r}:")
    except InvalidError as error:
        raise ForbiddenError(str(error)) from None


def _several(claims: Mapping[str, Any], name: str) -> list[str]:
    """The words of a claim, which some providers write as a list of one and some as one."""
    found = _found(claims, name)
    words = [] if found is None else found if isinstance(found, list) else [found]
    if not all(isinstance(word, str) for word in words):
        raise ForbiddenError(f"the token's claim {name!r} must be a list of words")
    return words


def _one(claims: Mapping[str, Any], name: str) -> str | None:
    words = _several(claims, name)
    if len(words) > 1:
        raise ForbiddenError(f"the token's claim {name!r} holds {len(words)} words: one is accepted")
    return words[0] if words else None


def _found(claims: Mapping[str, Any], name: str) -> Any:
    """The claim of this name, which may hold dots of its own (a URL); else the way to it, as in realm_access.roles."""
    if name in claims:
        return claims[name]
    found: Any = claims
    for part in name.split("."):
        found = found.get(part) if isinstance(found, dict) else None
    return found


@asynccontextmanager
async def provider(settings: Settings) -> AsyncIterator[Provider | None]:
    """The identity provider that `settings` name, if they name one. It is asked when the first token comes."""
    if settings.oidc_issuer is None:
        yield None
        return
    if not settings.oidc_audience:
        raise InvalidError(
            "ANJU_OIDC_ISSUER needs ANJU_OIDC_AUDIENCE: else tokens that the provider signs for others would open Anju"
        )
    names = ClaimNames(
        id=settings.oidc_id_claim,
        roles=settings.oidc_roles_claim,
        units=settings.oidc_units_claim,
        township=settings.oidc_township_claim,
        site=settings.oidc_site_claim,
    )
    async with httpx.AsyncClient() as client:
        keys = KeySet(client, settings.oidc_issuer, settings.oidc_jwks_url)
        yield Provider(settings.oidc_issuer, settings.oidc_audience, names, keys)
