"""Mutations: every command that a person may give has one, and whoever may not give it is refused, here and next door."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import MappingProxyType
from uuid import uuid4

import graphql
import pytest
from asking import example
from given import build_site, observation, person
from histories import append
from looking import lead
from poison import poisoned, unsayable

from api.graphql import mutations, schema
from domain.alarm import Alarm, Trigger
from domain.centre import Centre
from domain.consent import Consent, Purpose
from domain.credential import Credential
from domain.credentials import CredentialKind
from domain.device import Device, DeviceKind, Protocol
from domain.dispute import Dispute
from domain.gatepass import decide
from domain.incident import Incident, Source
from domain.inquiry import Inquiry, Records
from domain.people import CITY, Role, Scope
from domain.personal import Personal, of_subject
from domain.policy import ALLOWED
from domain.site import site_id
from domain.visitor import Requester, Visitor
from domain.watch import WatchEntry, WatchKind

SENSOR = "a sensor or a gate says so, over the bus"
NO_MUTATION = {
    "alarm.trip": SENSOR,
    "alarm.trip_again": SENSOR,
    "alarm.go_normal": SENSOR,
    "device.see": SENSOR,
    "device.lose": SENSOR,
    "lead.propose": "the matcher does, and a person must not",
    "import.incidents": "a file is given to `anju import`",
}
"""Commands of the policy that are no mutation, and why. (What begins with `read.` is a query.)"""
BY_HAND = {
    "report_incident",
    "register_dispute",
    "add_party",
    "find_alarm_real",
    "request_visit",
    "approve_visit",
    "register_credential",
    "request_watch",
    "request_inquiry",
    "look_in_inquiry",
}
"""Mutations that are more than one line."""
HIDDEN = {"lookInInquiry"}
"""Mutations to which what lies elsewhere is as what is not there."""
FIELDS = {
    schema.schema.config.name_converter.from_field(field): field
    for field in schema.schema.get_type_by_name("Mutation").fields
}
COMMANDS = {name: field.metadata["command"] for name, field in FIELDS.items()}


def test_every_command_that_a_person_may_give_has_one_mutation():
    commands = {command for command in ALLOWED if not command.startswith("read.")}
    assert len(set(COMMANDS.values())) == len(COMMANDS)
    assert set(COMMANDS.values()) == commands - set(NO_MUTATION)


def test_what_only_the_world_gives_is_no_mutation():
    only_devices = {command for command, roles in ALLOWED.items() if roles == {Role.DEVICE}}
    assert only_devices == set(NO_MUTATION) - {"import.incidents"}


def test_every_mutation_says_what_it_does_and_can_be_repeated_safely():
    for name, field in FIELDS.items():
        arguments = {argument.python_name for argument in field.arguments}
        assert field.description, name
        assert "by`" not in field.description, name
        assert "request_id" in arguments, name
        assert ("expected_version" in arguments) == bool(arguments & {"id", "scope"}), name


def test_a_command_of_an_aggregate_is_one_line():
    folder = Path(mutations.__file__).parent
    lines = [
        line for module in folder.glob("*.py") for line in module.read_text(encoding="utf-8").splitlines()
    ]
    for field in FIELDS.values():
        if field.python_name not in BY_HAND:
            (line,) = (line for line in lines if line.startswith(f"    {field.python_name} = "))
            assert "command(" in line or "creation(" in line


# --- every mutation as everybody -------------------------------------------------------------------------------------

HOME = Scope("yuhai")
NEIGHBOURS = (Scope("tangxia"), Scope("yuhai", site_id("gaoqiao")))
"""Of the next township, and of the next site of the same one."""
HAPPENED = {None, "NOT_FOUND", "INVALID", "CONFLICT"}
"""What somebody may answer who may: None is that it was done. What the domain says to these arguments is tested elsewhere."""


@pytest.fixture
async def standing(running):
    """An aggregate of each kind at 润锦苑 in yuhai, by the first word of its commands."""
    site = await build_site(running.log, garage=True)
    now = datetime.now(UTC)
    day = timedelta(days=1)
    admin, guard, investigator = (person(role) for role in (Role.ADMIN, Role.GUARD, Role.INVESTIGATOR))
    ids = {
        kind: uuid4()
        for kind in ("incident", "dispute", "alarm", "visitor", "consent", "credential", "watch", "inquiry")
    }

    def about(kind):
        return Personal(of_subject(ids[kind]), "张某")

    def begun(named, method, by, **fields):
        return method(id=ids[named], by=by, at=now, **fields)

    made = [
        begun("incident", Incident.report, guard, site=site, source=Source.CITIZEN, category="noise", description="x"),
        begun("dispute", Dispute.register, guard, site=site, category="noise", description=about("dispute")),
        begun("alarm", Alarm.trip, guard, site=site, sensor="wall-3", trigger=Trigger.SENSOR),
        begun(
            "visitor", Visitor.request, guard, site=site, host=uuid4(), requester=Requester.HOST,
            valid_from=now, valid_until=now + day, name=about("visitor"),
        ),
        begun(
            "consent", Consent.give, guard, site=site, resident=uuid4(), purpose=Purpose.FACE_ACCESS,
            notice_version="1", name=about("consent"), until=now + day,
        ),
        begun(
            "credential", Credential.register, guard, site=site, kind=CredentialKind.CARD, resident=uuid4(),
            holder=about("credential"), valid_until=now + day, value=about("credential"), digest=b"d" * 32,
        ),
        begun(
            "watch", WatchEntry.request, investigator, site=site, kind=WatchKind.FACE, subject=about("watch"),
            reference_sha256="a" * 64, legal_basis="x", case="7", purpose="x", expires_at=now + day,
        ),
        begun(
            "inquiry", Inquiry.request, investigator, sites=[site], records=[Records.PASSES], case="7", purpose="x",
            since=now - day, until=now, expires_at=now + day,
        ),
        device := Device.register(
            site=site, by=admin, at=now, code="zone-1", kind=DeviceKind.ZONE, protocol=Protocol.SIA_DC09, external_id="1"
        ),
        centre := Centre.found(township="yuhai", name="综治中心", by=admin, at=now),
        held := decide(observation("runjinyuan.garage"), site),
        found := lead(1, site)[0],
    ]  # fmt: skip
    await append(running.log, made)
    return ids | {
        "site": site.id,
        "device": device.id,
        "centre": centre.id,
        "gate_pass": held.id,
        "lead": found.id,
    }


def question(name, ids, others=MappingProxyType({})):
    """The mutation with an argument of its type for each that is required, with what places it here, and with `others`."""
    field = schema.schema._schema.mutation_type.fields[name]
    here = {
        "id": str(ids.get(COMMANDS[name].partition(".")[0])),
        "scope": f"subject:{uuid4()}",
        "site": "runjinyuan",
        "sites": ["runjinyuan"],
        "township": "yuhai",
    }
    given = {
        argument: here.get(argument, example(kind.type))
        for argument, kind in field.args.items()
        if graphql.is_required_argument(kind) or argument == "site"
    } | {**others}
    declared = ", ".join(f"${argument}: {field.args[argument].type}" for argument in given)
    passed = ", ".join(f"{argument}: ${argument}" for argument in given)
    return f"mutation({declared}) {{ {name}({passed}) {{ id }} }}", given


async def test_every_mutation_is_for_its_roles_at_their_place_and_a_refusal_leaves_no_trace(
    running, asker, standing
):
    for name, command in COMMANDS.items():
        query, arguments = question(name, standing)

        async def answered(role, scope, query=query, arguments=arguments):
            answer = await asker.answer(query, person(role, scope=scope), **arguments)
            return answer["errors"][0]["extensions"]["code"] if "errors" in answer else None

        home = CITY if command.startswith("key.") else HOME  # a key is nobody's township's
        before = await running.log.position()
        for role in Role:
            may = role in ALLOWED[command]
            refused = "NOT_FOUND" if may and name in HIDDEN else "FORBIDDEN"
            for scope in NEIGHBOURS if may else (home,):
                assert await answered(role, scope) == refused, (name, role, scope)
        assert await running.log.position() == before, name
        for role in ALLOWED[command]:
            assert await answered(role, home) in HAPPENED, (name, role)


async def test_no_mutation_takes_what_nothing_can_hold(running, asker, standing):
    everybody = person(*(role for role in Role if role is not Role.DEVICE))
    for name in COMMANDS:
        for argument, kind in schema.schema._schema.mutation_type.fields[name].args.items():
            for value in poisoned(kind.type):
                query, arguments = question(name, standing, {argument: value})
                answer = await asker.answer(query, everybody, **arguments)
                codes = {error["extensions"]["code"] for error in answer.get("errors", ())} or {None}
                assert codes <= HAPPENED | {"TOO_COSTLY"}, (name, argument, value)  # of a page without end
                assert not unsayable(value) or codes != {None}, (name, argument, value)
