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
_UNIT = frozenset({R.UNIT_HANDLER, R.UNIT_LEAD})
_SHIFT_LEADERS = frozenset({R.DISPATCHER, R.SUPERVISOR})
_CASE_WORKERS = _UNIT | _SHIFT_LEADERS | {R.GRID_WORKER, R.INTAKE, R.VERIFIER, R.GUARD}
_CASE_READERS = frozenset(Role) - {R.STATISTICIAN, R.DEVICE}

ALLOWED: Mapping[str, frozenset[Role]] = MappingProxyType(
    {
        "incident.report": frozenset({R.GRID_WORKER, R.INTAKE, R.GUARD, R.SUPERVISOR}),
        "incident.accept": frozenset({R.INTAKE}),
        "incident.reject": frozenset({R.INTAKE}),
        "incident.merge": frozenset({R.INTAKE}),
        "incident.unmerge": frozenset({R.INTAKE, R.SUPERVISOR}),
        "incident.close_on_the_spot": frozenset({R.GRID_WORKER}),
        "incident.dispatch": frozenset({R.DISPATCHER}),
        "incident.ask_assistance": frozenset({R.DISPATCHER}),
        "incident.release_assistance": frozenset({R.DISPATCHER}),
        "incident.request_return": _UNIT,
        "incident.decide_return": _SHIFT_LEADERS,
        "incident.sign": _UNIT,
        "incident.start_handling": _UNIT,
        "incident.give_feedback": _UNIT,
        "incident.request_extension": _UNIT,
        "incident.decide_extension": _SHIFT_LEADERS,
        "incident.park": _SHIFT_LEADERS,
        "incident.unpark": _SHIFT_LEADERS,
        "incident.supervise": frozenset({R.SUPERVISOR}),
        "incident.escalate": frozenset({R.UNIT_LEAD, R.DISPATCHER, R.SUPERVISOR}),
        "incident.verify": frozenset({R.VERIFIER}),
        "incident.evaluate": frozenset({R.INTAKE, R.SUPERVISOR}),
        "incident.reopen": frozenset({R.INTAKE, R.SUPERVISOR}),
        "incident.archive": frozenset({R.SUPERVISOR}),
        "incident.attach_evidence": _CASE_WORKERS,
        "incident.comment": _CASE_WORKERS,
        "incident.open_dispute": frozenset({R.INTAKE, R.DISPATCHER, R.MEDIATOR}),
        "key.destroy": frozenset({R.PRIVACY_OFFICER}),
        "key.place_hold": frozenset({R.PRIVACY_OFFICER, R.INVESTIGATOR}),
        "key.lift_hold": frozenset({R.PRIVACY_OFFICER, R.INVESTIGATOR}),
        "site.plan": frozenset({R.ADMIN}),
        "site.start_construction": frozenset({R.ADMIN}),
        "site.accept": frozenset({R.ADMIN}),
        "site.start_operation": frozenset({R.ADMIN}),
        "site.add_gate": frozenset({R.ADMIN}),
        "import.incidents": frozenset({R.ADMIN}),
        "read.incidents": _CASE_READERS,
        "read.reporter": frozenset(
            {R.INTAKE, R.UNIT_HANDLER, R.UNIT_LEAD, R.VERIFIER, R.SUPERVISOR, R.PRIVACY_OFFICER, R.AUDITOR}
        ),
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
