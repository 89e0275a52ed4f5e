"""The programme: its sites and centres as they are listed, what each township has, and how many households there were when."""

from datetime import date, timedelta
from uuid import UUID

import pytest
from given import GARAGE, MAIN, NOW
from histories import append
from lives import DAY, STAFF

from domain.centre import Centre, Item
from domain.people import CITY, Scope
from domain.site import Measure, Site, site_id
from projections import centres, sites
from projections.period import day_of, midnight
from projections.runner import catch_up
from projections.sites import SiteFilter

ANN, BOB, CAI = STAFF
TODAY = day_of(NOW)


def planned(code, township, *, operating=False, measures=()):
    site = Site.plan(code=code, name="高桥", township=township, by=ANN, at=NOW)
    if operating:
        site.start_construction(by=ANN, at=NOW)
        site.add_gate(by=ANN, at=NOW, gate=GARAGE)
        site.add_gate(by=ANN, at=NOW, gate=MAIN)
        for measure, gate in measures:
            site.install_measure(by=ANN, at=NOW, measure=measure, gate=gate)
        site.accept(by=ANN, at=NOW, inspector="cai")
        site.start_operation(by=ANN, at=NOW + DAY)
    return site


def count(site, households, counts_from, *, at=NOW, buildings=None):
    site.count_households(by=ANN, at=at, households=households, counts_from=counts_from, buildings=buildings)


@pytest.fixture
async def programme(log, pool):
    """Three sites in two townships, and the centres of one of these and of a third."""
    first = planned(
        "runjinyuan",
        "yuhai",
        operating=True,
        measures=[(Measure.FACE_CAPTURE, "main"), (Measure.VIDEO_SURVEILLANCE, None)],
    )
    second = planned(
        "gaoqiao",
        "yuhai",
        operating=True,
        measures=[(Measure.FACE_CAPTURE, "main"), (Measure.FACE_CAPTURE, "garage")],
    )
    count(first, 800, TODAY - 100 * DAY, buildings=10)
    count(first, 900, TODAY - 10 * DAY)
    count(second, 500, TODAY, buildings=7)
    third = planned("shaozhai", "tangxia")
    theirs = Centre.found(township="yuhai", name="玉海街道综治中心", by=ANN, at=NOW)
    for item in Item:
        theirs.inspect(by=BOB, at=NOW, item=item, passed=True, note="seen")
    theirs.accept(by=CAI, at=NOW)
    theirs.inspect(by=BOB, at=NOW + DAY, item=Item.SIGN, passed=False, note="gone")
    for unit in ("court", "police-station"):
        theirs.join_unit(by=ANN, at=NOW, unit=unit)
    for staff in ("s-1", "s-2"):
        theirs.join_staff(by=ANN, at=NOW, staff=staff, unit="court")
    other = Centre.found(township="xianjiang", name="综治中心", by=ANN, at=NOW)
    other.inspect(by=BOB, at=NOW, item=Item.SIGN, passed=True, note="seen")
    await append(log, [first, second, third, theirs, other])
    for projection in (sites.PROJECTION, centres.PROJECTION):
        await catch_up(projection, pool, log)


async def listed(pool, scope=CITY, **wanted):
    found = []
    async with pool.acquire() as connection:
        while page := await sites.listed(
            connection, scope, SiteFilter(**wanted), first=1, after=found[-1]["code"] if found else None
        ):
            found += page
    return found


async def codes(pool, scope=CITY, **wanted):
    return [row["code"] for row in await listed(pool, scope, **wanted)]


async def test_sites_are_listed_with_their_gates_and_measures(pool, programme):
    gaoqiao, runjinyuan, shaozhai = await listed(pool)
    assert (gaoqiao["gates"], gaoqiao["measures"]) == (["garage", "main"], ["FACE_CAPTURE"])
    assert runjinyuan["measures"] == ["FACE_CAPTURE", "VIDEO_SURVEILLANCE"]
    assert (shaozhai["gates"], shaozhai["measures"], shaozhai["households"]) == ([], [], None)
    assert (runjinyuan["households"], runjinyuan["buildings"]) == (900, 10)
    assert await codes(pool, state="OPERATING") == ["gaoqiao", "runjinyuan"]
    assert await codes(pool, measure="VIDEO_SURVEILLANCE") == ["runjinyuan"]
    assert await codes(pool, township="tangxia") == ["shaozhai"]
    assert await codes(pool, Scope("yuhai")) == ["gaoqiao", "runjinyuan"]
    assert await codes(pool, Scope(site_id=site_id("shaozhai"))) == ["shaozhai"]
    async with pool.acquire() as connection:
        found = await sites.gates(connection, CITY, [site_id("gaoqiao"), site_id("shaozhai")])
        assert await sites.gates(connection, Scope("tangxia"), [site_id("gaoqiao")]) == {}
    assert [(row["code"], row["mode"], row["credentials"]) for row in found.pop(site_id("gaoqiao"))] == [
        ("garage", "GUARDED", ["FACE", "PLATE"]),
        ("main", "OPEN", ["FACE", "CARD"]),
    ]
    assert found == {}


async def test_some_sites_and_what_is_installed_there_are_read_at_once_inside_the_scope(pool, programme):
    ours, next_door, theirs = (site_id(code) for code in ("runjinyuan", "gaoqiao", "shaozhai"))
    asked = [ours, next_door, theirs, UUID(int=1)]
    async with pool.acquire() as connection:
        some = await sites.some(connection, CITY, asked)
        assert (await sites.some(connection, Scope("tangxia"), asked)).keys() == {theirs}
        installed = await sites.installed(connection, CITY, asked)
        assert (await sites.installed(connection, Scope(site_id=ours), asked)).keys() == {ours}
    assert {row["code"] for row in some.values()} == {"runjinyuan", "gaoqiao", "shaozhai"}
    assert {site: [(row["measure"], row["gate"]) for row in rows] for site, rows in installed.items()} == {
        ours: [("FACE_CAPTURE", "main"), ("VIDEO_SURVEILLANCE", None)],
        next_door: [("FACE_CAPTURE", "garage"), ("FACE_CAPTURE", "main")],
    }


async def test_a_township_is_shown_with_its_sites_and_its_centre_also_when_it_has_only_one_of_them(
    pool, programme
):
    async with pool.acquire() as connection:
        rows = [tuple(row) for row in await sites.programme(connection, CITY)]
        theirs = await sites.programme(connection, Scope("tangxia"))
        one_site = await sites.programme(connection, Scope(site_id=site_id("gaoqiao")))
        measures = [tuple(row) for row in await sites.measures(connection, CITY)]
    assert rows == [
        ("tangxia", 1, 1, 0, 0, 0, None, None, 0, None),
        ("xianjiang", 0, 0, 0, 0, 0, None, None, 0, "FOUNDED"),
        ("yuhai", 2, 0, 0, 0, 2, 1400, 17, 4, "WITHDRAWN"),
    ]
    assert [row["township"] for row in theirs] == ["tangxia"]
    assert [(row["households"], row["centre"]) for row in one_site] == [(500, None)]
    assert measures == [("yuhai", "FACE_CAPTURE", 2, 3), ("yuhai", "VIDEO_SURVEILLANCE", 1, 1)]


async def test_a_centre_is_listed_with_its_checklist_units_and_the_number_of_its_staff(pool, programme):
    async with pool.acquire() as connection:
        (other,) = await centres.listed(connection, CITY, first=1, after=None)
        (theirs,) = await centres.listed(connection, CITY, first=9, after=other["township"])
        assert await centres.listed(connection, Scope("yuhai"), first=9, after=None) == [theirs]
        assert await centres.listed(connection, CITY, state="WITHDRAWN", first=9, after=None) == [theirs]
        assert await centres.listed(connection, Scope(site_id=UUID(int=1)), first=9, after=None) == []
        checklist = await centres.checklist(connection, CITY, "yuhai")
        assert await centres.checklist(connection, Scope("tangxia"), "yuhai") == []
    assert (other["township"], other["items_passed"], other["staff"]) == ("xianjiang", ["SIGN"], 0)
    assert (theirs["units"], theirs["staff"], theirs["state"]) == (
        ["court", "police-station"],
        2,
        "WITHDRAWN",
    )
    assert (theirs["items_failed"], len(theirs["items_passed"])) == (["SIGN"], len(Item) - 1)
    assert {row["item"]: (row["passed"], row["inspected_at"], row["inspector"]) for row in checklist} == {
        item: (item is not Item.SIGN, NOW + DAY if item is Item.SIGN else NOW, "bob") for item in Item
    }


async def test_households_are_as_last_counted_for_the_day_whenever_that_was_written_down(log, pool):
    site, day = planned("runjinyuan", "yuhai"), date(2026, 1, 10)
    count(site, 100, day)
    count(site, 300, day + 20 * DAY, at=NOW + DAY)
    count(site, 200, day + 10 * DAY, at=NOW + 5 * DAY)  # late, and for a day between the two
    count(site, 210, day + 10 * DAY, at=NOW + 6 * DAY)  # corrected
    await append(log, [site])
    await catch_up(sites.PROJECTION, pool, log)

    async def on(day, until=None):
        async with pool.acquire() as connection:
            rows = await sites.households(connection, CITY, day, until=until)
        return rows[0]["households"] if rows else None

    assert [await on(day + n * DAY) for n in (-1, 0, 9, 10, 19, 20, 400)] == [
        None, 100, 100, 210, 210, 300, 300,
    ]  # fmt: skip
    assert await on(day + 15 * DAY, midnight(day_of(NOW + 2 * DAY))) == 100
    assert await on(day + 15 * DAY, NOW + 5 * DAY + timedelta(seconds=1)) == 200
    (row,) = await listed(pool)
    assert (row["households"], row["counted_from"]) == (300, day + 20 * DAY)
    async with pool.acquire() as connection:
        (history,) = (await sites.counts(connection, CITY, [site.id])).values()
        assert await sites.counts(connection, Scope("tangxia"), [site.id]) == {}
    assert [row["households"] for row in history] == [100, 200, 210, 300]
