"""Visits are listed by where they are and how they stand: on site or expected, in time or over it."""

from datetime import timedelta
from uuid import UUID

import pytest
from given import build_site, person
from histories import append

from domain.people import Role
from domain.personal import Personal, of_subject
from domain.visitor import Requester, Visitor
from projections import visitors
from projections.runner import catch_up

BY, GUARD, HOST = person(Role.ADMIN), person(Role.GUARD), UUID(int=77)
HOUR = timedelta(hours=1)
LIST = "query($presence: Presence!, $filter: VisitorFilter) { visitors(presence: $presence, filter: $filter) { edges { node { id } } } }"


@pytest.fixture
async def listed(running, asker):
    """Asks for visits: their numbers. 1 (in time) and 2 (over it) are inside at 润锦苑 and 3 in tangxia; 4 and 5 are expected there."""
    near, far = await build_site(running.log), await build_site(running.log, "far", "tangxia")
    now = running.now()

    def visit(number, place, ends, *, inside):
        made, began = UUID(int=number), now - 2 * HOUR
        one = Visitor.request(
            id=made, site=place, by=BY, at=began, host=HOST, requester=Requester.HOST, valid_from=began, valid_until=now + ends,
            name=Personal(of_subject(made), "张三"),
        )  # fmt: skip
        one.approve(by=BY, at=began, host=HOST)
        if inside:
            one.check(by=BY, at=began, gate="main")
            one.enter(by=BY, at=began, gate="main")
        return one

    made = [visit(1, near, HOUR, inside=True), visit(2, near, -HOUR, inside=True), visit(3, far, HOUR, inside=True)]  # fmt: skip
    made += [visit(4, near, HOUR, inside=False), visit(5, far, HOUR, inside=False)]
    await append(running.log, made)
    await catch_up(visitors.PROJECTION, running.pool, running.log)

    async def ask(presence, **wanted):
        page = await asker.data(LIST, GUARD, presence=presence, filter=wanted or None)
        return [UUID(edge["node"]["id"]).int for edge in page["edges"]]

    return ask


async def test_a_list_has_what_its_filter_says(listed):
    for presence, wanted, found in (
        ("ON_SITE", {}, [2, 1, 3]),
        ("ON_SITE", {"site": "runjinyuan"}, [2, 1]),
        ("ON_SITE", {"township": "tangxia"}, [3]),
        ("ON_SITE", {"site": "far", "township": "yuhai"}, []),
        ("ON_SITE", {"overstaying": True}, [2]),
        ("ON_SITE", {"overstaying": False}, [1, 3]),
        ("ON_SITE", {"overstaying": False, "site": "runjinyuan"}, [1]),
        ("EXPECTED", {}, [4, 5]),
        ("EXPECTED", {"site": "far"}, [5]),
        ("EXPECTED", {"township": "yuhai"}, [4]),
        ("EXPECTED", {"township": "nowhere"}, []),
    ):
        assert await listed(presence, **wanted) == found, (presence, wanted)


async def test_who_is_not_on_site_cannot_overstay(listed, asker):
    refusal = await asker.refusal(LIST, GUARD, presence="EXPECTED", filter={"overstaying": True})
    assert (refusal["code"], "presence: ON_SITE" in refusal["message"]) == ("INVALID", True)
