"""Who may do what: one table of command x role, checked inside the person's scope. Reading is a command too."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Protocol

from domain.errors import ForbiddenError
from domain.people import Role

if TYPE_CHECKING:
    from collections.abc import Mapping
    from uuid import UUID

    from domain.people import Person

R = Role
_CASE_READERS = frozenset(Role) - {R.STATISTICIAN, R.DEVICE}

_FRONT_LINE = frozenset({R.GRID_WORKER, R.GUARD})
_TIME = frozenset({R.DEVICE})
"""The worker that tells an aggregate that a deadline has passed; it decides nothing."""
_PERSONAL_READERS = frozenset({R.PRIVACY_OFFICER, R.AUDITOR})

ALLOWED: Mapping[str, frozenset[Role]] = MappingProxyType(
    {
        "consent.give": _FRONT_LINE | {R.INTAKE},
        "consent.renew": _FRONT_LINE | {R.INTAKE},
        "consent.withdraw": frozenset(Role) - {R.AUDITOR, R.STATISTICIAN, R.DEVICE},
        "consent.pass_deadline": _TIME,
        "credential.register": _FRONT_LINE | {R.INTAKE},
        "credential.suspend": _FRONT_LINE | {R.INTAKE, R.PRIVACY_OFFICER},
        "credential.reinstate": _FRONT_LINE | {R.INTAKE},
        "credential.revoke": _FRONT_LINE | {R.INTAKE, R.PRIVACY_OFFICER},
        "credential.pass_deadline": _TIME,
        "gate_pass.release": frozenset({R.GUARD}),
        "gate_pass.refuse": frozenset({R.GUARD}),
        "incident.report": frozenset({R.GRID_WORKER, R.INTAKE, R.GUARD, R.SUPERVISOR}),
        "incident.accept": frozenset({R.INTAKE}),
        "incident.dispatch": frozenset({R.DISPATCHER}),
        "incident.sign": frozenset({R.UNIT_HANDLER, R.UNIT_LEAD}),
        "incident.start_handling": frozenset({R.UNIT_HANDLER, R.UNIT_LEAD}),
        "incident.give_feedback": frozenset({R.UNIT_HANDLER, R.UNIT_LEAD}),
        "incident.verify": frozenset({R.VERIFIER}),
        "key.destroy": frozenset({R.PRIVACY_OFFICER}),
        "key.place_hold": frozenset({R.PRIVACY_OFFICER, R.INVESTIGATOR}),
        "key.lift_hold": frozenset({R.PRIVACY_OFFICER, R.INVESTIGATOR}),
        "site.plan": frozenset({R.ADMIN}),
        "site.start_construction": frozenset({R.ADMIN}),
        "site.accept": frozenset({R.ADMIN}),
        "site.start_operation": frozenset({R.ADMIN}),
        "site.add_gate": frozenset({R.ADMIN}),
        "watch.request": frozenset({R.INVESTIGATOR}),
        "watch.approve": frozenset({R.SUPERVISOR}),
        "watch.refuse": frozenset({R.SUPERVISOR}),
        "watch.renew": frozenset({R.SUPERVISOR}),
        "watch.close": frozenset({R.INVESTIGATOR, R.SUPERVISOR, R.PRIVACY_OFFICER}),
        "watch.pass_deadline": _TIME,
        "lead.propose": frozenset({R.DEVICE}),
        "lead.confirm": frozenset({R.REVIEWER}),
        "lead.reject": frozenset({R.REVIEWER}),
        "lead.link": frozenset({R.INVESTIGATOR}),
        "lead.pass_deadline": _TIME,
        "inquiry.request": frozenset({R.INVESTIGATOR}),
        "inquiry.approve": frozenset({R.PRIVACY_OFFICER}),
        "inquiry.refuse": frozenset({R.PRIVACY_OFFICER}),
        "inquiry.look": frozenset({R.INVESTIGATOR}),
        "inquiry.close": frozenset({R.INVESTIGATOR, R.SUPERVISOR, R.PRIVACY_OFFICER}),
        "inquiry.pass_deadline": _TIME,
        "visitor.request": _FRONT_LINE | {R.INTAKE, R.DEVICE},
        "visitor.approve": _FRONT_LINE | {R.INTAKE},
        "visitor.reject": _FRONT_LINE | {R.INTAKE},
        "visitor.check": frozenset({R.GUARD, R.DEVICE}),
        "visitor.enter": frozenset({R.GUARD, R.DEVICE}),
        "visitor.leave": frozenset({R.GUARD, R.DEVICE}),
        "visitor.revoke": _FRONT_LINE | {R.INTAKE, R.SUPERVISOR},
        "visitor.pass_deadline": _TIME,
        "read.consent": _PERSONAL_READERS | {R.GRID_WORKER, R.GUARD, R.INTAKE},
        "read.credential": _PERSONAL_READERS | {R.GRID_WORKER, R.GUARD, R.INTAKE},
        "read.incidents": _CASE_READERS,
        "read.reporter": frozenset(
            {R.INTAKE, R.UNIT_HANDLER, R.UNIT_LEAD, R.VERIFIER, R.SUPERVISOR, R.PRIVACY_OFFICER, R.AUDITOR}
        ),
        "read.visitor": _PERSONAL_READERS | {R.GUARD},
        "read.watch": _PERSONAL_READERS | {R.INVESTIGATOR, R.REVIEWER, R.SUPERVISOR},
        "read.lead": _PERSONAL_READERS | {R.INVESTIGATOR, R.REVIEWER, R.SUPERVISOR},
        "read.inquiry": _PERSONAL_READERS | {R.INVESTIGATOR, R.SUPERVISOR},
        "read.figures": frozenset(Role) - {R.DEVICE},
        "read.system": frozenset({R.ADMIN, R.AUDITOR, R.SUPERVISOR}),
    },
)


class Placed(Protocol):
    """A thing that lies at a site of a township, or (without a site) is a township's, or (without both) the whole city's."""

    @property
    def township(self) -> str | None:
        """The township's code."""

    @property
    def site_id(self) -> UUID | None:
        """The site's id."""


def require(person: Person, command: str) -> None:
    """ForbiddenError unless one of the person's roles allows `command`."""
    allowed = ALLOWED[command]
    if not person.roles & allowed:
        needed = ", ".join(sorted(allowed))
        held = ", ".join(sorted(person.roles)) or "no role"
        raise ForbiddenError(f"{command} needs one of these roles: {needed}; {person.id} has {held}")


def require_place(person: Person, thing: Placed) -> None:
    """ForbiddenError unless `thing` lies inside the person's scope."""
    if not person.scope.covers(thing.township, thing.site_id):
        lies = "this lies outside" if thing.township else "this belongs to the whole city"
        raise ForbiddenError(f"{person.id} is responsible for {person.scope}, and {lies}")
