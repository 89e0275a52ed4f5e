"""Incidents driven by any command of anybody: what a rule refuses is refused, and everything else happens."""

from datetime import timedelta
from inspect import signature
from uuid import UUID

from given import person

from domain import policy
from domain.errors import AnjuError
from domain.mechanisms import JointMechanism
from domain.people import Role

UNITS = ("police-station", "water", "housing")
STAFF = (
    *(person(role) for role in Role if role not in {Role.UNIT_HANDLER, Role.UNIT_LEAD}),
    *(person(Role.UNIT_HANDLER, name=f"handler-{unit}", units=(unit,)) for unit in UNITS),
    *(person(Role.UNIT_LEAD, name=f"lead-{unit}", units=(unit,)) for unit in UNITS),
    person(Role.UNIT_LEAD, Role.VERIFIER, Role.DISPATCHER, name="too-many-roles", units=UNITS),
)
"""Everybody there is, and one person who may nearly everything, so that only the separation of duties stops them."""
COMMANDS = tuple(
    sorted(
        command.removeprefix("incident.")
        for command in policy.ALLOWED
        if command.startswith("incident.") and command != "incident.report"
    )
)
USUAL = ("accept", "dispatch", "sign", "start_handling", "give_feedback", "verify", "reopen")


def _main(random, incident, others, _at):
    return next((one for one in others if one.id == incident.merged_into), random.choice(others))


def _text(random, *_):
    return random.choice(("because", "已处置"))


ARGUMENTS = {
    "reason": _text,
    "note": _text,
    "result": _text,
    "text": _text,
    "unit": lambda random, *_: random.choice(UNITS),
    "lead_unit": lambda random, *_: random.choice(UNITS[:2]),
    "assisting": lambda random, *_: random.sample(UNITS[1:], random.randint(0, 2)),
    "into": lambda random, _incident, others, _at: random.choice(others),
    "main": _main,
    "passed": lambda random, *_: random.random() < 0.6,
    "granted": lambda random, *_: random.random() < 0.5,
    "until": lambda random, _incident, _others, at: at + timedelta(days=random.randint(-1, 30)),
    "rating": lambda random, *_: random.randint(0, 6),
    "sha256": lambda random, *_: f"{random.randrange(4):064x}",
    "photo_sha256": lambda random, *_: f"{random.randrange(4):064x}",
    "media_type": lambda *_: "image/jpeg",
    "mechanism": lambda random, *_: random.choice(list(JointMechanism)),
    "dispute_id": lambda random, *_: UUID(int=random.randrange(4)),
}
"""What a command is given for each of its parameters; sensible most of the time."""


def arguments(method, random, incident, others, at):
    """What the command `method` is called with, beside who and when."""
    return {
        name: ARGUMENTS[name](random, incident, others, at)
        for name, parameter in signature(method).parameters.items()
        if name not in {"by", "at", "limits"}
        and (parameter.default is parameter.empty or random.random() < 0.6)
    }


def attempt(name, who, random, incident, at, others):
    """Do the command as `who`; the refusal, or None."""
    try:
        policy.require(who, f"incident.{name}")
        method = getattr(incident, name)
        method(by=who, at=at, **arguments(method, random, incident, others, at))
    except AnjuError as refused:
        return refused
    return None


def able(name):
    """Those whose roles allow the command."""
    return [who for who in STAFF if who.roles & policy.ALLOWED[f"incident.{name}"]]


def wander(random, incident, at, others):
    """Commands at random, by those whose roles allow them, until one is done; False if that takes too long."""
    for _ in range(100):
        name = random.choice(USUAL if random.random() < 0.8 else COMMANDS)
        if attempt(name, random.choice(able(name)), random, incident, at, others) is None:
            return True
    return False
