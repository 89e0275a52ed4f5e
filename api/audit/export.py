"""One case as a zip that a court's expert checks offline: its events with their proof, its evidence, and the verifier."""

import asyncio
import json
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from string import Template
from typing import IO, Any
from uuid import UUID

from adapters.evidence import EvidenceStore
from adapters.proof import bundle
from api import check_bundle
from api.bootstrap import System, checkpoint_signer
from domain.errors import CorruptError, NotFoundError, UnavailableError

_README = Template((Path(__file__).parent / "case_readme.md").read_text(encoding="utf-8"))
_EPOCH = (1980, 1, 1, 0, 0, 0)  # the same case is the same file, whenever it is packed


async def prove(system: System, subject: UUID) -> dict[str, Any]:
    """The bundle that proves the history of `subject`, after the stand-alone verifier accepted it. NotFoundError, CorruptError."""
    settings = system.settings
    made = await bundle(settings.require_database_url, checkpoint_signer(settings), subject, system.now())
    try:
        await asyncio.to_thread(check_bundle.check, made)
    except check_bundle.Refused as refused:
        raise CorruptError(f"the bundle would not be accepted: {refused}") from refused
    return made


async def evidence_of(store: EvidenceStore, proof: Mapping[str, Any]) -> list[Path]:
    """The files that the events of `proof` name and the store has, each after its digest was compared; CorruptError."""
    named = [
        event["reads"]["sha256"]
        for event in proof["events"]
        if event["topic"] == "incident.evidence_attached"
    ]
    found = []
    for sha256 in named:
        try:
            found.append(await store.checked(sha256))
        except NotFoundError:
            continue  # the verifier says that it is not included
    return found


def pack(file: IO[bytes], proof: Mapping[str, Any], evidence: Sequence[Path]) -> None:
    """Write the zip into `file`; blocks. UnavailableError if there is no room for it."""
    lines = (
        json.dumps({name: event[name] for name in check_bundle.LINE_FIELDS}, ensure_ascii=False)
        for event in proof["events"]
    )
    texts = {
        "README.md": _readme(proof),
        "proof.json": json.dumps(proof, ensure_ascii=False, indent=1) + "\n",
        "events.jsonl": "".join(f"{line}\n" for line in lines),
        "checkpoint.txt": proof["checkpoint"],
        "verifier-key.txt": f"{proof['key']}\n",
        "check_bundle.py": Path(check_bundle.__file__).read_text(encoding="utf-8"),
    }
    try:
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as case:
            for name, text in texts.items():
                case.writestr(zipfile.ZipInfo(name, _EPOCH), text, zipfile.ZIP_DEFLATED)
            for path in evidence:
                _add(case, path)
    except OSError as error:
        raise UnavailableError(f"the case cannot be written: {error.strerror}") from error


def _add(case: zipfile.ZipFile, path: Path) -> None:
    """The file as it is: pictures and films do not get smaller."""
    entry = zipfile.ZipInfo(f"evidence/{path.name}", _EPOCH)
    entry.file_size = path.stat().st_size
    with path.open("rb") as source, case.open(entry, "w") as target:
        while chunk := source.read(1 << 20):
            target.write(chunk)


def _readme(proof: Mapping[str, Any]) -> str:
    proven = check_bundle.check(proof)
    return _README.substitute(
        id=proven.originator_id,
        origin=proven.key.name,
        events=len(proven.events),
        size=proven.checkpoint.size,
        made_at=proven.checkpoint.made_at,
    )
