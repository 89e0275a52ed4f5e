"""/api/reports: the same reports for whoever may see figures, and only of what they may see."""

import csv
import io
from uuid import UUID

import openpyxl
import pytest
from given import person
from telling import tell

from api.reports import jobs, safety
from domain.errors import UnavailableError
from domain.people import CITY, Role, Scope
from domain.site import site_id

NOVEMBER = {"from": "2018-11-01", "to": "2018-11-30"}


@pytest.fixture
async def get(running, asker):
    """Ask for a report as somebody: (name, parameters, person) -> response. The story has been told."""
    await tell(running.log, running.pool)

    async def ask(name, by=None, **parameters):
        by = by or person(Role.STATISTICIAN)
        headers = {"Authorization": f"Bearer {asker.token(by)}"} if by != "nobody" else {}
        return await asker.client.get(f"/api/reports/{name}", params=NOVEMBER | parameters, headers=headers)

    return ask


def refused(response, status, code):
    assert (response.status_code, response.headers["content-type"]) == (status, "application/problem+json")
    assert response.json()["title"] == code
    return response.json()["detail"]


def count(response, measure):
    sections = {section["section"]: section["rows"] for section in response.json()["sections"]}
    return next(row["now"] for row in sections["counts"] if row["measure"] == measure)


async def test_each_report_comes_in_each_format(get):
    for name in ("closure", "safety", "mediation", "gates"):
        told = await get(f"{name}.json")
        assert (told.status_code, told.headers["content-type"]) == (200, "application/json")
        assert told.json()["report"] == name
        assert int(told.headers["content-length"]) == len(told.content)
        table = await get(f"{name}.csv")
        assert table.headers["content-type"].startswith("text/csv; charset=utf-8")
        rows = [row for row in csv.reader(io.StringIO(table.text)) if row[0] == "counts"][1:]
        book = openpyxl.load_workbook(io.BytesIO((await get(f"{name}.xlsx")).content))
        sheet = [row[2].value for row in book["Counts"].iter_rows(min_row=10, max_row=9 + len(rows))]
        expected = [
            row["now"] for s in told.json()["sections"] if s["section"] == "counts" for row in s["rows"]
        ]
        assert [int(row[3]) for row in rows] == sheet == expected
        assert (
            table.headers["content-disposition"] == f'attachment; filename="{name}-2018-11-01-2018-11-30.csv"'
        )


async def test_the_scope_of_the_person_is_applied_and_said(get):
    for scope, incidents in (
        (CITY, 4),
        (Scope("yuhai"), 3),
        (Scope("tangxia"), 1),
        (Scope(site_id=site_id("shaozhai")), 1),
        (Scope("nowhere"), 0),
    ):
        told = await get("safety.json", person(Role.SUPERVISOR, scope=scope))
        assert count(told, "incidents") == incidents
        assert told.json()["scope"] == ({} if scope == CITY else {"inside": str(scope)})
    elsewhere = await get("safety.json", person(Role.SUPERVISOR, scope=Scope("yuhai")), township="tangxia")
    assert count(elsewhere, "incidents") == 0
    hidden = await get("safety.json", person(Role.SUPERVISOR, scope=Scope("yuhai")), site="shaozhai")
    assert "no site 'shaozhai', or none that you may see" in refused(hidden, 404, "NOT_FOUND")


async def test_who_may_see_figures_is_the_policy_s_matter(get):
    for role in (Role.STATISTICIAN, Role.AUDITOR, Role.SUPERVISOR):
        assert (await get("gates.json", person(role))).status_code == 200
    assert "read.figures" in refused(await get("gates.json", person(Role.DEVICE)), 403, "FORBIDDEN")
    assert "Authorization" in refused(await get("gates.json", "nobody"), 401, "UNAUTHENTICATED")


async def test_a_lineage_names_incidents_and_so_needs_a_reader_of_cases(get):
    told = await get("safety.json", person(Role.AUDITOR), lineage="incidents")
    (section,) = told.json()["sections"]
    assert len(section["rows"]) == 4
    assert "read.incidents" in refused(await get("safety.json", lineage="incidents"), 403, "FORBIDDEN")


async def test_a_long_lineage_is_read_page_by_page(get, monkeypatch):
    monkeypatch.setattr(safety, "PAGE", 1)
    told = await get("safety.json", person(Role.AUDITOR), lineage="incidents")
    rows = told.json()["sections"][0]["rows"]
    assert {UUID(row["id"]).int for row in rows} == {5, 6, 7, 8}
    assert [row["position"] for row in rows] == sorted(row["position"] for row in rows)


async def test_what_cannot_be_asked_is_a_problem(get):
    assert "there is no weather.csv: the reports are closure" in refused(
        await get("weather.csv"), 404, "NOT_FOUND"
    )
    assert "gates.pdf" in refused(await get("gates.pdf"), 404, "NOT_FOUND")
    for parameters, why in (
        ({"from": "soon"}, "query.from"),
        ({"to": "2018-10-01"}, "before it starts"),
        ({"townshp": "yuhai"}, "query.townshp: Extra inputs"),
        ({"group": "GATE"}, "not grouped by GATE"),
        ({"site": "No Code"}, "is not a code"),
        ({"lineage": "passes"}, "read.incidents"),
    ):
        response = await get("mediation.json", **parameters)
        status, code = (403, "FORBIDDEN") if "lineage" in parameters else (422, "INVALID")
        assert why in refused(response, status, code)


async def test_a_full_disk_is_a_problem_and_not_half_a_report(get, monkeypatch):
    def full(_report, _how, file, **_options):
        file.write(b"half")
        raise UnavailableError("the report cannot be written: No space left on device")

    monkeypatch.setattr(jobs, "write", full)
    assert "No space left" in refused(await get("gates.csv"), 503, "UNAVAILABLE")


async def test_the_parameters_are_described(get, asker):
    described = (await asker.client.get("/openapi.json")).json()["paths"]["/api/reports/{report}.{how}"][
        "get"
    ]
    names = {parameter["name"] for parameter in described["parameters"]}
    assert {"report", "how", "from", "to", "as_of", "by", "group", "lineage", "bom"} <= names
    assert set(described["responses"]["200"]["content"]) >= {"text/csv", "application/json"}
