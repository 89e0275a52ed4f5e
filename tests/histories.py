"""Incidents and passes as the domain makes them, put into the log quickly, and what came of it counted in plain Python."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from random import Random
from uuid import UUID

from given import NOW, person
from lives import LIVES, born
from looking import inquiry
from wandering import wander

from domain.gatepass import decide
from domain.incident import Incident, IncidentState, Source
from domain.model import EVENTS
from domain.observation import FaceObservation, GateRef, ModelUse, observation_id
from domain.people import Role
from domain.ports import Entry, Request

UNIT = "police-station"
STAFF = {
    IncidentState.REPORTED: person(Role.INTAKE),
    IncidentState.ACCEPTED: person(Role.DISPATCHER),
    IncidentState.DISPATCHED: person(Role.UNIT_HANDLER, units=(UNIT,)),
    IncidentState.SIGNED: person(Role.UNIT_HANDLER, units=(UNIT,)),
    IncidentState.HANDLING: person(Role.UNIT_HANDLER, units=(UNIT,)),
    IncidentState.VERIFYING: person(Role.VERIFIER),
}
TO_CLOSURE = 6
"""Steps from report to closure, if no verification fails."""


def reported(number, site, at, *, category="noise", **changed):
    """A new incident; the same number is the same incident."""
    return Incident.report(
        id=UUID(int=number + 1),
        site=site,
        by=person(Role.INTAKE),
        at=at,
        category=category,
        **({"description": f"incident {number}", "source": Source.CITIZEN} | changed),
    )


def step(incident, at, *, passes=True):
    """The next command on the straight way to closure; a failed verification (not `passes`) sends it back."""
    S = IncidentState  # noqa: N806  (as in the domain)
    by = STAFF[incident.state]
    match incident.state:
        case S.REPORTED:
            incident.accept(by=by, at=at)
        case S.ACCEPTED:
            incident.dispatch(by=by, at=at, lead_unit=UNIT)
        case S.DISPATCHED:
            incident.sign(by=by, at=at)
        case S.SIGNED:
            incident.start_handling(by=by, at=at)
        case S.HANDLING:
            incident.give_feedback(by=by, at=at, result="done")
        case S.VERIFYING:
            incident.verify(by=by, at=at, passed=passes, note="seen")


def driven(incident, steps, *, every=timedelta(hours=1)):
    """`incident` after `steps` commands, one `every` so long."""
    at = incident.created_on
    for _ in range(steps):
        at += every
        step(incident, at)
    return incident


def interleaved(random, site, count, *, start=NOW, steps=30, first_number=0):
    """Events of `count` incidents, taken in turns at random: a request for each event, as many people at once would make them."""
    made = [
        reported(first_number + n, site, start + timedelta(minutes=random.randrange(9_000)))
        for n in range(count)
    ]
    return lived(random, made, steps=steps, first_number=first_number)


def lived(random, incidents, *, steps=30, late=False, first_number=0):
    """What becomes of `incidents`, as `interleaved`. late: deadlines that have passed by then are noticed before each step."""
    todo = [incident for incident in incidents for _ in range(random.randrange(steps))]
    random.shuffle(todo)
    requests = [request(incident, n) for n, incident in enumerate(incidents, start=first_number)]
    for incident in todo:
        later = incident.modified_on + timedelta(minutes=random.randrange(-30, 600))
        for due in incident.deadlines if late else ():
            incident.pass_deadline(by=person(Role.DEVICE), at=later, name=due.name)
        wander(random, incident, later, [one for one in incidents if one is not incident])
        changed = [one for one in incidents if one.pending_events]  # a merger changes two
        requests += [
            request(one, number) for number, one in enumerate(changed, start=first_number + len(requests))
        ]
    return requests


def request(aggregate, number):
    """What `aggregate` decided since the last time, to be appended."""
    return Request(UUID(int=(1 << 64) + number), aggregate.collect_events(), {})


def entries_of(requests):
    """The entries that the events of `requests` become in an empty log."""
    events = [event for one in requests for event in one.events]
    return [Entry(position, NOW, event, {}) for position, event in enumerate(events, start=1)]


async def fold_in_pieces(random, projection, pool, entries):
    """Fold the entries that `projection` wants as a runner would, in batches that end anywhere."""
    wanted = [entry for entry in entries if entry.event.TOPIC in projection.topics]
    borders = sorted(
        {0, len(wanted), *(random.randrange(len(wanted) + 1) for _ in range(random.randrange(9)))}
    )
    for start, end in pairwise(borders):
        async with pool.acquire() as connection, connection.transaction():
            await projection.fold(connection, wanted[start:end])


def a_pass(site, at, *, number, gate="main"):
    """The gate pass of somebody seen at `at`."""
    place = GateRef(site.code, gate)
    observation = FaceObservation(
        id=observation_id(place, str(number)),
        at=place,
        captured_at=at,
        box=(0.0, 0.0, 10.0, 10.0),
        score=0.9,
        embedding=bytes(512),
        detector=ModelUse("yunet", "0" * 64),
        embedder=ModelUse("sface", "1" * 64),
        frame_sha256="2" * 64,
        latency_ms=5.0,
    )
    return decide(observation, site)


async def append(log, aggregates: Iterable, *, first_number=0) -> None:
    """Append what each decided, in this order."""
    await append_requests(log, [request(a, n) for n, a in enumerate(aggregates, start=first_number)])


async def append_requests(log, requests: Sequence[Request]) -> None:
    for start in range(0, len(requests), 500):
        for result in await log.append_all(requests[start : start + 500]):
            if isinstance(result, Exception):
                raise result


async def everything(log):
    """Every entry of the log."""
    return list((await log.read(0, 1_000_000, frozenset(EVENTS))).entries)


async def mixed(log, site, *, seed=1, incidents=40, passes=60, start: datetime = NOW) -> None:
    """A log in which incidents, passes and some of everything else alternate at random; it ends with an inquiry."""
    random = Random(seed)
    requests = interleaved(random, site, incidents, start=start)
    requests.append(request(inquiry(1 << 32, site), 999_999))
    for number in range(passes):
        moment = start + timedelta(minutes=random.randrange(3_000))
        seen = a_pass(site, moment, number=number, gate=random.choice(sorted(site.gates)))
        requests.insert(random.randrange(incidents, len(requests)), request(seen, 1_000_000 + number))
    others = [one for kind in LIVES for one in born(kind, random, [site], 3, start=start)]
    requests += [request(one, 2_000_000 + number) for number, one in enumerate(others)]
    await append_requests(log, requests)
