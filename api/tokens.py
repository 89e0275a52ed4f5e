"""Bearer tokens of people: JWT signed with Ed25519. A demo or a small site signs its own, with a key kept in the data folder."""

import os
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import mkstemp
from typing import Any
from uuid import UUID

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from domain.errors import CorruptError, UnauthenticatedError, UnavailableError
from domain.people import Person, Role, Scope

ALGORITHM = "EdDSA"
ISSUER = AUDIENCE = "anju"
LIFETIME = timedelta(hours=12)


@dataclass(frozen=True, slots=True)
class Issuer:
    """Signs tokens and believes only those it signed."""

    key: Ed25519PrivateKey

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
        """Who `token` says is asking; UnauthenticatedError if it cannot be believed."""
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
            return Person(
                id=claims["sub"],
                roles=frozenset(Role(role) for role in claims.get("roles", [])),
                scope=Scope(claims.get("township"), UUID(site) if site else None),
                units=frozenset(claims.get("units", [])),
            )
        except (jwt.InvalidTokenError, ValueError, TypeError) as error:
            raise UnauthenticatedError(f"the token is not accepted: {error}") from error


def load_issuer(data_dir: Path) -> Issuer:
    """The issuer whose key is in `data_dir`; the key is made, readable by its owner only, if there is none.

    UnavailableError if the folder cannot be used; CorruptError if the file there is no such key.
    """
    path = data_dir / "token-key.pem"
    try:
        data_dir.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            _make_key(path)
        pem = path.read_bytes()
    except OSError as error:
        raise UnavailableError(
            f"{path} cannot be used: {error.strerror}; make {data_dir} yours, or choose another folder with ANJU_DATA_DIR"
        ) from error
    try:
        key = load_pem_private_key(pem, password=None)
    except (ValueError, TypeError) as error:  # TypeError: it needs a password
        raise CorruptError(f"{path} is not a private key: {error}; remove it to make a new one") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise CorruptError(f"{path} is not an Ed25519 key; remove it to make a new one")
    return Issuer(key)


def _make_key(path: Path) -> None:
    pem = Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    handle, name = mkstemp(dir=path.parent)  # readable by its owner only
    draft = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(pem)
        with suppress(FileExistsError):
            path.hardlink_to(draft)  # whoever is first makes the key, whole
    finally:
        draft.unlink()
