"""Bearer tokens of people: JWT signed with Ed25519. A demo or a small site signs its own, with a key kept in the data folder."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from adapters.signing import make_key
from api.believed import Believed
from domain.errors import TokenError
from domain.people import Person, Role, Scope

ALGORITHM = "EdDSA"
ISSUER = AUDIENCE = "anju"
LIFETIME = timedelta(hours=12)


@dataclass(frozen=True, slots=True)
class Issuer:
    """Signs tokens and believes only those it signed."""

    key: Ed25519PrivateKey
    _believed: Believed = field(default_factory=Believed, init=False, repr=False, compare=False)

    def sign(self, person: Person, now: datetime, lifetime: timedelta = LIFETIME) -> str:
        """A token that says who `person` is, from `now` on."""
        claims: dict[str, Any] = {
            "iss": ISSUER,
            "aud": AUDIENCE,
            "sub": person.id,
            "iat": now,
            "nbf": now,
            "exp": now + lifetime,
            "roles": sorted(person.roles),
            "units": sorted(person.units),
        }
        if person.scope.township:
            claims["township"] = person.scope.township
        if person.scope.site_id:
            claims["site"] = str(person.scope.site_id)
        return jwt.encode(claims, self.key, algorithm=ALGORITHM)

    def person(self, token: str) -> Person:
        """Who `token` says is asking; TokenError if it cannot be believed."""
        known = self._believed.recall(token, self.key)
        if known is not None:
            return known
        try:
            claims = jwt.decode(
                token,
                self.key.public_key(),
                algorithms=[ALGORITHM],
                audience=AUDIENCE,
                issuer=ISSUER,
                options={"require": ["exp", "iat", "sub", "iss", "aud"]},
            )
            site = claims.get("site")
            person = Person(
                id=claims["sub"],
                roles=frozenset(Role(role) for role in claims.get("roles", [])),
                scope=Scope(claims.get("township"), UUID(site) if site else None),
                units=frozenset(claims.get("units", [])),
            )
        except (jwt.InvalidTokenError, ValueError, TypeError) as error:
            raise TokenError(f"the token is not accepted: {error}") from error
        self._believed.remember(token, self.key, person, int(claims["exp"]))
        return person


def names_us(token: str) -> bool:
    """Whether `token` says that we signed it: whom to ask about it, and no more."""
    try:
        return jwt.decode(token, options={"verify_signature": False}).get("iss") == ISSUER
    except jwt.InvalidTokenError:
        return False


def expiry(authorization: str | None) -> float:
    """When the token of a header that was accepted expires: seconds since 1970."""
    token = (authorization or "").partition(" ")[2]
    return float(jwt.decode(token, options={"verify_signature": False})["exp"])


def load_issuer(data_dir: Path) -> Issuer:
    """The issuer whose key is in `data_dir`; the key is made, readable by its owner only, if there is none."""
    return Issuer(make_key(data_dir / "token-key.pem"))
