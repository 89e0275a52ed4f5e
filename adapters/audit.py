"""Everything there is to hold the log against: its own hash chain, the checkpoints in the database, and those kept elsewhere."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from adapters.archive_return import Checked, check
from adapters.checkpoint_files import read_directory, require_continuation
from adapters.checkpoints import Signed, kept, reading, tree_of
from adapters.verify import Progress, Verdict, verify
from domain.checkpoint import PublicKey
from domain.errors import CorruptError


@dataclass(frozen=True, slots=True)
class Audit:
    """The verdict, and how many checkpoints it was held against. `newest`: the last one of the directory.

    `archives`: those whose rows were checked in their files.
    """

    verdict: Verdict
    checkpoints: int
    newest: Signed | None = None
    archives: Sequence[Checked] = ()


async def audit(
    database_url: str,
    key: PublicKey | None,
    directory: Path | None = None,
    *,
    archives: Path | None = None,
    first: int = 1,
    last: int | None = None,
    progress: Progress | None = None,
    lend_a_hand: bool = True,
) -> Audit:
    """Verify positions `first` to `last` and compare with every checkpoint. Without `key`, checkpoints are left out.
    With `archives`, a folder, the rows of every archive are checked too. Who serves does not `lend_a_hand`: see `verify`.

    What is wrong with the chain comes before what is wrong with a checkpoint. UnavailableError, InvalidError as `verify`.
    """
    trouble: list[CorruptError] = []
    known: list[Signed] = []
    files: list[Signed] = []
    if key is not None:
        try:
            async with reading(database_url) as connection:
                known += (await kept(connection, key)).checkpoints
        except CorruptError as error:
            trouble.append(error)
        try:
            if directory is not None:
                files += await asyncio.to_thread(read_directory, directory, key)
        except CorruptError as error:
            trouble.append(error)
    anchors = [signed.anchor for signed in (*known, *files)]
    verdict = await verify(
        database_url,
        first=first,
        last=last,
        anchors=anchors,
        progress=progress,
        lend_a_hand=lend_a_hand,
    )
    if verdict.holds and key is not None and not trouble:
        try:
            async with reading(database_url) as connection:
                await tree_of(connection, await kept(connection, key))
            if files:
                await require_continuation(database_url, key, files[-1])
        except CorruptError as error:
            trouble.append(error)
    rows: list[Checked] = []
    if archives is not None:
        async with reading(database_url) as connection:
            rows = await check(connection, archives)
        trouble += [CorruptError(one.problem) for one in rows if one.problem]
    if verdict.holds and trouble:
        verdict = replace(verdict, problem=str(trouble[0]))
    return Audit(verdict, len(anchors), files[-1] if files else None, rows)
