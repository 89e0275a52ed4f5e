"""Lives through GraphQL, each step by who has to take it: what stands in the log afterwards, and what does not stand there in clear."""

from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest
from asking import written
from given import GARAGE, observation, order, person
from histories import append

from api.graphql.context import Context
from domain import commands
from domain.alarm import Alarm, FalseCause, Trigger
from domain.centre import Item
from domain.consent import Purpose
from domain.credential import Credential, Ground
from domain.credentials import CredentialKind
from domain.deadlines import Urgency
from domain.device import Device, DeviceKind, Protocol
from domain.dispute import AgreementForm, Dispute, Objection, Route
from domain.gatepass import RefusalGround, ReleaseGround, decide
from domain.incident import Incident, Source
from domain.inquiry import Inquiry, Records
from domain.lead import Evidence, Lead
from domain.mechanisms import JointMechanism
from domain.observation import ModelUse
from domain.people import Role
from domain.personal import of_subject
from domain.visitor import Requester, Visitor
from domain.watch import WatchEntry, WatchKind

GRID, INTAKE, DISPATCHER, VERIFIER, CHIEF, MEDIATOR, GUARD, REVIEWER, INVESTIGATOR, OFFICER, ADMIN = (
    person(role)
    for role in (
        Role.GRID_WORKER, Role.INTAKE, Role.DISPATCHER, Role.VERIFIER, Role.SUPERVISOR, Role.MEDIATOR, Role.GUARD,
        Role.REVIEWER, Role.INVESTIGATOR, Role.PRIVACY_OFFICER, Role.ADMIN,
    )
)  # fmt: skip
DAY = timedelta(days=1)
NAME, PHONE, PLATE = "王小明", "13800000000", "浙C12345"


def soon(days=1):
    return (datetime.now(UTC) + days * DAY).isoformat()


@pytest.fixture
def life(running, asker, site):
    """Begins something and goes on with it; each command is given with a wrong version first, and then twice."""

    class Life:
        async def begin(self, mutation, by, **arguments):
            arguments["requestId"] = uuid4()
            first = await asker.do(mutation, by, **arguments)
            assert await asker.do(mutation, by, **arguments) == {**first, "repeated": True}
            assert not first["repeated"]
            return first["id"]

        async def go_on(self, mutation, by, it, *more, **arguments):
            version = len(await running.log.history(UUID(it)))
            arguments = {"id": it, **arguments}
            lost = await asker.refused(mutation, by, **arguments, expectedVersion=version + 1)
            assert (lost["code"], lost.get("currentVersion")) == ("CONFLICT", version), lost
            arguments |= {"requestId": uuid4(), "expectedVersion": version}
            asked = written(mutation, arguments).replace("repeated", " ".join(("repeated", *more)))
            done = await asker.data(asked, by)
            assert await asker.data(asked, by) == {**done, "repeated": True}
            assert (done["id"], done["position"]) == (it, await running.log.position())
            return done

        async def says(self, kind, method, it, by=Role.DEVICE, **fields):
            """A sensor, a gate or a matcher, of whose commands there are no mutations."""
            await commands.act(running.log, order(by, at=datetime.now(UTC)), kind, method, UUID(it), **fields)

        async def told(self, it):
            """What happened to it, and who did it."""
            return [
                (entry.event.TOPIC.partition(".")[2], entry.event.actor)
                for entry in await running.log.history(UUID(it))
            ]

    return Life()


async def nothing_in_clear(running, *texts):
    """None of the texts stands in the log as it is stored."""
    stored = b"".join(row["state"] for row in await running.pool.fetch("select state from events"))
    assert stored
    for text in texts:
        assert text.encode() not in stored


async def test_a_dispute_is_registered_mediated_confirmed_breached_urged_performed_and_closed(
    running, asker, life
):
    dispute = await life.begin(
        "registerDispute", GRID, site="runjinyuan", category="neighbours", description=f"{NAME}家漏水", mechanism=JointMechanism.DISPUTE_MEDIATION
    )  # fmt: skip
    known = uuid4()
    first = (await life.go_on("addParty", INTAKE, dispute, "party", details=f"{NAME} {PHONE}"))["party"]
    other = (await life.go_on("addParty", INTAKE, dispute, "party", details="李四", party=known))["party"]
    assert other == str(known) != first
    parties = [first, other]
    refusal = await asker.refused("acceptDispute", INTAKE, id=dispute)
    assert (refusal["code"], "consent" in refusal["message"]) == ("INVALID", True)
    for party in parties:
        await life.go_on("consentToMediation", INTAKE, dispute, party=party)
    await life.go_on("acceptDispute", INTAKE, dispute)
    await life.go_on("assignDispute", DISPATCHER, dispute, mediator="li", room="lao-li")
    await life.go_on("recuseMediator", INTAKE, dispute, objection=Objection.RELATIVE, party=first)
    await life.go_on("assignDispute", DISPATCHER, dispute, mediator=MEDIATOR.id, room="lao-li")
    await life.go_on("holdSession", MEDIATOR, dispute, record=f"{NAME}说不是他的错")
    await life.go_on("extendMediation", MEDIATOR, dispute, until=soon(60), agreedBy=parties)
    texts = {"facts": "楼上漏水", "duties": "赔偿三千元", "method": "一次付清", "place": "调解室"}
    await life.go_on(
        "reachAgreement", MEDIATOR, dispute, agreedBy=parties, form=AgreementForm.WRITTEN, performBy=soon(7), **texts
    )  # fmt: skip
    await life.go_on("requestConfirmation", MEDIATOR, dispute, court="ruian-court", requestedBy=parties)
    await life.go_on("decideConfirmation", CHIEF, dispute, confirmed=True, ruling="(2026) 7")
    await life.go_on("startPerformance", MEDIATOR, dispute)
    await life.go_on("reportBreach", INTAKE, dispute, party=first)
    await life.go_on("urgeParty", MEDIATOR, dispute, party=first, performBy=soon(9))
    await life.go_on("fulfilAgreement", MEDIATOR, dispute)
    await life.go_on("closeDispute", VERIFIER, dispute, satisfied=True, note="双方满意")
    assert await life.told(dispute) == [
        ("registered", GRID.id), ("party_added", INTAKE.id), ("party_added", INTAKE.id), ("consent_given", INTAKE.id),
        ("consent_given", INTAKE.id), ("accepted", INTAKE.id), ("assigned", DISPATCHER.id), ("mediator_recused", INTAKE.id),
        ("assigned", DISPATCHER.id), ("session_held", MEDIATOR.id), ("extended", MEDIATOR.id), ("agreed", MEDIATOR.id),
        ("confirmation_requested", MEDIATOR.id), ("confirmation_decided", CHIEF.id), ("performance_started", MEDIATOR.id),
        ("breached", INTAKE.id), ("urged", MEDIATOR.id), ("fulfilled", MEDIATOR.id), ("closed", VERIFIER.id),
    ]  # fmt: skip
    (_, added, *_) = await running.log.history(UUID(dispute))
    assert (added.event.details.text, added.event.details.scope) == (
        f"{NAME} {PHONE}",
        of_subject(UUID(first)),
    )
    await nothing_in_clear(running, NAME, PHONE, *texts.values(), "双方满意")


async def test_a_dispute_that_is_not_for_mediation_ends_in_the_ways_there_are(running, asker, life):
    async def mediated():
        dispute = await life.begin(
            "registerDispute", INTAKE, township="yuhai", category="wages", description="欠薪"
        )
        parties = [
            (await life.go_on("addParty", INTAKE, dispute, "party", details=NAME))["party"] for _ in range(2)
        ]
        for party in parties:
            await life.go_on("consentToMediation", INTAKE, dispute, party=party)
        await life.go_on("acceptDispute", INTAKE, dispute)
        await life.go_on("assignDispute", DISPATCHER, dispute, mediator=MEDIATOR.id, room="lao-li")
        return dispute, parties

    failed, _ = await mediated()
    await life.go_on("holdSession", MEDIATOR, failed)
    await life.go_on("failMediation", MEDIATOR, failed, reason="双方不让步")
    await life.go_on("referDispute", CHIEF, failed, route=Route.LITIGATION)
    withdrawn, parties = await mediated()
    await life.go_on("withdrawDispute", INTAKE, withdrawn, party=parties[0])
    declined = await life.begin(
        "registerDispute", INTAKE, township="yuhai", category="wages", description="x"
    )
    await life.go_on("declineDispute", INTAKE, declined, reason="另案审理")
    ends = [(await running.log.load(Dispute, UUID(one))).state for one in (failed, withdrawn, declined)]
    assert ends == ["REFERRED", "TERMINATED", "NOT_ACCEPTED"]


async def test_a_dispute_behind_an_incident_lies_where_that_lies_and_both_know_each_other(
    running, asker, life
):
    incident = await life.begin(
        "reportIncident", INTAKE, site="runjinyuan", source=Source.CITIZEN, category="noise", description="x"
    )
    await life.go_on("acceptIncident", INTAKE, incident)
    fields = {"incidentId": incident, "category": "neighbours", "description": "x"}
    refusal = await asker.refused("registerDispute", INTAKE, **fields, township="yuhai")
    assert "name no other place" in refusal["message"]
    dispute = await running.log.load(Dispute, UUID(await life.begin("registerDispute", INTAKE, **fields)))
    linked = await running.log.load(Incident, UUID(incident))
    assert linked.disputes == {dispute.id}
    assert (dispute.incident_id, dispute.site_id) == (linked.id, linked.site_id)


async def test_an_alarm_is_silenced_called_back_acknowledged_found_real_and_cleared(
    running, asker, life, site
):
    alarm = await tripped(running, site)
    await life.go_on("shelveAlarm", CHIEF, alarm, until=soon(0.1), reason="施工")
    await life.go_on("unshelveAlarm", CHIEF, alarm)
    await life.go_on("suppressAlarm", CHIEF, alarm, reason="施工")
    await life.go_on("unsuppressAlarm", CHIEF, alarm)
    await life.go_on("takeAlarmOutOfService", ADMIN, alarm, reason="检修")
    await life.go_on("returnAlarmToService", ADMIN, alarm)
    await life.go_on("acknowledgeAlarm", GUARD, alarm)
    await life.go_on("reviewAlarm", REVIEWER, alarm)
    other = person(Role.REVIEWER, name="p-else")
    refusal = await asker.refused("findAlarmReal", other, id=alarm, category="intrusion", description="翻墙")
    assert "reviewed this alarm and says what it was" in refusal["message"]
    lost = written("findAlarmReal", {"id": alarm, "category": "intrusion", "description": "翻墙", "urgency": Urgency.URGENT, "requestId": uuid4()})  # fmt: skip
    asked = lost.replace("repeated", "repeated incidentId")
    real = await asker.data(asked, REVIEWER)
    assert await asker.data(asked, REVIEWER) == {**real, "repeated": True}
    raised = await running.log.load(Incident, UUID(real["incidentId"]))
    assert (str(raised.alarm_id), raised.source, raised.urgency) == (alarm, "ALARM", "URGENT")
    await life.says(Alarm, Alarm.go_normal, alarm)
    await life.go_on("restoreAlarm", GUARD, alarm)
    await life.go_on("clearAlarm", GUARD, alarm)
    assert [topic for topic, _ in await life.told(alarm)] == [
        "tripped", "shelved", "unshelved", "suppressed", "unsuppressed", "taken_out_of_service", "returned_to_service",
        "acknowledged", "reviewed", "found_real", "went_normal", "restored", "cleared",
    ]  # fmt: skip


async def test_an_alarm_that_was_none_is_said_to_be_false_or_a_test(running, life, site):
    for mutation, arguments, topic in (
        ("findAlarmFalse", {"cause": FalseCause.ANIMAL}, "found_false"),
        ("findAlarmTest", {}, "found_test"),
    ):
        alarm = await tripped(running, site)
        await life.go_on("acknowledgeAlarm", GUARD, alarm)
        await life.go_on("reviewAlarm", REVIEWER, alarm)
        await life.go_on(mutation, REVIEWER, alarm, **arguments)
        assert (await life.told(alarm))[-1] == (topic, REVIEWER.id)


async def tripped(running, site):
    done = await commands.create(
        running.log, order(Role.DEVICE, at=datetime.now(UTC)), Alarm.trip, site_id=site.id, sensor="wall-3", trigger=Trigger.SENSOR
    )  # fmt: skip
    return str(done.id)


async def test_a_visitor_is_announced_approved_given_a_code_let_in_and_out(running, asker, life):
    host = uuid4()
    visit = await life.begin(
        "requestVisit", GUARD, site="runjinyuan", host=host, requester=Requester.VISITOR, validFrom=soon(-1), validUntil=soon(),
        name=NAME, phone=PHONE, plate=" 浙c·12345", plateOpens=True, gates=["main"],
    )  # fmt: skip
    refusal = await asker.refused("approveVisit", GUARD, id=visit, host=host)
    assert "somebody else has to write down the host's approval" in refusal["message"]
    code = (await life.go_on("approveVisit", INTAKE, visit, "code", host=host))["code"]
    known = {one.kind: one.digest for one in (await running.log.load(Visitor, UUID(visit))).known()}
    digests = running.digests
    assert known == {
        kind: digests.of(kind, text)
        for kind, text in ((CredentialKind.CODE, code), (CredentialKind.PLATE, PLATE))
    }
    await life.go_on("checkVisit", GUARD, visit, gate="main")
    await life.go_on("enterVisit", GUARD, visit, gate="main")
    await life.go_on("leaveVisit", GUARD, visit, gate="main")
    assert await life.told(visit) == [
        ("requested", GUARD.id), ("approved", INTAKE.id), ("checked", GUARD.id), ("entered", GUARD.id), ("left", GUARD.id),
    ]  # fmt: skip
    await nothing_in_clear(running, NAME, PHONE, PLATE, code, *(digest.hex() for digest in known.values()))


async def test_a_visitor_is_not_let_in_when_the_host_or_somebody_says_no(running, asker, life):
    visit = {"site": "runjinyuan", "host": uuid4(), "requester": Requester.HOST, "validFrom": soon(), "validUntil": soon(2), "name": NAME}  # fmt: skip
    rejected = await life.begin("requestVisit", GUARD, **visit)
    await life.go_on("rejectVisit", GUARD, rejected, host=visit["host"])
    revoked = await life.begin("requestVisit", GUARD, **visit)
    await life.go_on("revokeVisit", CHIEF, revoked)
    ends = [(await running.log.load(Visitor, UUID(one))).state for one in (rejected, revoked)]
    assert ends == ["REJECTED", "REVOKED"]
    refusal = await asker.refused("requestVisit", GUARD, **visit, plateOpens=True)
    assert "say which plate" in refusal["message"]


async def test_a_watch_entry_finds_a_lead_that_is_reviewed_and_linked_and_the_entry_is_renewed_and_closed(
    running, asker, life, site
):
    entry = await life.begin(
        "requestWatch", INVESTIGATOR, kind=WatchKind.FACE, subject=NAME, referenceSha256="a" * 64, legalBasis="刑事诉讼法 150",
        case="2026-17", purpose="find a suspect", expiresAt=soon(30), site="runjinyuan",
    )  # fmt: skip
    await life.go_on("approveWatch", CHIEF, entry)
    watched = await running.log.load(WatchEntry, UUID(entry))
    seen = {"referenceSha256": "a" * 64, "probeSha256": "b" * 64, "score": 0.8125}
    leads = []
    for _ in range(2):
        done = await commands.create(
            running.log, order(Role.DEVICE, at=datetime.now(UTC)), Lead.propose, site_id=site.id, entry=watched, gate="main",
            pass_id=uuid4(), evidence=Evidence("a" * 64, "b" * 64, 0.8125), model=ModelUse("sface", "c" * 64),
        )  # fmt: skip
        leads.append(str(done.id))
    refusal = await asker.refused("confirmLead", REVIEWER, id=leads[0], seen={**seen, "score": 0.9})
    assert "is not what was found" in refusal["message"]
    await life.go_on("confirmLead", REVIEWER, leads[0], seen=seen)
    await life.go_on("linkLead", INVESTIGATOR, leads[0], case="2026-17")
    await life.go_on("rejectLead", REVIEWER, leads[1], seen=seen)
    await life.go_on("renewWatch", CHIEF, entry, reason="未找到", expiresAt=soon(60))
    await life.go_on("closeWatch", OFFICER, entry, reason="结案")
    assert [topic for topic, _ in await life.told(leads[0])] == ["proposed", "confirmed", "linked"]
    assert [topic for topic, _ in await life.told(leads[1])] == ["proposed", "rejected"]
    assert [topic for topic, _ in await life.told(entry)] == ["requested", "approved", "renewed", "closed"]
    await nothing_in_clear(running, NAME)


async def test_a_plate_is_watched_in_a_township_by_the_digest_that_gates_know_it_by(running, asker, life):
    request = {
        "kind": WatchKind.PLATE, "legalBasis": "x", "case": "7", "purpose": "x", "expiresAt": soon(30), "township": "yuhai"
    }  # fmt: skip
    entry = await life.begin("requestWatch", INVESTIGATOR, **request, subject="浙c 12345")
    watched = await running.log.load(WatchEntry, UUID(entry))
    assert (watched.subject.text, watched.township) == (PLATE, "yuhai")
    assert watched.plate_digest.text == running.digests.of(CredentialKind.PLATE, PLATE).hex()
    await life.go_on("refuseWatch", CHIEF, entry, reason="依据不足")
    refusal = await asker.refused("requestWatch", INVESTIGATOR, **request, subject=f"{NAME}%")
    assert (refusal["code"], NAME in refusal["message"]) == ("INVALID", False)


async def test_a_device_is_registered_armed_disarmed_mended_given_another_secret_and_retired(
    running, asker, life
):
    fields = {
        "site": "runjinyuan",
        "code": "zone-1",
        "kind": DeviceKind.ZONE,
        "protocol": Protocol.SIA_DC09,
        "externalId": "17",
    }
    device = await life.begin("registerDevice", ADMIN, **fields)
    taken = await asker.refused("registerDevice", ADMIN, **fields)
    assert (taken["code"], taken["currentVersion"]) == ("CONFLICT", 1)
    refusal = await asker.refused("registerDevice", ADMIN, **{**fields, "site": "atlantis"})
    assert refusal == {"code": "NOT_FOUND", "message": "there is no site 'atlantis'"}
    await life.says(Device, Device.see, device)
    await life.go_on("armDevice", GUARD, device)
    await life.go_on("disarmDevice", CHIEF, device, reason="施工")
    await life.go_on("takeDeviceOutOfService", ADMIN, device, reason="故障")
    await life.go_on("returnDeviceToService", ADMIN, device)
    await life.go_on("rotateDeviceCredential", ADMIN, device)
    await life.go_on("retireDevice", ADMIN, device, reason="更换")
    assert [topic for topic, _ in await life.told(device)] == [
        "registered", "came_online", "armed", "disarmed", "taken_out_of_service", "returned_to_service", "credential_rotated",
        "retired",
    ]  # fmt: skip


async def test_a_centre_is_founded_staffed_inspected_accepted_and_loses_its_acceptance(running, asker, life):
    centre = await life.begin("foundCentre", ADMIN, township="yuhai", name="玉海街道综治中心")
    for unit in ("court", "housing"):
        await life.go_on("joinUnit", ADMIN, centre, unit=unit)
    await life.go_on("joinStaff", ADMIN, centre, staff="s-7", unit="court")
    await life.go_on("leaveStaff", ADMIN, centre, staff="s-7")
    await life.go_on("leaveUnit", ADMIN, centre, unit="housing")
    for item in Item:
        await life.go_on("inspectCentre", VERIFIER, centre, item=item, passed=True, note="符合")
    await life.go_on("acceptCentre", CHIEF, centre)
    await life.go_on("inspectCentre", VERIFIER, centre, item=Item.SIGN, passed=False, note="标牌缺失")
    assert [topic for topic, _ in await life.told(centre)] == [
        "founded", "unit_joined", "unit_joined", "staff_joined", "staff_left", "unit_left", *["item_inspected"] * len(Item),
        "accepted", "item_inspected", "acceptance_withdrawn",
    ]  # fmt: skip


async def test_a_resident_consents_registers_a_plate_and_takes_it_all_back(running, asker, life):
    resident, host = uuid4(), {"site": "runjinyuan"}
    consent = await life.begin(
        "giveConsent", GRID, **host, resident=resident, purpose=Purpose.PLATE_ACCESS, noticeVersion="2026-1", name=NAME, until=soon(90)
    )  # fmt: skip
    await life.go_on(
        "renewConsent",
        INTAKE,
        consent,
        noticeVersion="2026-2",
        until=soon(90),
        under14=True,
        guardian=f"{NAME}之父",
    )
    plate = {
        **host,
        "kind": CredentialKind.PLATE,
        "resident": resident,
        "holder": NAME,
        "value": "浙c 12345",
        "validUntil": soon(60),
    }
    refusal = await asker.refused("registerCredential", GRID, **plate)
    assert "with the resident's consent" in refusal["message"]
    credential = await life.begin("registerCredential", GRID, **plate, consentId=consent)
    registered = await running.log.load(Credential, UUID(credential))
    assert registered.digest.text == running.digests.of(CredentialKind.PLATE, PLATE).hex()
    assert {registered.holder.scope, registered.value.scope} == {of_subject(UUID(consent))}
    await life.go_on("suspendCredential", OFFICER, credential, ground=Ground.LOST)
    await life.go_on("reinstateCredential", GRID, credential)
    await life.go_on("revokeCredential", GRID, credential, ground=Ground.MOVED_OUT)
    await life.go_on("withdrawConsent", REVIEWER, consent)
    assert (await running.log.load(Credential, UUID(credential))).holder.redacted
    await nothing_in_clear(running, NAME, PLATE)


async def test_a_card_is_registered_without_consent_under_a_key_of_its_own(running, life):
    card = {
        "site": "runjinyuan",
        "kind": CredentialKind.CARD,
        "resident": uuid4(),
        "holder": NAME,
        "value": "04a2",
        "validUntil": soon(),
    }
    credential = await life.begin("registerCredential", GUARD, **card)
    assert (await running.log.load(Credential, UUID(credential))).value.scope == of_subject(UUID(credential))


async def test_a_guard_lets_one_pass_and_turns_another_away_whom_the_gate_held(running, life, site):
    await commands.act(running.log, order(Role.ADMIN), type(site), type(site).add_gate, site.id, gate=GARAGE)
    guarded = await running.log.load(type(site), site.id)
    held = [decide(observation("runjinyuan.garage"), guarded) for _ in range(2)]
    await append(running.log, held)
    await life.go_on("releasePass", GUARD, str(held[0].id), ground=ReleaseGround.RESIDENT_KNOWN)
    await life.go_on("refusePass", GUARD, str(held[1].id), ground=RefusalGround.NOT_EXPECTED)
    assert [await life.told(str(one.id)) for one in held] == [
        [("passed", "gate:runjinyuan.garage"), (topic, GUARD.id)] for topic in ("released", "refused")
    ]


async def test_an_inquiry_is_requested_for_sites_answered_for_by_another_and_closed(running, asker, life):
    request = {
        "case": "2026-17", "purpose": "where was the car", "records": [Records.PASSES], "since": soon(-7), "until": soon(0),
        "expiresAt": soon(20), "colleagues": ["mate"],
    }  # fmt: skip
    refusal = await asker.refused("requestInquiry", INVESTIGATOR, **request, sites=["atlantis"])
    assert refusal == {"code": "NOT_FOUND", "message": "there is no site 'atlantis'"}
    inquiry = await life.begin("requestInquiry", INVESTIGATOR, **request, sites=["runjinyuan"])
    await life.go_on("approveInquiry", OFFICER, inquiry)
    await life.go_on("closeInquiry", CHIEF, inquiry, reason="结案")
    refused = await life.begin("requestInquiry", INVESTIGATOR, **request, sites=["runjinyuan"])
    await life.go_on("refuseInquiry", OFFICER, refused, reason="依据不足")
    assert (await running.log.load(Inquiry, UUID(inquiry))).investigators == ("mate", INVESTIGATOR.id)
    assert [topic for topic, _ in await life.told(inquiry)] == ["requested", "approved", "closed"]


async def test_a_key_that_nobody_has_decided_on_is_at_version_none(running, asker):
    scope = f"subject:{uuid4()}"
    hold = {"scope": scope, "case": "2026-17", "reason": "trial"}
    lost = await asker.refused("placeHold", OFFICER, **hold, expectedVersion=1)
    assert (lost["code"], lost["currentVersion"]) == ("CONFLICT", 0)
    done = await asker.do("placeHold", OFFICER, **hold, expectedVersion=0)
    lost = await asker.refused("destroyKey", OFFICER, scope=scope, reason="x", expectedVersion=1)
    assert (lost["code"], lost["currentVersion"]) == ("CONFLICT", done["version"])


async def test_what_was_good_when_it_was_asked_first_is_done_once_also_when_it_is_over(
    running, asker, site, monkeypatch
):
    request = {"site": "runjinyuan", "host": uuid4(), "requester": Requester.HOST, "validFrom": soon(-1), "validUntil": soon(), "name": NAME}  # fmt: skip
    once, later = uuid4(), datetime.now(UTC) + 2 * DAY
    first = await asker.do("requestVisit", GUARD, **request, requestId=once)
    monkeypatch.setattr(
        Context, "order", lambda self, request: commands.Order(self.person, later, request or uuid4())
    )
    assert (await asker.refused("requestVisit", GUARD, **request))["code"] == "INVALID"
    assert await asker.do("requestVisit", GUARD, **request, requestId=once) == {**first, "repeated": True}
