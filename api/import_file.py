"""Tables as files: CSV with a header, or JSON Lines; read as a stream, one record after another, whatever is wrong with some of them."""

import codecs
import csv
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import msgspec

from domain.errors import InvalidError

LONGEST_LINE = 1 << 20
"""Bytes of one line, at most."""
MOST_LINES = 200
"""Lines of one CSV record, at most; a quote that nobody closed ends here."""
_BLOCK = 1 << 20

_json = msgspec.json.Decoder(dict[str, str | int | bool | None])


@dataclass(frozen=True, slots=True)
class Record:
    """A record as it stands from `line` on, and its cells that say something; or what is wrong with it."""

    line: int
    text: str
    cells: Mapping[str, str] | InvalidError


@dataclass(frozen=True, slots=True)
class Columns:
    """The columns that a table may have, and those that it must have."""

    known: Sequence[str]
    required: frozenset[str]

    def check(self, given: Sequence[str]) -> None:
        """InvalidError if a column is unknown, twice there, or missing."""
        if unknown := [name for name in given if name not in self.known]:
            raise InvalidError(f"unknown column {unknown[0]!r}; the columns are: {', '.join(self.known)}")
        if twice := [name for name in given if given.count(name) > 1]:
            raise InvalidError(f"column {twice[0]!r} is there twice")
        if missing := sorted(self.required - set(given)):
            raise InvalidError(f"missing column: {', '.join(missing)}")


@dataclass(frozen=True, slots=True)
class _Line:
    number: int
    text: str


def count_lines(path: Path) -> int:
    """How many lines the file has. InvalidError if it is not UTF-8, named with the line: then nothing of it should be used."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    lines = 0
    with path.open("rb") as file:
        while True:
            block = file.read(_BLOCK)
            try:
                decoder.decode(block, final=not block)
            except UnicodeDecodeError as error:
                line = lines + block[: error.start].count(b"\n") + 1
                raise InvalidError(
                    f"{path} is not UTF-8: see line {line}; save it as UTF-8 (a spreadsheet calls it CSV UTF-8)"
                ) from error
            if not block:
                return lines
            lines += block.count(b"\n")


def records(path: Path, columns: Columns) -> Iterator[Record]:
    """The records of the file, read as its name ends: .csv or .jsonl. InvalidError if it cannot be read as a whole."""
    with path.open("rb") as file:
        lines = _lines(file)
        match path.suffix.lower():
            case ".csv":
                yield from _of_csv(lines, columns)
            case ".jsonl" | ".ndjson":
                yield from _of_json(lines, columns)
            case other:
                raise InvalidError(f"{path} ends in {other!r}: .csv or .jsonl says how it is to be read")


def _lines(file: BinaryIO) -> Iterator[_Line]:
    number = 0
    while line := file.readline(LONGEST_LINE + 1):
        number += 1
        if len(line) > LONGEST_LINE:
            raise InvalidError(f"line {number} has more than {LONGEST_LINE} bytes: this is no such table")
        yield _Line(number, line.decode("utf-8-sig" if number == 1 else "utf-8"))


def _of_csv(lines: Iterator[_Line], columns: Columns) -> Iterator[Record]:
    rows = _rows(lines)
    header = next(rows, None)
    if header is None:
        raise InvalidError("the file is empty: its first line names the columns")
    if isinstance(header.cells, InvalidError):
        raise InvalidError(f"line 1 does not name the columns: {header.cells}")
    names = [name.strip() for name in header.cells]
    columns.check(names)
    for row in rows:
        cells = row.cells
        if isinstance(cells, InvalidError):
            yield Record(row.line, row.text, cells)
        elif any(cells):  # a spreadsheet ends with empty rows
            yield Record(row.line, row.text, _named(names, cells))


def _named(names: Sequence[str], cells: Sequence[str]) -> Mapping[str, str] | InvalidError:
    if len(cells) != len(names):
        return InvalidError(f"it has {len(cells)} cells, and the header names {len(names)} columns")
    return _said(zip(names, cells, strict=True))


@dataclass(frozen=True, slots=True)
class _Row:
    line: int
    text: str
    cells: list[str] | InvalidError


def _rows(lines: Iterator[_Line]) -> Iterator[_Row]:
    """The rows of CSV. One whose quotes do not match costs its first line only: what it swallowed is read again."""
    again: deque[_Line] = deque()
    while True:
        taken: list[_Line] = []
        try:
            cells = next(csv.reader(_taking(again, lines, taken), strict=True), None)
        except csv.Error as error:
            again.extendleft(reversed(taken[1:]))
            wrong = InvalidError(
                f"no row of CSV ({error}): is a quote not closed, or not doubled inside a quoted cell?"
            )
            yield _Row(taken[0].number, taken[0].text, wrong)
            continue
        if cells is None:
            return
        yield _Row(taken[0].number, "".join(line.text for line in taken), cells)


def _taking(again: deque[_Line], lines: Iterator[_Line], taken: list[_Line]) -> Iterator[str]:
    """The texts of the lines to come; each is put into `taken` as it is taken."""
    while len(taken) < MOST_LINES:
        line = again.popleft() if again else next(lines, None)
        if line is None:
            return
        taken.append(line)
        yield line.text
    raise csv.Error(f"more than {MOST_LINES} lines")


def _of_json(lines: Iterator[_Line], columns: Columns) -> Iterator[Record]:
    for line in lines:
        if line.text.strip():
            yield Record(line.number, line.text, _object(line.text, columns))


def _object(text: str, columns: Columns) -> Mapping[str, str] | InvalidError:
    try:
        values = _json.decode(text)
        columns.check(list(values))
    except msgspec.DecodeError as error:
        return InvalidError(f"no JSON object of texts, whole numbers, true and false: {error}")
    except InvalidError as error:
        return error
    return _said((name, _text(value)) for name, value in values.items())


def _text(value: str | int | bool | None) -> str:
    match value:
        case None:
            return ""
        case bool():
            return str(value).lower()
        case _:
            return str(value)


def _said(cells: Iterable[tuple[str, str]]) -> dict[str, str]:
    return {name: text for name, cell in cells if (text := cell.strip())}
