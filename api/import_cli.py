"""`anju import`: history from elsewhere, through the rules of the domain and in bulk."""

import asyncio
import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Annotated, BinaryIO

import msgspec
import typer
import uvloop

from api.bootstrap import System, system, wall_clock
from api.console import AsJson, configured, counting, err, out, print_json
from api.import_file import Record, count_lines, records
from api.importing import AFTER, COLUMNS, REPORT, ROUNDS, STEPS, Import, require_cell
from domain import policy
from domain.errors import AnjuError, ConflictError, InvalidError, NotFoundError, UnavailableError
from domain.people import CITY, Person, Role
from domain.ports import Appended, EventLog, Request
from domain.site import Site, site_id

_Told = list[tuple[Record, Appended | Exception]]
"""What became of each record of a batch."""

BATCH = 250
"""Rows in one transaction: with the events of each, about as many as the log's writer takes at once."""
IN_FLIGHT = 2
"""Batches: the next is decided and encoded while one is written."""

imports = typer.Typer(no_args_is_help=True)

_HELP = f"""Import the incidents of FILE (.csv with a header, or .jsonl), one a row, through the domain's own rules.

Rows that break a rule go to FILE.rejected with the reason, and the rest is imported; then the exit code is 1. Run again, nothing is
imported twice, and what was interrupted is completed.

Columns: {", ".join(REPORT)}; and for each step it went through {", ".join(c for step in (*STEPS, *AFTER) for c in step.columns.values())}. What came after
a failed verification stands in columns ending in _2 to _{ROUNDS}, such as feedback_at_2. docs/import.md describes each.
"""


@imports.callback()
def _group() -> None:
    """Bring history from elsewhere into the log."""  # with this, `incidents` stays a word of its own


@imports.command(help=_HELP)
def incidents(
    file: Annotated[
        Path, typer.Argument(help="The table, in UTF-8.", exists=True, dir_okay=False, readable=True)
    ],
    *,
    source: Annotated[
        str | None,
        typer.Option(help="Whose numbers they are; the file's name without its ending if not given."),
    ] = None,
    by: Annotated[str, typer.Option(help="Staff number of the admin who imports.")] = "import",
    as_json: AsJson = False,
) -> None:
    history = Import(source or file.stem, Person(by, frozenset({Role.ADMIN})), wall_clock())
    with counting(file.name) as progress:
        done = uvloop.run(_main(file, history, progress))
    refused = str(rejections_path(file)) if done.rejected else None
    if as_json:
        counts = msgspec.to_builtins(done)
        print_json({"source": history.source, "rows": done.rows, **counts, "rejections": refused})
    else:
        out.print(
            f"{done.imported} imported, {done.repeated} were there already, {done.rejected} rejected",
            highlight=False,
        )
    if refused:
        err.print(f"see {refused}", highlight=False, markup=False, soft_wrap=True)
        raise SystemExit(1)


@dataclass(slots=True)
class Done:
    """How many rows were imported, were there from before, and were rejected."""

    imported: int = 0
    repeated: int = 0
    rejected: int = 0

    @property
    def rows(self) -> int:
        """All of them."""
        return self.imported + self.repeated + self.rejected


async def _main(path: Path, history: Import, progress: Callable[[int, int], None]) -> Done:
    async with system(configured(), with_bus=False) as running:
        return await import_file(running, path, replace(history, limits=running.limits), progress)


async def import_file(
    running: System, path: Path, history: Import, progress: Callable[[int, int], None]
) -> Done:
    """Import the file's rows; those that are refused go to a file beside it. ForbiddenError; InvalidError if it is no such file."""
    policy.require(history.by, "import.incidents")
    policy.require_place(history.by, CITY)
    lines = count_lines(path)
    done, writing = Done(), deque[asyncio.Task[_Told]]()
    sites: dict[str, Site] = {}
    with _rejections(path) as file:

        async def settle() -> None:
            told = await writing.popleft()
            for record, became in told:
                _count(done, record, became, file)
            progress(told[-1][0].line, lines)

        try:
            for rows in _batches(records(path, COLUMNS)):
                decided = [(row, await _decide(row, history, sites, running.log)) for row in rows]
                writing.append(asyncio.create_task(_append(running.log, decided)))
                if len(writing) == IN_FLIGHT:
                    await settle()
            while writing:
                await settle()
        finally:
            for task in writing:
                task.cancel()
            await asyncio.gather(*writing, return_exceptions=True)
    return done


def _batches(rows: Iterator[Record]) -> Iterator[list[Record]]:
    while batch := list(islice(rows, BATCH)):
        yield batch


async def _decide(
    record: Record, history: Import, sites: dict[str, Site], log: EventLog
) -> Request | AnjuError:
    """What the record asks of the log, or why it is refused."""
    await asyncio.sleep(0)  # what was decided before goes to the database meanwhile
    try:
        if isinstance(record.cells, InvalidError):
            return record.cells
        site = await _site(require_cell(record.cells, "site"), sites, log)
        return history.request(record.cells, site)
    except (InvalidError, NotFoundError) as error:
        return error


async def _site(code: str, sites: dict[str, Site], log: EventLog) -> Site:
    """The site with this code, loaded once; NotFoundError."""
    if code not in sites:
        try:
            sites[code] = await log.load(Site, site_id(code))
        except NotFoundError as error:
            raise NotFoundError(f"there is no site {code!r}: plan it first, or correct its code") from error
    return sites[code]


async def _append(log: EventLog, decided: Sequence[tuple[Record, Request | AnjuError]]) -> _Told:
    """Append a batch in one transaction; what became of each record."""
    requests = [request for _, request in decided if isinstance(request, Request)]
    results = iter(await log.append_all(requests) if requests else [])
    return [
        (record, next(results) if isinstance(request, Request) else request) for record, request in decided
    ]


def _count(done: Done, record: Record, became: Appended | Exception, rejections: BinaryIO) -> None:
    match became:
        case Appended(repeated=repeated):
            done.repeated += repeated
            done.imported += not repeated
            return
        case ConflictError():
            reason = "this number was imported from another row: correct it with the commands of the incident"
        case AnjuError():
            reason = str(became)
        case _:
            raise became
    done.rejected += 1
    row = {"line": record.line, "reason": reason, "row": record.text.rstrip("\r\n")}
    rejections.write(msgspec.json.encode(row) + b"\n")


def rejections_path(path: Path) -> Path:
    """Where the rows of the file at `path` go that are refused."""
    return path.with_name(f"{path.name}.rejected")


@contextmanager
def _rejections(path: Path) -> Iterator[BinaryIO]:
    """The file for what is refused, for us alone to read: rows name people. Without any it is gone again."""
    target = rejections_path(path)
    try:
        handle = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    except OSError as error:
        raise UnavailableError(
            f"refused rows would go to {target}, which cannot be written: {error.strerror}"
        ) from error
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
    finally:
        if not target.stat().st_size:
            target.unlink()
