"""Ed25519 keys: kept in a file that only its owner can read, made when missing; notes signed and checked with them."""

from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from adapters.files import make_once
from domain.checkpoint import PublicKey, note, opened, require_origin
from domain.errors import CorruptError, NotFoundError, UnavailableError

CHECKPOINT_KEY = "checkpoint-key.pem"


def make_key(path: Path) -> Ed25519PrivateKey:
    """The key in `path`; made, readable by its owner only, if there is none.

    UnavailableError if the folder cannot be used; CorruptError if the file there is no such key.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            _make(path)
    except OSError as error:
        raise _unusable(path, error) from error
    return read_key(path)


def read_key(path: Path) -> Ed25519PrivateKey:
    """The key in `path`; NotFoundError, UnavailableError, CorruptError."""
    try:
        pem = path.read_bytes()
    except FileNotFoundError as error:
        raise NotFoundError(f"there is no key {path}") from error
    except OSError as error:
        raise _unusable(path, error) from error
    try:
        key = load_pem_private_key(pem, password=None)
    except (ValueError, TypeError) as error:  # TypeError: it needs a password
        raise CorruptError(f"{path} is not a private key: {error}; remove it to make a new one") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise CorruptError(f"{path} is not an Ed25519 key; remove it to make a new one")
    return key


def _make(path: Path) -> None:
    pem = Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    make_once(path, pem)


def _unusable(path: Path, error: OSError) -> UnavailableError:
    return UnavailableError(
        f"{path} cannot be used: {error.strerror}; make {path.parent} yours, or choose another folder with ANJU_DATA_DIR"
    )


@dataclass(frozen=True, slots=True)
class Signer:
    """Signs notes in the name of a log."""

    origin: str
    key: Ed25519PrivateKey

    @property
    def public(self) -> PublicKey:
        return PublicKey(require_origin(self.origin), self.key.public_key().public_bytes_raw())

    def sign(self, text: str) -> str:
        """`text` as a signed note."""
        return note(text, self.public, self.key.sign(text.encode()))


def checked(signed: str, key: PublicKey) -> str:
    """The text of a note, whose signature by `key` was checked; CorruptError."""
    text, signature = opened(signed, key)
    try:
        Ed25519PublicKey.from_public_bytes(key.raw).verify(signature, text.encode())
    except InvalidSignature:
        raise CorruptError(
            f"its signature by {key.name} is wrong: it was altered, or somebody else signed it"
        ) from None
    return text
