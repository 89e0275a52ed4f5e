"""Open work: each unit, and the centre, sees what it has to do now, what is late first, and how much that is."""

from datetime import timedelta
from random import Random

import incidents as made
import pytest
from given import NOW
from histories import entries_of, fold_in_pieces, lived, reported, request
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from domain.incident import WITH_UNITS, IncidentState, Leg
from domain.people import CITY, Scope
from projections.incidents import PROJECTION
from projections.work import CENTRE, Load, Task, listed, loads

HOUR = timedelta(hours=1)
S = IncidentState


WAITING = {
    S.REPORTED: ["ACCEPT"],
    S.ACCEPTED: ["DISPATCH"],
    S.REOPENED: ["DISPATCH"],
    S.RETURN_REQUESTED: ["DECIDE_RETURN"],
    S.VERIFYING: ["VERIFY"],
}
"""What waits for the centre in states in which no unit can go on."""


def open_of(incident):
    """(unit, duty) of everything that can be done next, asked of the aggregate."""
    if incident.parked_at:
        return [(CENTRE, "UNPARK")]
    if incident.state not in WITH_UNITS:
        return [(CENTRE, duty) for duty in WAITING.get(incident.state, [])]
    decisions = [(CENTRE, "DECIDE_EXTENSION")] if incident.extension else []
    duties = {Leg.DISPATCHED: "SIGN", Leg.SIGNED: "HANDLE"}
    return decisions + [(unit, duties[leg]) for unit, leg in incident.legs.items() if leg in duties]


def by_hand(crowd):
    """(incident, unit, duty, assisting) of all open work."""
    return sorted(
        (one.id, unit, duty, unit not in {CENTRE, one.lead_unit})
        for one in crowd
        for unit, duty in open_of(one)
    )


async def everything(pool, unit, *, first=1000, scope=CITY):
    """The whole list of a unit, `first` tasks at a time."""
    found, after = [], None
    async with pool.acquire() as connection:
        while page := await listed(connection, scope, unit, first=first, after=after):
            found += page
            after = (page[-1].due_at, page[-1].incident_id, page[-1].duty)
    return found


async def fold(pool, *incidents, seed=0):
    requests = [request(incident, n) for n, incident in enumerate(incidents)]
    await fold_in_pieces(Random(seed), PROJECTION, pool, entries_of(requests))


@given(seed=st.integers(0, 1 << 32))
@hypothesis_settings(
    max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
async def test_after_any_commands_the_open_work_is_what_the_aggregates_wait_for(pool, seed):
    random = Random(seed)
    crowd = [reported(n, made.SITE, NOW + HOUR * random.randrange(100)) for n in range(12)]
    entries = entries_of(lived(random, crowd, late=random.random() < 0.7))
    await pool.execute("delete from incidents; delete from work")
    await fold_in_pieces(random, PROJECTION, pool, entries)
    units = await pool.fetch("select distinct unit from work")
    tasks = [
        task for row in units for task in await everything(pool, row["unit"], first=random.randint(1, 9))
    ]
    assert sorted((t.incident_id, t.unit, t.duty, t.assisting) for t in tasks) == by_hand(crowd)
    running = {one.id: {due.name: due.due_at for due in one.deadlines} for one in crowd}
    for task in tasks:  # what runs is due then, unless it was missed before
        due = running[task.incident_id].get(f"{task.duty.lower()}:{task.unit}")
        assert due is None or task.due_at <= due


async def test_from_dispatch_to_closure_the_work_goes_from_hand_to_hand(pool):
    incident = made.dispatched(made.WATER)
    steps = [
        [(made.UNIT, "SIGN", 1), (made.WATER, "SIGN", 1)],
        ("sign", made.HANDLER, {}),
        [(made.UNIT, "HANDLE", 10), (made.WATER, "SIGN", 1)],
        ("start_handling", made.HANDLER, {}),
        ("sign", made.PLUMBER, {"unit": made.WATER}),
        [(made.UNIT, "HANDLE", 10), (made.WATER, "HANDLE", 10)],
        ("give_feedback", made.PLUMBER, {"unit": made.WATER, "result": "dry"}),
        ("request_extension", made.HANDLER, {"until": NOW + 20 * HOUR, "reason": "rain"}),
        [(CENTRE, "DECIDE_EXTENSION", 10), (made.UNIT, "HANDLE", 10)],
        ("decide_extension", made.SUPERVISOR, {"granted": True, "reason": "yes"}),
        [(made.UNIT, "HANDLE", 20)],
        ("give_feedback", made.HANDLER, {"result": "dry", "limits": made.LIMITS}),
        [(CENTRE, "VERIFY", 5)],
        ("verify", made.VERIFIER, {"passed": False, "note": "wet", "limits": made.LIMITS}),
        [(made.UNIT, "HANDLE", 10)],
    ]
    log = [request(incident, 0)]
    for step in steps:
        if isinstance(step, tuple):
            command, who, fields = step
            getattr(incident, command)(by=who, at=NOW, **fields)
            log.append(request(incident, 0))
            continue
        await pool.execute("delete from incidents; delete from work")
        await fold_in_pieces(Random(0), PROJECTION, pool, entries_of(log))
        found = [task for unit in (CENTRE, made.UNIT, made.WATER) for task in await everything(pool, unit)]
        assert [(task.unit, task.duty, (task.due_at - NOW) / HOUR) for task in found] == step


async def test_a_decision_on_a_return_is_due_when_the_unit_would_have_had_to_sign(pool):
    incident = made.dispatched()
    incident.request_return(by=made.HANDLER, at=NOW, reason="not ours")
    await fold(pool, incident)
    (task,) = await everything(pool, CENTRE)
    assert (task.duty, task.due_at) == ("DECIDE_RETURN", NOW + HOUR)
    assert await everything(pool, made.UNIT) == []


async def test_parked_work_waits_for_the_centre_to_look_at_it_again(pool):
    incident = made.handling()
    incident.park(by=made.SUPERVISOR, at=NOW, until=NOW + 99 * HOUR, reason="frost")
    await fold(pool, incident)
    assert await everything(pool, CENTRE) == [
        Task(incident.id, made.SITE.id, "yuhai", CENTRE, "UNPARK", False, NOW + 99 * HOUR)
    ]
    assert await everything(pool, made.UNIT) == []


@pytest.fixture
async def crowd(pool):
    """Work of every kind at two sites."""
    random = Random(4)
    far = made.Site.plan(code="far", name="远", township="tangxia", by=made.ADMIN, at=NOW)
    crowd = [reported(n, made.SITE if n % 2 else far, NOW + HOUR * random.randrange(50)) for n in range(80)]
    await fold_in_pieces(random, PROJECTION, pool, entries_of(lived(random, crowd, steps=12, late=True)))
    return far


async def test_what_is_due_first_comes_first_what_has_no_limit_last_and_pages_miss_nothing(pool, crowd):
    endless = NOW + 1_000_000 * HOUR
    for unit in (CENTRE, "water", "police-station"):
        whole = await everything(pool, unit)
        assert len(whole) > 5
        key = [(task.due_at or endless, task.incident_id, task.duty) for task in whole]
        assert key == sorted(key)
        for first in (1, 3, len(whole)):
            assert await everything(pool, unit, first=first) == whole
    assert {task.due_at is None for task in await everything(pool, CENTRE)} == {True, False}


async def test_the_load_of_a_unit_counts_its_list(pool, crowd):
    for scope in (CITY, Scope("tangxia"), Scope(site_id=made.SITE.id)):
        units = [row["unit"] for row in await pool.fetch("select distinct unit from work order by unit")]
        lists = {unit: await everything(pool, unit, scope=scope) for unit in units}
        at = sorted(task.due_at for tasks in lists.values() for task in tasks if task.due_at)[7]
        async with pool.acquire() as connection:
            found = await loads(connection, scope, at)
        assert found == [
            Load(
                unit,
                len(tasks),
                sum(task.due_at is not None and task.due_at <= at for task in tasks),
                sum(task.due_at is not None and at < task.due_at <= at + 24 * HOUR for task in tasks),
            )
            for unit, tasks in lists.items()
            if tasks
        ]
        assert all(scope.covers(task.township, task.site_id) for tasks in lists.values() for task in tasks)
    assert any(load.overdue for load in found)
    assert any(load.soon for load in found)
