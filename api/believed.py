"""Tokens that were believed before, and who they said is asking: to check a signature takes longer than most answers.

What is kept is a digest of the token: memory that leaks gives nobody a token.
"""

import time
from collections.abc import Callable
from hashlib import sha256

from domain.people import Person

MOST = 10_000
"""Tokens that are remembered; beyond it the one that was unused longest is forgotten, and checked again."""


class Believed:
    """People by their tokens, each until the token expires. clock: seconds since 1970."""

    def __init__(self, clock: Callable[[], float] = time.time, most: int = MOST) -> None:
        self._clock, self._most = clock, most
        self._known: dict[bytes, tuple[Person, float, object]] = {}  # in the order of use

    def recall(self, token: str, key: object) -> Person | None:
        """Who `token` said is asking, if it was believed by this very `key` and has not expired since."""
        digest = _digest(token)
        known = self._known.pop(digest, None)
        if known is None:
            return None
        person, expires, checked_by = known
        if checked_by is not key or self._clock() >= expires:
            return None
        self._known[digest] = known
        return person

    def remember(self, token: str, key: object, person: Person, expires: float) -> None:
        """`key` checked the signature of `token`, which is to be believed until `expires`."""
        self._known[_digest(token)] = person, expires, key
        if len(self._known) > self._most:
            del self._known[next(iter(self._known))]


def _digest(token: str) -> bytes:
    return sha256(token.encode(errors="surrogatepass")).digest()
