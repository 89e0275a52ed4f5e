"""`anju report`: the figures of a period, on the terminal or in a file."""

import shutil
import sys
from datetime import date
from pathlib import Path
from tempfile import TemporaryFile
from typing import Annotated

import typer
import uvloop

from api.bootstrap import database, wall_clock
from api.console import configured, err, out
from api.reports import sources, to_table
from api.reports.asked import Asked, Name, Where
from api.reports.files import Format, whole, write
from api.reports.produce import produce
from domain.errors import InvalidError
from domain.mechanisms import JointMechanism
from projections.period import Grain, Period
from projections.report import Report

_HELP = """Count the figures of a period, with the year before 同比 and the period before 环比, and what each figure means.

Examples:

  anju report closure --from 2018-01-01 --to 2018-11-30

  anju report closure --from 2018-01-01 --to 2018-11-30 --by month --group township -o closure.xlsx

  anju report closure --from 2018-11-01 --to 2018-11-30 --as-of 2018-11-30 --format csv

  anju report closure --from 2018-11-01 --to 2018-11-30 --lineage overdue -o overdue.csv

  anju report mediation --from 2018-01-01 --to 2018-12-31 --group room

docs/reports.md describes the tables and the formats.
"""


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command("report", help=_HELP)(show)


def _upper(text: str) -> str:
    return text.upper()


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise typer.BadParameter(f"{text!r} is no day: write it as 2018-11-30") from error


def show(
    name: Annotated[Name, typer.Argument(metavar="REPORT", help="closure, safety, mediation or gates.")],
    *,
    first: Annotated[date, typer.Option("--from", parser=_day, metavar="DAY", help="The first day.")],
    last: Annotated[date, typer.Option("--to", parser=_day, metavar="DAY", help="The last day, included.")],
    as_of: Annotated[
        date | None,
        typer.Option(parser=_day, metavar="DAY", help="Only what was done by the end of this day counts."),
    ] = None,
    township: Annotated[str | None, typer.Option(help="Only this township (its code).")] = None,
    site: Annotated[str | None, typer.Option(help="Only this site (its code).")] = None,
    category: Annotated[str | None, typer.Option(help="Only incidents of this category.")] = None,
    unit: Annotated[str | None, typer.Option(help="Only what this unit leads.")] = None,
    mechanism: Annotated[
        JointMechanism | None, typer.Option(case_sensitive=False, help="Only under this joint mechanism.")
    ] = None,
    by: Annotated[Grain | None, typer.Option(case_sensitive=False, help="A row for each of these.")] = None,
    group: Annotated[
        str | None,
        typer.Option(parser=_upper, metavar="PART", help="A row for each township, site, category, unit, .."),
    ] = None,
    lineage: Annotated[
        str | None,
        typer.Option(metavar="COUNT", help="List what this count was counted from, with log positions."),
    ] = None,
    how: Annotated[
        Format | None,
        typer.Option("--format", case_sensitive=False, help="The ending of -o if not given, else table."),
    ] = None,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", dir_okay=False, help="The file to write.")
    ] = None,
    bom: Annotated[
        bool, typer.Option("--bom/--no-bom", help="Begin CSV so that spreadsheets read it as UTF-8.")
    ] = False,
) -> None:
    asked = Asked(
        name=name,
        period=Period(first, last),
        now=wall_clock(),
        where=Where(township=township, site=site, category=category, unit=unit, mechanism=mechanism),
        as_of=as_of,
        by=by,
        group=group,
    )
    uvloop.run(_show(asked, lineage, _format(how, output), output, bom=bom))
    if output:
        err.print(f"wrote {output}", highlight=False, markup=False, soft_wrap=True)


def _format(how: Format | None, output: Path | None) -> Format:
    """What is asked for. A workbook does not fit on a terminal."""
    if how is None and output is not None:
        ending = output.suffix.lower().removeprefix(".")
        how = Format(ending) if ending in list(Format) else None
        if how is None:
            raise InvalidError(
                f"{output} does not say what to write: end it in .csv, .xlsx or .json, or give --format"
            )
    if how is Format.XLSX and output is None:
        raise InvalidError("a workbook is written to a file: name it with -o")
    return how or Format.TABLE


async def _show(asked: Asked, lineage: str | None, how: Format, output: Path | None, *, bom: bool) -> None:
    build = sources.builder(lineage)

    def save(report: Report, path: Path) -> None:
        with whole(path) as file:
            write(report, how, file, bom=bom)

    async with database(configured()) as pool:
        if output is not None:
            await produce(pool, build, asked, lambda report: save(report, output))
        elif how is Format.TABLE:
            await produce(pool, build, asked, lambda report: to_table.write(report, out))
        else:
            with TemporaryFile() as file:
                await produce(pool, build, asked, lambda report: write(report, how, file, bom=bom))
                file.seek(0)
                shutil.copyfileobj(file, sys.stdout.buffer)
