"""A report as CSV (RFC 4180, UTF-8). The first field of each record names its table; the first record of a table is its header."""

import csv
import io
from collections.abc import Iterator
from typing import IO

from projections.report import Rate, Report, Value, heading

BOM = b"\xef\xbb\xbf"
"""What makes spreadsheets read the file as UTF-8."""
_FORMULA = tuple("=+-@\t\r\n＝＋－＠")
"""A text that begins with one of these is a formula to some spreadsheet; the wide ones to those in Chinese."""


def write(report: Report, file: IO[bytes], *, bom: bool = False) -> None:
    """Write the report row by row. Every record has as many fields as the widest."""
    if bom:
        file.write(BOM)
    width = 1 + max(2, *(len(section.columns) for section in report.sections))
    text = io.TextIOWrapper(file, encoding="utf-8", newline="", write_through=True)
    writer = csv.writer(text)  # its line ends are CRLF, its quotes as few as needed
    try:
        for record in _records(report):
            writer.writerow([field(value) for value in record] + [""] * (width - len(record)))
    finally:
        text.detach()  # else it closes the file, which is not its own


def field(value: Value) -> str:
    """A cell as text: numbers as they are, a text that a spreadsheet would run with an apostrophe before it."""
    match value:
        case None:
            return ""
        case str():
            return f"'{value}" if value.startswith(_FORMULA) else value
        case Rate():
            return "" if value.value is None else repr(value.value)
        case _:
            return str(value)


def _records(report: Report) -> Iterator[list[Value]]:
    for label, words in heading(report):
        yield ["report", label, words]
    for section in report.sections:
        yield [section.key, *(column.title for column in section.columns)]
        for row in section.rows:
            yield [section.key, *row]
    yield ["definitions", "Term", "Definition"]
    for term, definition in report.definitions:
        yield ["definitions", term, definition]
