"""An identity provider of the tests' own: a real HTTP server that describes itself, publishes keys and signs tokens."""

import asyncio
import json
from base64 import urlsafe_b64encode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1
from cryptography.hazmat.primitives.asymmetric.ec import generate_private_key as ec_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key as rsa_key
from fastapi import FastAPI, Request, Response
from jwt.algorithms import get_default_algorithms

from api.serving import serving

AUDIENCE = "anju"
_RSA = rsa_key(65537, 2048)  # the slow one to make: once


def make_key(algorithm: str) -> Any:
    """A private key for `algorithm`."""
    match algorithm:
        case "EdDSA":
            return Ed25519PrivateKey.generate()
        case "ES256":
            return ec_key(SECP256R1())
        case _:
            return _RSA


class Idp:
    """`issuer` is its address; `asked` are the paths that were asked for; `keys` are (private key, algorithm) by id."""

    def __init__(self) -> None:
        self.issuer = ""
        self.asked: list[str] = []
        self.keys: dict[str, tuple[Any, str]] = {}
        self.extra: list[Any] = []
        self.instead: dict[str, Response] = {}
        self.delay = 0.0
        self.add("k1", "ES256")

    def add(self, kid: str, algorithm: str = "ES256") -> None:
        """Publish a new key."""
        self.keys[kid] = (make_key(algorithm), algorithm)

    def jwk(self, kid: str) -> dict[str, Any]:
        """The public half, as it is published."""
        key, algorithm = self.keys[kid]
        public = get_default_algorithms()[algorithm].to_jwk(key.public_key(), as_dict=True)
        return {**public, "kid": kid, "alg": algorithm, "use": "sig"}

    def claims(self, **changes: Any) -> dict[str, Any]:
        """Of a dispatcher of the whole city, with `changes`; None takes a claim away."""
        now = datetime.now(UTC)
        claims = {
            "iss": self.issuer, "aud": AUDIENCE, "sub": "staff-7", "iat": now, "exp": now + timedelta(minutes=5),
            "roles": ["dispatcher"], "units": ["fire-safety"], "township": "*",
        } | changes  # fmt: skip
        return {name: value for name, value in claims.items() if value is not None}

    def token(self, kid: str = "k1", header: dict[str, Any] | None = None, **changes: Any) -> str:
        """A token signed with the key `kid`, with more in its header."""
        key, algorithm = self.keys[kid]
        return jwt.encode(self.claims(**changes), key, algorithm, headers={"kid": kid, **(header or {})})

    async def answer(self, request: Request) -> Response:
        """What is at any path."""
        path = request.url.path
        self.asked.append(path)
        await asyncio.sleep(self.delay)
        if path in self.instead:
            return self.instead[path]
        if path == "/.well-known/openid-configuration":
            return json_of({"issuer": self.issuer, "jwks_uri": f"{self.issuer}/keys"})
        if path == "/keys":
            return json_of({"keys": [*self.extra, *(self.jwk(kid) for kid in self.keys)]})
        return Response(status_code=404)


def json_of(value: Any) -> Response:
    """`value` as an answer."""
    return Response(json.dumps(value), media_type="application/json")


def by_hand(header: dict[str, Any], claims: dict[str, Any], signature: bytes) -> str:
    """A token that no library would make."""
    plain = {name: int(v.timestamp()) if isinstance(v, datetime) else v for name, v in claims.items()}
    parts = [json.dumps(header).encode(), json.dumps(plain).encode(), signature]
    return ".".join(urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts)


@asynccontextmanager
async def idp() -> AsyncIterator[Idp]:
    """A provider that answers until the block is left."""
    made = Idp()
    app = FastAPI(openapi_url=None)
    app.add_route("/{path:path}", made.answer)
    async with serving(app, "127.0.0.1", 0) as url:
        made.issuer = url
        yield made
