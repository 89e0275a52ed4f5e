"""A report in a file: whole, or not there at all."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import IO

from rich.console import Console

from api.reports import to_csv, to_json, to_table, to_xlsx
from domain.errors import InvalidError, UnavailableError
from projections.report import Report

_PAGE = 160
"""Characters in a line of a table in a file."""


class Format(StrEnum):
    """How a report is written."""

    TABLE = "table"
    CSV = "csv"
    XLSX = "xlsx"
    JSON = "json"


MEDIA = {
    Format.CSV: "text/csv; charset=utf-8; header=present",
    Format.XLSX: "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    Format.JSON: "application/json",
}


def write(report: Report, how: Format, file: IO[bytes], *, bom: bool = False) -> None:
    """Write the report; XLSX needs a file that can seek. UnavailableError if the disk does not take it."""
    with _refusing("the report"):
        match how:
            case Format.TABLE:
                console = Console(width=_PAGE)
                with console.capture() as captured:
                    to_table.write(report, console)
                file.write(captured.get().encode())
            case Format.CSV:
                to_csv.write(report, file, bom=bom)
            case Format.XLSX:
                to_xlsx.write(report, file)
            case Format.JSON:
                to_json.write(report, file)


@contextmanager
def _refusing(what: object) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise UnavailableError(f"{what} cannot be written: {error.strerror or error}") from error


@contextmanager
def whole(path: Path) -> Iterator[IO[bytes]]:
    """A file that takes its place at `path` when it is whole; what was there before stays until then.

    InvalidError if something that is no file is there; UnavailableError if it cannot be written.
    """
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    with _refusing(path):
        if path.exists() and not path.is_file():
            raise InvalidError(f"{path} is there and is no file: give another name")
        try:
            with draft.open("wb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            draft.replace(path)
        finally:
            draft.unlink(missing_ok=True)
