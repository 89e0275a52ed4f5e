"""The log appends, refuses, repeats and reads."""

from datetime import timedelta
from uuid import uuid4

import pytest
from given import NOW, build_site, order, person

from adapters import event_log
from domain import commands
from domain.errors import ConflictError, NotFoundError
from domain.incident import Incident, Source
from domain.people import Role
from domain.ports import Request
from domain.site import Direction, Gate, GateMode, Site, SiteState


async def test_a_loaded_aggregate_is_the_one_that_was_appended(log, site):
    assert site == await log.load(Site, site.id)
    assert site.version == 6
    assert set(site.gates) == {"main", "garage"}


async def test_positions_are_gapless_and_in_the_order_of_appending(log, site):
    done = await commands.report_incident(
        log, order(Role.INTAKE), site_id=site.id, source=Source.CITIZEN, category="noise", description="x"
    )
    assert done.position == 7 == await log.position()


async def test_a_conflict_fails_alone_and_the_requests_beside_it_are_appended(log, site):
    stale, fresh = (
        await log.load(Site, site.id),
        Site.plan(code="gaoqiao", name="高桥", township="yuhai", by=person(Role.ADMIN), at=NOW),
    )
    stale._version = 1
    stale.state = stale.state.PLANNED
    stale.start_construction(by=person(Role.ADMIN), at=NOW)
    results = await log.append_all(
        [Request(uuid4(), stale.collect_events(), {}), Request(uuid4(), fresh.collect_events(), {})]
    )
    assert isinstance(results[0], ConflictError)
    assert results[0].current == 6
    assert results[1].first == 7


async def test_the_same_request_given_twice_is_appended_once(log):
    given = order(Role.ADMIN)
    first = await commands.plan_site(log, given, code="a", name="A", township="t")
    again = await commands.plan_site(log, given, code="a", name="A", township="t")
    assert (again.position, again.repeated) == (first.position, True)
    assert await log.position() == 1


async def test_what_was_never_appended_is_not_found(log):
    with pytest.raises(NotFoundError, match="there is no incident"):
        await log.load(Incident, uuid4())


async def test_a_site_is_not_an_incident(log):
    site = await build_site(log)
    with pytest.raises(NotFoundError, match="is Site, not Incident"):
        await log.load(Incident, site.id)


async def test_an_aggregate_is_loaded_as_it_was_at_a_version(log, site):
    planned = await log.load(Site, site.id, version=1)
    assert (planned.version, planned.state, planned.gates) == (1, SiteState.PLANNED, {})
    assert await log.load(Site, site.id, version=6) == await log.load(Site, site.id, version=99) == site


async def test_an_aggregate_is_loaded_as_the_log_knew_it_at_a_time(log, site):
    """By the time of recording: all of these happened, as their timestamps say, at one and the same moment."""
    recorded = [entry.recorded_at for entry in await log.history(site.id)]
    for version, at in enumerate(recorded, start=1):
        assert (await log.load(Site, site.id, at=at)).version == version
    assert (await log.load(Site, site.id, at=recorded[3], version=2)).version == 2
    assert (await log.load(Site, site.id, at=recorded[1], version=4)).version == 2


async def test_before_its_first_event_there_was_no_aggregate(log, site):
    first = (await log.history(site.id))[0].recorded_at
    with pytest.raises(NotFoundError, match=r"there was no site .* yet"):
        await log.load(Site, site.id, at=first - timedelta(microseconds=1))
    with pytest.raises(NotFoundError, match=r"there was no site .* yet"):
        await log.load(Site, site.id, version=0)


@pytest.fixture
async def incidents(log, site):
    """Three incidents at positions 7, 8 and 10; the first is accepted at 9, the site has another gate at 11."""
    made = [await report(log, site), await report(log, site)]
    await commands.act(log, order(Role.INTAKE), Incident, Incident.accept, made[0].id)
    made.append(await report(log, site))
    gate = Gate("east", "东门", GateMode.OPEN, Direction.IN)
    await commands.act(log, order(Role.ADMIN), Site, Site.add_gate, site.id, gate=gate)
    return made


async def report(log, site):
    return await commands.report_incident(
        log, order(Role.INTAKE), site_id=site.id, source=Source.CITIZEN, category="noise", description="x"
    )


def positions(page):
    return [entry.position for entry in page.entries], page.through


REPORTED = frozenset({Incident.Reported.TOPIC})


async def test_all_is_read_in_order_and_the_end_is_known(log, incidents):
    assert positions(await log.read(0, 8)) == (list(range(1, 9)), 8)
    assert positions(await log.read(8, 8)) == ([9, 10, 11], 11)
    assert positions(await log.read(11, 8)) == ([], 11)


async def test_only_the_topics_asked_for_are_read_and_the_rest_is_passed_over(log, incidents):
    assert positions(await log.read(0, 2, REPORTED)) == ([7, 8], 8)
    assert positions(await log.read(8, 2, REPORTED)) == ([10], 11)
    assert positions(await log.read(11, 2, REPORTED)) == ([], 11)
    assert positions(await log.read(10, 1, REPORTED)) == ([], 11)
    both = REPORTED | {Site.GateAdded.TOPIC}
    assert positions(await log.read(6, 9, both)) == ([7, 8, 10, 11], 11)
    assert positions(await log.read(0, 9, frozenset())) == ([], 11)


async def test_the_events_of_categories_are_read(log, incidents):
    assert positions(await log.read(0, 9, categories=frozenset({"incident"}))) == ([7, 8, 9, 10], 11)
    assert positions(await log.read(0, 9, categories=frozenset({"gate"}))) == ([], 11)


async def test_few_events_are_found_window_by_window(log, incidents, monkeypatch):
    monkeypatch.setattr(event_log, "WINDOW", 3)
    assert positions(await log.read(0, 2, REPORTED)) == ([], 3)
    assert positions(await log.read(6, 2, REPORTED)) == ([7, 8], 8)
    assert positions(await log.read(9, 2, REPORTED)) == ([10], 11)


async def test_reading_beyond_the_end_does_not_go_back(log, site):
    assert positions(await log.read(100, 5, REPORTED)) == ([], 100)
    assert positions(await log.read(100, 5)) == ([], 100)


@pytest.mark.parametrize("topics", [None, REPORTED])
async def test_page_after_page_is_what_one_page_is(log, incidents, topics):
    pages = [page async for page in log.pages(limit=2, topics=topics)]
    assert [entry for page in pages for entry in page.entries] == (await log.read(0, 99, topics)).entries
    assert pages[-1].through == 11
    assert [page async for page in log.pages(11, topics=topics)] == []


async def test_whoever_stops_reading_pages_leaves_nothing_behind(log, incidents):
    pages = log.pages(limit=1)
    async for page in pages:
        assert page.through == 1
        break
    await pages.aclose()
    assert await log.position() == 11
