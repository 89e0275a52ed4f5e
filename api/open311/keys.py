"""Keys of integrators: what brings reports of the public shows one. The file has their digests only, and is read anew for each report."""

import asyncio
import hashlib
import secrets
import tomllib
from pathlib import Path

import msgspec

from domain.errors import ForbiddenError, InvalidError, UnavailableError
from domain.observation import require_code
from domain.people import Person, Role, Scope


class _Key(msgspec.Struct, forbid_unknown_fields=True):
    """sha256: of the key. township: its code, if reports from elsewhere are refused."""

    name: str
    sha256: str
    township: str | None = None


class _File(msgspec.Struct, forbid_unknown_fields=True):
    key: tuple[_Key, ...] = ()


def make_integrator_key(path: Path, name: str, township: str | None) -> str:
    """A new key for the integrator `name`; its digest is added to the file. InvalidError if the name has a key there.

    To withdraw a key, delete its entry: the next report with it is refused.
    """
    require_code(name, "name of an integrator")
    if any(one.name == name for one in _read(path)):
        raise InvalidError(f"{name} has a key in {path}: delete its entry first, or choose another name")
    key = secrets.token_urlsafe(32)
    lines = ["[[key]]", f'name = "{name}"', f'sha256 = "{_digest(key)}"']
    if township:
        lines.append(f'township = "{require_code(township, "township")}"')
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(0o600)
    with path.open("a", encoding="utf-8") as file:
        file.write("\n".join(lines) + "\n\n")
    return key


async def integrator(path: Path, key: str | None, township: str | None) -> Person:
    """Who brings the report: a named account, never one that a person can log in with. ForbiddenError without a key that is known.

    It has the role of those who take reports in, and nothing here does more with it than that. township: of the jurisdiction.
    """
    if key is None:
        raise ForbiddenError("api_key was not provided: a report needs one; see key_service in the discovery")
    digest = _digest(key)
    for one in await asyncio.to_thread(_read, path):
        if one.sha256 == digest:
            if None not in {township, one.township} and township != one.township:
                raise ForbiddenError(f"api_key is for {one.township}, and this jurisdiction is {township}")
            scope = Scope(township or one.township)
            return Person(f"open311:{one.name}", frozenset({Role.INTAKE}), scope)
    raise ForbiddenError("api_key is not known: see key_service in the discovery for how to get one")


def _digest(key: str) -> str:
    """A key has 256 random bits: a plain digest tells nothing about it, and takes no time that could be measured to tell more."""
    return hashlib.sha256(key.encode(errors="replace")).hexdigest()


def _read(path: Path) -> tuple[_Key, ...]:
    try:
        return msgspec.convert(tomllib.loads(path.read_text(encoding="utf-8")), _File).key
    except FileNotFoundError:
        return ()
    except (OSError, ValueError) as error:
        raise UnavailableError(f"the keys of integrators cannot be read: {error}") from error
