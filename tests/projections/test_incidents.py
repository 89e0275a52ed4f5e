"""The incident board shows how each incident stands, to whom it may be shown, and pages without gaps or repeats."""

import re
from datetime import timedelta
from random import Random

import incidents as made
import pytest
from given import NOW, person
from histories import append, entries_of, fold_in_pieces, lived, reported, request, step
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from domain import incident_events as events
from domain.details import Details
from domain.incident import IncidentState
from domain.people import CITY, Role, Scope
from projections.incidents import (
    NEWEST,
    PROJECTION,
    URGENCIES,
    By,
    IncidentFilter,
    Order,
    Place,
    Reader,
    counted,
    listed,
    one,
    some,
)
from projections.runner import catch_up
from projections.standing import Standing, follow, stood

ALL = IncidentFilter()
EVERYBODY = Reader(confidential=True)
HOUR = timedelta(hours=1)
ENDS = {
    "sign": (events.Signed, events.AssistanceSigned),
    "handle": (events.FeedbackGiven, events.AssistanceGiven),
    "verify": (events.Closed, events.Reworked),
    "parking": (events.Unparked,),
}
"""By what a missed deadline is made good."""


def is_missed(name, units_events):
    """Whether nothing that came after the deadline `name` was missed, (lead unit, event), has made it good."""
    what, _, unit = name.partition(":")
    for lead, event in units_events:
        if isinstance(event, events.Returned) and unit:
            return False
        if isinstance(event, (*ENDS[what], events.AssistanceReleased)) and unit in {
            "",
            getattr(event, "unit", lead),
        }:
            return False
    return True


def by_hand(entries):
    """The rows of the board, newest first, from the aggregates that the events make."""
    aggregates, history, leads = {}, {}, {}
    for entry in entries:
        event, key = entry.event, entry.event.originator_id
        aggregates[key] = event.mutate(aggregates.get(key))
        leads.setdefault(key, []).append(aggregates[key].lead_unit)
        history.setdefault(key, []).append(entry)
    rows = [row(aggregates[key], history[key], leads[key]) for key in aggregates]
    return sorted(rows, key=lambda row: (row.reported_at, row.incident_id), reverse=True)


def row(aggregate, history, leads):
    """The row of one incident; what the aggregate does not know is counted in its events."""
    said = [entry.event for entry in history]
    first, last = said[0], said[-1]
    running = {one.name: one.due_at for one in aggregate.deadlines}
    missed = {
        event.name: event.timestamp
        for n, event in enumerate(said)
        if isinstance(event, events.Overdue)
        and is_missed(event.name, zip(leads[n + 1 :], said[n + 1 :], strict=True))
    }
    parked = aggregate.parked_at is not None
    dues = [(due, name) for name, due in (running | missed).items() if not parked or name == "parking"]
    due_at, due_name = min(dues, default=(None, None))
    return Standing(
        incident_id=aggregate.id,
        site_id=first.site_id,
        township=first.township,
        category=first.category,
        source=first.source,
        description=first.description,
        details=first.details,
        confidential=first.confidential,
        urgency=first.urgency,
        occurred_at=first.occurred_at,
        reported_at=first.timestamp,
        state=aggregate.state,
        lead_unit=aggregate.lead_unit,
        legs=dict(aggregate.legs),
        round=aggregate.round,
        level=aggregate.level,
        supervised=aggregate.supervised,
        parked=parked,
        running=running,
        missed=missed,
        overdue=sorted(aggregate.overdue),
        due_name=due_name,
        due_at=due_at,
        extension_until=aggregate.extension and aggregate.extension.until,
        extensions=sum(isinstance(event, events.ExtensionGranted) for event in said),
        returns=sum(isinstance(event, events.Returned) for event in said),
        reopenings=sum(isinstance(event, events.Reopened) for event in said),
        merged_into=aggregate.merged_into,
        duplicates=len(aggregate.duplicates),
        evidence=len(aggregate.evidence),
        mechanism=aggregate.mechanism,
        dispatched_at=next((e.timestamp for e in reversed(said) if isinstance(e, events.Dispatched)), None),
        closed_at=aggregate.closed_at,
        last_topic=last.TOPIC,
        last_at=last.timestamp,
        version=aggregate.version,
        position=history[-1].position,
        reported_position=history[0].position,
    )


def standing(*made_incidents):
    """How an incident stands, of its events."""
    rows = [stood(entries_of([request(incident, 0)])) for incident in made_incidents]
    return rows if len(rows) > 1 else rows[0]


def a_life(random, count=12):
    """What becomes of some incidents, by any commands and missed deadlines."""
    crowd = [reported(n, made.SITE, NOW + timedelta(minutes=random.randrange(9_000))) for n in range(count)]
    return entries_of(lived(random, crowd, late=True))


async def rows_of(pool, reader=EVERYBODY, wanted=ALL, *, first=10_000, order=NEWEST, after=None):
    async with pool.acquire() as connection:
        return await listed(connection, reader, wanted, first=first, order=order, after=after)


async def paged(pool, first, reader=EVERYBODY, wanted=ALL, order=NEWEST):
    """The whole list, `first` rows at a time."""
    found, after = [], None
    while page := await rows_of(pool, reader, wanted, first=first, order=order, after=after):
        assert len(page) <= first
        found += [row.incident_id for row in page]
        after = order.place(page[-1])
    return found


@given(seed=st.integers(0, 1 << 32))
@hypothesis_settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
async def test_after_any_commands_and_missed_deadlines_the_board_shows_what_the_aggregates_say(pool, seed):
    random = Random(seed)
    entries = a_life(random)
    await pool.execute("delete from incidents; delete from work")
    await fold_in_pieces(random, PROJECTION, pool, entries)
    assert await rows_of(pool) == by_hand(entries)


async def test_batches_of_any_size_make_the_same_bytes(pool):
    entries = a_life(Random(5))
    found = []
    for seed in range(4):
        await pool.execute("delete from incidents; delete from work")
        await fold_in_pieces(Random(seed), PROJECTION, pool, entries)
        found.append([tuple(r) for r in await pool.fetch("select t::text from incidents t order by 1")])
    assert found[1:] == found[:-1]


def test_a_missed_deadline_stays_due_when_it_was_also_after_an_extension():
    incident = made.handling()
    incident.request_extension(by=made.HANDLER, at=NOW, until=NOW + 30 * HOUR, reason="rain")
    incident.pass_deadline(by=made.TIMER, at=NOW + 11 * HOUR, name=f"handle:{made.UNIT}")
    incident.decide_extension(by=made.SUPERVISOR, at=NOW + 11 * HOUR, granted=True, reason="yes")
    row = standing(incident)
    assert (row.due_name, row.due_at) == (f"handle:{made.UNIT}", NOW + 10 * HOUR)
    assert row.running == {f"handle:{made.UNIT}": NOW + 30 * HOUR}


def test_feedback_makes_a_missed_deadline_good_and_it_stays_known_that_it_was_missed():
    incident = made.handling()
    incident.pass_deadline(by=made.TIMER, at=NOW + 11 * HOUR, name=f"handle:{made.UNIT}")
    incident.give_feedback(by=made.HANDLER, at=NOW + 12 * HOUR, result="done", limits=made.LIMITS)
    row = standing(incident)
    assert (row.due_name, row.due_at) == ("verify", NOW + 17 * HOUR)
    assert (row.missed, row.overdue) == ({}, [f"handle:{made.UNIT}"])


def test_while_it_is_parked_only_the_next_look_is_due_and_what_was_late_is_late_again_after_it():
    incident = made.handling()
    incident.pass_deadline(by=made.TIMER, at=NOW + 11 * HOUR, name=f"handle:{made.UNIT}")
    incident.park(by=made.SUPERVISOR, at=NOW + 12 * HOUR, until=NOW + 99 * HOUR, reason="frost")
    parked = standing(incident)  # which takes its events
    assert (parked.due_name, parked.due_at) == ("parking", NOW + 99 * HOUR)
    incident.unpark(by=made.SUPERVISOR, at=NOW + 20 * HOUR)
    (entry,) = entries_of([request(incident, 1)])
    follow(parked, entry)
    assert (parked.due_name, parked.due_at, parked.parked) == (
        f"handle:{made.UNIT}",
        NOW + 10 * HOUR,
        False,
    )


def crowded(random):
    """What becomes of incidents at three sites of two townships, many at the same moments, wherever chance leads them."""
    requests = []
    for n, (code, township) in enumerate((("here", "yuhai"), ("there", "yuhai"), ("far", "tangxia"))):
        place = made.Site.plan(code=code, name="高桥", township=township, by=made.ADMIN, at=NOW)
        crowd = [
            reported(
                100 * n + number,
                place,
                NOW + HOUR * (number // 9),
                category=random.choice(["noise", "theft"]),
                source=(events.Source.CITIZEN, events.Source.HOTLINE)[number % 2],
                confidential=number % 5 == 0,
                urgency=random.choice(list(events.Urgency)),
            )
            for number in range(50)
        ]
        requests += lived(random, crowd, late=True, first_number=100_000 * n)
    return requests


@pytest.fixture
async def board(pool):
    """The rows of such incidents, newest first; the read model has folded them."""
    random = Random(15)
    entries = entries_of(crowded(random))
    await fold_in_pieces(random, PROJECTION, pool, entries)
    return by_hand(entries)


def filters(rows):
    """For each filter a value, and what it keeps."""
    here, main = rows[0].site_id, next(row.merged_into for row in rows if row.merged_into)
    tagged = next(row.mechanism for row in rows if row.mechanism)
    closed = sorted(row.closed_at for row in rows if row.closed_at)[3]
    due, seen = rows[60].due_at or NOW + 100 * HOUR, NOW + 3 * HOUR
    return {
        "states": (["HANDLING", "CLOSED"], lambda row: row.state in {"HANDLING", "CLOSED"}),
        "site_id": (here, lambda row: row.site_id == here),
        "township": ("yuhai", lambda row: row.township == "yuhai"),
        "categories": (["theft", "fire"], lambda row: row.category == "theft"),
        "source": ("HOTLINE", lambda row: row.source == "HOTLINE"),
        "mechanism": (tagged, lambda row: row.mechanism == tagged),
        "urgency": ("URGENT", lambda row: row.urgency == "URGENT"),
        "lead_unit": ("water", lambda row: row.lead_unit == "water"),
        "unit": ("water", lambda row: "water" in row.legs),
        "level": (1, lambda row: row.level >= 1),
        "supervised": (True, lambda row: row.supervised),
        "parked": (True, lambda row: row.parked),
        "is_confidential": (False, lambda row: not row.confidential),
        "overdue": (True, lambda row: row.overdue),
        "returned": (True, lambda row: row.returns),
        "extended": (False, lambda row: not row.extensions),
        "reopened": (True, lambda row: row.reopenings),
        "merged_into": (main, lambda row: row.merged_into == main),
        "with_duplicates": (True, lambda row: row.duplicates),
        "with_evidence": (True, lambda row: row.evidence),
        "reported_from": (seen, lambda row: row.reported_at >= seen),
        "reported_until": (seen, lambda row: row.reported_at < seen),
        "due_from": (due, lambda row: row.due_at and row.due_at >= due),
        "due_until": (due, lambda row: row.due_at and row.due_at < due),
        "late_at": (due, lambda row: row.due_at and row.due_at <= due),
        "in_time_at": (due, lambda row: not row.due_at or row.due_at > due),
        "closed_from": (closed, lambda row: row.closed_at and row.closed_at >= closed),
        "closed_until": (closed, lambda row: row.closed_at and row.closed_at < closed),
        "known_at": (90, lambda row: row.reported_position <= 90),
    }


async def test_each_filter_keeps_what_it_says_and_all_of_it_in_the_list_and_in_the_counts(pool, board):
    assert filters(board).keys() | {"text"} == set(IncidentFilter.__dataclass_fields__)
    for name, (value, keeps) in filters(board).items():
        wanted = IncidentFilter(**{name: value})
        expected = [row for row in board if keeps(row)]
        assert 0 < len(expected) < len(board), name
        assert await rows_of(pool, wanted=wanted) == expected, name
        async with pool.acquire() as connection:
            counts = await counted(connection, EVERYBODY, wanted)
        assert counts == {
            state: len(found)
            for state in IncidentState
            if (found := [row for row in expected if row.state == state])
        }, name


async def test_what_is_late_now_is_what_was_due_until_now_whether_anybody_noticed_or_not(pool):
    incident = made.handling()
    await fold_in_pieces(Random(0), PROJECTION, pool, entries_of([request(incident, 0)]))
    assert await rows_of(pool, wanted=IncidentFilter(due_until=NOW + 10 * HOUR)) == []
    late = await rows_of(pool, wanted=IncidentFilter(due_until=NOW + 11 * HOUR))
    assert [row.incident_id for row in late] == [incident.id]


ORDERS = [Order(by, descending) for by in By for descending in (False, True)]


def in_order(rows, order):
    """Those of `rows` that `order` lists, as it does."""
    listed = [
        row for row in rows if order.by not in {By.DUE_AT, By.CLOSED_AT} or getattr(row, order.by.lower())
    ]
    return sorted(listed, key=lambda row: key_of(row, order.by), reverse=order.descending)


def key_of(row, by):
    if by is By.URGENCY:
        return URGENCIES.index(row.urgency), row.reported_at, row.incident_id
    return getattr(row, by.lower()), row.incident_id


@pytest.mark.parametrize("order", ORDERS, ids=str)
async def test_in_every_order_pages_hold_each_incident_once_though_many_have_the_same_time(
    pool, board, order
):
    expected = in_order(board, order)
    assert len(expected) > 5
    for first in (1, 7, len(expected), len(expected) + 1):
        assert await paged(pool, first, order=order) == [row.incident_id for row in expected]
    theirs = [row.incident_id for row in expected if row.township == "yuhai"]
    assert await paged(pool, 4, Reader(scope=Scope("yuhai"), confidential=True), order=order) == theirs


INDEXES = {
    By.REPORTED_AT: "incidents_newest",
    By.LAST_AT: "incidents_latest",
    By.DUE_AT: "incidents_due",
    By.CLOSED_AT: "incidents_closed",
}


class Explaining:
    """A connection that says how it would answer, and answers nothing."""

    def __init__(self, connection):
        self.connection, self.plans = connection, []

    def __getattr__(self, name):
        return getattr(self.connection, name)

    async def fetch(self, query, *values):
        plan = await self.connection.fetch(f"explain {query}", *values)
        self.plans.append("\n".join(line[0] for line in plan))
        return []


@pytest.mark.parametrize("order", [order for order in ORDERS if order.by is not By.URGENCY], ids=str)
async def test_a_page_is_read_in_its_order_and_nothing_is_sorted_or_joined_for_it(pool, board, order):
    async with pool.acquire() as connection:
        await connection.execute("set enable_sort = off; set enable_seqscan = off")
        asked = Explaining(connection)
        await listed(
            asked, EVERYBODY, ALL, first=20, order=order, after=Place(None, NOW, board[0].incident_id)
        )
    (plan,) = asked.plans
    assert f"using {INDEXES[order.by]} on incidents" in plan
    assert "Index Cond: (ROW(" in plan  # the cursor
    assert not re.search(r"Sort|Join|Nested Loop", plan)


async def test_the_newest_with_a_word_are_read_in_their_order_too(pool, board):
    async with pool.acquire() as connection:
        await connection.execute("set enable_sort = off; set enable_seqscan = off")
        asked = Explaining(connection)
        await listed(asked, EVERYBODY, IncidentFilter(text="噪声"), first=20)
    assert "using search_newest on search" in asked.plans[0]
    assert "Sort" not in asked.plans[0]


async def test_a_scope_shows_its_own_and_nothing_else(pool, board):
    here = board[0].site_id
    for scope in (CITY, Scope("yuhai"), Scope(site_id=here), Scope("tangxia", board[-1].site_id)):
        reader = Reader(scope=scope, confidential=True)
        expected = [row for row in board if scope.covers(row.township, row.site_id)]
        assert await rows_of(pool, reader) == expected
        async with pool.acquire() as connection:
            found = await some(connection, reader, [row.incident_id for row in board])
            assert found == {row.incident_id: row for row in expected}
            assert sum((await counted(connection, reader, ALL)).values()) == len(expected)
            for row in board[::20]:
                assert await one(connection, reader, row.incident_id) == (row if row in expected else None)


async def test_what_a_confidential_incident_says_is_shown_to_its_units_and_to_the_centre(pool):
    secret = made.reported(1, confidential=True, description="举报", details=Details("3幢501"))
    secret.accept(by=made.INTAKE, at=NOW)
    secret.dispatch(by=made.DISPATCHER, at=NOW, lead_unit=made.UNIT, assisting=[made.WATER])
    await fold_in_pieces(Random(0), PROJECTION, pool, entries_of([request(secret, 0)]))
    shown = {
        who.id: (await rows_of(pool, Reader.of(who)))[0].description
        for who in (made.HANDLER, made.PLUMBER, made.STRANGER, made.GRID_WORKER, made.SUPERVISOR, made.INTAKE)
    }
    assert shown == {
        made.HANDLER.id: "举报",
        made.PLUMBER.id: "举报",
        made.STRANGER.id: None,
        made.GRID_WORKER.id: None,
        made.SUPERVISOR.id: "举报",
        made.INTAKE.id: "举报",
    }
    async with pool.acquire() as connection:
        row = await one(connection, Reader.of(person(Role.ADMIN)), secret.id)
    assert (row.state, row.confidential, row.description, row.details) == ("DISPATCHED", True, None, None)


async def test_an_incident_reported_while_somebody_pages_neither_repeats_nor_hides_another(log, pool, site):
    crowd = [reported(n, site, NOW) for n in range(20)]
    step(crowd[3], NOW)
    await append(log, crowd)
    await catch_up(PROJECTION, pool, log)
    before = await paged(pool, 100)
    page = await rows_of(pool, first=10)
    await append(log, [reported(1000, site, NOW + HOUR)], first_number=1000)
    await catch_up(PROJECTION, pool, log)
    rest = await rows_of(pool, after=NEWEST.place(page[-1]))
    assert [row.incident_id for row in page + rest] == before
