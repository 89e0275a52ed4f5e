"""`anju export`: one case with its evidence, its proof and the verifier, in one file for whoever has nothing of ours."""

import getpass
import os
from pathlib import Path
from typing import Annotated
from urllib.parse import quote
from uuid import UUID

import typer
import uvloop

from api.audit import export, past
from api.audit.record import Recorder, Why
from api.bootstrap import system
from api.console import AsJson, configured, out, print_json
from domain.errors import UnavailableError
from domain.people import Person
from domain.reading import Shown


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command("export")(make)


def make(
    subject: Annotated[
        UUID, typer.Argument(metavar="ID", help="An incident, or any other aggregate.", show_default=False)
    ],
    *,
    output: Annotated[Path, typer.Option("--output", "-o", help="The zip to write.", dir_okay=False)],
    purpose: Annotated[str, typer.Option(help="Why; it stays in the log: no names.")] = "anju export",
    as_json: AsJson = False,
) -> None:
    """Write the case ID with its evidence and its proof; the unpacked folder is checked with plain Python. The export is in the log."""
    events, evidence = uvloop.run(_export(subject, output, purpose))
    if as_json:
        print_json({"events": events, "evidence": evidence, "case": str(output)})
    else:
        out.print(f"{events} events and {evidence} files of {subject} in {output}", highlight=False)


async def _export(subject: UUID, output: Path, purpose: str) -> tuple[int, int]:
    """How many events and files of evidence were written; `output` is whole or not there."""
    async with system(configured(), with_bus=False) as running:
        found = await past.whole(running, subject)
        operator = Person(f"operator:{getpass.getuser()}", frozenset())
        await Recorder(running, Why(quote(purpose))).record(
            operator, Shown.EXPORT, [subject], place=found.place, found=len(found.history)
        )
        proof = await export.prove(running, subject)
        evidence = await export.evidence_of(running.evidence, proof)
    draft = output.with_name(f".{output.name}.{os.getpid()}")
    try:
        with draft.open("wb") as file:
            export.pack(file, proof, evidence)
        draft.rename(output)
    except OSError as error:
        raise UnavailableError(f"{output} cannot be written: {error.strerror}") from error
    finally:
        draft.unlink(missing_ok=True)
    return len(proof["events"]), len(evidence)
