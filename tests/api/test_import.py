"""History from elsewhere: through the rules, each row whole or explained, once however often, and completed after a kill."""

import csv
import json
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import UUID

import asyncpg
import pytest
from commanding import anju, started
from given import NOW, build_site, destroy, person, until
from hypothesis import given, settings
from hypothesis import strategies as st
from incidents import HOUR, LIMITS

from adapters.verify import verify
from api.import_cli import BATCH, import_file, rejections_path
from api.import_file import LONGEST_LINE, Columns, count_lines, records
from api.importing import COLUMNS, Import
from domain.errors import ForbiddenError, InvalidError, UnavailableError
from domain.incident import Incident, IncidentState
from domain.people import Role, Scope
from domain.personal import of_subject
from domain.site import Site

SITE = Site.plan(code="runjinyuan", name="润锦苑", township="yuhai", by=person(Role.ADMIN), at=NOW)
HISTORY = Import("old-system", person(Role.ADMIN, name="importer"), NOW)
START = datetime(2018, 1, 1, tzinfo=UTC)
EVENTS = 7
"""Of a row that goes from report to closing."""


def told(nth=0, /, **changed):
    """A row from report to closing; `changed` on top, and without those that are None."""

    def at(hours):
        return (START + timedelta(minutes=nth, hours=hours)).isoformat()

    row = {
        "number": f"2018-{nth}",
        "site": "runjinyuan",
        "category": "noise",
        "source": "CITIZEN",
        "description": f"夜间施工, 第 {nth} 次",
        "occurred_at": at(0),
        "reported_at": at(1),
        "reported_by": "w17",
        "accepted_at": at(2),
        "accepted_by": "i3",
        "dispatched_at": at(3),
        "dispatched_by": "d1",
        "dispatched_lead_unit": "police-station",
        "signed_at": at(4),
        "signed_by": "h4",
        "started_at": at(5),
        "started_by": "h4",
        "feedback_at": at(6),
        "feedback_by": "h4",
        "feedback_result": "已劝阻",
        "verified_at": at(7),
        "verified_by": "v2",
        "verified_passed": "true",
        "verified_note": "属实",
    }
    return {name: value for name, value in (row | changed).items() if value is not None}


def write_csv(path, rows, *, encoding="utf-8"):
    names = [name for name in COLUMNS.known if any(name in row for row in rows)]
    with path.open("w", encoding=encoding, newline="") as file:
        table = csv.DictWriter(file, names, restval="")
        table.writeheader()
        table.writerows(rows)
    return path


def write_jsonl(path, rows):
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return path


def lines_of(text, path):
    path.write_text(text, encoding="utf-8")
    return path


def quiet(done, of):
    """Progress that nobody watches."""


def incident(**changed):
    """The incident that a row tells of."""
    found = None
    for event in HISTORY.request(told(**changed), SITE).events:
        found = event.mutate(found)
    return found


# --- what a row tells ------------------------------------------------------------------------------------------------


def test_a_row_is_the_incident_that_went_through_its_steps():
    request = HISTORY.request(told(5, reporter="陈女士"), SITE)
    assert [event.TOPIC.partition(".")[2] for event in request.events] == [
        "reported",
        "accepted",
        "dispatched",
        "signed",
        "handling_started",
        "feedback_given",
        "closed",
    ]
    assert [event.actor for event in request.events] == ["w17", "i3", "d1", "h4", "h4", "h4", "v2"]
    hours = [
        (event.timestamp - START - timedelta(minutes=5)) // timedelta(hours=1) for event in request.events
    ]
    assert hours == [1, 2, 3, 4, 5, 6, 7]
    assert request.events[0].originator_id == HISTORY.incident_id("2018-5")
    assert request.metadata["importer"] == "importer"


def test_a_row_tells_of_as_many_steps_as_there_were():
    none = dict.fromkeys(name for name in told() if name.startswith(("started", "feedback", "verified")))
    assert incident(**none).state is IncidentState.SIGNED


def test_a_row_tells_of_rounds_of_rework():
    again = {
        "verified_passed": "false",
        "feedback_at_2": "2018-01-02T08:00:00+08:00",
        "feedback_by_2": "h5",
        "feedback_result_2": "再次劝阻",
        "verified_at_2": "2018-01-02T10:00:00+08:00",
        "verified_by_2": "v2",
        "verified_passed_2": "true",
        "verified_note_2": "属实",
    }
    closed = incident(**again)
    assert (closed.state, closed.round, closed.handlers) == (IncidentState.CLOSED, 2, {"h4", "h5"})


UNDISPATCHED = dict.fromkeys(
    name for name in told() if name.startswith(("dispatched", "signed", "started", "feedback", "verified"))
)


def test_a_row_tells_of_a_rejection_a_closing_on_the_spot_and_an_evaluation():
    rejection = {
        "rejected_at": "2018-01-01T09:30:00+08:00",
        "rejected_by": "i3",
        "rejected_reason": "不属受理范围",
    }
    rejected = incident(**UNDISPATCHED, accepted_at=None, accepted_by=None, **rejection)
    assert rejected.state is IncidentState.REJECTED
    spot = {
        "spot_at": "2018-01-02T08:00:00+08:00",
        "spot_by": "w17",
        "spot_photo_sha256": "a" * 64,
        "spot_note": "已清理",
    }
    evaluation = {
        "evaluated_at": "2018-01-03T08:00:00+08:00",
        "evaluated_by": "i3",
        "evaluated_rating": "5",
        "evaluated_note": "满意",
    }
    evaluated = incident(**UNDISPATCHED, **spot, **evaluation)
    assert (evaluated.state, evaluated.handlers) == (IncidentState.EVALUATED, {"w17"})
    assert incident(**evaluation).state is IncidentState.EVALUATED


def test_what_is_due_follows_the_time_limits_of_the_place():
    place = replace(HISTORY, limits=LIMITS)
    request = place.request(told(verified_passed="false", verified_note="still loud"), SITE)
    due = {
        event.TOPIC.partition(".")[2]: {
            one.name: ((one.due_at - event.timestamp) / HOUR, one.rule) for one in event.deadlines
        }
        for event in request.events
        if isinstance(event, Incident.Dispatched | Incident.FeedbackGiven | Incident.Reworked)
    }
    assert due == {
        "dispatched": {
            "sign:police-station": (1, "limits-test"),
            "handle:police-station": (10, "limits-test"),
        },
        "feedback_given": {"verify": (5, "limits-test")},
        "reworked": {"handle:police-station": (10, "limits-test")},
    }
    # the same row is the same request
    assert place.request(told(), SITE).id == HISTORY.request(told(), SITE).id


def test_without_a_time_of_its_own_the_matter_happened_when_it_was_reported():
    assert incident(occurred_at=None).occurred_at == START + timedelta(hours=1)


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"number": None}, "number is empty"),
        ({"number": "x" * 101}, "number has 101 characters"),
        ({"description": None}, "description is empty"),
        ({"category": "噪声"}, "category"),
        ({"source": "RUMOUR"}, "source is 'RUMOUR'; accepted are: GRID_WORKER, CITIZEN"),
        ({"reported_at": "2018-01-01 09:00"}, "reported_at: .* has no time zone"),
        ({"reported_at": "1.3.2018"}, "reported_at is '1.3.2018': write a time as 2018-03-01T08:00:00"),
        ({"occurred_at": "2018-01-01T09:00:00Z"}, "cannot have happened after it was reported"),
        ({"verified_at": "2026-03-01T08:00:01Z"}, "verified_at lies in the future"),
        ({"accepted_at": "2018-01-01T00:59:59Z"}, "accepted_at lies before the step before it"),
        ({"accepted_by": None}, "accepted_at says something, and accepted_by is empty"),
        ({"signed_at": None}, "signed_by says something, and signed_at is empty"),
        (
            {"signed_at": None, "signed_by": None},
            "incident.handling_started is refused: the incident is DISPATCHED",
        ),
        ({"dispatched_lead_unit": None}, "dispatched_lead_unit is empty"),
        ({"signed_unit": "fire-brigade"}, "h4 is not of that unit"),
        ({"verified_by": "h4"}, "h4 handled this incident"),
        ({"verified_passed": "yes"}, "verified_passed is 'yes': write true or false"),
        ({"verified_note": None}, "verified_note is empty"),
        (
            {"rejected_at": "2018-01-01T02:00:00Z", "rejected_by": "i3", "rejected_reason": "x"},
            "incident.accepted is refused: the incident is REJECTED",
        ),
        (
            {
                "evaluated_at": "2018-01-02T08:00:00Z",
                "evaluated_by": "i3",
                "evaluated_rating": "很好",
                "evaluated_note": "x",
            },
            "evaluated_rating is '很好': write a whole number",
        ),
        (
            {"feedback_at_2": "2018-01-02T08:00:00Z", "feedback_by_2": "h4", "feedback_result_2": "x"},
            "the incident is CLOSED",
        ),
    ],
)
def test_a_row_that_cannot_have_been_is_refused_and_says_why(changed, why):
    with pytest.raises(InvalidError, match=why):
        HISTORY.request(told(**changed), SITE)


def test_a_reporter_is_not_named_in_a_refusal_nor_guessable_from_an_id():
    with pytest.raises(InvalidError) as refused:
        HISTORY.request(told(reporter="陈" * 201), SITE)
    assert "陈" not in str(refused.value)
    one, other = (HISTORY.request(told(reporter=name), SITE) for name in ("陈女士", "李先生"))
    assert one.id == other.id


def test_ids_follow_from_the_source_and_the_number():
    other = Import("other-system", HISTORY.by, NOW)
    assert HISTORY.incident_id("1") != other.incident_id("1")
    assert HISTORY.request(told(), SITE).id == HISTORY.request(told(), SITE).id
    assert HISTORY.request(told(), SITE).id != HISTORY.request(told(category="fire"), SITE).id


def test_a_source_has_a_name():
    with pytest.raises(InvalidError, match="the source's name is empty"):
        Import(" ", HISTORY.by, NOW)


# --- files -----------------------------------------------------------------------------------------------------------

SMALL = Columns(("a", "b", "c"), frozenset({"a"}))


def read(path, columns=SMALL):
    return [
        (record.line, record.cells if isinstance(record.cells, dict) else str(record.cells))
        for record in records(path, columns)
    ]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_csv_is_read_with_and_without_a_mark_in_front_and_with_either_line_end(tmp_path, encoding, end):
    path = tmp_path / "t.csv"
    text = end.join(["a,b", '1," two, ""2"""', '3,"four\nlines"', ",,"[:-1], "5,"])
    path.write_bytes(text.encode(encoding))
    assert read(path) == [
        (2, {"a": "1", "b": 'two, "2"'}),
        (3, {"a": "3", "b": "four\nlines"}),
        (6, {"a": "5"}),
    ]


def test_a_quote_that_is_not_closed_costs_one_row(tmp_path):
    rows = [f"{number},ok" for number in range(1000)]
    rows[500] = '500,"open'
    found = read(lines_of("a,b\n" + "\n".join(rows), tmp_path / "t.csv"))
    assert [line for line, cells in found if isinstance(cells, str)] == [502]
    assert len(found) == 1000
    assert "is a quote not closed" in found[500][1]


def test_a_quote_that_is_open_at_the_end_of_the_file_or_swallows_the_next_one_costs_one_row(tmp_path):
    found = read(lines_of('a,b\n1,"open\n2,"closed"\n3,"open', tmp_path / "t.csv"))
    assert [(line, type(cells)) for line, cells in found] == [(2, str), (3, dict), (4, str)]


def test_a_row_with_too_many_or_too_few_cells_is_refused(tmp_path):
    found = read(lines_of("a,b\n1\n1,2,3\n1,2\n", tmp_path / "t.csv"))
    assert found == [
        (2, "it has 1 cells, and the header names 2 columns"),
        (3, "it has 3 cells, and the header names 2 columns"),
        (4, {"a": "1", "b": "2"}),
    ]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "the file is empty"),
        ("a,d\n1,2\n", "unknown column 'd'; the columns are: a, b, c"),
        ("b,c\n1,2\n", "missing column: a"),
        ("a,b,b\n", "column 'b' is there twice"),
        ('a,"b\n', "line 1 does not name the columns"),
        ("a,b\n" + "x" * (LONGEST_LINE + 1), f"line 2 has more than {LONGEST_LINE} bytes"),
    ],
)
def test_a_file_that_is_no_such_table_is_refused_as_a_whole(tmp_path, text, why):
    with pytest.raises(InvalidError, match=why):
        read(lines_of(text, tmp_path / "t.csv"))


def test_json_lines_are_read_whatever_is_wrong_with_some(tmp_path):
    text = '{"a": "x", "b": true, "c": null}\n\n{"a": 7}\n{"a": 7\n[1]\n{"a": "x", "d": "y"}\n{"b": "x"}\n{"a": 0.5}'
    found = read(lines_of(text, tmp_path / "t.jsonl"))
    assert found[:2] == [(1, {"a": "x", "b": "true"}), (3, {"a": "7"})]
    assert [line for line, _ in found[2:]] == [4, 5, 6, 7, 8]
    truncated, array, unknown, missing, fraction = (cells for _, cells in found[2:])
    for reason in (truncated, array, fraction):
        assert reason.startswith("no JSON object of texts, whole numbers, true and false")
    assert (unknown, missing) == ("unknown column 'd'; the columns are: a, b, c", "missing column: a")


TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)


@given(st.lists(st.fixed_dictionaries({"a": TEXTS, "b": TEXTS}), max_size=6))
@settings(max_examples=60, deadline=None)
def test_whatever_a_cell_says_csv_and_json_lines_tell_it_alike(rows):
    said = [{name: text for name, cell in row.items() if (text := cell.strip())} for row in rows]
    with TemporaryDirectory() as folder:
        table = Path(folder) / "t.csv"
        with table.open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows([["a", "b"], *([row["a"], row["b"]] for row in rows)])
        lines = write_jsonl(Path(folder) / "t.jsonl", rows)
        assert [cells for _, cells in read(table) if cells] == [cells for cells in said if cells]
        assert [cells for _, cells in read(lines)] == said


def test_the_ending_says_how_a_file_is_read(tmp_path):
    with pytest.raises(InvalidError, match=r"ends in '\.xlsx': \.csv or \.jsonl"):
        read(lines_of("a", tmp_path / "t.xlsx"))


@pytest.mark.parametrize("encoding", ["gb18030", "utf-16"])
def test_a_file_that_is_not_utf_8_is_refused_with_the_line(tmp_path, encoding):
    path = tmp_path / "t.csv"
    path.write_bytes("a,b\n1,2\n3,四\n".encode(encoding))
    line = 1 if encoding == "utf-16" else 3
    with pytest.raises(InvalidError, match=f"not UTF-8: see line {line}; save it as UTF-8"):
        count_lines(path)


def test_half_of_a_character_at_the_end_is_not_utf_8(tmp_path):
    path = tmp_path / "t.csv"
    path.write_bytes("a\n四".encode()[:-1])
    with pytest.raises(InvalidError, match="not UTF-8: see line 2"):
        count_lines(path)


def test_the_page_about_importing_names_every_column():
    page = (Path(__file__).parents[2] / "docs" / "import.md").read_text(encoding="utf-8")
    assert [
        column for column in COLUMNS.known if column[-1] not in "3456789" and f"`{column}`" not in page
    ] == []


# --- into the log ----------------------------------------------------------------------------------------------------


@pytest.fixture
async def place(running):
    """The site that the rows are about, in the log of the running system."""
    return await build_site(running.log)


async def imported(running, path):
    done = await import_file(running, path, HISTORY, quiet)
    return done.imported, done.repeated, done.rejected


def rejections(path):
    return [json.loads(line) for line in rejections_path(path).read_text(encoding="utf-8").splitlines()]


BAD = [
    ({"site": "nowhere"}, "there is no site 'nowhere'"),
    ({"source": "RUMOUR"}, "source is 'RUMOUR'"),
    ({"reported_at": "2018-01-01"}, "has no time zone"),
    ({"signed_at": None, "signed_by": None}, "is refused: the incident is DISPATCHED"),
    ({"verified_by": "h4"}, "h4 handled this incident"),
    ({"signed_unit": "fire-brigade"}, "is not of that unit"),
    ({"accepted_at": "2017-01-01T00:00:00Z"}, "lies before the step before it"),
    ({"description": None}, "description is empty"),
    ({"verified_passed": "maybe"}, "write true or false"),
    ({"number": "2018-1"}, "was imported from another row"),
]
"""Ten kinds of rows that are refused, and why."""


async def test_ten_thousand_rows_with_a_hundred_bad_ones_go_in_once_and_the_bad_ones_are_explained(
    running, place, tmp_path
):
    bad = {number: BAD[number // 100 % 10] for number in range(50, 10_000, 100)}
    rows = [told(number, **(bad[number][0] if number in bad else {})) for number in range(10_000)]
    path = write_csv(tmp_path / "year.csv", rows)
    before = await running.log.position()

    assert await imported(running, path) == (9_900, 0, 100)
    assert await running.log.position() == before + 9_900 * EVENTS
    found = rejections(path)
    assert [rejected["line"] for rejected in found] == [number + 2 for number in bad]
    for rejected, (_, why) in zip(found, bad.values(), strict=True):
        assert why in rejected["reason"]
    written = path.read_text(encoding="utf-8").splitlines()
    assert [rejected["row"] for rejected in found] == [written[rejected["line"] - 1] for rejected in found]

    assert await imported(running, path) == (0, 9_900, 100)
    assert await running.log.position() == before + 9_900 * EVENTS
    assert rejections(path) == found
    closed = await running.log.load(Incident, HISTORY.incident_id("2018-9999"))
    assert (closed.state, closed.version) == (IncidentState.CLOSED, EVENTS)
    assert (await verify(running.settings.require_database_url)).holds


async def test_csv_and_json_lines_are_the_same_requests(running, place, tmp_path):
    rows = [told(number, reporter=f"报案人 {number}") for number in range(BATCH + 1)]
    assert await imported(running, write_csv(tmp_path / "t.csv", rows, encoding="utf-8-sig")) == (
        BATCH + 1,
        0,
        0,
    )
    assert await imported(running, write_jsonl(tmp_path / "t.jsonl", rows)) == (0, BATCH + 1, 0)


async def test_what_was_refused_is_mended_and_imported_and_then_no_refusals_are_left(
    running, place, tmp_path
):
    path = write_jsonl(tmp_path / "t.jsonl", [told(1), told(2, source="RUMOUR")])
    assert await imported(running, path) == (1, 0, 1)
    assert rejections_path(path).stat().st_mode & 0o077 == 0
    write_jsonl(path, [told(1), told(2)])
    assert await imported(running, path) == (1, 1, 0)
    assert not rejections_path(path).exists()


async def test_a_reporter_is_sealed_and_can_be_forgotten_and_stays_forgotten(running, place, tmp_path):
    path = write_csv(tmp_path / "t.csv", [told(1, reporter="陈女士")])
    await imported(running, path)
    found = await running.log.load(Incident, HISTORY.incident_id("2018-1"))
    assert found.reporter.text == "陈女士"
    assert found.reporter.scope.startswith(of_subject(UUID(int=0))[:8])
    await destroy(running.log, found.reporter.scope)
    assert await imported(running, path) == (0, 1, 0)
    assert (await running.log.load(Incident, found.id)).reporter.redacted


async def test_only_an_admin_of_the_whole_city_imports(running, place, tmp_path):
    path = write_csv(tmp_path / "t.csv", [told(1)])
    for by in (person(Role.SUPERVISOR), person(Role.ADMIN, scope=Scope("yuhai"))):
        with pytest.raises(ForbiddenError):
            await import_file(running, path, Import("old", by, NOW), quiet)


async def test_a_file_that_is_no_such_table_leaves_nothing(running, place, tmp_path):
    path = lines_of("number,site\n", tmp_path / "t.csv")
    before = await running.log.position()
    with pytest.raises(InvalidError, match="missing column: category, description"):
        await imported(running, path)
    assert await running.log.position() == before
    assert not rejections_path(path).exists()


async def test_without_a_place_for_refused_rows_nothing_is_begun(running, place, tmp_path):
    path = write_csv(tmp_path / "t.csv", [told(1)])
    rejections_path(path).mkdir()
    before = await running.log.position()
    with pytest.raises(UnavailableError, match="cannot be written: Is a directory"):
        await imported(running, path)
    assert await running.log.position() == before


# --- as a command ----------------------------------------------------------------------------------------------------


async def test_the_command_tells_the_numbers_and_is_exit_code_1_if_some_were_rejected(
    tmp_path, log, site, database_url
):
    path = write_csv(tmp_path / "year-2018.csv", [told(1), told(2), told(3, site="nowhere")])
    first = await anju(tmp_path, "import", "incidents", path, database_url=database_url)
    assert (first.code, first.line) == (1, f"see {path}.rejected")
    assert first.out == "2 imported, 0 were there already, 1 rejected\n"
    write_csv(path, [told(1), told(2)])
    again = await anju(tmp_path, "import", "incidents", path, "--json", database_url=database_url)
    assert (again.code, again.err) == (0, "")
    assert json.loads(again.out) == {
        "source": "year-2018",
        "rows": 2,
        "imported": 0,
        "repeated": 2,
        "rejected": 0,
        "rejections": None,
    }
    other = await anju(
        tmp_path, "import", "incidents", path, "--source", "other", "--json", database_url=database_url
    )
    assert json.loads(other.out)["imported"] == 2


async def test_the_command_takes_the_time_limits_of_the_place(tmp_path, log, site, database_url):
    limits = lines_of(
        'version = "ours"\n'
        + "".join(
            f'[[limit]]\nstep = "{step}"\nclock = "WALL"\nhours = 3\n'
            for step in ("sign", "handle", "verify")
        ),
        tmp_path / "limits.toml",
    )
    later = ("signed_", "started_", "feedback_", "verified_")
    row = {name: value for name, value in told(1).items() if not name.startswith(later)}
    path = write_csv(tmp_path / "t.csv", [row])
    done = await anju(tmp_path, "import", "incidents", path, database_url=database_url, limits=limits)
    assert done.code == 0, done.err
    found = await log.load(Incident, Import("t", HISTORY.by, NOW).incident_id("2018-1"))
    assert {one.rule for one in found.deadlines} == {"limits-ours"}


async def test_a_file_in_another_encoding_is_one_line(tmp_path, log, site, database_url):
    path = write_csv(tmp_path / "t.csv", [told(1)], encoding="gb18030")
    refused = await anju(tmp_path, "import", "incidents", path, database_url=database_url)
    assert refused.code == 1
    assert refused.line.startswith(f"INVALID {path} is not UTF-8: see line 2;")


async def test_killed_in_the_middle_and_run_again_every_row_is_in_the_log_once(
    tmp_path, log, site, database_url
):
    count = 6_000
    path = write_csv(tmp_path / "year.csv", [told(number) for number in range(count)])
    before = await log.position()
    async with started(tmp_path, "import", "incidents", str(path), database_url=database_url) as process:

        async def in_the_middle():
            return await log.position() > before + EVENTS * BATCH

        await until(in_the_middle, 60)
        process.kill()
        await process.wait()
    assert await log.position() < before + EVENTS * count
    again = await anju(tmp_path, "import", "incidents", path, "--json", database_url=database_url)
    done = json.loads(again.out)
    assert (again.code, done["rows"], done["rejected"]) == (0, count, 0)
    assert done["repeated"] >= BATCH
    assert done["imported"] > 0
    connection = await asyncpg.connect(database_url)
    rows = await connection.fetch(
        "select originator_id, count(*) as events from events where category = 'incident' group by originator_id"
    )
    await connection.close()
    assert Counter(row["events"] for row in rows) == {EVENTS: count}
    assert (await verify(database_url)).holds
