"""How often one may ask: a token bucket for each person, and for each address without one. In memory, each process its own.

Our own forty lines: the library `limits` has windows and no buckets, and nothing that bounds how many names its memory holds.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address

from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.errors import problem
from api.identity import asking
from domain.people import Person

SPAN = 10
"""Seconds' worth of requests that may come at once."""
MOST = 50_000
"""Names that are remembered, 8 MB; beyond it the one that was idle longest is forgotten, and so begins afresh."""
_SECOND = 1_000_000_000
FREE = frozenset({"/healthz", "/readyz", "/metrics"})
"""A probe that is refused would restart a healthy process."""


@dataclass(frozen=True, slots=True)
class Taken:
    """What a request left. wait: seconds until the next is allowed, 0 if this one was; full: until all are."""

    left: int
    wait: int
    full: int


class Buckets:
    """Token buckets by name, each kept as one number: when it will be full again (GCRA). rate: requests a second.

    Times are whole nanoseconds, so that nothing is lost to rounding.
    """

    def __init__(self, rate: int, clock: Callable[[], int] = time.monotonic_ns, most: int = MOST) -> None:
        self.rate, self._clock, self._most = rate, clock, most
        self._full_at: dict[str, int] = {}  # in the order of use

    def take(self, name: str) -> Taken:
        """Take one from the bucket `name`, if there is one in it."""
        now = self._clock()
        cost, size = _SECOND // self.rate, SPAN * _SECOND
        missing = max(self._full_at.pop(name, now) - now, 0)
        wait = max(missing + cost - size, 0)
        if not wait:
            missing += cost
        self._full_at[name] = now + missing
        if len(self._full_at) > self._most:
            del self._full_at[next(iter(self._full_at))]
        return Taken((size - missing) // cost, -(-wait // _SECOND), -(-missing // _SECOND))


class RateLimit:
    """Answers 429 to who asks too often, and tells everybody how much is left. A socket counts once, when it is opened."""

    def __init__(self, app: ASGIApp, person_rate: int, stranger_rate: int) -> None:
        self.app = app
        self._people = Buckets(person_rate) if person_rate else None
        self._strangers = Buckets(stranger_rate) if stranger_rate else None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in {"http", "websocket"} or scope["path"] in FREE:
            await self.app(scope, receive, send)
            return
        connection = HTTPConnection(scope)
        found = await asking(connection)
        # Only a token that is believed names its bucket: else strangers could empty another's, or have as many as they like.
        if isinstance(found, Person):
            what, buckets, name = "person", self._people, found.id
        else:
            what, buckets, name = "address", self._strangers, _network(connection)
        if buckets is None:
            await self.app(scope, receive, send)
            return
        taken = buckets.take(name)
        headers = {
            "RateLimit-Policy": f'"{what}";q={buckets.rate * SPAN};w={SPAN}',
            "RateLimit": f'"{what}";r={taken.left};t={taken.full}',
        }
        if taken.wait:
            why = (
                f"more than {buckets.rate} requests a second from one {what}: "
                f"try again in {taken.wait} s, or ask for more in one request"
            )
            refusal = problem(429, "TOO_MANY_REQUESTS", why, {"Retry-After": str(taken.wait), **headers})
            await refusal(scope, receive, send)
            return

        async def telling(message: Message) -> None:
            if message["type"] == "http.response.start":
                raw = [(key.lower().encode(), value.encode()) for key, value in headers.items()]
                message["headers"] = [*message["headers"], *raw]
            await send(message)

        await self.app(scope, receive, telling)


def _network(connection: HTTPConnection) -> str:
    """The address asking; of IPv6 the first 64 bits, for one household has all that begin with them."""
    host = connection.client.host if connection.client else ""
    try:
        address = ip_address(host)
    except ValueError:
        return host
    if not isinstance(address, IPv6Address):
        return host
    return str(address.ipv4_mapped or IPv6Address(int(address) >> 64 << 64))
