"""`anju report`: the four reports, counted on the fingers, on the terminal and in files."""

import csv
import io
import json
from datetime import UTC, datetime, timedelta
from functools import partial
from uuid import UUID

import openpyxl
import pytest
from given import GARAGE, order, person
from histories import a_pass, append
from telling import tell

from domain import commands
from domain.errors import InvalidError, NotFoundError, UnavailableError
from domain.gatepass import RefusalGround
from domain.people import Role
from domain.site import Site, site_id
from projections import gate_traffic
from projections.runner import catch_up

NOVEMBER = ("--from", "2018-11-01", "--to", "2018-11-30")


@pytest.fixture
def anju(invoke):
    """Run `anju report` with arguments; see `invoke`."""
    return partial(invoke, "report")


@pytest.fixture
async def told(log, pool):
    await tell(log, pool)


async def asked(anju, *arguments):
    """The report as JSON, its tables by section."""
    code, text = await anju(*arguments, "--format", "json")
    assert code == 0
    report = json.loads(text)
    report["sections"] = {section["section"]: section["rows"] for section in report["sections"]}
    return report


def counts(report):
    """(now, year before, before) of each count."""
    rows = report["sections"]["counts"]
    return {row["measure"]: (row["now"], row["year_before"], row["before"]) for row in rows}


def rates(report):
    """(numerator, denominator) of each rate now."""
    rows = report["sections"]["rates"]
    return {row["measure"]: (row["now"]["numerator"], row["now"]["denominator"]) for row in rows}


def numbers(report):
    return {row["measure"]: row["now"] for row in report["sections"]["numbers"]}


async def test_closure(anju, told, log):
    report = await asked(anju, "closure", *NOVEMBER)
    assert (report["position"], report["cut_off"]) == (await log.position(), "2018-12-01T00:00:00+08:00")
    found = counts(report)
    assert (found["received"], found["cohort_closed"]) == ((4, 2, 1), (3, 2, 1))
    assert (found["backlog"][0], found["on_time"][0], found["dispatches"][0]) == (1, 3, 3)
    assert rates(report)["COHORT"] == (3, 4)
    assert rates(report)["on_time_rate"] == (3, 3)
    (rate,) = (row for row in report["sections"]["rates"] if row["measure"] == "COHORT")
    assert (rate["year_on_year"], rate["period_on_period"]) == (-25.0, -25.0)
    (received,) = (row for row in report["sections"]["counts"] if row["measure"] == "received")
    assert (received["year_on_year"], received["period_on_period"]) == (1.0, 3.0)
    assert {"received", "COHORT", "period", "as_of"} <= {one["term"] for one in report["definitions"]}


async def test_closure_as_of_a_day(anju, told):
    report = await asked(anju, "closure", *NOVEMBER, "--as-of", "2018-11-05")
    assert (report["as_of"], report["cut_off"]) == ("2018-11-05", "2018-11-06T00:00:00+08:00")
    assert counts(report)["received"] == (2, 2, 1)
    assert rates(report)["COHORT"] == (2, 2)


async def test_closure_of_a_part(anju, told):
    for narrowed, rate in (
        (("--township", "yuhai"), (2, 3)),
        (("--site", "shaozhai"), (1, 1)),
        (("--category", "noise"), (2, 3)),
        (("--unit", "police-station"), (3, 3)),
        (("--mechanism", "key_tasks"), (0, 0)),
    ):
        report = await asked(anju, "closure", *NOVEMBER, *narrowed)
        assert rates(report)["COHORT"] == rate
        assert report["scope"] == {
            narrowed[0][2:]: narrowed[1].upper() if "key" in narrowed[1] else narrowed[1]
        }


async def test_closure_by_month_and_township(anju, told, tmp_path):
    arguments = (
        "closure",
        "--from",
        "2018-10-01",
        "--to",
        "2018-11-30",
        "--by",
        "month",
        "--group",
        "township",
    )
    report = await asked(anju, *arguments)
    rows = [
        (row["from"], row["part"], row["COHORT"]["numerator"], row["COHORT"]["denominator"])
        for row in report["sections"]["series"]
    ]
    assert rows == [
        ("2018-10-01", "tangxia", 0, 0),
        ("2018-11-01", "tangxia", 1, 1),
        ("2018-10-01", "yuhai", 1, 1),
        ("2018-11-01", "yuhai", 2, 3),
    ]
    assert (await anju(*arguments, "-o", tmp_path / "closure.xlsx"))[0] == 0
    book = openpyxl.load_workbook(tmp_path / "closure.xlsx")
    (chart,) = book[book.sheetnames[0]]._charts
    assert (chart.tagname, len(chart.series)) == ("lineChart", 2)
    sheet = book["By township"]
    drawn = [[cell.value for (cell,) in sheet[one.val.numRef.f.split("!")[1]]] for one in chart.series]
    assert drawn == [[None, 1.0], [1.0, 2 / 3]]


async def test_closure_of_each_site_names_its_code(anju, told):
    report = await asked(anju, "closure", *NOVEMBER, "--group", "site")
    assert [(row["part"], row["received"]) for row in report["sections"]["series"]] == [
        ("runjinyuan", 3),
        ("shaozhai", 1),
    ]


async def test_every_count_of_closure_has_its_lineage(anju, told, tmp_path):
    report = await asked(anju, "closure", *NOVEMBER)
    for measure, (now, *_) in counts(report).items():
        lineage = await asked(anju, "closure", *NOVEMBER, "--lineage", measure)
        assert len(lineage["sections"]["lineage"]) == now, measure
    path = tmp_path / "closed.csv"
    assert (await anju("closure", *NOVEMBER, "--lineage", "closed", "-o", path))[0] == 0
    with path.open(newline="", encoding="utf-8") as file:
        header, *rows = [row for row in csv.reader(file) if row[0] == "lineage"]
    assert header[1:] == ["incident id", "reported position", "closing position"]
    assert [(UUID(row[1]).int, int(row[2]) < int(row[3])) for row in rows] == [
        (5, True),
        (6, True),
        (8, True),
    ]


async def test_mediation(anju, told, log):
    report = await asked(anju, "mediation", *NOVEMBER)
    assert report["position"] == await log.position()
    assert counts(report)["accepted"] == counts(report)["agreed"] == (1, 0, 0)
    assert rates(report)["success_of_handled"] == (1, 1)
    assert rates(report)["fulfilment"] == (0, 1)
    assert numbers(report)["median_days_to_agreement"] == 2.0
    (change,) = {row["year_on_year"] for row in report["sections"]["counts"] if row["measure"] == "accepted"}
    assert change is None  # of nothing


async def test_mediation_by_month_and_room_has_every_room_in_every_month(anju, told):
    report = await asked(
        anju, "mediation", "--from", "2018-10-01", "--to", "2018-12-31", "--by", "month", "--group", "room"
    )
    rows = report["sections"]["series"]
    assert [(row["from"], row["part"], row["accepted"]) for row in rows] == [
        ("2018-10-01", "lao-li", 0),
        ("2018-11-01", "lao-li", 1),
        ("2018-12-01", "lao-li", 0),
    ]
    assert report["chart"] == {
        "title": "调解成功率 by month and room",
        "section": "series",
        "x": "from",
        "y": "success_of_handled",
        "series": "part",
    }


async def test_safety(anju, told):
    report = await asked(anju, "safety", *NOVEMBER)
    found = counts(report)
    assert found["incidents"] == (4, 2, 1)
    assert found["criminal_cases"] == (0, 2, 0)
    assert (found["disputes"], found["alarms"], found["gate_passes"]) == ((1, 0, 0), (2, 0, 0), (3, 0, 0))
    assert found["households"] == (1250, 1250, 1250)
    assert rates(report) == {"false_alarm_rate": (1, 2)}
    assert numbers(report)["incidents_per_1000"] == 4 * 1000 / 1250
    assert numbers(report)["incidents_per_1000_annualised"] == pytest.approx(3.2 * 365 / 30)
    assert numbers(report)["median_seconds_to_acknowledge"] == 30.0
    (cases,) = (row for row in report["sections"]["counts"] if row["measure"] == "criminal_cases")
    assert (cases["year_on_year"], cases["period_on_period"]) == (-1.0, None)


async def test_safety_of_each_township_and_of_one_site(anju, told):
    report = await asked(anju, "safety", *NOVEMBER, "--group", "township")
    rows = report["sections"]["series"]
    assert [(row["part"], row["incidents"], row["alarms"]) for row in rows] == [
        ("tangxia", 1, 2),
        ("yuhai", 3, 0),
    ]
    one = await asked(anju, "safety", *NOVEMBER, "--site", "shaozhai", "--group", "site")
    assert one["scope"] == {"site": "shaozhai"}
    assert counts(one)["incidents"][0] == 1
    assert [row["part"] for row in one["sections"]["series"]] == ["shaozhai"]


async def test_gates(anju, told):
    report = await asked(anju, "gates", *NOVEMBER, "--by", "week", "--group", "gate")
    assert counts(report)["passes"] == counts(report)["recorded"] == (3, 0, 0)
    rows = report["sections"]["series"]
    assert [(row["from"], row["to"], row["part"], row["passes"]) for row in rows][:2] == [
        ("2018-11-01", "2018-11-04", "runjinyuan/main", 0),
        ("2018-11-05", "2018-11-11", "runjinyuan/main", 3),
    ]


async def test_gates_as_of_a_day_and_each_pass_behind_a_count(anju, told, log, pool):
    site = await log.load(Site, site_id("runjinyuan"))
    await commands.act(log, order(Role.ADMIN), Site, Site.add_gate, site.id, gate=GARAGE)
    noon = datetime(2018, 11, 8, 4, tzinfo=UTC)
    held = a_pass(await log.load(Site, site.id), noon, number=90, gate="garage")
    held.refuse(by=person(Role.GUARD), at=noon + timedelta(days=1), ground=RefusalGround.NOT_EXPECTED)
    await append(log, [held], first_number=900)
    await catch_up(gate_traffic.PROJECTION, pool, log)
    passed, refused = (entry.position for entry in await log.history(held.id))

    for as_of, decision, position in (
        ("2018-11-08", "held", passed),
        ("2018-11-09", "refused_by_guard", refused),
    ):
        asking = (*NOVEMBER, "--as-of", as_of)
        counted = counts(await asked(anju, "gates", *asking))
        assert {name: counted[name][0] for name in ("passes", "recorded", "held", "refused_by_guard")} == {
            "passes": 4,
            "recorded": 3,
            "held": 0,
            "refused_by_guard": 0,
        } | {decision: 1}
        (row,) = (await asked(anju, "gates", *asking, "--lineage", decision))["sections"]["lineage"]
        assert row == {"pass_id": str(held.id), "position": position}
    rows = (await asked(anju, "gates", *NOVEMBER, "--lineage", "passes"))["sections"]["lineage"]
    assert rows == [
        {"pass_id": row["id"], "position": row["position"]}
        for row in (await asked(anju, "safety", *NOVEMBER, "--lineage", "gate_passes"))["sections"]["lineage"]
    ]
    assert (len(rows), rows[-1]["position"]) == (4, passed)


async def test_every_format_says_the_same(anju, told, tmp_path):
    arguments = ("mediation", *NOVEMBER, "--group", "township")
    report = await asked(anju, *arguments)
    for ending in ("csv", "xlsx", "json"):
        assert (await anju(*arguments, "-o", tmp_path / f"report.{ending}"))[0] == 0
    expected = [row["now"] for row in report["sections"]["counts"]]
    sheet = openpyxl.load_workbook(tmp_path / "report.xlsx")["Counts"]
    assert [row[2].value for row in sheet.iter_rows(min_row=10, max_row=9 + len(expected))] == expected
    with (tmp_path / "report.csv").open(newline="", encoding="utf-8") as file:
        read = [row for row in csv.reader(file) if row[0] == "counts"][1:]
    assert [int(row[3]) for row in read] == expected
    _, printed = await anju(*arguments)
    assert "Mediation 调解" in printed
    assert "100.00 %" in printed
    _, streamed = await anju(*arguments, "--format", "csv", "--bom")
    assert streamed.startswith("\ufeffreport,Report,Mediation")
    assert list(csv.reader(io.StringIO(streamed)))


async def test_a_lineage_names_what_was_counted(anju, told, log):
    report = await asked(anju, "mediation", *NOVEMBER, "--lineage", "accepted")
    (row,) = report["sections"]["lineage"]
    (entry,) = [
        entry for entry in await log.history(UUID(int=200)) if entry.event.TOPIC == "dispute.accepted"
    ]
    assert (row["dispute_id"][-2:], row["accepted_position"]) == ("c8", entry.position)
    incidents = await asked(anju, "safety", *NOVEMBER, "--lineage", "incidents")
    assert len(incidents["sections"]["lineage"]) == 4


async def test_what_a_report_does_not_know_is_refused(anju, told):
    for words, why in (
        (("gates", "--category", "noise"), "gates knows no category; .* by site, township"),
        (("mediation", "--group", "gate"), "not grouped by GATE, but by one of MECHANISM, MEDIATOR, ROOM"),
        (
            ("gates", "--lineage", "held_rate"),
            "gates has no lineage of 'held_rate', but of passes, opened, held",
        ),
        (("mediation", "--lineage", "accepted", "--by", "day"), "without by and group"),
        (("mediation", "--site", "Nowhere!"), "'Nowhere!' is not a code"),
        (("mediation", "--format", "xlsx"), "name it with -o"),
        (("mediation", "-o", "report.pdf"), "does not say what to write"),
    ):
        with pytest.raises(InvalidError, match=why):
            await anju(words[0], *NOVEMBER, *words[1:])
    with pytest.raises(NotFoundError, match="no site 'nowhere'"):
        await anju("mediation", *NOVEMBER, "--site", "nowhere")


@pytest.mark.parametrize(
    ("days", "why"),
    [
        (("2018-11-30", "2018-11-01"), "ends on 2018-11-01, before it starts"),
        (("0001-01-01", "2018-11-01"), "0001-01-01 is not in the years 1970 to 2199"),
        (("2018-11-01", "9999-12-31"), "9999-12-31 is not in the years"),
    ],
)
async def test_a_period_that_cannot_be_is_refused(anju, days, why):
    with pytest.raises(InvalidError, match=why):
        await anju("mediation", "--from", days[0], "--to", days[1])


async def test_too_many_rows_are_refused(anju, told):
    with pytest.raises(InvalidError, match="36,525 days by DAY are more than 4,000 rows"):
        await anju("gates", "--from", "1999-12-31", "--to", "2099-12-30", "--by", "day")


async def test_what_cannot_be_written_is_said(anju, told, tmp_path):
    assert (await anju("gates", *NOVEMBER, "--format", "csv", "-o", tmp_path))[0] == 2
    with pytest.raises(UnavailableError, match=r"report\.csv cannot be written: No such file or directory"):
        await anju("gates", *NOVEMBER, "-o", tmp_path / "nowhere" / "report.csv")


async def test_a_wrong_call_is_exit_code_2(anju):
    assert (await anju("weather", *NOVEMBER))[0] == 2
    assert (await anju("gates", "--from", "yesterday", "--to", "2018-11-30"))[0] == 2
    assert (await anju("gates", "--from", "2018-11-01"))[0] == 2
    code, text = await anju("--help")
    assert (code, "--lineage overdue -o overdue.csv" in text) == (0, True)
