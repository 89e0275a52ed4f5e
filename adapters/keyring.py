"""Master keys: a file outside the database, one key a line, the last of which wraps new data keys.

    # comment
    <id> <base64 of 32 bytes>

The id is the first 16 hexadecimal digits of SHA-256("anju master key" || key), so a damaged line is known for one. A data key is
wrapped as nonce (12 bytes) || AES-256-GCM(master key, nonce, data key, AAD) with its tag (16), where AAD is the UTF-8 of
"<master key id> <data key id> <scope>": a wrapped key that was moved to another row does not open. Functions here block.
"""

import base64
import binascii
import fcntl
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from adapters.files import sync, write_durably
from domain.errors import CorruptError, UnavailableError

SIZE = 32
NONCE = 12
_HEADER = "# Anju's master keys: without this file no sealed field can be read again. Keep a copy, but never beside one of the database.\n"


@dataclass(frozen=True, slots=True)
class MasterKey:
    """One master key; it never shows itself."""

    id: str
    cipher: AESGCM


@dataclass(frozen=True, slots=True)
class Keyring:
    """The master keys in the file `path`, by id, oldest first."""

    path: Path
    keys: Mapping[str, MasterKey]

    @property
    def newest(self) -> MasterKey:
        """The one that wraps."""
        return list(self.keys.values())[-1]

    def require(self, ids: list[str]) -> None:
        """UnavailableError unless every master key of `ids` is here."""
        missing = [one for one in ids if one not in self.keys]
        if missing:
            raise UnavailableError(
                f"{self.path} lacks the master key {', '.join(missing)} (it has {', '.join(self.keys)}), so what is sealed cannot be "
                "read and nothing more is sealed. Restore the file from its backup, or point ANJU_MASTER_KEYS at the right one"
            )

    def wrap(self, data_key: bytes, key_id: UUID, scope: str) -> bytes:
        """`data_key`, locked with the newest master key to its place in the vault."""
        nonce = os.urandom(NONCE)
        return nonce + self.newest.cipher.encrypt(nonce, data_key, _bound(self.newest.id, key_id, scope))

    def unwrap(self, wrapped: bytes, master_key: str, key_id: UUID, scope: str) -> bytes:
        """What `wrap` was given; UnavailableError if the master key is not here, CorruptError if the row is not what was written."""
        self.require([master_key])
        try:
            return self.keys[master_key].cipher.decrypt(
                wrapped[:NONCE], wrapped[NONCE:], _bound(master_key, key_id, scope)
            )
        except (InvalidTag, ValueError) as error:
            raise CorruptError(
                f"the vault's row of {scope} is damaged: restore vault_keys from a backup"
            ) from error


def _bound(master_key: str, key_id: UUID, scope: str) -> bytes:
    return f"{master_key} {key_id} {scope}".encode()


def load(path: Path, *, may_make: bool) -> Keyring:
    """The keyring in `path`. If there is none, it is made with one key, readable by its owner only, or UnavailableError."""
    if not path.exists():
        if not may_make:
            raise UnavailableError(
                f"the vault's master keys are missing: there is no {path}, so what is sealed cannot be read and nothing more is "
                "sealed. Restore the file from its backup, or point ANJU_MASTER_KEYS at where it is"
            )
        path.parent.mkdir(parents=True, exist_ok=True)
        with _draft(path, _HEADER + _line(os.urandom(SIZE))) as draft, suppress(FileExistsError):
            path.hardlink_to(draft)  # whoever is first makes the file, whole
    return _parse(path, _read(path))


def add(path: Path) -> Keyring:
    """A new master key at the end of the keyring: from now on it wraps."""
    with _alone(path):
        _replace(path, _read(path).rstrip("\n") + "\n" + _line(os.urandom(SIZE)))
    return load(path, may_make=False)


def remove(path: Path, ids: list[str]) -> Keyring:
    """The keyring without the master keys `ids`, of which the newest is never one."""
    with _alone(path):
        text = _read(path)
        gone = set(ids) - {_parse(path, text).newest.id}
        _replace(
            path,
            "".join(line for line in text.splitlines(keepends=True) if line.partition(" ")[0] not in gone),
        )
    return load(path, may_make=False)


def _id(key: bytes) -> str:
    return sha256(b"anju master key" + key).hexdigest()[:16]


def _line(key: bytes) -> str:
    return f"{_id(key)} {base64.b64encode(key).decode()}\n"


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UnavailableError(
            f"the master keys in {path} cannot be read ({error}): restore the file from its backup"
        ) from error


def _parse(path: Path, text: str) -> Keyring:
    keys: dict[str, MasterKey] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip() or line.startswith("#"):
            continue
        name, _, encoded = line.partition(" ")
        try:
            key = base64.b64decode(encoded, validate=True)
        except binascii.Error:
            key = b""
        if len(key) != SIZE or _id(key) != name:
            raise UnavailableError(
                f"line {number} of {path} is not a master key as it was written: restore the file from its backup"
            )
        keys[name] = MasterKey(name, AESGCM(key))
    if not keys:
        raise UnavailableError(f"{path} holds no master key: restore the file from its backup")
    return Keyring(path, keys)


def _replace(path: Path, text: str) -> None:
    with _draft(path, text) as draft:
        draft.replace(path)
    sync(path.parent)


@contextmanager
def _draft(path: Path, text: str) -> Iterator[Path]:
    """A file beside `path` with `text`, on the disk and readable by its owner only; gone afterwards unless it was moved."""
    draft = path.with_name(f"{path.name}.{os.getpid()}.{os.urandom(4).hex()}")
    try:
        write_durably(draft, text.encode())
        yield draft
    finally:
        draft.unlink(missing_ok=True)


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Nobody else changes the keyring meanwhile: a key that wraps must never be lost between two writers."""
    descriptor = os.open(path.with_name(f"{path.name}.lock"), os.O_CREAT | os.O_RDWR, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
