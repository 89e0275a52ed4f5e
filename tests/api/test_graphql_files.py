"""One thing by its id, with what the log alone knows of it: for those who may, inside their scope."""

from uuid import UUID, uuid4

import pytest
from given import NOW, build_site, destroy, person
from histories import append
from registering import a_visit, registers
from telling import tell

from domain.alarm import Alarm, Trigger
from domain.device import Device, DeviceKind, Protocol
from domain.people import Role, Scope
from domain.personal import of_subject
from projections.all import PROJECTIONS
from projections.runner import catch_up

CHIEF, BY = person(Role.SUPERVISOR), person(Role.ADMIN)
FAR = Scope("xianjiang")


async def told(running):
    for projection in PROJECTIONS.values():
        await catch_up(projection, running.pool, running.log)


# --- disputes and alarms ---------------------------------------------------------------------------------------------

DISPUTE = """query($id: UUID!) { dispute(id: $id) {
  state mediator room partyCount form incidentId site { code } due { name } deadlines { name rule }
  timeline { topic state } %s
} }"""
PERSONS = """description { text } parties { id consents inBreach details { text redacted } }
  agreement { form facts { text } duties { text } }"""


@pytest.fixture
async def story(running):
    await tell(running.log, running.pool)


async def test_a_dispute_is_shown_with_its_parties_and_agreement_to_who_may(running, asker, story):
    shown = await asker.data(DISPUTE % PERSONS, CHIEF, id=str(UUID(int=200)))
    assert (shown["state"], shown["mediator"], shown["room"], shown["form"]) == (
        "AGREED", "li", "lao-li", "WRITTEN",
    )  # fmt: skip
    assert shown["site"] == {"code": "shaozhai"}
    assert shown["deadlines"] == [{"name": "perform", "rule": "mediation-1"}]
    assert shown["due"] == {"name": "perform"}
    assert [step["topic"] for step in shown["timeline"]][-2:] == ["dispute.session_held", "dispute.agreed"]
    assert shown["description"] == {"text": "漏水"}
    assert [party["details"]["text"] for party in shown["parties"]] == ["张三", "张三"]
    assert shown["agreement"]["duties"] == {"text": "赔偿"}

    await destroy(running.log, of_subject(UUID(int=201)))
    again = await asker.data(DISPUTE % PERSONS, CHIEF, id=str(UUID(int=200)))
    assert [party["details"] for party in again["parties"]] == [
        {"text": None, "redacted": True}, {"text": "张三", "redacted": False},
    ]  # fmt: skip


async def test_parties_are_shown_to_nobody_else_and_a_dispute_elsewhere_to_nobody(asker, story):
    found = str(UUID(int=200))
    guard = person(Role.GUARD)
    assert (await asker.data(DISPUTE % "", guard, id=found))["partyCount"] == 2
    answer = await asker.answer(DISPUTE % "parties { id }", guard, id=found)
    assert [error["extensions"]["code"] for error in answer["errors"]] == ["FORBIDDEN"]
    assert answer["data"] == {"dispute": None}
    assert await asker.data(DISPUTE % "", person(Role.SUPERVISOR, scope=FAR), id=found) is None


async def test_an_alarm_is_shown_with_its_verdict_its_incident_and_its_history(running, asker, story):
    query = """query($id: UUID!) { alarm(id: $id) {
      state verdict priority cause incidentId trips device { code } site { code } timeline { topic } } }"""
    real = await asker.data(query, CHIEF, id=str(UUID(int=102)))
    assert (real["verdict"], real["priority"], real["incidentId"]) == ("REAL", 1, str(UUID(int=8)))
    assert (real["device"], real["site"]) == (None, {"code": "shaozhai"})
    assert real["timeline"][-1] == {"topic": "alarm.found_real"}
    false = await asker.data(query, CHIEF, id=str(UUID(int=101)))
    assert (false["verdict"], false["cause"]) == ("FALSE", "ANIMAL")
    assert await asker.data(query, person(Role.SUPERVISOR, scope=FAR), id=str(UUID(int=101))) is None
    assert await asker.data(query, CHIEF, id=str(uuid4())) is None


# --- sites and devices -----------------------------------------------------------------------------------------------


async def test_a_site_is_shown_with_its_gates_measures_households_and_the_health_of_its_devices(
    running, asker, story
):
    site = await build_site(running.log, "gaoqiao", "xianjiang", garage=True)
    zone, camera = (
        Device.register(
            site=site, by=BY, at=NOW, code=code, kind=kind, protocol=Protocol.ONVIF, external_id="x"
        )
        for code, kind in (("wall-3", DeviceKind.ZONE), ("camera-1", DeviceKind.CAMERA))
    )
    zone.see(by=BY, at=NOW)
    alarm = Alarm.trip(id=uuid4(), site=site, by=BY, at=NOW, sensor="wall-3", trigger=Trigger.SENSOR)
    await append(running.log, [zone, camera, alarm], first_number=500)
    await told(running)
    query = """query($code: String!) { site(code: $code) { state township households
      gates { code mode direction credentials } measures { measure gate }
      householdCounts { countsFrom households } devices { online neverSeen onlineRate } } }"""
    shown = await asker.data(query, CHIEF, code="gaoqiao")
    assert (shown["state"], shown["households"], shown["householdCounts"]) == ("OPERATING", None, [])
    assert [gate["code"] for gate in shown["gates"]] == ["garage", "main"]
    assert shown["gates"][1]["credentials"] == ["FACE", "CARD"]
    assert shown["measures"] == [{"measure": "VIDEO_SURVEILLANCE", "gate": None}]
    assert shown["devices"] == {"online": 1, "neverSeen": 1, "onlineRate": 0.5}
    ours = await asker.data(query, CHIEF, code="runjinyuan")
    assert ours["householdCounts"] == [{"countsFrom": "2016-01-01", "households": 1000}]
    assert ours["devices"] is None
    assert await asker.data(query, person(Role.SUPERVISOR, scope=FAR), code="runjinyuan") is None
    assert (await asker.refusal(query, CHIEF, code="Nowhere!"))["code"] == "INVALID"

    status = "{ systemStatus { devices { online offline } } }"
    assert await asker.data(status, CHIEF) == {"devices": {"online": 1, "offline": 0}}
    listed = 'query { alarms(filter: {site: "gaoqiao"}) { edges { node { device { code state } } } } }'
    (edge,) = (await asker.data(listed, CHIEF))["edges"]
    assert edge["node"]["device"] == {"code": "wall-3", "state": "ONLINE"}
    health = '{ deviceHealth(site: "gaoqiao") { neverSeen } }'
    assert await asker.data(health, CHIEF) == {"neverSeen": 1}


# --- what the log alone has ------------------------------------------------------------------------------------------


async def test_a_visitor_is_named_by_the_visit_alone_to_a_guard_and_not_to_a_supervisor(running, asker, site):
    made = a_visit(site)
    await append(running.log, [made])
    await told(running)
    query = "query($id: UUID!) { visitor(id: $id) { state name { text redacted } } }"
    shown = await asker.data(query, person(Role.GUARD), id=str(made.id))
    assert shown == {"state": "REQUESTED", "name": {"text": "张三", "redacted": False}}
    assert (await asker.refusal(query, CHIEF, id=str(made.id)))["code"] == "FORBIDDEN"
    assert await asker.data(query, person(Role.GUARD, scope=FAR), id=str(made.id)) is None


@pytest.fixture
async def registered(running, site):
    """A consent, the plate registered by it, a watch entry and an inquiry, all at 润锦苑."""
    await append(running.log, registers(site))


FILES = [
    ("consent", 11, "state purpose name { text }", Role.INTAKE, Role.DISPATCHER, ("GIVEN", "PLATE_ACCESS", {"text": "张三"})),
    ("credential", 12, "state kind holder { text }", Role.GUARD, Role.SUPERVISOR, ("ACTIVE", "PLATE", {"text": "张三"})),
    ("watchEntry", 13, "state caseNumber subject { text }", Role.REVIEWER, Role.GUARD, ("REQUESTED", "2026-18", {"text": "李四"})),
    ("inquiry", 14, "state records investigators", Role.SUPERVISOR, Role.REVIEWER,
     ("APPROVED", ["CREDENTIALS", "IMAGES", "PASSES", "VISITORS"], ["asker", "mate"])),
]  # fmt: skip


async def test_what_the_log_alone_has_is_shown_by_its_id_to_who_may_inside_their_scope(
    running, asker, registered
):
    for name, number, fields, reader, stranger, expected in FILES:
        query = f"query($id: UUID!) {{ {name}(id: $id) {{ {fields} timeline {{ topic }} }} }}"
        shown = await asker.data(query, person(reader), id=str(UUID(int=number)))
        history = shown.pop("timeline")
        assert tuple(shown.values()) == expected, name
        assert len(history) >= 1
        assert (await asker.refusal(query, person(stranger), id=str(UUID(int=number))))["code"] == "FORBIDDEN"
        assert await asker.data(query, person(reader, scope=FAR), id=str(UUID(int=number))) is None
        assert await asker.data(query, person(reader), id=str(uuid4())) is None
