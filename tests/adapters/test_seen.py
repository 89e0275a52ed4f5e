"""What is looked at often is remembered, and never older than the look."""

import asyncio
import sys
from uuid import uuid4

import pytest
from given import NOW, build_site, person

from adapters import codec
from adapters.database import create_pool
from adapters.event_log import event_log
from adapters.seen import Seen
from domain.errors import NotFoundError
from domain.incident import Incident
from domain.people import Role
from domain.ports import Request
from domain.site import Direction, Gate, GateMode, Site, site_id

ADMIN = person(Role.ADMIN)


def gate(code):
    return Gate(code, "gate", GateMode.OPEN, Direction.IN)


async def add(log, site, code):
    """A further gate of the site, by whoever holds `log`."""
    site = await log.load(Site, site.id)
    site.add_gate(by=ADMIN, at=NOW, gate=gate(code))
    await log.append(Request(uuid4(), site.collect_events(), {}))


@pytest.fixture
async def elsewhere(database_url):
    """The same log in another process."""
    async with create_pool(database_url) as pool, event_log(pool, database_url) as log:
        yield log


def as_stored(site):
    return {name: value for name, value in vars(site).items() if name != "_pending_events"}


async def test_what_another_process_did_a_moment_ago_is_seen(log, elsewhere, site):
    for code in ("east", "west"):
        before = await log.seen(Site, site.id)
        await add(elsewhere, site, code)
        assert code not in before.gates
        found = await log.seen(Site, site.id)
        assert code in found.gates
        assert as_stored(found) == as_stored(await log.load(Site, site.id))


async def test_what_did_not_change_is_not_folded_again_and_what_did_is_another(log, site):
    first = await log.seen(Site, site.id)
    assert await log.seen(Site, site.id) is first
    held = as_stored(first)
    await add(log, site, "north")
    assert await log.seen(Site, site.id) is not first
    assert as_stored(first) == held


async def test_what_is_not_there_is_not_found_whether_it_is_nothing_or_something_else(log, site):
    with pytest.raises(NotFoundError, match="there is no site"):
        await log.seen(Site, site_id("nowhere"))
    await build_site(log, code="nowhere")
    assert (await log.seen(Site, site_id("nowhere"))).code == "nowhere"


async def test_what_is_personal_is_not_remembered(log):
    with pytest.raises(TypeError, match="personal"):
        await log.seen(Incident, uuid4())


class Statements:
    """Answers each statement when it is let go, with what there is then."""

    def __init__(self, *sites):
        self.events = [event for site in sites for event in site.collect_events()]
        self.asked, self.go = [], asyncio.Semaphore(0)

    async def __call__(self, ids, versions):
        self.asked.append(set(ids))
        await self.go.acquire()
        known = dict(zip(ids, versions, strict=True))
        return [
            dict(zip(("topic", "state"), codec.encode(event), strict=True))
            | {"originator_id": event.originator_id, "originator_version": event.originator_version}
            for event in self.events
            if event.originator_version > known.get(event.originator_id, sys.maxsize)
        ]


def planned(code):
    return Site.plan(code=code, name="a site", township="yuhai", by=ADMIN, at=NOW)


async def test_those_who_ask_at_once_share_a_statement_and_who_comes_later_gets_a_later_one():
    one, other = planned("one"), planned("other")
    statements = Statements(one, other)
    seen = Seen(Site, statements)
    asking = [asyncio.create_task(seen.now(site.id)) for site in (one, other) * 10]
    await asyncio.sleep(0.01)
    late = [asyncio.create_task(seen.now(one.id)) for _ in range(10)]
    await asyncio.sleep(0.01)
    assert statements.asked == [{one.id, other.id}]
    one.add_gate(by=ADMIN, at=NOW, gate=gate("new"))
    statements.go.release()
    assert {site.code for site in await asyncio.gather(*asking)} == {"one", "other"}
    statements.events += one.collect_events()  # after the first statement, and before the second
    statements.go.release()
    assert all("new" in site.gates for site in await asyncio.gather(*late))
    assert statements.asked == [{one.id, other.id}, {one.id}]


async def test_who_gives_up_stops_nobody_else():
    site = planned("one")
    statements = Statements(site)
    seen = Seen(Site, statements)
    hasty, patient = [asyncio.create_task(seen.now(site.id)) for _ in range(2)]
    await asyncio.sleep(0.01)
    hasty.cancel()
    statements.go.release()
    assert (await patient).code == "one"


async def test_only_so_many_are_remembered_and_the_one_unused_longest_is_read_again():
    sites = [planned(code) for code in ("one", "two", "three")]
    statements = Statements(*sites)
    seen = Seen(Site, statements, most=2)
    for site in (*sites, sites[1]):
        statements.go.release()
        await seen.now(site.id)
    del statements.events[:]
    statements.go.release()
    statements.go.release()
    assert await seen.now(sites[0].id) is None
    assert (await seen.now(sites[1].id)).code == "two"


async def test_what_does_not_follow_is_made_of_nothing():
    site = planned("one")
    statements = Statements(site)
    site.add_gate(by=ADMIN, at=NOW, gate=gate("new"))
    statements.events = site.collect_events()
    statements.go.release()
    assert await Seen(Site, statements).now(site.id) is None
