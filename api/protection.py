"""What protects at the edge, whatever is served: security headers on every answer, other origins, how often one may ask.

There is no cookie and no session, so nothing that a foreign page makes a browser send carries anybody's rights (no CSRF). Pure
ASGI: sockets and streams pass through as they are.
"""

import re
from base64 import b64encode
from collections.abc import Iterator, Mapping
from functools import lru_cache
from hashlib import sha256

from fastapi import FastAPI
from starlette.datastructures import MutableHeaders
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.audit.record import INQUIRY, PURPOSE
from api.graphql.guard import COST
from api.rate import RateLimit
from api.settings import Settings

ASSETS = "/static"
"""Files that come with us lie below this; they hold nobody's data and may be kept by a browser."""
READ = ("Authorization", "Content-Type", "If-None-Match", "Prefer", PURPOSE, INQUIRY)
"""What a request may say in its headers: a page from elsewhere may send these."""
TOLD = (
    *("RateLimit", "RateLimit-Policy", "Retry-After", "WWW-Authenticate", "Allow"),
    *("Content-Disposition", "ETag", "Location", "Preference-Applied", COST),
)
"""What an answer says in its headers, beside what a page from elsewhere may always read."""
_STARTS = frozenset({"http.response.start", "websocket.http.response.start"})
_SCRIPT = re.compile(rb"<script>(.*?)</script>", re.DOTALL)
_ALWAYS = (
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
)


def protect(app: FastAPI, settings: Settings) -> None:
    """Put the protection around `app`: last, when all else is mounted."""
    app.add_middleware(RateLimit, person_rate=settings.rate, stranger_rate=settings.stranger_rate)
    stack = app.build_middleware_stack()
    if settings.origins:
        stack = CORSMiddleware(
            stack,
            allow_origins=settings.origins,
            allow_methods=["GET", "POST", "DELETE"],
            allow_headers=READ,
            expose_headers=TOLD,
        )
    # Outside of everything, also of what answers to our own errors: Starlette puts that outside of its middleware.
    app.middleware_stack = SecurityHeaders(stack)


class SecurityHeaders:
    """Adds to every answer what tells browsers to trust it with little."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        page: Message | None = None  # held back until its body is known

        async def guarded(message: Message) -> None:
            nonlocal page
            if message["type"] in _STARTS:
                given = dict(message["headers"])
                message["headers"] = [*message["headers"], *_added(given, scope)]
                if given.get(b"content-type", b"").startswith(b"text/html"):
                    page = message
                    return
            elif page is not None:
                MutableHeaders(scope=page)["Content-Security-Policy"] = policy(message.get("body", b""))
                start, page = page, None
                await send(start)
            await send(message)

        await self.app(scope, receive, guarded)


def _added(given: Mapping[bytes, bytes], scope: Scope) -> Iterator[tuple[bytes, bytes]]:
    """What an answer that has `given` lacks."""
    yield from _ALWAYS
    if b"cache-control" not in given and not scope["path"].startswith(ASSETS):
        yield b"cache-control", b"no-store"
    if scope["scheme"] in {"https", "wss"}:
        yield b"strict-transport-security", b"max-age=31536000"


@lru_cache(maxsize=32)
def policy(page: bytes) -> str:
    """What the page may load and run: files from here, and its own inline scripts, by their digests. Styles may be inline."""
    scripts = "".join(
        f" 'sha256-{b64encode(sha256(script).digest()).decode()}'" for script in _SCRIPT.findall(page)
    )
    return (
        f"default-src 'none'; script-src 'self'{scripts}; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
        "font-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
