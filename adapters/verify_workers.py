"""Processes that check ranges of the log side by side: hashing is Python's work, and one interpreter uses one core."""

import asyncio
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path

import msgspec
import psycopg

from adapters import verify_range
from adapters.verify_range import Finding, Job, Range, Reader
from domain.errors import UnavailableError

Report = Callable[[int], None]
"""Told how many more positions were checked."""


async def check_all(
    job: Job, ranges: Sequence[Range], report: Report, *, lend_a_hand: bool
) -> Finding | None:
    """The first finding that is a problem, over all ranges; None if all hold. One worker for each core.

    Ranges are taken in order. After a problem no later one is begun, but every earlier one is finished: nothing wrong lies before it.
    With `lend_a_hand` a thread of this process is one of the workers: it begins at once, and leaves little time for anything else.
    """
    problems: list[Finding] = []
    waiting = iter(ranges)
    workers = min(os.cpu_count() or 1, len(ranges))
    lend_a_hand = lend_a_hand or workers <= 1
    try:
        async with asyncio.TaskGroup() as group:
            if lend_a_hand:
                group.create_task(_in_thread(job, waiting, problems, report))
            for _ in range(workers - lend_a_hand):
                group.create_task(_in_process(job, waiting, problems, report))
    except* UnavailableError as failed:
        raise failed.exceptions[0] from None
    return min(problems, key=lambda finding: finding.position or 0, default=None)


async def _in_thread(job: Job, waiting: Iterator[Range], problems: list[Finding], report: Report) -> None:
    try:
        reader = await asyncio.to_thread(Reader.open, job)
        with reader.connection:
            for wanted in waiting:
                finding = await asyncio.to_thread(reader.check, wanted)
                if not _settled(finding, problems, report):
                    return
    except psycopg.Error as error:
        raise UnavailableError(f"the log cannot be read to its end: {error}") from error


async def _in_process(job: Job, waiting: Iterator[Range], problems: list[Finding], report: Report) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        verify_range.__name__,
        cwd=Path(verify_range.__file__).parents[1],
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stderr is not None
    try:
        process.stdin.write(msgspec.json.encode(job) + b"\n")
        for wanted in waiting:
            process.stdin.write(msgspec.json.encode(wanted) + b"\n")
            answer = await process.stdout.readline()
            if not answer:
                said = (await process.stderr.read()).decode(errors="replace").strip().splitlines()
                raise UnavailableError(
                    f"a process that verifies has stopped: {said[-1] if said else 'it says nothing'}"
                )
            if not _settled(msgspec.json.decode(answer, type=Finding), problems, report):
                return
    finally:
        with suppress(ProcessLookupError):
            process.kill()  # it only reads
        await process.wait()


def _settled(finding: Finding, problems: list[Finding], report: Report) -> bool:
    """Note what was found; False if there is no need to go on."""
    report(finding.checked)
    if finding.problem is not None:
        problems.append(finding)
    return not problems
