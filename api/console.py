"""What every command prints with: results on stdout, everything else on stderr, a progress bar on a terminal."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Annotated, Protocol

import msgspec
import typer
from rich.console import Console
from rich.logging import RichHandler
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from api.settings import Settings, load_settings

out = Console()
err = Console(stderr=True)
AsJson = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]


def configured(**given: object) -> Settings:
    """The settings with `given` on top, and logging as they say."""
    settings = load_settings(**given)
    logging.basicConfig(
        level=settings.log_level,
        format="%(name)s: %(message)s",
        handlers=[RichHandler(console=err, show_path=False)],
    )
    for chatty in ("alembic", "httpx"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    return settings


def print_json(value: object) -> None:
    """`value` as JSON on stdout."""
    out.print_json(msgspec.json.encode(value).decode())


@contextmanager
def progress_bar() -> Iterator[Progress]:
    """A progress bar on stderr; silent when that is not a terminal."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=err, disable=not err.is_terminal, transient=True) as bar:
        yield bar


class Report(Protocol):
    """Told what is being done, how much of it is done, and how much there is."""

    def __call__(self, description: str, done: int, total: int | None) -> None: ...


@contextmanager
def reporting() -> Iterator[Report]:
    """A progress bar for each thing that is reported."""
    tasks: dict[str, TaskID] = {}
    with progress_bar() as bar:

        def report(description: str, done: int, total: int | None) -> None:
            if description not in tasks:
                tasks[description] = bar.add_task(description, total=total)
            bar.update(tasks[description], completed=done, total=total)

        yield report


@contextmanager
def counting(what: str) -> Iterator[Callable[[int, int], None]]:
    """A progress bar that is told (done, all)."""
    with progress_bar() as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
