"""Disputes, alarms, visits, credentials, leads, devices, sites and centres that live at random: commands as they come, refused where a rule refuses."""

from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid5

from given import GARAGE, MAIN, NOW

from domain.alarm import Alarm, FalseCause, Trigger
from domain.centre import Centre, Item
from domain.credential import Credential, Ground
from domain.credentials import CredentialKind
from domain.device import Device, DeviceKind, Protocol
from domain.dispute import AgreementForm, Dispute, Objection, Route
from domain.errors import AnjuError
from domain.lead import Evidence, Lead
from domain.mechanisms import JointMechanism
from domain.observation import NAMESPACE, ModelUse
from domain.people import Person, Role
from domain.personal import Personal, of_subject
from domain.ports import Entry
from domain.site import Measure, Site
from domain.visitor import Requester, Visitor
from domain.watch import WatchEntry, WatchKind

STAFF = tuple(Person(name, frozenset(Role)) for name in ("ann", "bob", "cai"))
"""Everybody may everything here: who may what is tested elsewhere, and separation of duties is the domain's."""
SECRET = "王某 13800000000"
DAY, HOUR = timedelta(days=1), timedelta(hours=1)
EVIDENCE = Evidence("a" * 64, "b" * 64, 0.81)
ROOMS = ("lao-li", "lan-jie")
RARELY = {"decline", "withdraw", "fail", "retire", "revoke", "reject", "refer", "recuse_mediator"}
"""Commands that end a life, or turn it back."""


def identity(kind, number):
    """The same number is the same one of its kind, and no other kind's."""
    return uuid5(NAMESPACE, f"{kind}:{number}")


def site(code="runjinyuan", township="yuhai"):
    """A site with two gates, in no log."""
    found = Site.plan(code=code, name="润锦苑", township=township, by=STAFF[0], at=NOW)
    for gate in (MAIN, GARAGE):
        found.add_gate(by=STAFF[0], at=NOW, gate=gate)
    return found


def about(subject):
    """Something personal, under the key of `subject`."""
    return Personal(of_subject(subject), SECRET)


def _parties(dispute):
    return tuple(dispute.parties)


def _party(random, dispute):
    return random.choice([UUID(int=n + 1) for n in range(3)] if not dispute.parties else _parties(dispute))


def a_dispute(random, number, place, at):
    where = random.choice([{"site": place}, {"township": place.township}])
    dispute = Dispute.register(
        id=identity("dispute", number),
        by=STAFF[0],
        at=at,
        category=random.choice(["neighbours", "wages"]),
        description=about(identity("dispute", number)),
        mechanism=random.choice([None, *JointMechanism]),
        **where,
    )
    for n in range(random.randint(0, 3)):
        party = UUID(int=n + 1)
        dispute.add_party(by=STAFF[0], at=at, party=party, details=about(party))
        if random.random() < 0.9:
            dispute.give_consent(by=STAFF[0], at=at, party=party)
    return dispute


DISPUTE_COMMANDS = {
    "give_consent": lambda random, it, at: {"party": _party(random, it)},
    "accept": lambda *_: {},
    "decline": lambda *_: {"reason": "no"},
    "assign": lambda random, it, at: {"mediator": random.choice(STAFF).id, "room": random.choice(ROOMS)},
    "recuse_mediator": lambda random, it, at: {
        "objection": random.choice(list(Objection)),
        "party": random.choice([None, *it.parties]),
    },
    "hold_session": lambda *_: {},
    "extend": lambda random, it, at: {"until": at + 40 * DAY, "agreed_by": _parties(it)},
    "agree": lambda random, it, at: {
        "agreed_by": _parties(it),
        "form": random.choice(list(AgreementForm)),
        "perform_by": at + 10 * DAY,
        **{what: about(it.id) for what in ("facts", "duties", "method", "place")},
    },
    "fail": lambda *_: {"reason": "no"},
    "withdraw": lambda random, it, at: {"party": _party(random, it)},
    "request_confirmation": lambda random, it, at: {"court": "ruian-court", "requested_by": _parties(it)},
    "decide_confirmation": lambda random, it, at: {"confirmed": random.random() < 0.7, "ruling": "7"},
    "start_performance": lambda *_: {},
    "report_breach": lambda random, it, at: {"party": _party(random, it)},
    "urge": lambda random, it, at: {
        "party": random.choice([*it.breached, UUID(int=1)]),
        "perform_by": at + DAY,
    },
    "fulfil": lambda *_: {},
    "refer": lambda random, it, at: {"route": random.choice(list(Route))},
    "close": lambda random, it, at: {"satisfied": random.random() < 0.5, "note": about(it.id)},
}


def an_alarm(random, number, place, at):
    return Alarm.trip(
        id=identity("alarm", number),
        site=place,
        by=STAFF[0],
        at=at,
        sensor=random.choice(["wall-1", "wall-2"]),
        trigger=random.choice(list(Trigger)),
    )


ALARM_COMMANDS = {
    "trip_again": lambda *_: {},
    "go_normal": lambda *_: {},
    "acknowledge": lambda *_: {},
    "review": lambda *_: {},
    "find_real": lambda *_: {"incident_id": UUID(int=9)},
    "find_false": lambda random, it, at: {"cause": random.choice(list(FalseCause))},
    "find_test": lambda *_: {},
    "restore": lambda *_: {},
    "clear": lambda *_: {},
    "shelve": lambda random, it, at: {"until": at + HOUR, "reason": "works"},
    "unshelve": lambda *_: {},
    "suppress": lambda *_: {"reason": "works"},
    "unsuppress": lambda *_: {},
    "take_out_of_service": lambda *_: {"reason": "broken"},
    "return_to_service": lambda *_: {},
}


def a_visitor(random, number, place, at):
    visit = identity("visitor", number)
    begins = at + random.randint(-5, 30) * HOUR
    return Visitor.request(
        id=visit,
        site=place,
        by=STAFF[0],
        at=at,
        host=UUID(int=77),
        requester=random.choice(list(Requester)),
        valid_from=begins,
        valid_until=max(begins, at) + random.randint(1, 40) * HOUR,
        name=about(visit),
        phone=about(visit),
        gates=random.choice([(), ("main",), tuple(place.gates)]),
        uses=random.randint(1, 3),
    )


VISITOR_COMMANDS = {
    "approve": lambda *_: {"host": UUID(int=77), "code_digest": b"c" * 32},
    "reject": lambda *_: {"host": UUID(int=77)},
    "check": lambda *_: {"gate": "main"},
    "enter": lambda *_: {"gate": "main"},
    "leave": lambda random, it, at: {"gate": random.choice(["main", "garage"])},
    "revoke": lambda *_: {},
}


def a_credential(random, number, place, at):
    card = identity("credential", number)
    return Credential.register(
        id=card,
        site=place,
        by=STAFF[0],
        at=at,
        kind=CredentialKind.CARD,
        resident=UUID(int=77),
        holder=about(card),
        value=about(card),
        digest=b"d" * 32,
        valid_until=at + random.randint(1, 40) * DAY,
    )


CREDENTIAL_COMMANDS = {
    "suspend": lambda random, it, at: {"ground": random.choice(list(Ground))},
    "reinstate": lambda *_: {},
    "revoke": lambda random, it, at: {"ground": random.choice(list(Ground))},
}


def a_lead(random, number, place, at):
    entry = WatchEntry.request(
        id=UUID(int=500),
        by=random.choice(STAFF[:2]),
        at=at,
        site=place,
        kind=WatchKind.FACE,
        subject=about(UUID(int=500)),
        reference_sha256=EVIDENCE.reference_sha256,
        legal_basis="刑事诉讼法 150",
        case=random.choice(["2026-17", "2026-18"]),
        purpose="find a suspect",
        expires_at=at + 30 * DAY,
    )
    entry.approve(by=STAFF[2], at=at)
    return Lead.propose(
        by=STAFF[0],
        at=at,
        entry=entry,
        site=place,
        gate="main",
        pass_id=UUID(int=number + 1),
        evidence=EVIDENCE,
        model=ModelUse("sface", "c" * 64),
    )


LEAD_COMMANDS = {
    "confirm": lambda *_: {"seen": EVIDENCE},
    "reject": lambda *_: {"seen": EVIDENCE},
    "link": lambda random, it, at: {"case": it.case},
}


def a_device(random, number, place, at):
    return Device.register(
        site=place,
        by=STAFF[0],
        at=at,
        code=f"device-{number}",
        kind=random.choice(list(DeviceKind)),
        protocol=Protocol.ONVIF,
        external_id="x",
    )


DEVICE_COMMANDS = {
    "see": lambda *_: {},
    "lose": lambda *_: {},
    "arm": lambda *_: {},
    "disarm": lambda *_: {"reason": "works"},
    "take_out_of_service": lambda *_: {"reason": "broken"},
    "return_to_service": lambda *_: {},
    "rotate_credential": lambda *_: {},
    "retire": lambda *_: {"reason": "gone"},
}


def a_site(random, number, place, at):
    return Site.plan(
        code=f"site-{number}", name="高桥", township=random.choice(["yuhai", "tangxia"]), by=STAFF[0], at=at
    )


SITE_COMMANDS = {
    "start_construction": lambda *_: {},
    "accept": lambda *_: {"inspector": "cai-2"},
    "start_operation": lambda *_: {},
    "add_gate": lambda random, it, at: {"gate": random.choice([MAIN, GARAGE])},
    "change_credentials": lambda random, it, at: {
        "gate": random.choice(["main", "garage"]),
        "credentials": tuple(random.sample(list(CredentialKind), random.randint(1, 3))),
    },
    "install_measure": lambda random, it, at: {
        "measure": random.choice(list(Measure)),
        "gate": random.choice([None, "main", "garage"]),
    },
    "count_households": lambda random, it, at: {
        "households": random.randint(100, 900),
        "buildings": random.choice([None, 12]),
        "counts_from": at.date() - random.randint(0, 5) * DAY,
    },
}


def a_centre(random, number, place, at):
    return Centre.found(township=f"township-{number}", name="综治中心", by=STAFF[0], at=at)


CENTRE_COMMANDS = {
    "inspect": lambda random, it, at: {
        "item": next((item for item in Item if item not in it.inspections), random.choice(list(Item))),
        "passed": random.random() < 0.9,
        "note": "seen",
    },
    "accept": lambda *_: {},
    "join_unit": lambda random, it, at: {"unit": random.choice(["police-station", "court", "housing"])},
    "leave_unit": lambda random, it, at: {"unit": random.choice(["police-station", "court", "housing"])},
    "join_staff": lambda random, it, at: {
        "staff": f"s-{random.randrange(5)}",
        "unit": random.choice(["court", "housing"]),
    },
    "leave_staff": lambda random, it, at: {"staff": f"s-{random.randrange(5)}"},
}

ROADS = {
    "alarms": (
        "acknowledge",
        "review",
        "find_real",
        "find_false",
        "find_test",
        "go_normal",
        "restore",
        "clear",
    ),
    "centres": ("inspect", "inspect", "accept"),
    "devices": ("see", "arm", "lose", "return_to_service"),
    "disputes": (
        *("accept", "assign", "hold_session", "agree", "fail", "request_confirmation", "decide_confirmation"),
        *("start_performance", "report_breach", "urge", "fulfil", "close"),
    ),
    "leads": ("confirm", "reject", "link"),
    "sites": ("start_construction", "install_measure", "accept", "start_operation"),
    "visitors": ("approve", "check", "enter", "leave"),
    "credentials": ("suspend", "reinstate"),
}
"""What mostly comes next, so that lives are long."""
LIVES = {
    "alarms": (an_alarm, ALARM_COMMANDS, timedelta(minutes=3)),
    "centres": (a_centre, CENTRE_COMMANDS, DAY),
    "devices": (a_device, DEVICE_COMMANDS, HOUR),
    "disputes": (a_dispute, DISPUTE_COMMANDS, 9 * DAY),
    "leads": (a_lead, LEAD_COMMANDS, 40 * HOUR),
    "sites": (a_site, SITE_COMMANDS, DAY),
    "visitors": (a_visitor, VISITOR_COMMANDS, 12 * HOUR),
    "credentials": (a_credential, CREDENTIAL_COMMANDS, 6 * DAY),
}
"""How each begins, what can become of it, and how long it takes at most from one step to the next."""


@dataclass
class Lived:
    """An aggregate as it is in the end, and its entries in the log."""

    it: Any
    entries: list[Entry]

    def last(self, *kinds):
        """The last entry of these kinds of event, or None."""
        return next((entry for entry in reversed(self.entries) if isinstance(entry.event, kinds)), None)

    def first(self, *kinds):
        """The first one, or None."""
        return next((entry for entry in self.entries if isinstance(entry.event, kinds)), None)


def born(name, random, places, count, *, start=NOW, spread=timedelta(), steps=25):
    """`count` aggregates, each of which began somewhere in `spread` after `start` and lived at random."""
    begin, commands, longest = LIVES[name]
    aggregates = []
    for number in range(count):
        at = start + random.random() * spread
        it = begin(random, number, random.choice(places), at)
        for _ in range(random.randrange(steps)):
            at += random.choice([0, random.random()]) * longest
            step(random, it, at, commands, ROADS[name])
        aggregates.append(it)
    return aggregates


def lived(name, random, places, count, **how):
    """The same, with the log that they make together: what each did in its order, among the others at random."""
    return logged(random, born(name, random, places, count, **how))


def step(random, it, at, commands, road):
    """What time itself does, mostly; then commands at random, by anybody, until one is done."""
    for deadline in getattr(it, "deadlines", ()):
        if random.random() < 0.7:
            it.pass_deadline(by=STAFF[0], at=at, name=deadline.name)
    for _ in range(40):
        command = random.choice(road if random.random() < 0.7 else sorted(commands))
        if command in RARELY and random.random() < 0.9:
            continue
        version = it.version
        attempt(it, command, random.choice(STAFF), at, commands[command](random, it, at))
        if it.version > version:
            return


def attempt(it, command, by, at, fields):
    """Give the command; a rule may refuse it."""
    with suppress(AnjuError):
        getattr(it, command)(by=by, at=at, **fields)


def logged(random, aggregates):
    """Their entries in one log, and the lives they belong to."""
    lives = {it.id: Lived(it, []) for it in aggregates}
    waiting = [list(it.collect_events()) for it in aggregates]
    entries = []
    while waiting := [events for events in waiting if events]:
        event = random.choice(waiting).pop(0)
        entry = Entry(len(entries) + 1, NOW, event, {})
        entries.append(entry)
        lives[event.originator_id].entries.append(entry)
    return list(lives.values()), entries


def batches(random, entries):
    """The entries cut into batches anywhere."""
    start = 0
    while start < len(entries):
        end = min(len(entries), start + random.choice([1, 2, 7, 50, 2000]))
        yield entries[start:end]
        start = end
