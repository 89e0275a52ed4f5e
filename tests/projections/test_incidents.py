"""The incident list is the fold of the events, shows only what lies in the scope, and pages without gaps or repeats."""

from datetime import timedelta
from random import Random

import pytest
from given import NOW, build_site
from histories import append, append_requests, everything, interleaved, reported, step

from domain.incident import Incident, IncidentState
from domain.people import CITY, Scope
from projections.incidents import PROJECTION, IncidentFilter, listed, one
from projections.runner import catch_up

ALL = IncidentFilter()


def folded_by_hand(entries):
    """The rows of the list, made from the events one by one."""
    rows = {}
    for entry in entries:
        event, topic = entry.event, type(entry.event).TOPIC
        if not topic.startswith("incident."):
            continue
        if topic == "incident.reported":
            rows[event.originator_id] = {
                "incident_id": event.originator_id,
                "site_id": event.site_id,
                "township": event.township,
                "category": event.category,
                "source": str(event.source),
                "description": event.description,
                "lead_unit": None,
                "round": 1,
                "urgency": str(event.urgency),
                "occurred_at": event.occurred_at,
                "reported_at": event.timestamp,
                "dispatched_at": None,
                "closed_at": None,
            }
        row = rows[event.originator_id]
        row |= {"version": event.originator_version, "position": entry.position}
        if event.TO:
            row["state"] = str(event.TO)
        match topic.removeprefix("incident."):
            case "dispatched":
                row |= {"lead_unit": event.lead_unit, "dispatched_at": event.timestamp}
            case "returned":
                row["lead_unit"] = None
            case "reworked":
                row["round"] += 1
            case "closed" | "closed_on_the_spot":
                row["closed_at"] = event.timestamp
            case "reopened":
                row |= {"lead_unit": None, "closed_at": None, "round": row["round"] + 1}
    return sorted(rows.values(), key=lambda row: (row["reported_at"], row["incident_id"]), reverse=True)


async def rows_of(pool, scope=CITY, wanted=ALL, *, first=10_000, after=None):
    async with pool.acquire() as connection:
        return [dict(row) for row in await listed(connection, scope, wanted, first=first, after=after)]


async def paged(pool, first, scope=CITY, wanted=ALL):
    """The whole list, `first` rows at a time."""
    found, after = [], None
    while page := await rows_of(pool, scope, wanted, first=first, after=after):
        found += [row["incident_id"] for row in page]
        after = (page[-1]["reported_at"], page[-1]["incident_id"])
    return found


@pytest.mark.parametrize("seed", range(3))
async def test_after_any_commands_the_list_is_the_fold_of_the_events(log, pool, site, seed):
    random = Random(seed)
    requests = interleaved(random, site, 30)
    for cut in (
        *sorted(random.sample(range(len(requests)), 3)),
        len(requests),
    ):  # several batches, cut anywhere
        await append_requests(log, requests[:cut])
        await catch_up(PROJECTION, pool, log)
        assert await rows_of(pool) == folded_by_hand(await everything(log))


@pytest.fixture
async def three_sites(log, pool):
    """Incidents at three sites of two townships, each site with every state it got to at random."""
    sites = [
        await build_site(log, "runjinyuan", "yuhai"),
        await build_site(log, "gaoqiao", "yuhai"),
        await build_site(log, "shaozhai", "tangxia"),
    ]
    random = Random(7)
    incidents = [
        reported(n, sites[n % 3], NOW + timedelta(minutes=n // 9), category=random.choice(["noise", "theft"]))
        for n in range(60)
    ]
    for n, incident in enumerate(incidents):
        if n % 2:
            step(incident, incident.created_on)
    await append(log, incidents)
    await catch_up(PROJECTION, pool, log)
    return sites


async def test_each_filter_keeps_what_it_says_and_all_of_it(log, pool, three_sites):
    everyone = folded_by_hand(await everything(log))
    middle = NOW + timedelta(minutes=3)
    cases = [
        (IncidentFilter(state=IncidentState.ACCEPTED), lambda row: row["state"] == "ACCEPTED"),
        (IncidentFilter(site_id=three_sites[1].id), lambda row: row["site_id"] == three_sites[1].id),
        (IncidentFilter(township="tangxia"), lambda row: row["township"] == "tangxia"),
        (IncidentFilter(category="theft"), lambda row: row["category"] == "theft"),
        (IncidentFilter(reported_from=middle), lambda row: row["reported_at"] >= middle),
        (IncidentFilter(reported_until=middle), lambda row: row["reported_at"] < middle),
        (
            IncidentFilter(township="yuhai", category="noise", state=IncidentState.REPORTED),
            lambda row: (row["township"], row["category"], row["state"]) == ("yuhai", "noise", "REPORTED"),
        ),
    ]
    for wanted, keeps in cases:
        expected = [row for row in everyone if keeps(row)]
        assert 0 < len(expected) < len(everyone)
        assert await rows_of(pool, wanted=wanted) == expected


async def test_a_scope_shows_its_own_and_nothing_else(log, pool, three_sites):
    everyone = folded_by_hand(await everything(log))
    site = three_sites[0]
    assert await rows_of(pool, Scope("yuhai")) == [row for row in everyone if row["township"] == "yuhai"]
    assert await rows_of(pool, Scope(site_id=site.id)) == [
        row for row in everyone if row["site_id"] == site.id
    ]
    assert await rows_of(pool, Scope("tangxia", site.id)) == []
    assert await rows_of(pool, Scope("yuhai"), IncidentFilter(township="tangxia")) == []


async def test_one_incident_outside_the_scope_is_not_there(log, pool, three_sites):
    theirs = next(
        entry.event
        for entry in await everything(log)
        if isinstance(entry.event, Incident.Reported) and entry.event.township == "tangxia"
    )
    async with pool.acquire() as connection:
        assert await one(connection, Scope("yuhai"), theirs.originator_id) is None
        assert await one(connection, Scope(site_id=three_sites[0].id), theirs.originator_id) is None
        seen = await one(connection, Scope("tangxia"), theirs.originator_id)
    assert seen["incident_id"] == theirs.originator_id


async def test_pages_hold_every_incident_once_though_nine_were_reported_at_the_same_moment(
    log, pool, three_sites
):
    everyone = folded_by_hand(await everything(log))
    in_yuhai = [row["incident_id"] for row in everyone if row["township"] == "yuhai"]
    for first in (1, 2, 7, 59, 60, 61):
        assert await paged(pool, first) == [row["incident_id"] for row in everyone]
        assert await paged(pool, first, Scope("yuhai")) == in_yuhai


async def test_an_incident_reported_while_somebody_pages_neither_repeats_nor_hides_another(
    log, pool, three_sites
):
    before = await paged(pool, 100)
    page = await rows_of(pool, first=10)
    await append(log, [reported(1000, three_sites[0], NOW + timedelta(days=1))], first_number=1000)
    await catch_up(PROJECTION, pool, log)
    rest = await rows_of(pool, after=(page[-1]["reported_at"], page[-1]["incident_id"]))
    assert [row["incident_id"] for row in page + rest] == before
