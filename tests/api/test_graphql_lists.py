"""Every list: who may see it and where, how it goes on from page to page, and that a row costs no statement of its own."""

from datetime import timedelta
from uuid import UUID

import pytest
from given import NOW, build_site, person
from graphql import get_named_type
from histories import append
from looking import inquiry, lead, look
from statements import told

from api.graphql import (
    alarms,
    centres,
    devices,
    disputes,
    history,
    leads,
    lists,
    reads,
    registers,
    sites,
    visitors,
)
from api.graphql.schema import schema
from api.graphql.types import cursor
from domain.alarm import Alarm, Trigger
from domain.centre import Centre
from domain.device import Device, DeviceKind, Protocol
from domain.dispute import Dispute
from domain.people import Role, Scope
from domain.personal import Personal, of_subject
from domain.site import Site
from domain.visitor import Requester, Visitor
from projections.all import PROJECTIONS
from projections.runner import catch_up

ROWS = 50
HOST = UUID(int=77)
BY = person(Role.ADMIN)
HOUR = timedelta(hours=1)


def alarm(place, number):
    at = NOW + timedelta(seconds=number // 2)  # two at a time: the id decides
    return Alarm.trip(
        id=UUID(int=1000 + number),
        site=place,
        by=BY,
        at=at,
        sensor=f"device-{number % 7}",
        trigger=Trigger.SENSOR,
    )


def device(place, number):
    return Device.register(
        site=place,
        by=BY,
        at=NOW,
        code=f"device-{number}",
        kind=DeviceKind.ZONE,
        protocol=Protocol.SIA_DC09,
        external_id="x",
    )


def dispute(place, number):
    made = UUID(int=2000 + number)
    secret = Personal(of_subject(made), "漏水")
    return Dispute.register(
        id=made, by=BY, at=NOW + number // 2 * HOUR, category="neighbours", description=secret, site=place
    )


def visitor(place, number):
    made = UUID(int=3000 + number)
    visit = Visitor.request(
        id=made,
        site=place,
        by=BY,
        at=NOW,
        host=HOST,
        requester=Requester.HOST,
        valid_from=NOW,
        valid_until=NOW + HOUR + timedelta(minutes=number // 2),
        name=Personal(of_subject(made), "张三"),
    )
    visit.approve(by=BY, at=NOW, host=HOST)
    visit.check(by=BY, at=NOW, gate="main")
    visit.enter(by=BY, at=NOW, gate="main")
    return visit


def township_site(place, number):
    return Site.plan(code=f"site-{number:02}", name="高桥", township="yuhai", by=BY, at=NOW)


def centre(place, number):
    return Centre.found(
        township="yuhai" if not number else f"town-{number:02}", name="综治中心", by=BY, at=NOW
    )


def read(place, number):
    made = inquiry(5000 + number, place)
    look(made, NOW + HOUR, site=place)
    return made


MAKERS = [alarm, device, dispute, visitor, township_site, centre, read]
SITE = (
    "site { code name gates { code credentials } measures { measure gate } householdCounts { households } }"
)
CHIEF, GUARD, AUDITOR = Role.SUPERVISOR, Role.GUARD, Role.AUDITOR
LISTS = {
    "alarms": ("id priority device { code } due { name at } " + SITE, CHIEF, Role.STATISTICIAN),
    "alarms(orderBy: NEWEST)": ("id priority device { code } " + SITE, CHIEF, Role.STATISTICIAN),
    "centres": ("id township units staffCount itemsPassed", CHIEF, Role.STATISTICIAN),
    "devices": ("id code state " + SITE, CHIEF, Role.STATISTICIAN),
    "disputes": ("id state partyCount due { name } " + SITE, CHIEF, Role.STATISTICIAN),
    "leads": ("id score due { at } " + SITE, CHIEF, Role.GUARD),
    "reads": ("position lookedBy " + SITE, AUDITOR, Role.INVESTIGATOR),
    "sites": (SITE.removeprefix("site { ").removesuffix(" }") + " devices { online }", CHIEF, Role.DEVICE),
    "visitors": ("id state overstaying " + SITE, GUARD, Role.SUPERVISOR),
}


def question(name, fields):
    """The list called `name`, page by page."""
    field, _, own = name.removesuffix(")").partition("(")
    return (
        f"query($first: Int! = 50, $after: String) {{ {field}({own} first: $first, after: $after) {{ "
        f"edges {{ cursor node {{ {fields} }} }} pageInfo {{ hasNextPage endCursor }} }} }}"
    )


@pytest.fixture
async def district(running):
    """Fifty of each at 润锦苑 in yuhai, or in its township."""
    place = await build_site(running.log)
    made = [make(place, number) for make in MAKERS for number in range(ROWS)]
    await append(running.log, [*made, *(lead(6000 + number, place)[0] for number in range(ROWS))])
    for projection in PROJECTIONS.values():
        await catch_up(projection, running.pool, running.log)
    return place


async def test_a_list_costs_the_same_statements_for_fifty_rows_as_for_two(running, asker, district):
    for name, (fields, role, _) in LISTS.items():
        costs = {}
        for rows in (ROWS, 2, ROWS):
            async with told(running.pool) as statements:
                found = await asker.data(question(name, fields), person(role), first=rows)
            assert len(found["edges"]) == rows, name
            costs[rows] = len(statements)
        assert costs[ROWS] == costs[2], (name, statements)


async def test_a_neighbour_township_sees_nothing_and_the_own_sees_it(asker, district):
    for name, (fields, role, _) in LISTS.items():
        asked = question(name, fields)
        theirs = await asker.data(asked, person(role, scope=Scope("tangxia")))
        assert theirs == {"edges": [], "pageInfo": {"hasNextPage": False, "endCursor": None}}, name
        assert (await asker.data(asked, person(role, scope=Scope("yuhai"))))["edges"], name
        elsewhere = Scope(site_id=UUID(int=1))
        assert (await asker.data(asked, person(role, scope=elsewhere)))["edges"] == [], name


async def test_whoever_has_not_the_right_is_refused_and_told_which_roles_have_it(running, asker):
    for name, (fields, _, role) in LISTS.items():
        refusal = await asker.refusal(question(name, fields), person(role))
        assert refusal["code"] == "FORBIDDEN", name
        assert "needs one of these roles" in refusal["message"]
        assert (await asker.refusal(question(name, fields), None))["code"] == "UNAUTHENTICATED"


async def test_pages_follow_each_other_to_the_end_without_a_gap_or_a_repeat(asker, district):
    for name, (fields, role, _) in LISTS.items():
        asked, whole = question(name, fields), person(role)
        everything = [edge["node"] for edge in (await asker.data(asked, whole, first=2 * ROWS))["edges"]]
        found, after, more = [], None, True
        while more:
            page = await asker.data(asked, whole, first=17, after=after)
            found += [edge["node"] for edge in page["edges"]]
            after, more = page["pageInfo"]["endCursor"], page["pageInfo"]["hasNextPage"]
        assert found == everything, name
        assert len(found) >= ROWS, name


async def test_a_cursor_of_another_list_or_of_nobody_is_refused(asker, district):
    ends = {}
    for name, (fields, role, _) in LISTS.items():
        page = await asker.data(question(name, fields), person(role), first=1)
        ends[name] = page["pageInfo"]["endCursor"]
    strangers = [
        "", "garbage", "\ud800", cursor("x"), cursor("alarms:PRIORITY", 9, NOW, UUID(int=1)), cursor("reads", -1),
        cursor("sites", "\x00"), cursor("devices", "x", "y"), cursor("disputes:NEWEST", "0001-01-01", UUID(int=1)),
        cursor("reads", 9**30), cursor("disputes:DUE", NOW, UUID(int=1)), cursor("leads:EXPIRED", NOW, UUID(int=1)),
    ]  # fmt: skip
    for name, (fields, role, _) in LISTS.items():
        others = [end for other, end in ends.items() if other != name]
        for stranger in [*strangers, *others]:
            refusal = await asker.refusal(question(name, fields), person(role), after=stranger)
            assert refusal["code"] == "INVALID", (name, stranger)


async def test_a_position_that_is_not_reached_is_waited_for_and_one_beyond_the_log_is_refused(
    asker, district
):
    for name, (fields, role, _) in LISTS.items():
        asked = question(name, fields).replace("first: $first", "afterPosition: {}, first: $first")
        assert (await asker.data(asked.replace("{}", "1"), person(role)))["edges"], name
        refusal = await asker.refusal(asked.replace("{}", "9999999"), person(role))
        assert "beyond the end of the log" in refusal["message"], name


PERSONS = ("Personal", "Party", "Agreement")
"""Types that say who somebody is."""


def test_no_list_says_who_somebody_is():
    """What is personal is read one by one: a list of it would be a way to look everybody up at once."""
    types = schema._schema.type_map
    for name in LISTS:
        listed = types[schema._schema.query_type.fields[name.partition("(")[0]].type.of_type.name]
        edge = get_named_type(listed.fields["edges"].type)
        node = get_named_type(edge.fields["node"].type)
        reached = {get_named_type(field.type).name for field in node.fields.values()}
        assert not reached & set(PERSONS), name


MODULES = (sites, centres, devices, alarms, disputes, visitors, leads, reads, registers, history, lists)


def test_every_type_and_field_of_these_modules_is_described():
    shown = [
        schema._schema.type_map.get(kind.__strawberry_definition__.name)
        for module in MODULES
        for kind in vars(module).values()
        if getattr(kind, "__module__", "") == module.__name__ and hasattr(kind, "__strawberry_definition__")
    ]
    described = [kind for kind in shown if kind is not None]
    assert len(described) > 30
    for kind in described:
        assert kind.description, kind.name
        for name, field in getattr(kind, "fields", {}).items():
            assert field.description, f"{kind.name}.{name}"
