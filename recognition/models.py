"""The model files on this machine: find them, check them, fetch what is missing.

Directories are searched in the order given, ANJU_MODELS_DIR before .anju/models; a file counts only with its digest right.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

from domain.errors import CorruptError, InvalidError, UnavailableError
from recognition.download import Progress, from_address, from_carrier
from recognition.registry import MODELS, PACKS, SFACE, YUNET, Carrier, ModelFile, ModelPack

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = [
    "MODELS",
    "PACKS",
    "SFACE",
    "YUNET",
    "Carrier",
    "ModelFile",
    "ModelPack",
    "Progress",
    "Verified",
    "check",
    "ensure",
    "fetch",
    "fetch_all",
    "locate",
    "locate_pack",
    "sha256_of",
    "silent",
    "verify",
]

INSIGHTFACE_MODELS = Path("~/.insightface/models")
"""Where InsightFace itself keeps its packs."""

_PACK_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


@dataclass(frozen=True, slots=True)
class Verified:
    """Where `model` was found (None: nowhere) and whether it is the file it should be."""

    model: ModelFile
    path: Path | None
    ok: bool


def silent(description: str, done: int, total: int | None) -> None:
    """A `Progress` that shows nothing."""


def sha256_of(path: Path) -> str:
    """SHA-256 of a file's bytes in 64 hex digits, read in pieces; OSError as `open` gives it."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def check(model: ModelFile, path: Path) -> None:
    """CorruptError unless the file at `path` is `model`, byte for byte; UnavailableError if it cannot be read."""
    try:
        found = sha256_of(path)
    except OSError as error:
        raise UnavailableError(f"model file {path} cannot be read: {error.strerror}") from error
    if found != model.sha256:
        raise CorruptError(
            f"{path} is not {model.file}: sha256 {model.sha256} expected, {found} found; fetch the model again"
        )


def locate(model: ModelFile, directories: Sequence[Path]) -> Path | None:
    """The file of `model` in the first directory that has one, its digest checked; None if none has.

    CorruptError if the file there is another one: a wrong file is never passed over in silence.
    """
    path = _present(model, directories)
    if path is not None:
        check(model, path)
    return path


def verify(directories: Sequence[Path], models: Sequence[ModelFile] = MODELS) -> list[Verified]:
    """The state of every model, in the registry's order; raises nothing."""
    return [_verified(model, _present(model, directories)) for model in models]


def fetch(model: ModelFile, into: Path, *, progress: Progress = silent) -> Path:
    """Fetch `model` into the directory `into`, over whatever is there: its path. Errors as in `fetch_all`."""
    return fetch_all([model], into, progress=progress)[model.name]


def fetch_all(models: Sequence[ModelFile], into: Path, *, progress: Progress = silent) -> dict[str, Path]:
    """Fetch `models` into the directory `into`: their paths by name. Models of one carrier share one download.

    UnavailableError: neither the official address nor the carrier can be reached, or `into` cannot be written.
    CorruptError: other bytes than the model's were received; nothing was put in place.
    """
    try:
        paths = {
            model.name: path for model in models if (path := from_address(model, into, progress)) is not None
        }
        missing = [model for model in models if model.name not in paths]
        for _, carried in groupby(sorted(missing, key=_requirement), key=_requirement):
            group = list(carried)
            if group[0].carrier is None:
                raise UnavailableError(
                    f"{group[0].file} cannot be fetched from {group[0].address}; put it into {into}"
                )
            paths |= from_carrier(group[0].carrier, group, into, progress)
    except OSError as error:
        raise UnavailableError(f"models cannot be written to {into}: {error}") from error
    return paths


def ensure(
    directories: Sequence[Path], *, models: Sequence[ModelFile] = MODELS, progress: Progress = silent
) -> dict[str, Path]:
    """The paths of `models` by name; those that no directory has are fetched into the first one.

    CorruptError and UnavailableError as in `locate` and `fetch_all`.
    """
    if not directories:
        raise InvalidError("no directory for models was given: set ANJU_MODELS_DIR or leave its default")
    paths = {model.name: path for model in models if (path := locate(model, directories)) is not None}
    missing = [model for model in models if model.name not in paths]
    return paths | (fetch_all(missing, directories[0], progress=progress) if missing else {})


def locate_pack(name: str, directories: Sequence[Path]) -> Path | None:
    """The folder of the InsightFace pack `name`: below `directories`, then where InsightFace keeps its own; None if absent."""
    if not _PACK_NAME.fullmatch(name):
        raise InvalidError(
            f"{name!r} is not the name of a model pack: a folder name such as 'buffalo_l' is expected"
        )
    candidates = [directory / name for directory in (*directories, INSIGHTFACE_MODELS.expanduser())]
    return next((folder for folder in candidates if folder.is_dir()), None)


def _present(model: ModelFile, directories: Sequence[Path]) -> Path | None:
    candidates = [directory / model.file for directory in directories]
    return next((path for path in candidates if path.is_file()), None)


def _verified(model: ModelFile, path: Path | None) -> Verified:
    if path is None:
        return Verified(model, None, ok=False)
    try:
        return Verified(model, path, ok=sha256_of(path) == model.sha256)
    except OSError:
        return Verified(model, path, ok=False)


def _requirement(model: ModelFile) -> str:
    return model.carrier.requirement if model.carrier else ""
