"""How incidents stood then is what the same board said then, and the same filters hold."""

from contextlib import asynccontextmanager
from dataclasses import fields
from datetime import timedelta
from random import Random

import pytest
from given import NOW, person
from histories import append_requests
from test_incidents import by_hand, crowded, filters, in_order, key_of

from domain.errors import InvalidError
from domain.incident import Incident
from domain.people import Role
from projections import past
from projections.incidents import NEWEST, PROJECTION, By, IncidentFilter, Order, Reader
from projections.past import CHANGING, listed, until
from projections.runner import catch_up
from projections.search import PROJECTION as SEARCH

ALL, EVERYBODY = IncidentFilter(), Reader(confidential=True)
HOUR = timedelta(hours=1)


@pytest.fixture
async def told(log, pool):
    """Incidents that were led anywhere by chance, in the log and on the board; every entry of theirs."""
    await append_requests(log, crowded(Random(15)))
    for projection in (PROJECTION, SEARCH):
        await catch_up(projection, pool, log)
    return list((await log.read(0, 1_000_000)).entries)


@pytest.fixture
def reading(pool):
    """Lends connections to the read models."""

    @asynccontextmanager
    async def lend():
        async with pool.acquire() as connection:
            yield connection

    return lend


def stood_then(entries, then):
    """The rows of the board as of then, newest first, each of the events of its incident that there were."""
    histories = {}
    for entry in entries:
        histories.setdefault(entry.event.originator_id, []).append(entry)
    return by_hand([entry for history in histories.values() for entry in until(history, then)])


def moments(entries):
    """Positions and times all over the story, and those before it and after it."""
    some = [entries[len(entries) * n // 5 - 1] for n in range(1, 5)]
    return [
        0,
        NOW - HOUR,
        *(entry.position for entry in some),
        *(entry.event.timestamp for entry in some),
        NOW + 9_000 * HOUR,
    ]


async def pages(first, then, reading, log, wanted=ALL, order=NEWEST, reader=EVERYBODY):
    """The whole list as of then, `first` rows at a time."""
    found, after = [], None
    while True:
        page = await listed(reading, log, reader, wanted, then, first=first, order=order, after=after)
        assert len(page.rows) <= first
        found += page.rows
        if page.go_on is None and len(page.rows) < first:
            return found
        after = page.go_on or order.place(page.rows[-1])


async def test_the_list_as_of_any_moment_is_the_board_of_what_had_happened_or_was_known(told, reading, log):
    for then in moments(told):
        expected = stood_then(told, then)
        assert await pages(7, then, reading, log) == expected, then
    assert stood_then(told, moments(told)[-1]) != stood_then(told, moments(told)[3])


async def test_one_incident_as_of_any_moment_is_its_row_of_then_and_none_before_it_was_reported(
    told, reading, log
):
    ids = [entry.event.originator_id for entry in told if isinstance(entry.event, Incident.Reported)][::9]
    for then in moments(told):
        rows = {row.incident_id: row for row in stood_then(told, then)}
        for one in ids:
            assert await past.one(reading, log, EVERYBODY, one, then) == rows.get(one), then


async def test_each_filter_keeps_what_was_so_then(told, reading, log):
    then = told[-1].position - 20
    board = stood_then(told, then)
    unchanging = {field.name for field in fields(IncidentFilter)} - set(CHANGING) - {"text"}
    wanted = filters(board)
    assert wanted.keys() == set(CHANGING) | unchanging
    for name, (value, keeps) in wanted.items():
        if name != "known_at":
            expected = [row for row in board if keeps(row)]
            found = await pages(5, then, reading, log, IncidentFilter(**{name: value}))
            assert found == expected, name


@pytest.mark.parametrize("descending", [False, True])
@pytest.mark.parametrize("by", [By.REPORTED_AT, By.URGENCY])
async def test_it_goes_by_what_never_changes_in_either_direction(told, reading, log, by, descending):
    order, then = Order(by, descending), NOW + 3 * HOUR
    expected = in_order(stood_then(told, then), order)
    assert await pages(3, then, reading, log, order=order) == expected
    assert [key_of(row, by) for row in expected] == sorted(
        (key_of(row, by) for row in expected), reverse=descending
    )


async def test_what_cannot_be_known_of_then_is_refused_by_its_name(told, reading, log):
    for wanted, order, word in (
        (IncidentFilter(text="噪声"), NEWEST, "text"),
        (IncidentFilter(), Order(By.DUE_AT), "DUE_AT"),
        (IncidentFilter(), Order(By.CLOSED_AT), "CLOSED_AT"),
        (IncidentFilter(), Order(By.LAST_AT), "LAST_AT"),
    ):
        with pytest.raises(InvalidError, match=word):
            await listed(reading, log, EVERYBODY, wanted, NOW, first=10, order=order)


async def test_a_page_that_would_take_too_long_says_where_it_stopped_and_the_next_goes_on_there(
    told, reading, log, monkeypatch
):
    monkeypatch.setattr(past, "MOST", 20)
    then = told[-1].position
    wanted = IncidentFilter(states=["HANDLING"])
    expected = [row for row in stood_then(told, then) if row.state == "HANDLING"]
    first = await listed(reading, log, EVERYBODY, IncidentFilter(level=4), then, first=10)
    assert (first.rows, first.go_on is None) == ([], False)
    assert await pages(100, then, reading, log, wanted) == expected


async def test_who_may_not_see_a_confidential_one_now_does_not_see_what_it_said_then(told, reading, log):
    stranger = Reader.of(person(Role.GRID_WORKER))
    rows = await pages(50, told[-1].position, reading, log, reader=stranger)
    assert {row.description is None for row in rows if row.confidential} == {True}
    assert {row.description is None for row in rows if not row.confidential} == {False}


async def test_histories_are_those_of_each_and_of_that_kind_only(told, log, site):
    ids = list({entry.event.originator_id for entry in told})[:7]
    found = await log.histories(Incident, [*ids, site.id])
    assert found == {one: await log.history(one) for one in ids}
    firsts = await log.histories(Incident, ids, version=1, opened=False)
    assert {one: [entry.position for entry in entries] for one, entries in firsts.items()} == {
        one: [found[one][0].position] for one in ids
    }
