"""Reports in files: read back with other programs, every figure is what it was."""

import csv
import io
import json
import resource
import signal
import tracemalloc
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import openpyxl
import pytest
from openpyxl.utils.escape import unescape
from rich.cells import cell_len

from api.reports import to_xlsx
from api.reports.files import Format, whole, write
from domain.errors import InvalidError, UnavailableError
from projections.period import Period
from projections.report import Chart, Column, Kind, Rate, Report, Section, heading

COUNTS = Section(
    "counts",
    "Counts",
    (
        Column("count", "Count", Kind.TEXT),
        Column("this", "This period"),
        Column("change", "同比", Kind.CHANGE),
        Column("points", "环比", Kind.POINTS),
    ),
    (("Received", 351_129, -0.978_723_404_255_319_1, 0.5), ("Overdue 超期未办结", 0, None, -12.25)),
)
TOWNS = Section(
    "series",
    "By month and township",
    (
        Column("from", "From", Kind.DAY),
        Column("township", "Township", Kind.TEXT),
        Column("rate", "办结率", Kind.RATE),
        Column("median", "Median hours", Kind.HOURS),
        Column("per_thousand", "Per 1,000", Kind.NUMBER),
    ),
    (
        (date(2018, 1, 1), "tangxia", Rate(350_672, 351_129), 26.125, 1.0),
        (date(2018, 2, 1), "tangxia", Rate(0, 0), None, None),
        (date(2018, 1, 1), "yuhai", Rate(2, 3), 0.1, 1234.5),
        (date(2018, 2, 1), "yuhai", Rate(7, 7), 8000.25, 0.0),
    ),
)
REPORT = Report(
    name="closure",
    title="Closure 办结",
    period=Period(date(2018, 1, 1), date(2018, 11, 30)),
    cut_off=datetime(2018, 11, 30, 16, tzinfo=UTC),
    as_of=None,
    position=1_810_377,
    scope={},
    generated_at=datetime(2026, 3, 1, 8, 0, 1, tzinfo=UTC),
    sections=(COUNTS, TOWNS),
    definitions=(("received", "reported in the period"), ("办结率", "closed / received, & nothing else")),
    chart=Chart("办结率 by month", "series", "from", "rate", "township"),
)
NASTY = [
    "=1+1",
    "+1",
    "-1",
    "@SUM(A1)",
    "\tx",
    "\r=x",
    "＝1+1",
    'a "quoted", text',
    "two\r\nlines",
    "0123",
    "https://example.org",
    "TRUE",
    "润锦苑",
    "",
    "'",
]


def texts(values):
    """A report of one column with these texts."""
    rows = [(value,) for value in values]
    return replace(
        REPORT, sections=(Section("t", "Texts", (Column("t", "Text", Kind.TEXT),), rows),), chart=None
    )


def written(report, how, **options):
    file = io.BytesIO()
    write(report, how, file, **options)
    return file.getvalue()


def csv_tables(content):
    """Its tables by name, each a list of records with the header first, without what pads them."""
    records = list(csv.reader(io.StringIO(content.decode("utf-8"), newline=""), strict=True))
    assert len({len(record) for record in records}) == 1  # RFC 4180, 2.4
    tables = {}
    for name, *cells in records:
        tables.setdefault(name, []).append(cells)
    return tables


def workbook(content):
    return openpyxl.load_workbook(io.BytesIO(content))


def figure(value):
    """The plain figure of a value."""
    return value.value if isinstance(value, Rate) else value


def test_csv_gives_back_every_figure():
    tables = csv_tables(written(REPORT, Format.CSV))
    assert list(tables) == ["report", "counts", "series", "definitions"]
    for section in REPORT.sections:
        header, *rows = tables[section.key]
        width = len(section.columns)
        assert header[:width] == [column.title for column in section.columns]
        for cells, source in zip(rows, section.rows, strict=True):
            assert cells[width:] == [""] * len(cells[width:])
            for cell, value, column in zip(cells, source, section.columns, strict=False):
                match column.kind:
                    case Kind.TEXT:
                        read = cell
                    case Kind.DAY:
                        read = date.fromisoformat(cell)
                    case _:
                        read = float(cell) if cell else None
                assert read == figure(value)


def test_csv_says_what_was_asked_and_what_the_terms_mean():
    tables = csv_tables(written(REPORT, Format.CSV))
    said = {label: words for label, words, *_ in tables["report"]}
    assert said == {
        "Report": "Closure 办结",
        "Period": "2018-01-01 to 2018-11-30, both included",
        "Cut-off": "2018-12-01 00:00:00+08:00",
        "As of": "everything that is known",
        "Scope": "the whole city",
        "Log position": "1810377",
        "Generated": "2026-03-01 16:00:01+08:00",
    }
    assert [tuple(row[:2]) for row in tables["definitions"][1:]] == list(REPORT.definitions)


def test_csv_has_its_own_line_ends_and_a_byte_order_mark_only_if_asked_for():
    plain = written(REPORT, Format.CSV)
    assert plain.count(b"\r\n") == plain.count(b"\n") == len(plain.splitlines())
    assert written(REPORT, Format.CSV, bom=True) == b"\xef\xbb\xbf" + plain
    assert plain.startswith(b"report,Report,Closure ")


def test_a_text_in_csv_is_never_a_formula_and_a_negative_number_stays_one():
    cells = [row[0] for row in csv_tables(written(texts(NASTY), Format.CSV))["t"][1:]]
    for cell, text in zip(cells, NASTY, strict=True):
        assert not cell.startswith(tuple("=+-@\t\r\n＝＋－＠"))
        assert cell in {text, f"'{text}"}
    assert cells[:7] == [f"'{text}" for text in NASTY[:7]]
    assert cells[7:] == NASTY[7:]
    counts = csv_tables(written(REPORT, Format.CSV))["counts"]
    assert counts[1][2] == "-0.9787234042553191"


def test_json_gives_back_every_figure_and_what_rates_were_divided_from():
    read = json.loads(written(REPORT, Format.JSON))
    assert read["period"] == {"from": "2018-01-01", "to": "2018-11-30"}
    assert (read["report"], read["position"], read["as_of"], read["scope"]) == (
        "closure",
        1_810_377,
        None,
        {},
    )
    assert read["cut_off"] == "2018-12-01T00:00:00+08:00"
    assert read["chart"]["y"] == "rate"
    assert read["definitions"][0] == {"term": "received", "definition": "reported in the period"}
    for section, told in zip(REPORT.sections, read["sections"], strict=True):
        assert (told["section"], [c["key"] for c in told["columns"]]) == (
            section.key,
            [c.key for c in section.columns],
        )
        for row, source in zip(told["rows"], section.rows, strict=True):
            assert list(row) == [column.key for column in section.columns]
            for cell, value in zip(row.values(), source, strict=True):
                match value:
                    case Rate():
                        expected = {
                            "value": value.value,
                            "numerator": value.part,
                            "denominator": value.whole,
                        }
                    case date():
                        expected = value.isoformat()
                    case _:
                        expected = value
                assert cell == expected


def test_a_workbook_gives_back_every_figure_as_a_number_or_a_day():
    book = workbook(written(REPORT, Format.XLSX))
    assert book.sheetnames == ["Counts", "Definitions", "By month and township"]
    top = len(list(heading(REPORT))) + 2
    for section, first in zip(REPORT.sections, (top, 1), strict=True):
        sheet = book[section.title]
        header, *rows = sheet.iter_rows(min_row=first, max_row=first + len(section.rows))
        assert [cell.value for cell in header] == [column.title for column in section.columns]
        for cells, source in zip(rows, section.rows, strict=True):
            for cell, value, column in zip(cells, source, section.columns, strict=True):
                assert cell.data_type in ("n", "d", "s")
                read = cell.value.date() if isinstance(cell.value, datetime) else cell.value
                assert read == figure(value), cell.coordinate
                assert cell.number_format == to_xlsx._FORMATS[column.kind]
    rate = book["By month and township"]["C2"]
    assert (rate.value, rate.number_format) == (350_672 / 351_129, "0.00 %")


def test_a_workbook_says_what_was_asked_and_what_the_terms_mean():
    book = workbook(written(REPORT, Format.XLSX))
    said = {label.value: words.value for label, words in book["Counts"].iter_rows(max_row=7, max_col=2)}
    assert said == dict(heading(REPORT))
    rows = [tuple(cell.value for cell in row) for row in book["Definitions"].iter_rows()]
    assert rows == [("Term", "Definition"), *REPORT.definitions]


def test_a_workbook_is_ready_to_read_and_to_print():
    book = workbook(written(REPORT, Format.XLSX))
    assert [sheet.freeze_panes for sheet in book] == ["A10", "A2", "A2"]
    sheet = book["By month and township"]
    assert (sheet.page_setup.orientation, sheet.page_setup.fitToHeight) == ("landscape", 0)
    assert sheet.sheet_properties.pageSetUpPr.fitToPage
    assert sheet.print_title_rows == "$1:$1"
    assert sheet.auto_filter.ref == "A1:E5"
    assert "Closure" in sheet.oddFooter.left.text
    assert sheet.column_dimensions["A"].width >= len("2018-01-01")
    assert book["Counts"].column_dimensions["A"].width >= cell_len("Overdue 超期未办结")


def test_a_workbook_draws_a_line_of_rates_for_each_township():
    (chart,) = workbook(written(REPORT, Format.XLSX))["Counts"]._charts
    assert chart.tagname == "lineChart"
    drawn = [(one.tx.strRef or one.tx).v or one.tx.v for one in chart.series]
    assert drawn == ["tangxia", "yuhai"]
    assert [one.val.numRef.f for one in chart.series] == [
        "'By month and township'!$C$2:$C$3",
        "'By month and township'!$C$4:$C$5",
    ]
    assert [one.cat.numRef.f for one in chart.series] == [
        "'By month and township'!$A$2:$A$3",
        "'By month and township'!$A$4:$A$5",
    ]


def test_a_chart_that_holds_no_more_lines_says_so(monkeypatch):
    monkeypatch.setattr(to_xlsx, "MOST_LINES", 1)
    (chart,) = workbook(written(REPORT, Format.XLSX))["Counts"]._charts
    assert len(chart.series) == 1
    said = "".join(run.t for paragraph in chart.title.tx.rich.p for run in paragraph.r)
    assert said == "办结率 by month (the first 1 of 2)"


def test_without_a_series_it_draws_columns():
    report = replace(REPORT, chart=replace(REPORT.chart, series=None, x="township"))
    (chart,) = workbook(written(report, Format.XLSX))["Counts"]._charts
    assert chart.tagname == "barChart"
    assert [one.val.numRef.f for one in chart.series] == ["'By month and township'!$C$2:$C$5"]


def test_nothing_to_draw_draws_nothing():
    report = replace(REPORT, sections=(COUNTS, replace(TOWNS, rows=())))
    assert workbook(written(report, Format.XLSX))["Counts"]._charts == []


def test_a_text_in_a_workbook_is_that_text_and_never_a_formula_or_a_link():
    sheet = workbook(written(texts(NASTY), Format.XLSX))["Texts"]
    cells = [row[0] for row in sheet.iter_rows(min_row=10, max_row=9 + len(NASTY))]
    assert {cell.data_type for cell in cells if cell.value is not None} == {"s"}
    assert [unescape(cell.value or "") for cell in cells] == NASTY
    assert all(cell.hyperlink is None for cell in cells)


@pytest.mark.parametrize("how", [Format.CSV, Format.JSON, Format.XLSX])
def test_rows_that_come_as_they_are_read_are_never_held_as_a_whole(tmp_path, how):
    last = f"{4_999:01000}"
    section = replace(texts([]).sections[0], rows=((f"{number:01000}",) for number in range(5_000)))
    path = tmp_path / "long"
    tracemalloc.start()
    with path.open("wb") as file:
        write(replace(texts([]), sections=(section,)), how, file)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 2_000_000  # of 5,000,000
    content = path.read_bytes()
    match how:
        case Format.CSV:
            assert csv_tables(content)["t"][-1][0] == last
        case Format.JSON:
            assert json.loads(content)["sections"][0]["rows"][-1] == {"t": last}
        case _:
            assert workbook(content)["Texts"].cell(5_009, 1).value == last


def test_more_rows_than_a_sheet_holds_are_refused(monkeypatch):
    monkeypatch.setattr(to_xlsx, "MOST_ROWS", 12)
    assert written(texts(["a"] * 3), Format.XLSX)
    with pytest.raises(InvalidError, match=r"'Texts' has more rows than a sheet holds .*csv or json"):
        written(texts(["a"] * 4), Format.XLSX)


def test_a_table_lines_up_also_where_characters_are_wide():
    text = written(REPORT, Format.TABLE).decode()
    drawn = [line for line in text.splitlines() if line[:1] in set("┏┃┡│└")]
    assert len(drawn) == 7 + 9
    assert [cell_len(line) for line in drawn] == [cell_len(drawn[0])] * 7 + [cell_len(drawn[7])] * 9
    for words in ("351,129", "-97.9 %", "-12.25 pp", "99.87 %", "66.67 %", "8,000.25", "1810377", "–"):
        assert words in text
    assert "办结率: closed / received, & nothing else" in text


def test_a_table_that_is_too_wide_goes_on_below_with_its_first_columns_again():
    wide = Section(
        "wide",
        "Wide",
        (Column("name", "Name", Kind.TEXT), *(Column(f"c{n}", f"Count number {n}") for n in range(30))),
        (("润锦苑", *(10**9 + n for n in range(30))),),
    )
    text = written(replace(REPORT, sections=(wide,)), Format.TABLE).decode()
    assert all(f"{10**9 + n:,}" in text for n in range(30))
    assert 1 < text.count("润锦苑") < 10
    assert max(cell_len(line.rstrip()) for line in text.splitlines()) <= 160


def test_a_rate_is_exact_until_it_is_shown():
    assert (Rate(767, 768).percent, Rate(767, 768).value) == (Decimal("99.87"), 767 / 768)
    assert (Rate(1, 0).percent, Rate(0, 0).value) == (None, None)


def test_a_file_appears_when_it_is_whole(tmp_path):
    path = tmp_path / "report.json"
    path.write_text("before")
    with whole(path) as file:
        write(REPORT, Format.JSON, file)
        assert path.read_text() == "before"
    assert json.loads(path.read_text())["report"] == "closure"
    assert list(tmp_path.iterdir()) == [path]


def test_what_fails_leaves_the_file_as_it_was(tmp_path):
    path = tmp_path / "report.csv"
    path.write_text("before")
    section = replace(texts([]).sections[0], rows=((f"{1 / number}",) for number in (1, 0)))
    broken = replace(REPORT, sections=(section,))
    with pytest.raises(ZeroDivisionError), whole(path) as file:
        write(broken, Format.CSV, file)
    assert path.read_text() == "before"
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_a_device_and_a_folder_that_is_not_there_are_refused(tmp_path):
    for path in (tmp_path, Path("/dev/null")):
        with pytest.raises(InvalidError, match=f"{path} is there and is no file"), whole(path):
            pass
    missing = tmp_path / "nowhere" / "report.csv"
    with (
        pytest.raises(UnavailableError, match=r"report\.csv cannot be written: No such file"),
        whole(missing),
    ):
        pass
    assert Path("/dev/null").is_char_device()


@contextmanager
def little_room(size):
    """Files may not grow beyond `size` bytes, as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, before)


@pytest.mark.parametrize("how", [Format.CSV, Format.JSON, Format.XLSX])
@pytest.mark.parametrize("streamed", [False, True])
def test_a_full_disk_is_said_and_leaves_nothing(tmp_path, how, streamed):
    many = [f"{number * 7919:x}" for number in range(20_000)]
    report = texts(many)
    if streamed:
        section = report.sections[0]
        report = replace(report, sections=(replace(section, rows=iter(section.rows)),))
    path = tmp_path / f"report.{how}"
    refused = pytest.raises(UnavailableError, match="cannot be written: File too large")
    with little_room(20_000), refused, whole(path) as file:
        write(report, how, file)
    assert list(tmp_path.iterdir()) == []
