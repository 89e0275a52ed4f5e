"""A report for people at a terminal."""

from collections.abc import Iterator, Sequence
from typing import Literal

from rich.cells import cell_len
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from projections.report import Kind, Rate, Report, Section, Value, heading

NOTHING = "–"
"""For a figure that there is not."""
_FRAME = 3
"""Characters between two cells."""
_WORDS = {Kind.TEXT, Kind.DAY}


def write(report: Report, console: Console) -> None:
    """Print the report: heading, tables, definitions."""
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="dim")
    grid.add_column()
    for label, words in heading(report):
        grid.add_row(label, escape(str(words)))
    console.print(grid)
    for section in report.sections:
        console.print()
        for table in _tables(section, console.width):
            console.print(table)
    console.print()
    for term, definition in report.definitions:
        console.print(Text.assemble((term, "bold"), f": {definition}"))


def _tables(section: Section, room: int) -> Iterator[Table]:
    """The section, in as many tables as fit into `room` characters; each begins with the columns that are no figures."""
    kinds = [column.kind for column in section.columns]
    rows = [[shown(kind, value) for kind, value in zip(kinds, row, strict=True)] for row in section.rows]
    widths = [  # titles wrap at words
        max([*map(cell_len, column.title.split()), *(cell_len(row[n]) for row in rows)])
        for n, column in enumerate(section.columns)
    ]
    named = [n for n, kind in enumerate(kinds) if kind in _WORDS]
    figures = [n for n, kind in enumerate(kinds) if kind not in _WORDS]
    room -= 1 + sum(widths[n] + _FRAME for n in named)
    here: list[int] = []
    for n in figures:
        if here and sum(widths[m] + _FRAME for m in [*here, n]) > room:
            yield _table(section, rows, widths, [*named, *here])
            here = []
        here.append(n)
    yield _table(section, rows, widths, [*named, *here])


def _table(section: Section, rows: list[list[str]], widths: Sequence[int], numbers: Sequence[int]) -> Table:
    table = Table(title=escape(section.title), title_justify="left", title_style="bold")
    for n in numbers:
        column = section.columns[n]
        justify: Literal["left", "right"] = "left" if column.kind in _WORDS else "right"
        table.add_column(escape(column.title), justify=justify, width=widths[n], overflow="fold")
    for row in rows:
        table.add_row(*(escape(row[n]) for n in numbers))
    return table


def shown(kind: Kind, value: Value) -> str:
    """A cell as a person reads it."""
    words = str(value)
    match kind, value:
        case (_, None) | (_, Rate(whole=0)):
            words = NOTHING
        case _, Rate():
            words = f"{value.percent} %"
        case Kind.COUNT, int():
            words = f"{value:,}"
        case ((Kind.NUMBER | Kind.HOURS), float()):
            words = f"{value:,.2f}"
        case Kind.CHANGE, float():
            words = f"{100 * value:+.1f} %"
        case Kind.POINTS, float():
            words = f"{value:+.2f} pp"
    return words
