"""Incidents in any state, the people who bring them there, and time limits that are easy to count."""

from datetime import timedelta
from uuid import UUID

from given import NOW, person

from domain.deadlines import Clock, Limit, Limits
from domain.incident import Incident, IncidentState, Source
from domain.people import Role
from domain.site import Site

UNIT = "urban-management"
WATER, HOUSING = "water", "housing"
INTAKE, DISPATCHER, VERIFIER = person(Role.INTAKE), person(Role.DISPATCHER), person(Role.VERIFIER)
SUPERVISOR, GRID_WORKER, ADMIN = person(Role.SUPERVISOR), person(Role.GRID_WORKER), person(Role.ADMIN)
HANDLER = person(Role.UNIT_HANDLER, units=(UNIT,))
PLUMBER = person(Role.UNIT_HANDLER, name="plumber", units=(WATER,))
JANITOR = person(Role.UNIT_HANDLER, name="janitor", units=(HOUSING,))
STRANGER = person(Role.UNIT_HANDLER, name="stranger", units=("fire-brigade",))
BOTH = person(Role.UNIT_LEAD, Role.DISPATCHER, Role.SUPERVISOR, name="both", units=(UNIT,))
"""Somebody of the unit who may decide what units ask for."""
TIMER = person(Role.DEVICE, name="worker:timers")
SITE = Site.plan(code="gaoqiao", name="高桥", township="yuhai", by=ADMIN, at=NOW)
PICTURE = "a" * 64
HOUR = timedelta(hours=1)
LIMITS = Limits(
    "test",
    (
        Limit("sign", Clock.WALL, hours=1),
        Limit("handle", Clock.WALL, hours=10),
        Limit("verify", Clock.WALL, hours=5),
    ),
)
S = IncidentState

STEPS = {
    "accept": (INTAKE, {}),
    "dispatch": (DISPATCHER, {"lead_unit": UNIT, "limits": LIMITS}),
    "sign": (HANDLER, {}),
    "start_handling": (HANDLER, {}),
    "give_feedback": (HANDLER, {"result": "swept", "limits": LIMITS}),
    "verify": (VERIFIER, {"passed": True, "note": "clean"}),
}
"""The commands in the order of the one way there is, each with somebody who may and what it takes."""
WAYS = {
    S.REPORTED: (0, None),
    S.REJECTED: (0, ("reject", INTAKE, {"reason": "not ours"})),
    S.ACCEPTED: (1, None),
    S.DISPATCHED: (2, None),
    S.RETURN_REQUESTED: (2, ("request_return", HANDLER, {"reason": "not ours"})),
    S.SIGNED: (3, None),
    S.HANDLING: (4, None),
    S.VERIFYING: (5, None),
    S.CLOSED: (6, None),
    S.EVALUATED: (6, ("evaluate", INTAKE, {"rating": 5, "note": "glad"})),
    S.REOPENED: (6, ("reopen", SUPERVISOR, {"reason": "it is back"})),
    S.ARCHIVED: (6, ("archive", SUPERVISOR, {"at": NOW + timedelta(days=60)})),
}
"""How many of the steps lead to a state, and the command after them; a merger takes another incident."""


def reported(number=1, **changed):
    fields = {"source": Source.CITIZEN, "category": "noise", "description": "太吵"}
    return Incident.report(id=UUID(int=number), site=SITE, by=INTAKE, at=NOW, **(fields | changed))


def after(steps, incident=None):
    """An incident on which the first `steps` commands were done, all at NOW."""
    incident = incident or reported()
    for method, (who, fields) in list(STEPS.items())[:steps]:
        getattr(incident, method)(by=who, at=NOW, **fields)
    return incident


def in_state(state, number=1):
    """An incident that came to `state`, all at NOW but the archiving."""
    if state is S.MERGED:
        incident = reported(number)
        incident.merge(by=INTAKE, at=NOW, into=reported(1_000 + number))
        return incident
    steps, last = WAYS[state]
    incident = after(steps, reported(number))
    if last:
        method, who, fields = last
        getattr(incident, method)(by=who, **({"at": NOW} | fields))
    return incident


def dispatched(*assisting):
    """An incident that was handed to UNIT and to those that assist, at NOW."""
    incident = after(1)
    incident.dispatch(by=DISPATCHER, at=NOW, lead_unit=UNIT, assisting=list(assisting), limits=LIMITS)
    return incident


def handling(*assisting):
    """An incident that UNIT works on, at NOW; those that assist have not signed yet."""
    incident = dispatched(*assisting)
    incident.sign(by=HANDLER, at=NOW)
    incident.start_handling(by=HANDLER, at=NOW)
    return incident


def running(incident):
    """What is due, in hours after NOW."""
    return {one.name: (one.due_at - NOW) / HOUR for one in incident.deadlines}


def replayed(incident):
    """The incident that its events make."""
    found = None
    for event in incident.collect_events():
        found = event.mutate(found)
    return found
