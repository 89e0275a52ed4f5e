"""A report as JSON with stable keys; rates as a number and as what they were divided from."""

from collections.abc import Iterator
from typing import IO

import msgspec

from projections.period import ZONE
from projections.report import Rate, Report, Row, Section, Value


def write(report: Report, file: IO[bytes]) -> None:
    """Write the report, one row a line, never holding a whole section."""
    head = _encoded(_head(report)).removesuffix(b"}")
    file.write(head + b',"sections":[')
    for number, section in enumerate(report.sections):
        file.write(b",\n" if number else b"\n")
        for chunk in _section(section):
            file.write(chunk)
    file.write(b"\n]}\n")


def _head(report: Report) -> dict[str, object]:
    chart = report.chart
    return {
        "report": report.name,
        "title": report.title,
        "period": {"from": report.period.start, "to": report.period.end},
        "cut_off": report.cut_off.astimezone(ZONE),
        "as_of": report.as_of,
        "scope": report.scope,
        "position": report.position,
        "generated_at": report.generated_at.astimezone(ZONE),
        "definitions": [{"term": term, "definition": text} for term, text in report.definitions],
        "chart": chart and msgspec.to_builtins(chart),
    }


def _section(section: Section) -> Iterator[bytes]:
    keys = [column.key for column in section.columns]
    described = {
        "section": section.key,
        "title": section.title,
        "columns": [{"key": c.key, "title": c.title, "kind": c.kind} for c in section.columns],
    }
    yield _encoded(described).removesuffix(b"}") + b',"rows":['
    for number, row in enumerate(section.rows):
        yield (b",\n" if number else b"\n") + _encoded(_cells(keys, row))
    yield b"]}"


def _cells(keys: list[str], row: Row) -> dict[str, object]:
    return {key: _plain(value) for key, value in zip(keys, row, strict=True)}


def _plain(value: Value) -> object:
    match value:
        case Rate():
            return {"value": value.value, "numerator": value.part, "denominator": value.whole}
        case _:
            return value


def _encoded(value: object) -> bytes:
    return msgspec.json.encode(value)
