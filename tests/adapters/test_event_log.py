"""The log appends, refuses, repeats and reads."""

from uuid import uuid4

import pytest
from given import NOW, build_site, order, person

from domain import commands
from domain.errors import ConflictError, NotFoundError
from domain.incident import Incident, Source
from domain.people import Role
from domain.ports import Request
from domain.site import Site


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
