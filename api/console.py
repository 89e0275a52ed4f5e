"""What every command prints with: results on stdout, everything else on stderr, progress only where somebody watches."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Protocol

import msgspec
import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

out = Console()
err = Console(stderr=True)
AsJson = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]


class Report(Protocol):
    """Told what is being done, how much of it is done, and how much there is."""

    def __call__(self, description: str, done: int, total: int | None) -> None: ...


def print_json(value: object) -> None:
    """`value` as JSON on stdout."""
    out.print_json(msgspec.json.encode(value).decode())


@contextmanager
def bar() -> Iterator[Progress]:
    """A progress bar on stderr; silent when that is not a terminal."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=err, disable=not err.is_terminal, transient=True) as shown:
        yield shown


@contextmanager
def reporting() -> Iterator[Report]:
    """A bar for each thing that is reported."""
    with bar() as shown:
        yield reporter(shown)


def reporter(shown: Progress) -> Report:
    """What puts a report on a bar that is there already."""
    tasks: dict[str, TaskID] = {}

    def report(description: str, done: int, total: int | None) -> None:
        if description not in tasks:
            tasks[description] = shown.add_task(description, total=total)
        shown.update(tasks[description], completed=done, total=total)

    return report
