"""Keyed digests: what is shown at a gate (a plate, a card's number, a visitor's code) is compared without being kept in clear.

One key serves a whole installation, so that what was registered by one process is known to all. It never leaves its file: whoever has
it can try all plates. Losing it betrays nobody and unlocks nothing; plates, cards and codes are then registered anew.
"""

import hmac
import os
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID

from adapters.files import make_once
from domain.access import DIGEST
from domain.credentials import CredentialKind
from domain.errors import CorruptError, UnavailableError
from domain.plates import normalise

CODE_DIGITS = 8


@dataclass(frozen=True, slots=True)
class Digests:
    """HMAC-SHA-256 under `key`, which does not print itself."""

    key: bytes = field(repr=False)

    def of(self, kind: CredentialKind, text: str) -> bytes:
        """The 32 bytes that gates compare: of a plate in its one form, of anything else as it is, without spaces around it."""
        value = normalise(text) if kind is CredentialKind.PLATE else text.strip()
        return self._hmac(value)

    def code_of(self, visit: UUID) -> str:
        """The code of a visit: the same each time it is asked for, and nobody guesses it without the key."""
        number = int.from_bytes(self._hmac(f"code of visit {visit}")) % 10**CODE_DIGITS
        return f"{number:0{CODE_DIGITS}}"

    def _hmac(self, text: str) -> bytes:
        return hmac.digest(self.key, text.encode(errors="surrogatepass"), "sha256")  # the domain refuses them


def load_digests(path: Path) -> Digests:
    """The digests by the key in `path`; it is made, readable by its owner only, if there is none. Blocks.

    UnavailableError if the file cannot be used; CorruptError if it holds no such key.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            make_once(path, os.urandom(DIGEST).hex().encode())
        text = path.read_bytes().strip()
    except OSError as error:
        raise UnavailableError(f"the key of digests, {path}, cannot be used: {error.strerror}") from error
    try:
        key = bytes.fromhex(text.decode())
    except ValueError:  # of UTF-8 too
        key = b""
    if len(key) != DIGEST:
        raise CorruptError(
            f"{path} does not hold {DIGEST} bytes in hexadecimal: restore it from its backup, or remove it to register all anew"
        )
    return Digests(key)
