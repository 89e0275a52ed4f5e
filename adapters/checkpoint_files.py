"""Checkpoints in a directory that does not depend on this machine: a mounted bucket, a share, a memory stick.

- `verifier-key.txt`: the key that checks the signatures, as `<origin>+<key id>+<base64 of 0x01 and the key>`
- `<size>.checkpoint`: the signed note (domain/checkpoint.py)
- `<size>.consistency`: the proof that it continues the one before it here, as the body of a C2SP add-checkpoint request
  (c2sp.org/tlog-witness): "old <size>", the hashes in base64, an empty line, the note
"""

import asyncio
import os
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from adapters import tree
from adapters.checkpoints import Signed, kept, make, open_note, reading, require_row
from adapters.files import sync
from adapters.signing import Signer
from adapters.tree import Tree
from adapters.verify import Progress
from domain.checkpoint import PublicKey, from_text, to_text
from domain.errors import CorruptError, NotFoundError
from domain.merkle import consistency_ranges, verify_consistency

KEY_FILE = "verifier-key.txt"
_DIGITS = 20


@dataclass(frozen=True, slots=True)
class Exported:
    """What an export did: `files` are new; `old` is the size that the one before here had, 0 if it is the first."""

    signed: Signed
    old: int
    files: tuple[Path, ...]


def read_verifier_key(path: Path) -> PublicKey:
    """The public key in `path`; NotFoundError, CorruptError."""
    try:
        text = path.read_text(encoding="utf-8").removesuffix("\n")
    except FileNotFoundError as error:
        raise NotFoundError(f"there is no {path}: is it a directory of exported checkpoints?") from error
    except (OSError, UnicodeDecodeError) as error:
        raise CorruptError(f"{path} cannot be read: {error}") from error
    try:
        name, _, data = text.split("+", 2)
        key = PublicKey(name, from_text(data, 33)[1:])
    except ValueError as error:
        raise CorruptError(f"{path} is not a verifier key: {error}") from error
    if str(key) != text:
        raise CorruptError(f"{path} is not a verifier key: its parts do not belong together")
    return key


def read_directory(directory: Path, key: PublicKey) -> list[Signed]:
    """Every checkpoint in `directory`, in order: signatures checked, and that each continues the one before. CorruptError names the file."""
    found: list[Signed] = []
    for path in sorted(directory.glob("*.checkpoint")):
        signed = open_note(_read(path), key, str(path))
        if path.name != _name(signed.checkpoint.size, "checkpoint"):
            raise CorruptError(f"{path}: it is of size {signed.checkpoint.size}")
        _check_consistency(path.with_suffix(".consistency"), found[-1] if found else None, signed)
        found.append(signed)
    return found


async def export(
    database_url: str, signer: Signer, directory: Path, now: datetime, progress: Progress | None = None
) -> Exported:
    """Make a checkpoint of the log as it is now and write it to `directory`. No file there is ever changed.

    CorruptError if the log does not continue what is there: then nothing is signed or written.
    """
    there = await asyncio.to_thread(_prepared, directory, signer.public)
    if there:
        await require_continuation(database_url, signer.public, there[-1])
    signed = await make(database_url, signer, now, progress)
    size = signed.checkpoint.size
    files = [_write(directory / KEY_FILE, f"{signer.public}\n")]
    if there and there[-1].checkpoint.size == size:
        return Exported(there[-1], size, tuple(path for path in files if path))
    before = there[-1] if there else None
    old = before.checkpoint.size if before else 0
    async with reading(database_url) as connection:
        chunks = (await kept(connection, signer.public)).chunks
        proof = await Tree(connection, size, chunks[: size // tree.CHUNK]).hashes(
            consistency_ranges(old, size)
        )
    body = "".join([f"old {old}\n", *(f"{to_text(node)}\n" for node in proof), "\n", signed.note])
    _require_consistent(proof, before, signed, signed.source)
    files += [
        _write(directory / _name(size, "consistency"), body),
        _write(directory / _name(size, "checkpoint"), signed.note),
    ]
    return Exported(signed, old, tuple(path for path in files if path))


async def require_continuation(database_url: str, key: PublicKey, last: Signed) -> None:
    """The log still has what `last` says, and the tree below it; CorruptError."""
    async with reading(database_url) as connection:
        await require_row(connection, last)
        chunks = (await kept(connection, key)).chunks
        size = last.checkpoint.size
        if await Tree(connection, size, chunks[: size // tree.CHUNK]).root(size) != last.checkpoint.root:
            raise CorruptError(
                f"the log was rewritten before position {size}: {last.source} saw another root"
            )


def _prepared(directory: Path, key: PublicKey) -> list[Signed]:
    directory.mkdir(parents=True, exist_ok=True)
    return read_directory(directory, key)


def _check_consistency(path: Path, before: Signed | None, signed: Signed) -> None:
    """Whether the file `path` shows that `signed` continues `before`."""
    proof, empty, note = _read(path).partition("\n\n")
    first, *lines = proof.split("\n")
    old = before.checkpoint.size if before else 0
    if not empty or note != signed.note or first != f"old {old}":
        raise CorruptError(
            f"{path}: it is not the proof from {old} to {signed.checkpoint.size}: a file is missing or altered"
        )
    try:
        hashes = [from_text(line) for line in lines]
    except ValueError as error:
        raise CorruptError(f"{path}: {error}") from error
    _require_consistent(hashes, before, signed, str(path))


def _require_consistent(proof: list[bytes], before: Signed | None, signed: Signed, source: str) -> None:
    new = signed.checkpoint
    if before is None:
        holds = not proof
    else:
        old = before.checkpoint
        holds = verify_consistency(old.size, new.size, proof, old.root, new.root)
    if not holds:
        raise CorruptError(
            f"{source}: the log of {new.size} events does not continue that of {before.source if before else 'none'}"
        )


def _name(size: int, kind: str) -> str:
    return f"{size:0{_DIGITS}}.{kind}"


def _read(path: Path) -> str:
    try:
        return path.read_bytes().decode()
    except (OSError, UnicodeDecodeError) as error:
        raise CorruptError(f"{path} cannot be read: {error}") from error


def _write(path: Path, text: str) -> Path | None:
    """`text` in `path`, whole and durable; None if it stands there already, CorruptError if something else does."""
    if path.exists():
        if _read(path) != text:
            raise CorruptError(f"{path} is there and says something else: it is not overwritten")
        return None
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    with draft.open("wb") as file:
        file.write(text.encode())
        file.flush()
        os.fsync(file.fileno())
    draft.rename(path)
    sync(path.parent)
    return path
