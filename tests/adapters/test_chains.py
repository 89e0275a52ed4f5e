"""Alarm -> incident -> dispute: what leads to what is linked both ways, in one request."""

from datetime import timedelta

import pytest
from given import NOW, order, person, report

from domain import commands
from domain.alarm import Alarm, AlarmState, Trigger
from domain.commands import subject_id
from domain.dispute import Dispute
from domain.errors import ForbiddenError, RuleError
from domain.incident import Incident, Source
from domain.people import Role, Scope
from domain.personal import Personal, of_subject

REVIEWER = person(Role.REVIEWER)
FIELDS = {"category": "intrusion", "description": "围墙有人翻越"}


@pytest.fixture
async def alarm(log, site):
    """The id of an alarm that a reviewer saw on video."""
    tripped = order(Role.DEVICE)
    done = await commands.create(
        log, tripped, Alarm.trip, site_id=site.id, sensor="fence-3", trigger=Trigger.SENSOR
    )
    await commands.act(log, order(Role.GUARD), Alarm, Alarm.acknowledge, done.id)
    await commands.act(log, order(by=REVIEWER), Alarm, Alarm.review, done.id)
    return done.id


async def test_a_real_alarm_raises_an_incident_and_both_know_each_other(log, site, alarm):
    ordered = order(by=REVIEWER, at=NOW + timedelta(minutes=3))
    before = await log.position()
    done = await commands.raise_incident(log, ordered, alarm, **FIELDS)
    assert (done.id, done.position) == (alarm, before + 2)
    incident = await log.load(Incident, subject_id(ordered))
    raised = await log.load(Alarm, alarm)
    assert (raised.state, raised.incident_id) == (AlarmState.REAL, incident.id)
    assert (incident.alarm_id, incident.source, incident.site_id) == (alarm, Source.ALARM, site.id)
    assert incident.occurred_at == raised.tripped_at
    assert (await commands.raise_incident(log, ordered, alarm, **FIELDS)).repeated
    assert await log.position() == before + 2


async def test_an_alarm_raises_one_incident_only(log, alarm):
    await commands.raise_incident(log, order(by=REVIEWER), alarm, **FIELDS)
    position = await log.position()
    with pytest.raises(RuleError):
        await commands.raise_incident(log, order(by=REVIEWER), alarm, **FIELDS)
    assert await log.position() == position


async def test_nobody_raises_one_outside_their_township(log, alarm):
    elsewhere = person(Role.REVIEWER, scope=Scope("tangxia"))
    with pytest.raises(ForbiddenError):
        await commands.raise_incident(log, order(by=elsewhere), alarm, **FIELDS)


async def test_the_dispute_behind_an_incident_is_linked_both_ways(log, site):
    incident = (await report(log, site)).id
    ordered = order(Role.INTAKE)
    dispute_id = subject_id(ordered)
    text = Personal(of_subject(dispute_id), "两家为漏水争执")
    before = await log.position()
    done = await commands.register_dispute(log, ordered, incident, category="neighbours", description=text)
    assert (done.id, done.position) == (incident, before + 2)
    dispute = await log.load(Dispute, dispute_id)
    assert (dispute.incident_id, dispute.site_id, dispute.township) == (incident, site.id, site.township)
    assert (await log.load(Incident, incident)).disputes == {dispute_id}
    with pytest.raises(ForbiddenError):
        await commands.register_dispute(log, order(Role.GUARD), incident, category="x", description=text)


async def test_neither_end_is_written_if_one_is_refused(log, site):
    incident = (await report(log, site)).id
    await commands.act(log, order(Role.INTAKE), Incident, Incident.reject, incident, reason="not ours")
    ordered = order(Role.INTAKE)
    text = Personal(of_subject(subject_id(ordered)), "x")
    before = await log.position()
    with pytest.raises(RuleError, match=r"incident\.dispute_opened is refused"):
        await commands.register_dispute(log, ordered, incident, category="neighbours", description=text)
    assert await log.position() == before
    assert await log.find(ordered.request_id) is None
