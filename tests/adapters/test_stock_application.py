"""A stock `eventsourcing` application opens our log, replays our aggregates, and cannot write."""

import asyncio
from uuid import uuid4

import asyncpg
import pytest
from eventsourcing.persistence import ProgrammingError
from given import NOW, observation, order, person, report
from stock import auditor

from adapters.database import connect
from domain import commands
from domain.gatepass import GatePass, decide
from domain.incident import Incident
from domain.people import Role
from domain.ports import Request
from domain.site import Site


@pytest.fixture
async def library(log, database_url, monkeypatch):
    """The application, logged in and then anju_app, as an auditor is."""
    monkeypatch.setenv("PGOPTIONS", "-c role=anju_app")
    application = await asyncio.to_thread(auditor, database_url)
    yield application
    application.close()


@pytest.fixture
async def incident(log, site):
    """An accepted incident."""
    done = await report(log, site)
    await commands.act(log, order(Role.INTAKE), Incident, Incident.accept, done.id)
    return await log.load(Incident, done.id)


@pytest.fixture
async def gate_pass(log, site):
    """A recorded pass."""
    made = decide(observation(), site)
    await log.append(Request(uuid4(), made.collect_events(), {}))
    return await log.load(GatePass, made.id)


async def test_its_repository_replays_our_aggregates(library, site, incident, gate_pass):
    for ours in (site, incident, gate_pass):
        theirs = await asyncio.to_thread(library.repository.get, ours.id)
        assert theirs == ours
        assert theirs.version == ours.version


async def test_its_repository_replays_an_earlier_version_as_we_do(library, log, incident):
    theirs = await asyncio.to_thread(library.repository.get, incident.id, version=1)
    assert theirs == await log.load(Incident, incident.id, version=1)


async def test_its_notification_log_is_our_log(library, log, incident, gate_pass):
    section = await asyncio.to_thread(library.notification_log.select, 1, 10)
    page = await log.read(0, 10)
    assert [item.id for item in section] == [entry.position for entry in page.entries] == list(range(1, 10))
    assert [library.mapper.to_domain_event(item) for item in section] == [
        entry.event for entry in page.entries
    ]


async def test_its_subscription_hears_our_writer(library, log, site):
    def first_incident():
        with library.recorder.subscribe(gt=6) as subscription:
            return next(subscription)

    heard = asyncio.create_task(asyncio.to_thread(first_incident))
    done = await report(log, site)
    assert (await asyncio.wait_for(heard, 20)).originator_id == done.id


async def test_it_cannot_write(library, log, database_url):
    made = Site.plan(code="a", name="A", township="t", by=person(Role.ADMIN), at=NOW)
    with pytest.raises(ProgrammingError):
        await asyncio.to_thread(library.save, made)
    connection = await connect(database_url)
    with pytest.raises(asyncpg.InsufficientPrivilegeError):  # the first thing its recorder would do
        await connection.execute("begin; lock table events in exclusive mode")
    await connection.close()
    assert await log.position() == 0
