"""A row is what its aggregate became, however the log was cut into batches, and says nothing personal."""

from random import Random

import pytest
from given import NOW
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from lives import LIVES, SECRET, batches, lived, site

from domain.alarm import Alarm
from domain.centre import Centre, Item
from domain.credential import Credential
from domain.device import Device
from domain.dispute import Confirmation, Dispute
from domain.errors import CorruptError
from domain.lead import Lead
from domain.site import Site
from domain.visitor import Visitor
from projections.all import PROJECTIONS

PLACES = [site(), site("gaoqiao", "tangxia")]


def at(entry):
    return entry and entry.event.timestamp


def running(it):
    """The columns of the deadline that runs out next."""
    first = min(it.deadlines, key=lambda one: (one.due_at, one.name), default=None)
    return {"due": first and first.name, "due_at": first and first.due_at}


def dispute(life):
    it = life.it
    confirmed = life.last(Dispute.ConfirmationDecided)
    return running(it) | {
        "township": it.township,
        "site_id": it.site_id,
        "category": it.category,
        "mechanism": it.mechanism,
        "parties": len(it.parties),
        "sessions": it.sessions,
        "mediator": it.mediator,
        "room": it.room,
        "overdue": bool(it.overdue),
        "registered_at": it.created_on,
        "registered_position": life.entries[0].position,
        "accepted_at": at(life.first(Dispute.Accepted)),
        "agreed_at": it.agreed_at,
        "failed_at": at(life.first(Dispute.Failed)),
        "withdrawn_at": at(life.first(Dispute.Withdrawn)),
        "confirmation_requested_at": at(life.first(Dispute.ConfirmationRequested)),
        "confirmed_at": at(confirmed) if it.confirmation is Confirmation.CONFIRMED else None,
        "confirmation_refused_at": at(confirmed) if it.confirmation is Confirmation.REFUSED else None,
        "performing_at": at(life.first(Dispute.PerformanceStarted)),
        "breached_at": at(life.first(Dispute.Breached)),
        "urged_at": at(life.first(Dispute.Urged)),
        "fulfilled_at": at(life.first(Dispute.Fulfilled)),
        "referred_at": at(life.first(Dispute.Referred)),
        "closed_at": at(life.first(Dispute.Closed)),
    }


def alarm(life):
    it = life.it
    verdict = life.last(Alarm.FoundReal, Alarm.FoundFalse, Alarm.FoundTest)
    return running(it) | {
        "site_id": it.site_id,
        "sensor": it.sensor,
        "trips": it.trip_count,
        "level": it.level,
        "active": it.active,
        "shelved": it.shelved,
        "suppressed": it.suppressed,
        "out_of_service": it.out_of_service,
        "tripped_at": it.tripped_at,
        "last_tripped_at": it.last_tripped_at,
        "acknowledged_by": it.acknowledged_by,
        "acknowledged_at": at(life.first(Alarm.Acknowledged)),
        "reviewer": it.reviewer,
        "incident_id": it.incident_id,
        "verdict": verdict and verdict.event.TO,
        "verdict_at": at(verdict),
        "verdict_position": verdict and verdict.position,
    }


def visitor(life):
    it = life.it
    entered = life.last(Visitor.Entered)
    return running(it) | {
        "site_id": it.site_id,
        "township": it.township,
        "host": it.host,
        "gates": list(it.gates),
        "valid_from": it.valid_from,
        "valid_until": it.valid_until,
        "uses": it.uses,
        "entries": it.entries,
        "approved_at": at(life.last(Visitor.Approved)),
        "entered_at": at(entered),
        "entered_by": entered and entered.event.gate,
        "left_at": at(life.last(Visitor.Left)),
    }


def credential(life):
    it = life.it
    return running(it) | {
        "site_id": it.site_id,
        "township": it.township,
        "kind": it.kind,
        "resident": it.resident,
        "valid_from": it.valid_from,
        "valid_until": it.valid_until,
        "ended_at": at(life.last(Credential.Revoked, Credential.Expired)),
    }


def lead(life):
    it = life.it
    reviewed = life.last(Lead.Confirmed, Lead.Rejected)
    return running(it) | {
        "entry_id": it.entry_id,
        "case_number": it.case,
        "requested_by": it.requested_by,
        "score": it.evidence.score,
        "linked": it.linked,
        "reviewer": reviewed and reviewed.event.actor,
        "decided_at": at(reviewed or life.last(Lead.Expired)),
    }


def device(life):
    it = life.it
    return running(it) | {
        "code": it.code,
        "kind": it.kind,
        "armed": it.armed,
        "changed_at": at(life.last(Device.Retired)) or it.changed_at,
        "last_seen_at": at(life.last(Device.CameOnline, Device.StayedOnline)),
    }


def a_site(life):
    it = life.it
    return {
        "code": it.code,
        "name": it.name,
        "township": it.township,
        "households": it.households,
        "buildings": it.buildings,
        "counted_from": it.counted_from,
        "construction_started_at": at(life.first(Site.ConstructionStarted)),
        "operating_at": at(life.first(Site.OperationStarted)),
    }


def centre(life):
    it = life.it
    return {
        "township": it.township,
        "units": sorted(it.units),
        "staff": len(it.staff),
        "accepted_at": at(life.last(Centre.Accepted)),
        "withdrawn_at": at(life.last(Centre.AcceptanceWithdrawn)),
    }


BECAME = {
    "alarms": alarm,
    "centres": centre,
    "credentials": credential,
    "devices": device,
    "disputes": dispute,
    "leads": lead,
    "sites": a_site,
    "visitors": visitor,
}


async def tables(connection, name):
    """All rows of a projection's tables, as text."""
    return {
        table: [row[0] for row in await connection.fetch(f"select t::text from {table} t order by 1")]
        for table in PROJECTIONS[name].tables
    }


async def folded(connection, name, parts):
    """What folding these batches makes, undone again: (rows of the first table by id, all tables)."""
    transaction = connection.transaction()
    await transaction.start()
    for part in parts:
        await PROJECTIONS[name].fold(connection, part)
    rows = await connection.fetch(f"select * from {name}")
    everything = await tables(connection, name)
    await transaction.rollback()
    return {row[0]: dict(row) for row in rows}, everything


@pytest.mark.parametrize("name", sorted(LIVES))
@given(seed=st.integers(0, 2**32))
@hypothesis_settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
async def test_a_row_is_what_its_aggregate_became_in_batches_of_any_size(pool, name, seed):
    random = Random(seed)
    lives, entries = lived(name, random, PLACES, random.randint(1, 12))
    async with pool.acquire() as connection:
        rows, in_one = await folded(connection, name, [entries])
        assert set(rows) == {life.it.id for life in lives}
        for life in lives:
            last = {
                "state": life.it.state,
                "version": life.it.version,
                "position": life.entries[-1].position,
            }
            row = rows[life.it.id]
            expected = BECAME[name](life) | last
            assert {column: row[column] for column in expected} == expected
        assert (await folded(connection, name, batches(random, entries)))[1] == in_one
        assert (await folded(connection, name, [[entry] for entry in entries]))[1] == in_one
    assert SECRET not in str(in_one)


@pytest.mark.parametrize("name", sorted(LIVES))
async def test_an_event_of_something_that_never_began_is_refused(pool, name):
    random = Random(1)
    lives, _ = lived(name, random, PLACES, 20)
    life = next(life for life in lives if len(life.entries) > 1)
    async with pool.acquire() as connection:
        with pytest.raises(CorruptError, match="never began"):
            await folded(connection, name, [life.entries[1:]])


@given(seed=st.integers(0, 2**32))
@hypothesis_settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
async def test_gates_measures_and_counts_are_those_of_the_site(pool, seed):
    random = Random(seed)
    lives, entries = lived("sites", random, PLACES, 6, steps=60)
    async with pool.acquire() as connection, connection.transaction():
        for part in batches(random, entries):
            await PROJECTIONS["sites"].fold(connection, part)
        for life in lives:
            it = life.it
            gates = await connection.fetch("select * from site_gates where site_id = $1", it.id)
            assert {row["code"]: (row["mode"], row["credentials"]) for row in gates} == {
                gate.code: (gate.mode, list(gate.credentials)) for gate in it.gates.values()
            }
            measures = await connection.fetch("select * from site_measures where site_id = $1", it.id)
            assert {(row["measure"], row["gate"]) for row in measures} == it.measures
            counts = await connection.fetch(
                "select counts_from, households from site_households where site_id = $1 order by position",
                it.id,
            )
            assert [tuple(row) for row in counts] == [
                (entry.event.counts_from, entry.event.households)
                for entry in life.entries
                if isinstance(entry.event, Site.HouseholdsCounted)
            ]
        await connection.execute("delete from sites; delete from site_gates; delete from site_measures")
        await connection.execute("delete from site_households")


@given(seed=st.integers(0, 2**32))
@hypothesis_settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
async def test_the_checklist_is_the_latest_inspection_of_each_item(pool, seed):
    random = Random(seed)
    lives, entries = lived("centres", random, PLACES, 4, steps=60, start=NOW)
    async with pool.acquire() as connection, connection.transaction():
        for part in batches(random, entries):
            await PROJECTIONS["centres"].fold(connection, part)
        for life in lives:
            rows = await connection.fetch("select * from centre_items where centre_id = $1", life.it.id)
            assert {row["item"]: (row["inspected_at"], row["inspector"], row["passed"]) for row in rows} == {
                Item(item): (found.at, found.inspector, found.passed)
                for item, found in life.it.inspections.items()
            }
        await connection.execute("delete from centres; delete from centre_items")
