"""Public keys of an identity provider (JWKS, RFC 7517): fetched, kept for a while, fetched again when a token names a new one."""

import asyncio
import logging
import time
from collections.abc import Callable, Iterator
from math import inf
from typing import Any

import httpx
import msgspec
from jwt import PyJWK, PyJWTError

from api.settings import is_safe
from domain.errors import TokenError, UnavailableError

logger = logging.getLogger("anju.api")

ALGORITHMS = frozenset({"RS256", "ES256", "EdDSA"})
"""Asymmetric ones only: who can check a token must not be able to make one."""
FRESH = 300.0
"""Seconds for which keys are used without asking again: a withdrawn key opens nothing after that."""
STALE = 3600.0
"""Seconds for which keys are used while the provider does not answer."""
COOLDOWN = 10.0
"""Seconds between two attempts to fetch, at least: strangers with made-up keys cannot make us ask more often."""
TIMEOUT = 3.0
"""Seconds for one attempt."""
LARGEST = 1 << 19
"""Bytes of an answer, at most."""
_UNREADABLE = (
    httpx.HTTPError,
    httpx.InvalidURL,
    msgspec.MsgspecError,
    RecursionError,
    TimeoutError,
    ValueError,
)
_UNUSABLE = (PyJWTError, KeyError, TypeError, ValueError)

Keys = dict[tuple[str, str], PyJWK]
"""By id and algorithm: a key checks the one algorithm that it was published for."""


class _Discovery(msgspec.Struct):
    """What we need of the provider's description of itself (OpenID Connect Discovery)."""

    issuer: str
    jwks_uri: str


class _Published(msgspec.Struct):
    keys: list[Any]


class KeySet:
    """The keys that `issuer` publishes at `url`, or where it says so itself if `url` is None. clock: seconds."""

    def __init__(
        self,
        client: httpx.AsyncClient,
        issuer: str,
        url: str | None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._client, self._issuer, self._url, self._clock = client, issuer, url, clock
        self._keys: Keys = {}
        self._fetched_at = self._tried_at = -inf
        self._fetching = asyncio.Lock()

    async def find(self, kid: object, algorithm: object) -> PyJWK:
        """The key that a token's header names. TokenError: there is none; UnavailableError: that cannot be known now."""
        if not isinstance(algorithm, str) or algorithm not in ALGORITHMS:
            raise TokenError(
                f"the token is signed with {algorithm!r:.40}: {', '.join(sorted(ALGORITHMS))} are accepted"
            )
        if not isinstance(kid, str):
            raise TokenError("the token does not name the key that signed it: `kid` is needed in its header")
        if (kid, algorithm) not in self._keys or self._age() > FRESH:
            await self._fetch()
        if self._age() > STALE:
            raise UnavailableError(f"the identity provider {self._issuer} gives us no keys: is it up?")
        if (kid, algorithm) not in self._keys:
            raise TokenError(f"the token is signed with a key that {self._issuer} does not publish")
        return self._keys[kid, algorithm]

    def _age(self) -> float:
        return self._clock() - self._fetched_at

    async def _fetch(self) -> None:
        """Fetch the keys, unless somebody did or tried just now. Who comes while it lasts waits for it, and takes what it brought."""
        async with self._fetching:
            if self._clock() - self._tried_at < COOLDOWN:
                return
            self._tried_at = self._clock()
            try:
                async with asyncio.timeout(TIMEOUT):
                    keys = await self._published()
            except _UNREADABLE as error:
                logger.warning("no keys from the identity provider %s: %r", self._issuer, error)
                return
            self._keys, self._fetched_at = keys, self._clock()

    async def _published(self) -> Keys:
        url = self._url or await self._discovered()
        published = msgspec.json.decode(await self._get(url), type=_Published).keys
        keys = dict(_usable(published))
        if published and not keys:  # an empty set is the provider's word; this is not
            raise ValueError(f"none of the {len(published)} keys at {url} can be used")
        return keys

    async def _discovered(self) -> str:
        where = f"{self._issuer.rstrip('/')}/.well-known/openid-configuration"
        found = msgspec.json.decode(await self._get(where), type=_Discovery)
        if found.issuer != self._issuer:
            raise ValueError(f"{where} describes another issuer, {found.issuer!r:.200}")
        if not is_safe(found.jwks_uri):
            raise ValueError(f"{where} gives keys at {found.jwks_uri!r:.200}, which is not https")
        return found.jwks_uri

    async def _get(self, url: str) -> bytes:
        """What is at `url`; a redirect is an error."""
        body = bytearray()
        async with self._client.stream("GET", url, headers={"Accept": "application/json"}) as response:
            response.raise_for_status()
            async for chunk in response.aiter_bytes():
                body += chunk
                if len(body) > LARGEST:
                    raise ValueError(f"{url} answers with more than {LARGEST} bytes")
        return bytes(body)


def _usable(published: list[Any]) -> Iterator[tuple[tuple[str, str], PyJWK]]:
    """Those that sign with an accepted algorithm; providers publish others beside them, for encryption or for later."""
    for jwk in published:
        if not isinstance(jwk, dict) or not isinstance(jwk.get("kid"), str) or jwk.get("use", "sig") != "sig":
            continue
        try:
            key = PyJWK(jwk)
        except _UNUSABLE:
            continue
        if key.algorithm_name in ALGORITHMS:
            yield (jwk["kid"], key.algorithm_name), key
