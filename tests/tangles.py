"""Incidents as tangled as the rules allow: what befalls each is dense and at awkward times; a seed and a length say which."""

from datetime import UTC, date, timedelta
from inspect import signature
from random import Random
from uuid import UUID

from given import person
from histories import request
from wandering import able, arguments

from domain.deadlines import DEFAULT_LIMITS, Clock, Limit, Limits
from domain.errors import AnjuError
from domain.incident import Incident, IncidentState, Source
from domain.people import Role
from projections.period import Period, day_of, midnight

S = IncidentState
TIME, WAIT = "time", "wait"
"""That a deadline has passed is noted; and nothing happens."""
AIDED = ("ask_assistance", "sign", "release_assistance")
MOVES = {
    S.REPORTED: (*8 * ("accept",), "reject", *2 * ("merge",), "tag_mechanism"),
    S.REJECTED: (WAIT,),
    S.MERGED: ("unmerge", *4 * (WAIT,)),
    S.ACCEPTED: (*6 * ("dispatch",), "close_on_the_spot", "tag_mechanism"),
    S.DISPATCHED: (*5 * ("sign",), "request_return", "request_extension", "decide_extension", TIME),
    S.RETURN_REQUESTED: (*3 * ("decide_return",), TIME, "tag_mechanism"),
    S.SIGNED: (*6 * ("start_handling",), "request_return", "request_extension", "decide_extension", TIME),
    S.HANDLING: (
        *9 * ("give_feedback",),
        *2 * ("unpark", "request_extension", "decide_extension"),
        "park",
        *AIDED,
        TIME,
    ),
    S.VERIFYING: (*6 * ("verify",), TIME, "comment"),
    S.CLOSED: (*3 * ("evaluate", "reopen", WAIT), "tag_mechanism", "archive"),
    S.EVALUATED: ("reopen", WAIT, "archive"),
    S.REOPENED: (*4 * ("dispatch",), "close_on_the_spot", WAIT),
    S.ARCHIVED: (WAIT,),
}
"""What may come next, the likelier the more often it stands here."""
QUICK = Limits(
    "quick",
    (
        Limit("sign", Clock.WALL, hours=4),
        Limit("handle", Clock.WALL, hours=24),
        Limit("verify", Clock.WALL, hours=8),
    ),
)
CATEGORIES = ("noise", "theft")
SOURCES = tuple(Source)
TIMERS = person(Role.DEVICE, name="worker:timers")
DAYS = tuple(
    map(
        date.fromisoformat,
        ("2019-12-31", "2020-01-01", "2020-01-31", "2020-02-01", "2020-02-28", "2020-02-29", "2020-03-01"),
    )
)
"""Around which incidents are reported: ends of months and of the year, and a day that few years have."""
MINUTE, INSTANT, NOTHING = timedelta(minutes=1), timedelta.resolution, timedelta()


def reported(random, number, site):
    """A new incident near the beginning of one of the DAYS."""
    shift = random.choice((-INSTANT, NOTHING, INSTANT, random.randrange(1440) * MINUTE))
    return Incident.report(
        id=UUID(int=number + 1),
        site=site,
        by=person(Role.INTAKE),
        at=(midnight(random.choice(DAYS)) + shift).astimezone(UTC),
        source=random.choice(SOURCES),
        category=random.choice(CATEGORIES),
        description="again",
    )


def moment(random, incident):
    """When the next thing happens: soon, late, exactly at a deadline or at midnight, at once, or before the last thing."""
    last = incident.modified_on
    near = random.choice((-INSTANT, NOTHING, NOTHING, INSTANT))
    today = day_of(last)
    return random.choice(
        (
            *4 * (last + random.randrange(600) * MINUTE,),
            *3 * (random.choice([one.due_at for one in incident.deadlines] or [last]) + near,),
            last + random.randrange(60_000) * MINUTE,
            Period(today, today).over + near,
            last,
            last - random.randrange(4_000) * MINUTE,
        )
    ).astimezone(UTC)


def move(random, incident, others):
    """Something that the rules allow happens to `incident`, unless nothing is found soon."""
    for name in random.choices(MOVES[incident.state], k=12):
        if name == WAIT:
            return
        try:
            give(random, name, incident, others, moment(random, incident))
        except AnjuError:
            continue
        return


def give(random, name, incident, others, at):
    """Give the command `name`, as somebody whose role allows it."""
    if name == TIME:
        late = random.choice([one.name for one in incident.deadlines] or [""])
        incident.pass_deadline(by=TIMERS, at=max(at, incident.modified_on), name=late)
        return
    command = getattr(incident, name)
    fields = arguments(command, random, incident, others, at)
    if "limits" in signature(command).parameters:
        fields["limits"] = random.choice((QUICK, QUICK, QUICK, DEFAULT_LIMITS))
    command(by=random.choice(able(name)), at=at, **fields)


def tangled(sites, lives, first):
    """Requests for the events of as many incidents as `lives` has (seed, steps), taken in turns. first: the number of the first."""
    randoms = [Random(seed) for seed, _ in lives]
    incidents = [
        reported(random, number, random.choice(sites)) for number, random in enumerate(randoms, start=first)
    ]
    requests = [request(incident, number) for number, incident in enumerate(incidents, start=first << 16)]
    for turn in range(max(steps for _, steps in lives)):
        for random, incident, (_, steps) in zip(randoms, incidents, lives, strict=True):
            if turn < steps:
                move(random, incident, [one for one in incidents if one is not incident] or [incident])
        changed = [incident for incident in incidents if incident.pending_events]
        requests += [
            request(one, number) for number, one in enumerate(changed, start=(first << 16) + len(requests))
        ]
    return requests
