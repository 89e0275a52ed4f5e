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

_FRONT_LINE = frozenset({R.GRID_WORKER, R.GUARD})
_TIME = frozenset({R.DEVICE})
"""The worker that tells an aggregate that a deadline has passed; it decides nothing."""
_PERSONAL_READERS = frozenset({R.PRIVACY_OFFICER, R.AUDITOR})

ALLOWED: Mapping[str, frozenset[Role]] = MappingProxyType(
    {
        "alarm.trip": frozenset({R.DEVICE}),
        "alarm.trip_again": frozenset({R.DEVICE}),
        "alarm.go_normal": frozenset({R.DEVICE}),
        "alarm.acknowledge": frozenset({R.GUARD}),
        "alarm.review": frozenset({R.REVIEWER}),
        "alarm.find_real": frozenset({R.REVIEWER}),
        "alarm.find_false": frozenset({R.REVIEWER}),
        "alarm.find_test": frozenset({R.REVIEWER}),
        "alarm.restore": frozenset({R.GUARD}),
        "alarm.clear": frozenset({R.GUARD}),
        "alarm.shelve": frozenset({R.SUPERVISOR}),
        "alarm.unshelve": frozenset({R.SUPERVISOR}),
        "alarm.suppress": frozenset({R.SUPERVISOR}),
        "alarm.unsuppress": frozenset({R.SUPERVISOR}),
        "alarm.take_out_of_service": frozenset({R.ADMIN}),
        "alarm.return_to_service": frozenset({R.ADMIN}),
        "centre.found": frozenset({R.ADMIN}),
        "centre.inspect": frozenset({R.VERIFIER}),
        "centre.accept": frozenset({R.SUPERVISOR}),
        "centre.join_unit": frozenset({R.ADMIN}),
        "centre.leave_unit": frozenset({R.ADMIN}),
        "centre.join_staff": frozenset({R.ADMIN}),
        "centre.leave_staff": frozenset({R.ADMIN}),
        "device.register": frozenset({R.ADMIN}),
        "device.see": frozenset({R.DEVICE}),
        "device.lose": frozenset({R.DEVICE}),
        "device.arm": frozenset({R.GUARD, R.SUPERVISOR}),
        "device.disarm": frozenset({R.SUPERVISOR}),
        "device.take_out_of_service": frozenset({R.ADMIN}),
        "device.return_to_service": frozenset({R.ADMIN}),
        "device.rotate_credential": frozenset({R.ADMIN}),
        "device.retire": frozenset({R.ADMIN}),
        "dispute.register": frozenset({R.GRID_WORKER, R.INTAKE, R.SUPERVISOR, R.MEDIATOR}),
        "dispute.add_party": frozenset({R.INTAKE, R.MEDIATOR}),
        "dispute.give_consent": frozenset({R.INTAKE, R.MEDIATOR}),
        "dispute.accept": frozenset({R.INTAKE}),
        "dispute.decline": frozenset({R.INTAKE}),
        "dispute.assign": frozenset({R.DISPATCHER, R.SUPERVISOR}),
        "dispute.recuse_mediator": frozenset({R.INTAKE, R.SUPERVISOR, R.MEDIATOR}),
        "dispute.hold_session": frozenset({R.MEDIATOR}),
        "dispute.extend": frozenset({R.MEDIATOR}),
        "dispute.agree": frozenset({R.MEDIATOR}),
        "dispute.fail": frozenset({R.MEDIATOR}),
        "dispute.withdraw": frozenset({R.INTAKE, R.MEDIATOR}),
        "dispute.request_confirmation": frozenset({R.MEDIATOR}),
        "dispute.decide_confirmation": frozenset({R.SUPERVISOR, R.MEDIATOR}),
        "dispute.start_performance": frozenset({R.MEDIATOR}),
        "dispute.report_breach": frozenset({R.INTAKE, R.MEDIATOR}),
        "dispute.urge": frozenset({R.MEDIATOR}),
        "dispute.fulfil": frozenset({R.MEDIATOR}),
        "dispute.refer": frozenset({R.SUPERVISOR, R.MEDIATOR}),
        "dispute.close": frozenset({R.VERIFIER, R.SUPERVISOR}),
        "consent.give": _FRONT_LINE | {R.INTAKE},
        "consent.renew": _FRONT_LINE | {R.INTAKE},
        "consent.withdraw": frozenset(Role) - {R.AUDITOR, R.STATISTICIAN, R.DEVICE},
        "credential.register": _FRONT_LINE | {R.INTAKE},
        "credential.suspend": _FRONT_LINE | {R.INTAKE, R.PRIVACY_OFFICER},
        "credential.reinstate": _FRONT_LINE | {R.INTAKE},
        "credential.revoke": _FRONT_LINE | {R.INTAKE, R.PRIVACY_OFFICER},
        "gate_pass.release": frozenset({R.GUARD}),
        "gate_pass.refuse": frozenset({R.GUARD}),
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
        "incident.tag_mechanism": _SHIFT_LEADERS,
        "key.destroy": frozenset({R.PRIVACY_OFFICER}),
        "key.place_hold": frozenset({R.PRIVACY_OFFICER, R.INVESTIGATOR}),
        "key.lift_hold": frozenset({R.PRIVACY_OFFICER, R.INVESTIGATOR}),
        "site.plan": frozenset({R.ADMIN}),
        "site.start_construction": frozenset({R.ADMIN}),
        "site.accept": frozenset({R.ADMIN}),
        "site.start_operation": frozenset({R.ADMIN}),
        "site.add_gate": frozenset({R.ADMIN}),
        "import.incidents": frozenset({R.ADMIN}),
        "site.change_credentials": frozenset({R.ADMIN}),
        "site.install_measure": frozenset({R.ADMIN}),
        "site.count_households": frozenset({R.ADMIN}),
        "watch.request": frozenset({R.INVESTIGATOR}),
        "watch.approve": frozenset({R.SUPERVISOR}),
        "watch.refuse": frozenset({R.SUPERVISOR}),
        "watch.renew": frozenset({R.SUPERVISOR}),
        "watch.close": frozenset({R.INVESTIGATOR, R.SUPERVISOR, R.PRIVACY_OFFICER}),
        "lead.propose": frozenset({R.DEVICE}),
        "lead.confirm": frozenset({R.REVIEWER}),
        "lead.reject": frozenset({R.REVIEWER}),
        "lead.link": frozenset({R.INVESTIGATOR}),
        "inquiry.request": frozenset({R.INVESTIGATOR}),
        "inquiry.approve": frozenset({R.PRIVACY_OFFICER}),
        "inquiry.refuse": frozenset({R.PRIVACY_OFFICER}),
        "inquiry.look": frozenset({R.INVESTIGATOR}),
        "inquiry.close": frozenset({R.INVESTIGATOR, R.SUPERVISOR, R.PRIVACY_OFFICER}),
        "visitor.request": _FRONT_LINE | {R.INTAKE, R.DEVICE},
        "visitor.approve": _FRONT_LINE | {R.INTAKE},
        "visitor.reject": _FRONT_LINE | {R.INTAKE},
        "visitor.check": frozenset({R.GUARD, R.DEVICE}),
        "visitor.enter": frozenset({R.GUARD, R.DEVICE}),
        "visitor.leave": frozenset({R.GUARD, R.DEVICE}),
        "visitor.revoke": _FRONT_LINE | {R.INTAKE, R.SUPERVISOR},
        "read.consent": _PERSONAL_READERS | {R.GRID_WORKER, R.GUARD, R.INTAKE},
        "read.credential": _PERSONAL_READERS | {R.GRID_WORKER, R.GUARD, R.INTAKE},
        "read.incidents": _CASE_READERS,
        "read.confidential": frozenset(
            {R.INTAKE, R.DISPATCHER, R.VERIFIER, R.SUPERVISOR, R.PRIVACY_OFFICER, R.AUDITOR}
        ),
        "read.reporter": frozenset(
            {R.INTAKE, R.UNIT_HANDLER, R.UNIT_LEAD, R.VERIFIER, R.SUPERVISOR, R.PRIVACY_OFFICER, R.AUDITOR}
        ),
        "read.alarms": _CASE_READERS,
        "read.devices": _CASE_READERS,
        "read.sites": frozenset(Role) - {R.DEVICE},
        "read.centres": _CASE_READERS,
        "read.disputes": _CASE_READERS,
        "read.parties": frozenset(
            {R.INTAKE, R.MEDIATOR, R.VERIFIER, R.SUPERVISOR, R.PRIVACY_OFFICER, R.AUDITOR}
        ),
        "read.visitor": _PERSONAL_READERS | {R.GUARD},
        "read.watch": _PERSONAL_READERS | {R.INVESTIGATOR, R.REVIEWER, R.SUPERVISOR},
        "read.lead": _PERSONAL_READERS | {R.INVESTIGATOR, R.REVIEWER, R.SUPERVISOR},
        "read.inquiry": _PERSONAL_READERS | {R.INVESTIGATOR, R.SUPERVISOR},
        "read.looks": _PERSONAL_READERS,
        "read.log": _PERSONAL_READERS,
        "read.passes": _PERSONAL_READERS | {R.GUARD, R.REVIEWER, R.SUPERVISOR},
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
    """ForbiddenError unless one of the person's roles allows `command`. Who is a device is nothing else beside it."""
    allowed = ALLOWED[command]
    if R.DEVICE in person.roles and len(person.roles) > 1:
        raise ForbiddenError(
            f"{command} is refused: {person.id} has the role device and others; a person is no device"
        )
    if not person.roles & allowed:
        needed = ", ".join(sorted(allowed))
        held = ", ".join(sorted(person.roles)) or "no role"
        raise ForbiddenError(f"{command} needs one of these roles: {needed}; {person.id} has {held}")


def require_place(person: Person, thing: Placed) -> None:
    """ForbiddenError unless `thing` lies inside the person's scope."""
    if not person.scope.covers(thing.township, thing.site_id):
        lies = "this lies outside" if thing.township else "this belongs to the whole city"
        raise ForbiddenError(f"{person.id} is responsible for {person.scope}, and {lies}")
