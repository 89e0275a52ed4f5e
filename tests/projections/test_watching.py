"""What people on duty look at: who is on site, which leads wait for them, which devices are dark."""

from datetime import timedelta
from uuid import UUID

import pytest
from given import NOW
from histories import append
from lives import DAY, EVIDENCE, HOUR, STAFF, about, site

from domain.device import HEARTBEAT, SILENCE, Device, DeviceKind, Protocol
from domain.lead import Lead
from domain.observation import ModelUse
from domain.people import CITY, Scope
from domain.visitor import Requester, Visitor
from domain.watch import WatchEntry, WatchKind
from projections import devices, leads, visitors
from projections.devices import DeviceFilter, Health
from projections.leads import LeadFilter
from projections.runner import catch_up
from projections.visitors import VisitorFilter

HERE, THERE = site(), site("gaoqiao", "tangxia")
ANN, BOB, CAI = STAFF
HOST = UUID(int=77)


# --- visitors --------------------------------------------------------------------------------------------------------


def visit(number, *steps, begins=0, ends=4, place=HERE, uses=1):
    """A visit from `begins` to `ends` (hours from now), after `steps`."""
    visitor = Visitor.request(
        id=UUID(int=number + 1),
        site=place,
        by=ANN,
        at=NOW - 2 * HOUR,
        host=HOST,
        requester=Requester.HOST,
        valid_from=NOW + begins * HOUR,
        valid_until=NOW + ends * HOUR,
        name=about(UUID(int=number + 1)),
        uses=uses,
    )
    for step in steps:
        fields = {"approve": {"host": HOST}, "pass_deadline": {"name": "leave"}}.get(step, {"gate": "main"})
        at = NOW + (ends if step == "pass_deadline" else max(begins, -1)) * HOUR
        getattr(visitor, step)(by=ANN, at=at, **fields)
    return visitor


INSIDE = ("approve", "check", "enter")


@pytest.fixture
async def day(log, pool):
    """Visits 0 to 8. It is four in the afternoon in Shanghai, and midnight in eight hours."""
    made = [
        visit(0, *INSIDE),
        visit(1, *INSIDE, ends=2),
        visit(2, *INSIDE, begins=-2, ends=-1 / 2),  # the timers have not noticed yet
        visit(3, *INSIDE, "pass_deadline", begins=-2, ends=-1 / 4),
        visit(4, *INSIDE, "leave"),
        visit(5, *INSIDE, "leave", uses=2, begins=-1, ends=6),
        visit(6, "approve", begins=7, ends=9, place=THERE),
        visit(7, "approve", begins=8, ends=9),  # tomorrow
        visit(8, begins=1),  # nobody said yes
    ]
    await append(log, made)
    await catch_up(visitors.PROJECTION, pool, log)


async def on_site(pool, scope=CITY, *, overstaying=None, **where):
    found, after = [], None
    async with pool.acquire() as connection:
        while page := await visitors.on_site(
            connection, scope, VisitorFilter(**where), NOW, overstaying=overstaying, first=2, after=after
        ):
            found += [(row["visitor_id"].int - 1, row["overstaying"]) for row in page]
            after = (page[-1]["valid_until"], page[-1]["visitor_id"])
    return found


async def expected(pool, scope=CITY, **where):
    found, after = [], None
    async with pool.acquire() as connection:
        while page := await visitors.expected(
            connection, scope, VisitorFilter(**where), NOW, first=2, after=after
        ):
            found += [row["visitor_id"].int - 1 for row in page]
            after = (page[-1]["valid_from"], page[-1]["visitor_id"])
    return found


async def test_on_site_is_who_entered_and_did_not_leave_and_who_is_too_long_there_comes_first(pool, day):
    assert await on_site(pool) == [(2, True), (3, True), (1, False), (0, False)]
    assert await on_site(pool, overstaying=True) == [(2, True), (3, True)]
    assert await on_site(pool, overstaying=False) == [(1, False), (0, False)]
    assert await on_site(pool, site_id=THERE.id) == []
    assert await on_site(pool, Scope("tangxia")) == []
    assert len(await on_site(pool, Scope(site_id=HERE.id), township="yuhai")) == 4


async def test_expected_today_is_who_can_still_come_in_before_midnight_also_once_more(pool, day):
    assert await expected(pool) == [5, 6]
    assert await expected(pool, Scope("tangxia")) == [6]
    assert await expected(pool, Scope("yuhai"), site_id=THERE.id) == []


async def test_one_visit_is_read_inside_the_scope_and_says_whether_it_is_over_time(pool, day):
    async with pool.acquire() as connection:
        seen = [await visitors.one(connection, CITY, UUID(int=n + 1), NOW) for n in (0, 2, 3, 4)]
        assert await visitors.one(connection, Scope("tangxia"), UUID(int=1), NOW) is None
    assert [(row["state"], row["overstaying"]) for row in seen] == [
        ("ENTERED", False), ("ENTERED", True), ("OVERSTAY", True), ("LEFT", False),
    ]  # fmt: skip


# --- leads -----------------------------------------------------------------------------------------------------------


def lead(number, at=NOW, *, place=HERE, asker=CAI, case="2026-17"):
    entry = WatchEntry.request(
        id=UUID(int=500),
        by=asker,
        at=at,
        township=place.township,
        kind=WatchKind.FACE,
        subject=about(UUID(int=500)),
        reference_sha256=EVIDENCE.reference_sha256,
        legal_basis="刑事诉讼法 150",
        case=case,
        purpose="find a suspect",
        expires_at=at + 30 * DAY,
    )
    entry.approve(by=ANN if asker is not ANN else BOB, at=at)
    return Lead.propose(
        by=ANN,
        at=at,
        entry=entry,
        site=place,
        gate="main",
        pass_id=UUID(int=number),
        evidence=EVIDENCE,
        model=ModelUse("sface", "c" * 64),
    )


@pytest.fixture
async def found(log, pool):
    """Leads 0 to 5 by the pass: three wait (one of BOB's own asking), one is confirmed, one rejected, one expired."""
    confirmed, rejected, expired = lead(3), lead(4), lead(5, case="2026-18")
    confirmed.confirm(by=BOB, at=NOW + HOUR, seen=EVIDENCE)
    confirmed.link(by=CAI, at=NOW + 2 * HOUR, case="2026-17")
    rejected.reject(by=ANN, at=NOW + 3 * HOUR, seen=EVIDENCE)
    expired.pass_deadline(by=ANN, at=NOW + 2 * DAY, name="review")
    waiting = [lead(0, NOW + HOUR), lead(1, place=THERE), lead(2, asker=BOB)]
    await append(log, [*waiting, confirmed, rejected, expired])
    await catch_up(leads.PROJECTION, pool, log)


async def waiting(pool, scope=CITY, *, reviewer=None, **wanted):
    seen, after = [], None
    async with pool.acquire() as connection:
        while page := await leads.to_review(
            connection, scope, LeadFilter(**wanted), reviewer=reviewer, first=1, after=after
        ):
            seen += [row["pass_id"].int for row in page]
            after = (page[-1]["proposed_at"], page[-1]["lead_id"])
    return seen


async def decided(pool, scope=CITY, *, outcome=None, reviewer=None, **wanted):
    seen, after = [], None
    async with pool.acquire() as connection:
        while page := await leads.decided(
            connection,
            scope,
            LeadFilter(**wanted),
            outcome=outcome,
            reviewer=reviewer,
            first=1,
            after=after,
        ):
            seen += [(row["pass_id"].int, row["state"], row["reviewer"], row["linked"]) for row in page]
            after = (page[-1]["decided_at"], page[-1]["lead_id"])
    return seen


async def test_the_oldest_lead_comes_first_and_nobody_is_shown_what_their_own_entry_found(pool, found):
    everything = await waiting(pool)
    assert everything[-1] == 0
    assert set(everything) == {0, 1, 2}
    assert set(await waiting(pool, reviewer="bob")) == {0, 1}
    assert await waiting(pool, Scope("tangxia")) == await waiting(pool, township="tangxia") == [1]
    assert await waiting(pool, site_id=THERE.id) == [1]
    assert await waiting(pool, case_number="2026-18") == []


async def test_a_decision_is_shown_with_its_reviewer_and_the_latest_comes_first(pool, found):
    confirmed, rejected = (3, "CONFIRMED", "bob", True), (4, "REJECTED", "ann", False)
    expired = (5, "EXPIRED", None, False)
    assert await decided(pool) == [expired, rejected, confirmed]
    assert await decided(pool, outcome="REJECTED") == await decided(pool, reviewer="ann") == [rejected]
    assert await decided(pool, case_number="2026-18") == [expired]
    assert await decided(pool, Scope("tangxia")) == []


async def test_one_lead_is_read_inside_the_scope(pool, found):
    async with pool.acquire() as connection:
        (theirs,) = await leads.to_review(connection, Scope("tangxia"), LeadFilter(), first=9, after=None)
        assert await leads.one(connection, Scope("tangxia"), theirs["lead_id"]) == theirs
        assert await leads.one(connection, Scope("yuhai"), theirs["lead_id"]) is None


# --- devices ---------------------------------------------------------------------------------------------------------


def device(number, *steps, place=HERE, kind=DeviceKind.CAMERA):
    found = Device.register(
        site=place,
        by=ANN,
        at=NOW,
        code=f"d-{number}",
        kind=kind,
        protocol=Protocol.ONVIF,
        external_id="x",
    )
    for n, step in enumerate(steps, start=1):
        reason = {"reason": "broken"} if step in {"take_out_of_service", "retire"} else {}
        getattr(found, step)(by=ANN, at=NOW + n * HOUR, **reason)
    return found


@pytest.fixture
async def installed(log, pool):
    """Devices 0 to 6, the last two elsewhere."""
    silent = device(1, "see")
    silent.pass_deadline(by=ANN, at=NOW + HOUR + SILENCE, name=HEARTBEAT)
    made = [
        device(0, "see", "see", "see", kind=DeviceKind.ZONE),  # put off twice: at half of its time each
        silent,
        device(2),
        device(3, "see", "take_out_of_service"),
        device(4, "retire"),
        device(5, "see", "arm", kind=DeviceKind.ZONE, place=THERE),
        device(6, "see", "lose", place=THERE),
    ]
    await append(log, made)
    await catch_up(devices.PROJECTION, pool, log)


async def listing(pool, scope=CITY, **wanted):
    found, after = [], None
    async with pool.acquire() as connection:
        while page := await devices.listed(connection, scope, DeviceFilter(**wanted), first=2, after=after):
            found += [row["code"] for row in page]
            after = (page[-1]["site_id"], page[-1]["code"])
    return sorted(found)


async def test_health_counts_what_is_in_use_and_the_rest_apart(pool, installed):
    async with pool.acquire() as connection:
        everywhere = await devices.health(connection, CITY)
        sites = await devices.health_by_site(connection, CITY)
        theirs = await devices.health(connection, Scope("tangxia"))
        nowhere = await devices.health(connection, Scope("tangxia"), site_id=HERE.id)
    assert everywhere == Health(2, 2, 1, 1, 1, NOW + 3 * HOUR)
    assert everywhere.online_rate == 2 / 5
    assert sites == {
        HERE.id: Health(1, 1, 1, 1, 0, NOW + 3 * HOUR),
        THERE.id: Health(1, 1, 0, 0, 1, NOW + HOUR),
    }
    assert theirs == sites[THERE.id]
    assert (nowhere.online, nowhere.online_rate, nowhere.last_seen_at) == (0, None, None)


async def test_devices_are_listed_by_site_state_and_kind(pool, installed):
    assert await listing(pool) == [f"d-{n}" for n in range(7)]
    assert await listing(pool, state="OFFLINE") == ["d-1", "d-6"]
    assert await listing(pool, state="OUT_OF_SERVICE") == ["d-3"]
    assert await listing(pool, kind="ZONE", township="tangxia") == ["d-5"]
    assert await listing(pool, site_id=THERE.id) == ["d-5", "d-6"]
    assert await listing(pool, Scope(site_id=HERE.id), state="ONLINE") == ["d-0"]
    async with pool.acquire() as connection:
        (row,) = await devices.listed(
            connection, CITY, DeviceFilter(state="OUT_OF_SERVICE"), first=9, after=None
        )
    assert (row["reason"], row["last_seen_at"], row["changed_at"]) == (
        "broken",
        NOW + HOUR,
        NOW + timedelta(hours=2),
    )


async def test_devices_are_read_by_id_and_by_where_they_stand_inside_the_scope(pool, installed):
    places = [(HERE.id, "d-0"), (THERE.id, "d-5"), (THERE.id, "d-0")]
    async with pool.acquire() as connection:
        both = await devices.placed(connection, CITY, places)
        assert both.keys() == set(places[:2])
        assert (await devices.placed(connection, Scope("tangxia"), places)).keys() == {places[1]}
        theirs = both[places[1]]
        assert await devices.one(connection, Scope("tangxia"), theirs["device_id"]) == theirs
        assert await devices.one(connection, Scope("yuhai"), theirs["device_id"]) is None
