"""Who may do what: every role against every command, as it is meant to be."""

from inspect import signature
from types import SimpleNamespace

import pytest
from given import person

from domain import policy
from domain.errors import ForbiddenError
from domain.model import AGGREGATES
from domain.people import CITY, Person, Role, Scope
from domain.policy import ALLOWED
from domain.site import site_id

EXPECTED = {
    #                                gri int dis uha ule ver sup med gua rev inv pri aud sta dev adm
    "alarm.acknowledge":            " .   .   .   .   .   .   .   .   x   .   .   .   .   .   .   . ",
    "alarm.clear":                  " .   .   .   .   .   .   .   .   x   .   .   .   .   .   .   . ",
    "alarm.find_false":             " .   .   .   .   .   .   .   .   .   x   .   .   .   .   .   . ",
    "alarm.find_real":              " .   .   .   .   .   .   .   .   .   x   .   .   .   .   .   . ",
    "alarm.find_test":              " .   .   .   .   .   .   .   .   .   x   .   .   .   .   .   . ",
    "alarm.go_normal":              " .   .   .   .   .   .   .   .   .   .   .   .   .   .   x   . ",
    "alarm.restore":                " .   .   .   .   .   .   .   .   x   .   .   .   .   .   .   . ",
    "alarm.return_to_service":      " .   .   .   .   .   .   .   .   .   .   .   .   .   .   .   x ",
    "alarm.review":                 " .   .   .   .   .   .   .   .   .   x   .   .   .   .   .   . ",
    "alarm.shelve":                 " .   .   .   .   .   .   x   .   .   .   .   .   .   .   .   . ",
    "alarm.suppress":               " .   .   .   .   .   .   x   .   .   .   .   .   .   .   .   . ",
    "alarm.take_out_of_service":    " .   .   .   .   .   .   .   .   .   .   .   .   .   .   .   x ",
    "alarm.trip":                   " .   .   .   .   .   .   .   .   .   .   .   .   .   .   x   . ",
    "alarm.trip_again":             " .   .   .   .   .   .   .   .   .   .   .   .   .   .   x   . ",
    "alarm.unshelve":               " .   .   .   .   .   .   x   .   .   .   .   .   .   .   .   . ",
    "alarm.unsuppress":             " .   .   .   .   .   .   x   .   .   .   .   .   .   .   .   . ",
    "centre.accept":                " .   .   .   .   .   .   x   .   .   .   .   .   .   .   .   . ",
    "centre.found":                 " .   .   .   .   .   .   .   .   .   .   .   .   .   .   .   x ",
    "centre.inspect":               " .   .   .   .   .   x   .   .   .   .   .   .   .   .   .   . ",
    "centre.join_staff":            " .   .   .   .   .   .   .   .   .   .   .   .   .   .   .   x ",
    "centre.join_unit":             " .   .   .   .   .   .   .   .   .   .   .   .   .   .   .   x ",
    "centre.leave_staff":           " .   .   .   .   .   .   .   .   .   .   .   .   .   .   .   x ",
    "centre.leave_unit":            " .   .   .   .   .   .   .   .   .   .   .   .   .   .   .   x ",
    "consent.give":                 " x   x   .   .   .   .   .   .   x   .   .   .   .   .   .   . ",
    "consent.renew":                " x   x   .   .   .   .   .   .   x   .   .   .   .   .   .   . ",
    "consent.withdraw":             " x   x   x   x   x   x   x   x   x   x   x   x   .   .   .   x ",
    "credential.register":          " x   x   .   .   .   .   .   .   x   .   .   .   .   .   .   . ",
    "credential.reinstate":         " x   x   .   .   .   .   .   .   x   .   .   .   .   .   .   . ",
    "credential.revoke":            " x   x   .   .   .   .   .   .   x   .   .   x   .   .   .   . ",
    "credential.suspend":           " x   x   .   .   .   .   .   .   x   .   .   x   .   .   .   . ",
    "device.arm":                   " .   .   .   .   .   .   x   .   x   .   .   .   .   .   .   . ",
    "device.disarm":                " .   .   .   .   .   .   x   .   .   .   .   .   .   .   .   . ",
    "device.lose":                  " .   .   .   .   .   .   .   .   .   .   .   .   .   .   x   . ",
    "device.register":              " .   .   .   .   .   .   .   .   .   .   .   .   .   .   .   x ",
    "device.retire":                " .   .   .   .   .   .   .   .   .   .   .   .   .   .   .   x ",
    "device.return_to_service":     " .   .   .   .   .   .   .   .   .   .   .   .   .   .   .   x ",
    "device.rotate_credential":     " .   .   .   .   .   .   .   .   .   .   .   .   .   .   .   x ",
    "device.see":                   " .   .   .   .   .   .   .   .   .   .   .   .   .   .   x   . ",
    "device.take_out_of_service":   " .   .   .   .   .   .   .   .   .   .   .   .   .   .   .   x ",
    "dispute.accept":               " .   x   .   .   .   .   .   .   .   .   .   .   .   .   .   . ",
    "dispute.add_party":            " .   x   .   .   .   .   .   x   .   .   .   .   .   .   .   . ",
    "dispute.agree":                " .   .   .   .   .   .   .   x   .   .   .   .   .   .   .   . ",
    "dispute.assign":               " .   .   x   .   .   .   x   .   .   .   .   .   .   .   .   . ",
    "dispute.close":                " .   .   .   .   .   x   x   .   .   .   .   .   .   .   .   . ",
    "dispute.decide_confirmation":  " .   .   .   .   .   .   x   x   .   .   .   .   .   .   .   . ",
    "dispute.decline":              " .   x   .   .   .   .   .   .   .   .   .   .   .   .   .   . ",
    "dispute.extend":               " .   .   .   .   .   .   .   x   .   .   .   .   .   .   .   . ",
    "dispute.fail":                 " .   .   .   .   .   .   .   x   .   .   .   .   .   .   .   . ",
    "dispute.fulfil":               " .   .   .   .   .   .   .   x   .   .   .   .   .   .   .   . ",
    "dispute.give_consent":         " .   x   .   .   .   .   .   x   .   .   .   .   .   .   .   . ",
    "dispute.hold_session":         " .   .   .   .   .   .   .   x   .   .   .   .   .   .   .   . ",
    "dispute.recuse_mediator":      " .   x   .   .   .   .   x   x   .   .   .   .   .   .   .   . ",
    "dispute.refer":                " .   .   .   .   .   .   x   x   .   .   .   .   .   .   .   . ",
    "dispute.register":             " x   x   .   .   .   .   x   x   .   .   .   .   .   .   .   . ",
    "dispute.report_breach":        " .   x   .   .   .   .   .   x   .   .   .   .   .   .   .   . ",
    "dispute.request_confirmation": " .   .   .   .   .   .   .   x   .   .   .   .   .   .   .   . ",
    "dispute.start_performance":    " .   .   .   .   .   .   .   x   .   .   .   .   .   .   .   . ",
    "dispute.urge":                 " .   .   .   .   .   .   .   x   .   .   .   .   .   .   .   . ",
    "dispute.withdraw":             " .   x   .   .   .   .   .   x   .   .   .   .   .   .   .   . ",
    "gate_pass.refuse":             " .   .   .   .   .   .   .   .   x   .   .   .   .   .   .   . ",
    "gate_pass.release":            " .   .   .   .   .   .   .   .   x   .   .   .   .   .   .   . ",
    "import.incidents":             " .   .   .   .   .   .   .   .   .   .   .   .   .   .   .   x ",
    "incident.accept":              " .   x   .   .   .   .   .   .   .   .   .   .   .   .   .   . ",
    "incident.archive":             " .   .   .   .   .   .   x   .   .   .   .   .   .   .   .   . ",
    "incident.ask_assistance":      " .   .   x   .   .   .   .   .   .   .   .   .   .   .   .   . ",
    "incident.attach_evidence":     " x   x   x   x   x   x   x   .   x   .   .   .   .   .   .   . ",
    "incident.close_on_the_spot":   " x   .   .   .   .   .   .   .   .   .   .   .   .   .   .   . ",
    "incident.comment":             " x   x   x   x   x   x   x   .   x   .   .   .   .   .   .   . ",
    "incident.decide_extension":    " .   .   x   .   .   .   x   .   .   .   .   .   .   .   .   . ",
    "incident.decide_return":       " .   .   x   .   .   .   x   .   .   .   .   .   .   .   .   . ",
    "incident.dispatch":            " .   .   x   .   .   .   .   .   .   .   .   .   .   .   .   . ",
    "incident.escalate":            " .   .   x   .   x   .   x   .   .   .   .   .   .   .   .   . ",
    "incident.evaluate":            " .   x   .   .   .   .   x   .   .   .   .   .   .   .   .   . ",
    "incident.give_feedback":       " .   .   .   x   x   .   .   .   .   .   .   .   .   .   .   . ",
    "incident.merge":               " .   x   .   .   .   .   .   .   .   .   .   .   .   .   .   . ",
    "incident.open_dispute":        " .   x   x   .   .   .   .   x   .   .   .   .   .   .   .   . ",
    "incident.park":                " .   .   x   .   .   .   x   .   .   .   .   .   .   .   .   . ",
    "incident.reject":              " .   x   .   .   .   .   .   .   .   .   .   .   .   .   .   . ",
    "incident.release_assistance":  " .   .   x   .   .   .   .   .   .   .   .   .   .   .   .   . ",
    "incident.reopen":              " .   x   .   .   .   .   x   .   .   .   .   .   .   .   .   . ",
    "incident.report":              " x   x   .   .   .   .   x   .   x   .   .   .   .   .   .   . ",
    "incident.request_extension":   " .   .   .   x   x   .   .   .   .   .   .   .   .   .   .   . ",
    "incident.request_return":      " .   .   .   x   x   .   .   .   .   .   .   .   .   .   .   . ",
    "incident.sign":                " .   .   .   x   x   .   .   .   .   .   .   .   .   .   .   . ",
    "incident.start_handling":      " .   .   .   x   x   .   .   .   .   .   .   .   .   .   .   . ",
    "incident.supervise":           " .   .   .   .   .   .   x   .   .   .   .   .   .   .   .   . ",
    "incident.tag_mechanism":       " .   .   x   .   .   .   x   .   .   .   .   .   .   .   .   . ",
    "incident.unmerge":             " .   x   .   .   .   .   x   .   .   .   .   .   .   .   .   . ",
    "incident.unpark":              " .   .   x   .   .   .   x   .   .   .   .   .   .   .   .   . ",
    "incident.verify":              " .   .   .   .   .   x   .   .   .   .   .   .   .   .   .   . ",
    "inquiry.approve":              " .   .   .   .   .   .   .   .   .   .   .   x   .   .   .   . ",
    "inquiry.close":                " .   .   .   .   .   .   x   .   .   .   x   x   .   .   .   . ",
    "inquiry.look":                 " .   .   .   .   .   .   .   .   .   .   x   .   .   .   .   . ",
    "inquiry.refuse":               " .   .   .   .   .   .   .   .   .   .   .   x   .   .   .   . ",
    "inquiry.request":              " .   .   .   .   .   .   .   .   .   .   x   .   .   .   .   . ",
    "key.destroy":                  " .   .   .   .   .   .   .   .   .   .   .   x   .   .   .   . ",
    "key.lift_hold":                " .   .   .   .   .   .   .   .   .   .   x   x   .   .   .   . ",
    "key.place_hold":               " .   .   .   .   .   .   .   .   .   .   x   x   .   .   .   . ",
    "lead.confirm":                 " .   .   .   .   .   .   .   .   .   x   .   .   .   .   .   . ",
    "lead.link":                    " .   .   .   .   .   .   .   .   .   .   x   .   .   .   .   . ",
    "lead.propose":                 " .   .   .   .   .   .   .   .   .   .   .   .   .   .   x   . ",
    "lead.reject":                  " .   .   .   .   .   .   .   .   .   x   .   .   .   .   .   . ",
    "read.alarms":                  " x   x   x   x   x   x   x   x   x   x   x   x   x   .   .   x ",
    "read.centres":                 " x   x   x   x   x   x   x   x   x   x   x   x   x   .   .   x ",
    "read.confidential":            " .   x   x   .   .   x   x   .   .   .   .   x   x   .   .   . ",
    "read.consent":                 " x   x   .   .   .   .   .   .   x   .   .   x   x   .   .   . ",
    "read.credential":              " x   x   .   .   .   .   .   .   x   .   .   x   x   .   .   . ",
    "read.devices":                 " x   x   x   x   x   x   x   x   x   x   x   x   x   .   .   x ",
    "read.disputes":                " x   x   x   x   x   x   x   x   x   x   x   x   x   .   .   x ",
    "read.figures":                 " x   x   x   x   x   x   x   x   x   x   x   x   x   x   .   x ",
    "read.incidents":               " x   x   x   x   x   x   x   x   x   x   x   x   x   .   .   x ",
    "read.inquiry":                 " .   .   .   .   .   .   x   .   .   .   x   x   x   .   .   . ",
    "read.lead":                    " .   .   .   .   .   .   x   .   .   x   x   x   x   .   .   . ",
    "read.log":                     " .   .   .   .   .   .   .   .   .   .   .   x   x   .   .   . ",
    "read.looks":                   " .   .   .   .   .   .   .   .   .   .   .   x   x   .   .   . ",
    "read.parties":                 " .   x   .   .   .   x   x   x   .   .   .   x   x   .   .   . ",
    "read.passes":                  " .   .   .   .   .   .   x   .   x   x   .   x   x   .   .   . ",
    "read.reporter":                " .   x   .   x   x   x   x   .   .   .   .   x   x   .   .   . ",
    "read.sites":                   " x   x   x   x   x   x   x   x   x   x   x   x   x   x   .   x ",
    "read.system":                  " .   .   .   .   .   .   x   .   .   .   .   .   x   .   .   x ",
    "read.visitor":                 " .   .   .   .   .   .   .   .   x   .   .   x   x   .   .   . ",
    "read.watch":                   " .   .   .   .   .   .   x   .   .   x   x   x   x   .   .   . ",
    "site.accept":                  " .   .   .   .   .   .   .   .   .   .   .   .   .   .   .   x ",
    "site.add_gate":                " .   .   .   .   .   .   .   .   .   .   .   .   .   .   .   x ",
    "site.change_credentials":      " .   .   .   .   .   .   .   .   .   .   .   .   .   .   .   x ",
    "site.count_households":        " .   .   .   .   .   .   .   .   .   .   .   .   .   .   .   x ",
    "site.install_measure":         " .   .   .   .   .   .   .   .   .   .   .   .   .   .   .   x ",
    "site.plan":                    " .   .   .   .   .   .   .   .   .   .   .   .   .   .   .   x ",
    "site.start_construction":      " .   .   .   .   .   .   .   .   .   .   .   .   .   .   .   x ",
    "site.start_operation":         " .   .   .   .   .   .   .   .   .   .   .   .   .   .   .   x ",
    "visitor.approve":              " x   x   .   .   .   .   .   .   x   .   .   .   .   .   .   . ",
    "visitor.check":                " .   .   .   .   .   .   .   .   x   .   .   .   .   .   x   . ",
    "visitor.enter":                " .   .   .   .   .   .   .   .   x   .   .   .   .   .   x   . ",
    "visitor.leave":                " .   .   .   .   .   .   .   .   x   .   .   .   .   .   x   . ",
    "visitor.reject":               " x   x   .   .   .   .   .   .   x   .   .   .   .   .   .   . ",
    "visitor.request":              " x   x   .   .   .   .   .   .   x   .   .   .   .   .   x   . ",
    "visitor.revoke":               " x   x   .   .   .   .   x   .   x   .   .   .   .   .   .   . ",
    "watch.approve":                " .   .   .   .   .   .   x   .   .   .   .   .   .   .   .   . ",
    "watch.close":                  " .   .   .   .   .   .   x   .   .   .   x   x   .   .   .   . ",
    "watch.refuse":                 " .   .   .   .   .   .   x   .   .   .   .   .   .   .   .   . ",
    "watch.renew":                  " .   .   .   .   .   .   x   .   .   .   .   .   .   .   .   . ",
    "watch.request":                " .   .   .   .   .   .   .   .   .   .   x   .   .   .   .   . ",
}  # fmt: skip
"""The roles are in the order of `Role`."""


def allowed(role, command):
    try:
        policy.require(person(role), command)
    except ForbiddenError:
        return False
    return True


def test_every_role_may_what_the_table_says_and_nothing_else():
    found = {command: ["x" if allowed(role, command) else "." for role in Role] for command in ALLOWED}
    assert found == {command: row.split() for command, row in EXPECTED.items()}


def test_every_command_of_an_aggregate_is_in_the_table():
    public = {
        f"{kind.TOPIC}.{name}"
        for kind in AGGREGATES
        for name in vars(kind)
        if callable(method := getattr(kind, name))
        and not isinstance(method, type)
        and not name.startswith("_")
        and "by" in signature(method).parameters
    }
    of_time = {command for command in public if command.endswith(".pass_deadline")}
    of_the_system = {"key.register", "reading.record"}  # each follows from what somebody else may do
    assert public - of_time - of_the_system <= set(ALLOWED)
    assert "incident.report" in public


def test_whoever_has_two_roles_may_what_either_may():
    policy.require(person(Role.INTAKE, Role.DISPATCHER), "incident.dispatch")


def test_nobody_without_a_role_may_anything():
    nobody = Person("n", frozenset())
    for command in ALLOWED:
        with pytest.raises(ForbiddenError, match="n has no role"):
            policy.require(nobody, command)


def test_a_refusal_names_the_roles_that_would_do():
    with pytest.raises(
        ForbiddenError,
        match=r"incident\.sign needs one of these roles: unit_handler, unit_lead; p-guard has guard",
    ):
        policy.require(person(Role.GUARD), "incident.sign")


HERE, THERE = site_id("here"), site_id("there")


@pytest.mark.parametrize(
    ("scope", "inside"),
    [
        (CITY, {("yuhai", HERE), ("yuhai", THERE), ("tangxia", HERE)}),
        (Scope(township="yuhai"), {("yuhai", HERE), ("yuhai", THERE)}),
        (Scope(site_id=HERE), {("yuhai", HERE), ("tangxia", HERE)}),
        (Scope("yuhai", HERE), {("yuhai", HERE)}),
    ],
)
def test_a_person_acts_inside_their_scope_only(scope, inside):
    somebody = person(Role.INTAKE, scope=scope)
    for place in (("yuhai", HERE), ("yuhai", THERE), ("tangxia", HERE)):
        if place in inside:
            policy.require_place(somebody, SimpleNamespace(township=place[0], site_id=place[1]))
        else:
            with pytest.raises(ForbiddenError, match="responsible for"):
                policy.require_place(somebody, SimpleNamespace(township=place[0], site_id=place[1]))
