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
    #                          gri int dis uha ule ver sup med gua rev inv pri aud sta dev adm
    "consent.give":           " x   x   .   .   .   .   .   .   x   .   .   .   .   .   .   . ",
    "consent.renew":          " x   x   .   .   .   .   .   .   x   .   .   .   .   .   .   . ",
    "consent.withdraw":       " x   x   x   x   x   x   x   x   x   x   x   x   .   .   .   x ",
    "consent.pass_deadline":  " .   .   .   .   .   .   .   .   .   .   .   .   .   .   x   . ",
    "credential.register":    " x   x   .   .   .   .   .   .   x   .   .   .   .   .   .   . ",
    "credential.suspend":     " x   x   .   .   .   .   .   .   x   .   .   x   .   .   .   . ",
    "credential.reinstate":   " x   x   .   .   .   .   .   .   x   .   .   .   .   .   .   . ",
    "credential.revoke":      " x   x   .   .   .   .   .   .   x   .   .   x   .   .   .   . ",
    "credential.pass_deadline": " .   .   .   .   .   .   .   .   .   .   .   .   .   .   x   . ",
    "gate_pass.release":      " .   .   .   .   .   .   .   .   x   .   .   .   .   .   .   . ",
    "gate_pass.refuse":       " .   .   .   .   .   .   .   .   x   .   .   .   .   .   .   . ",
    "incident.report":         " x   x   .   .   .   .   x   .   x   .   .   .   .   .   .   . ",
    "incident.accept":         " .   x   .   .   .   .   .   .   .   .   .   .   .   .   .   . ",
    "incident.dispatch":       " .   .   x   .   .   .   .   .   .   .   .   .   .   .   .   . ",
    "incident.sign":           " .   .   .   x   x   .   .   .   .   .   .   .   .   .   .   . ",
    "incident.start_handling": " .   .   .   x   x   .   .   .   .   .   .   .   .   .   .   . ",
    "incident.give_feedback":  " .   .   .   x   x   .   .   .   .   .   .   .   .   .   .   . ",
    "incident.verify":         " .   .   .   .   .   x   .   .   .   .   .   .   .   .   .   . ",
    "key.destroy":             " .   .   .   .   .   .   .   .   .   .   .   x   .   .   .   . ",
    "key.place_hold":          " .   .   .   .   .   .   .   .   .   .   x   x   .   .   .   . ",
    "key.lift_hold":           " .   .   .   .   .   .   .   .   .   .   x   x   .   .   .   . ",
    "site.plan":               " .   .   .   .   .   .   .   .   .   .   .   .   .   .   .   x ",
    "site.start_construction": " .   .   .   .   .   .   .   .   .   .   .   .   .   .   .   x ",
    "site.accept":             " .   .   .   .   .   .   .   .   .   .   .   .   .   .   .   x ",
    "site.start_operation":    " .   .   .   .   .   .   .   .   .   .   .   .   .   .   .   x ",
    "site.add_gate":           " .   .   .   .   .   .   .   .   .   .   .   .   .   .   .   x ",
    "watch.request":          " .   .   .   .   .   .   .   .   .   .   x   .   .   .   .   . ",
    "watch.approve":          " .   .   .   .   .   .   x   .   .   .   .   .   .   .   .   . ",
    "watch.refuse":           " .   .   .   .   .   .   x   .   .   .   .   .   .   .   .   . ",
    "watch.renew":            " .   .   .   .   .   .   x   .   .   .   .   .   .   .   .   . ",
    "watch.close":            " .   .   .   .   .   .   x   .   .   .   x   x   .   .   .   . ",
    "watch.pass_deadline":    " .   .   .   .   .   .   .   .   .   .   .   .   .   .   x   . ",
    "lead.propose":           " .   .   .   .   .   .   .   .   .   .   .   .   .   .   x   . ",
    "lead.confirm":           " .   .   .   .   .   .   .   .   .   x   .   .   .   .   .   . ",
    "lead.reject":            " .   .   .   .   .   .   .   .   .   x   .   .   .   .   .   . ",
    "lead.link":              " .   .   .   .   .   .   .   .   .   .   x   .   .   .   .   . ",
    "lead.pass_deadline":     " .   .   .   .   .   .   .   .   .   .   .   .   .   .   x   . ",
    "inquiry.request":        " .   .   .   .   .   .   .   .   .   .   x   .   .   .   .   . ",
    "inquiry.approve":        " .   .   .   .   .   .   .   .   .   .   .   x   .   .   .   . ",
    "inquiry.refuse":         " .   .   .   .   .   .   .   .   .   .   .   x   .   .   .   . ",
    "inquiry.look":           " .   .   .   .   .   .   .   .   .   .   x   .   .   .   .   . ",
    "inquiry.close":          " .   .   .   .   .   .   x   .   .   .   x   x   .   .   .   . ",
    "inquiry.pass_deadline":  " .   .   .   .   .   .   .   .   .   .   .   .   .   .   x   . ",
    "visitor.request":        " x   x   .   .   .   .   .   .   x   .   .   .   .   .   x   . ",
    "visitor.approve":        " x   x   .   .   .   .   .   .   x   .   .   .   .   .   .   . ",
    "visitor.reject":         " x   x   .   .   .   .   .   .   x   .   .   .   .   .   .   . ",
    "visitor.check":          " .   .   .   .   .   .   .   .   x   .   .   .   .   .   x   . ",
    "visitor.enter":          " .   .   .   .   .   .   .   .   x   .   .   .   .   .   x   . ",
    "visitor.leave":          " .   .   .   .   .   .   .   .   x   .   .   .   .   .   x   . ",
    "visitor.revoke":         " x   x   .   .   .   .   x   .   x   .   .   .   .   .   .   . ",
    "visitor.pass_deadline":  " .   .   .   .   .   .   .   .   .   .   .   .   .   .   x   . ",
    "read.consent":           " x   x   .   .   .   .   .   .   x   .   .   x   x   .   .   . ",
    "read.credential":        " x   x   .   .   .   .   .   .   x   .   .   x   x   .   .   . ",
    "read.incidents":          " x   x   x   x   x   x   x   x   x   x   x   x   x   .   .   x ",
    "read.reporter":           " .   x   .   x   x   x   x   .   .   .   .   x   x   .   .   . ",
    "read.visitor":           " .   .   .   .   .   .   .   .   x   .   .   x   x   .   .   . ",
    "read.watch":             " .   .   .   .   .   .   x   .   .   x   x   x   x   .   .   . ",
    "read.lead":              " .   .   .   .   .   .   x   .   .   x   x   x   x   .   .   . ",
    "read.inquiry":           " .   .   .   .   .   .   x   .   .   .   x   x   x   .   .   . ",
    "read.figures":            " x   x   x   x   x   x   x   x   x   x   x   x   x   x   .   x ",
    "read.system":             " .   .   .   .   .   .   x   .   .   .   .   .   x   .   .   x ",
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
        if "by" in signature(method).parameters
    }
    assert public - {"key.register"} <= set(ALLOWED)
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
