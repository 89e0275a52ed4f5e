"""`anju verify`, `anju proof`, `anju checkpoint`: whether the log is what was appended, and how somebody else can tell."""

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID

import typer
import uvloop
from typer.core import TyperGroup

from api import check_bundle
from api.console import AsJson, configured, counting, err, out, print_json
from domain.errors import CorruptError

if TYPE_CHECKING:
    from adapters.audit import Audit

commands = typer.Typer()


@commands.command()
def verify(
    *,
    first: Annotated[int, typer.Option("--from", min=1, help="The first position to check.")] = 1,
    last: Annotated[
        int | None, typer.Option("--to", min=1, help="The last one; the end of the log if not given.")
    ] = None,
    checkpoints: Annotated[
        Path | None,
        typer.Option(
            help="A directory of exported checkpoints to compare with.", exists=True, file_okay=False
        ),
    ] = None,
    archive: Annotated[
        Path | None,
        typer.Option(
            help="A folder with the archives of old observations, to check their rows too.",
            exists=True,
            file_okay=False,
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Recompute the log's hash chain and compare it with its checkpoints; exit 1 and the first bad position if it does not hold."""
    from adapters.audit import audit
    from adapters.checkpoint_files import KEY_FILE, read_verifier_key
    from api.bootstrap import checkpoint_key

    settings = configured()
    key = read_verifier_key(checkpoints / KEY_FILE) if checkpoints else checkpoint_key(settings)
    with counting("events") as progress:
        found = uvloop.run(
            audit(
                settings.require_database_url,
                key,
                checkpoints,
                archives=archive,
                first=first,
                last=last,
                progress=progress,
            )
        )
    _tell(found, as_json=as_json)
    raise SystemExit(0 if found.verdict.holds else 1)


def _tell(found: "Audit", *, as_json: bool) -> None:
    verdict = found.verdict
    if as_json:
        print_json(
            {
                "holds": verdict.holds,
                "events": verdict.events,
                "archived": verdict.archived,
                "archives": found.archives,
                "checkpoints": found.checkpoints,
                "hash": verdict.hash.hex(),
                "position": verdict.position,
                "problem": verdict.problem,
            }
        )
    elif verdict.holds:
        out.print(
            f"the chain holds: {verdict.events} events, {found.checkpoints} checkpoints, last hash {verdict.hash.hex()}",
            soft_wrap=True,
        )
        if verdict.archived:
            rows = sum(one.rows for one in found.archives)
            how = (
                f"{rows} were checked in their files" if found.archives else "check their rows with --archive"
            )
            out.print(
                f"of these, {verdict.archived} are archived: what stayed of them fits; {how}", highlight=False
            )
    else:
        said = verdict.position is None or f"position {verdict.position} " in f"{verdict.problem} "
        where = "" if said else f" at position {verdict.position}"
        err.print(
            f"[red]the chain is broken[/red]{where}: {verdict.problem}", highlight=False, soft_wrap=True
        )


checkpoint = typer.Typer(
    help="Signed checkpoints of the log, kept where nobody who can change the log can change them.",
    no_args_is_help=True,
)
commands.add_typer(checkpoint, name="checkpoint")


@checkpoint.command("export")
def checkpoint_export(
    directory: Annotated[
        Path, typer.Argument(help="Where to; a directory off this machine.", file_okay=False)
    ],
    *,
    as_json: AsJson = False,
) -> None:
    """Verify what is new, sign a checkpoint, and write it to DIRECTORY with a proof that it continues the one before."""
    from adapters.checkpoint_files import export
    from api.bootstrap import checkpoint_signer, wall_clock

    settings = configured()
    with counting("events") as progress:
        done = uvloop.run(
            export(
                settings.require_database_url, checkpoint_signer(settings), directory, wall_clock(), progress
            )
        )
    made = done.signed.checkpoint
    if as_json:
        print_json(
            {
                "size": made.size,
                "root": made.root.hex(),
                "continues": done.old,
                "files": [str(path) for path in done.files],
                "fingerprint": checkpoint_signer(settings).public.fingerprint,
            }
        )
        return
    out.print(f"checkpoint of {made.size} events, root {made.root.hex()}", highlight=False)
    for path in done.files:
        out.print(f"wrote {path}", highlight=False)
    out.print(f"key fingerprint {checkpoint_signer(settings).public.fingerprint}", highlight=False)


@checkpoint.command("key")
def checkpoint_show_key() -> None:
    """Print the public key that checks this log's signatures, and its fingerprint: publish both."""
    from api.bootstrap import checkpoint_signer

    public = checkpoint_signer(configured()).public
    typer.echo(f"{public}\nfingerprint {public.fingerprint}")


class _MakeByDefault(TyperGroup):
    """`anju proof INCIDENT` is `anju proof make INCIDENT`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if args and args[0] not in {"--help", *self.commands}:
            args = ["make", *args]
        return super().parse_args(ctx, args)


proof = typer.Typer(
    cls=_MakeByDefault,
    no_args_is_help=True,
    help="anju proof INCIDENT -o BUNDLE: everything that proves one incident's history, in one file.",
)
commands.add_typer(proof, name="proof")


@proof.command("make")
def proof_make(
    incident: Annotated[UUID, typer.Argument(help="The incident, or any other aggregate.")],
    *,
    output: Annotated[Path, typer.Option("--output", "-o", help="The bundle to write.", dir_okay=False)],
    as_json: AsJson = False,
) -> None:
    """Write a bundle that proves the history of INCIDENT; `proof` alone means this."""
    from adapters.proof import bundle
    from api.bootstrap import checkpoint_signer, wall_clock

    settings = configured()
    signer = checkpoint_signer(settings)
    made = uvloop.run(bundle(settings.require_database_url, signer, incident, wall_clock()))
    text = json.dumps(made, ensure_ascii=False, indent=1) + "\n"
    try:
        check_bundle.check(check_bundle.load(text))
    except check_bundle.Refused as refused:
        raise CorruptError(f"the bundle would not be accepted: {refused}") from refused
    draft = output.with_name(f".{output.name}.{os.getpid()}")
    draft.write_text(text, encoding="utf-8")
    draft.rename(output)
    if as_json:
        print_json(
            {
                "events": len(made["events"]),
                "bundle": str(output),
                "fingerprint": signer.public.fingerprint,
                "verifier": check_bundle.__file__,
            }
        )
    else:
        out.print(f"{len(made['events'])} events of {incident} in {output}", highlight=False)
        out.print(
            f"check it with `anju proof check {output}`, or anywhere with {check_bundle.__file__}",
            highlight=False,
        )


@proof.command("check")
def proof_check(
    path: Annotated[
        Path, typer.Argument(help="A bundle, or a directory of exported checkpoints.", exists=True)
    ],
    *,
    key: Annotated[
        str | None, typer.Option(help="A key fingerprint, a verifier key, or a file with one.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Check a bundle, without any database; exit 1 and where, if it does not hold. It is api/check_bundle.py that runs."""
    raise SystemExit(check_bundle.report(path, key, as_json=as_json))
