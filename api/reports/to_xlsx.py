"""A report as a workbook: figures as numbers, definitions on the second sheet, a chart that the spreadsheet draws itself."""

from collections.abc import Callable, Sequence
from tempfile import TemporaryDirectory
from typing import IO, Any

from rich.cells import cell_len
from xlsxwriter import Workbook
from xlsxwriter.exceptions import FileCreateError

from api.reports.to_table import shown
from domain.errors import InvalidError
from projections.report import Chart, Kind, Rate, Report, Row, Section, Value, heading

MOST_ROWS = 1_048_576
"""What a sheet holds."""
MOST_LINES = 255
"""What a chart holds."""
_WIDEST = 60
_A4 = 9
_FORMATS = {
    Kind.TEXT: "@",
    Kind.COUNT: "#,##0",
    Kind.NUMBER: "#,##0.00",
    Kind.RATE: "0.00 %",
    Kind.HOURS: "#,##0.00",
    Kind.DAY: "yyyy-mm-dd",
    Kind.CHANGE: "+0.0 %;-0.0 %;0.0 %",
    Kind.POINTS: "+0.00;-0.00;0.00",
}

_Run = tuple[Value, int, int]
"""A stretch of rows: what they have in common, the first and the last."""


def write(report: Report, file: IO[bytes]) -> None:
    """Write the workbook to `file`, which can seek. InvalidError if a section is longer than a sheet; OSError."""
    sink = _Sink(file)
    with TemporaryDirectory(prefix="anju-report-") as scratch:
        options = {
            # Row by row on the disk, if somewhere rows come as they are read: texts then stand in their cells, which fewer programs read.
            "constant_memory": any(not isinstance(section.rows, Sequence) for section in report.sections),
            "tmpdir": scratch,
        }
        try:
            with Workbook(sink, options) as book:
                _Writer(book, report).write()
        except FileCreateError as error:
            raise error.args[0] from None  # the OSError that it hides
        finally:
            sink.detach()
    if sink.error:
        raise sink.error


class _Sink:
    """Writes to a file, from its beginning, until that fails, and then to nothing.

    An archive that cannot be closed complains later, when nobody listens: so for it all goes well, and `error` says what did not.
    """

    def __init__(self, file: IO[bytes]) -> None:
        self._file: IO[bytes] | None = file
        self._at = 0
        self.error: OSError | None = None

    def write(self, content: bytes) -> int:
        self._at += len(content)
        self._try(lambda file: file.write(content))
        return len(content)

    def seek(self, place: int) -> int:
        self._at = place
        self._try(lambda file: file.seek(place))
        return place

    def tell(self) -> int:
        return self._at

    def flush(self) -> None:
        """Left to whoever opened the file."""

    def detach(self) -> None:
        """Leave the file alone from now on."""
        self._file = None

    def _try(self, do: Callable[[IO[bytes]], object]) -> None:
        try:
            if self._file is not None:
                do(self._file)
        except OSError as error:
            self.error = error
            self.detach()


class _Writer:
    """One workbook being written."""

    def __init__(self, book: Any, report: Report) -> None:
        self._book = book
        self._report = report
        self._bold = book.add_format({"bold": True})
        self._head = book.add_format({"bold": True, "bottom": 1, "text_wrap": True, "valign": "top"})
        self._wrapped = book.add_format({"text_wrap": True, "valign": "top"})
        self._of_kind = {kind: book.add_format({"num_format": text}) for kind, text in _FORMATS.items()}

    def write(self) -> None:
        report = self._report
        created = report.generated_at.replace(tzinfo=None)
        self._book.set_properties({"title": report.title, "created": created})
        first, *others = report.sections
        sheets = {first.key: self._book.add_worksheet(first.title)}
        definitions = self._book.add_worksheet("Definitions")
        sheets |= {section.key: self._book.add_worksheet(section.title) for section in others}
        top = self._heading(sheets[first.key])
        below, runs = 0, {}
        for section in report.sections:
            header = top if section is first else 0
            series = report.chart.series if report.chart and report.chart.section == section.key else None
            end, runs[section.key] = self._section(sheets[section.key], section, header, series)
            below = below or end
        self._definitions(definitions)
        if report.chart and runs[report.chart.section]:
            sheets[first.key].insert_chart(
                below + 1, 0, self._chart(report.chart, runs[report.chart.section])
            )

    def _heading(self, sheet: Any) -> int:
        """What stands above the first table; the row below it."""
        row = -1
        for row, (label, words) in enumerate(heading(self._report)):
            sheet.write_string(row, 0, label, self._bold)
            _put(sheet, row, 1, words, None)
        return row + 2

    def _section(
        self, sheet: Any, section: Section, header: int, series: str | None
    ) -> tuple[int, list[_Run]]:
        """Write a table whose header is in row `header`; the row after it, and its stretches of the same `series`."""
        kinds = [column.kind for column in section.columns]
        formats = [self._of_kind[kind] for kind in kinds]
        for number, column in enumerate(section.columns):
            sheet.write_string(header, number, column.title, self._head)
        widths = [min(cell_len(column.title), 14) for column in section.columns]
        runs: list[_Run] = []
        of = None if series is None else section.index(series)
        at = header
        for at, row in enumerate(section.rows, start=header + 1):
            if at == MOST_ROWS:
                raise InvalidError(
                    f"{section.title!r} has more rows than a sheet holds ({MOST_ROWS:,}): ask for csv or json"
                )
            for number, value in enumerate(row):
                _put(sheet, at, number, value, formats[number])
            widths = _wider(widths, kinds, row)
            _extend(runs, None if of is None else row[of], at)
        for number, width in enumerate(widths):
            sheet.set_column(number, number, min(width, _WIDEST) + 2)
        sheet.freeze_panes(header + 1, 0)
        sheet.autofilter(header, 0, at, len(kinds) - 1)
        self._print_setup(sheet)
        sheet.repeat_rows(header)
        return at + 1, runs

    def _definitions(self, sheet: Any) -> None:
        sheet.write_string(0, 0, "Term", self._head)
        sheet.write_string(0, 1, "Definition", self._head)
        for row, (term, definition) in enumerate(self._report.definitions, start=1):
            sheet.write_string(row, 0, term, self._wrapped)
            sheet.write_string(row, 1, definition, self._wrapped)
        sheet.set_column(0, 0, 34)
        sheet.set_column(1, 1, 100)
        sheet.freeze_panes(1, 0)
        self._print_setup(sheet)
        sheet.repeat_rows(0)

    def _print_setup(self, sheet: Any) -> None:
        sheet.set_landscape()
        sheet.set_paper(_A4)
        sheet.fit_to_pages(1, 0)  # as many pages high as it takes
        title = self._report.title.replace("&", "&&")
        sheet.set_footer(f"&L{title}, {self._report.period.start} to {self._report.period.end}&R&P / &N")

    def _chart(self, asked: Chart, runs: list[_Run]) -> Any:
        section = next(section for section in self._report.sections if section.key == asked.section)
        x, y = section.index(asked.x), section.index(asked.y)
        chart = self._book.add_chart({"type": "line" if asked.series else "column"})
        for name, start, end in runs[:MOST_LINES]:
            chart.add_series(
                {
                    "name": section.columns[y].title if asked.series is None else str(name),
                    "categories": [section.title, start, x, end, x],
                    "values": [section.title, start, y, end, y],
                }
            )
        left_out = f" (the first {MOST_LINES} of {len(runs)})" if len(runs) > MOST_LINES else ""
        chart.set_title({"name": asked.title + left_out, "overlay": False})
        chart.set_y_axis({"num_format": "0 %" if section.columns[y].kind is Kind.RATE else "#,##0", "min": 0})
        chart.set_legend({"none": True} if len(runs) == 1 else {"position": "bottom"})
        chart.set_size({"width": 960, "height": 400})
        return chart


def _put(sheet: Any, row: int, column: int, value: Value, shape: Any) -> None:
    """One cell. Texts are written as texts: none becomes a formula or a link."""
    match value:
        case str():
            sheet.write_string(row, column, value, shape)
        case Rate():
            _put(sheet, row, column, value.value, shape)
        case int() | float():
            sheet.write_number(row, column, value, shape)
        case None:
            sheet.write_blank(row, column, None, shape)
        case _:
            sheet.write_datetime(row, column, value, shape)


def _wider(widths: Sequence[int], kinds: Sequence[Kind], row: Row) -> list[int]:
    return [
        max(width, cell_len(shown(kind, value)))
        for width, kind, value in zip(widths, kinds, row, strict=True)
    ]


def _extend(runs: list[_Run], value: Value, at: int) -> None:
    """Row `at` goes on with the last stretch, or begins another."""
    if runs and runs[-1][0] == value:
        runs[-1] = (value, runs[-1][1], at)
    else:
        runs.append((value, at, at))
