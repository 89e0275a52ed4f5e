"""The life of one made-up incident: every step is the command that a person would have given, at a time that its deadlines explain."""

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta
from functools import cache
from itertools import islice
from operator import attrgetter
from random import Random
from typing import Any
from uuid import UUID

from api.timers import WORKER
from api.year.plan import Case, Ending
from domain.deadlines import Urgency
from domain.incident import BEST, Incident, IncidentState, Source
from domain.people import Person, Role
from domain.ports import Event
from domain.site import Site
from domain.working_time import after_working_time

MADE_UP = "（模拟 synthetic）"
BEFORE_CLOSING = 5
"""Steps of the shortest way that leave an incident open: accepted, dispatched, signed, started, reported done."""
STAFF = 3
"""People of one role in a township, or of a unit in it."""
WRONG_DESK = "general-office"
_MINUTE = timedelta(minutes=1)


def tell(
    case: Case, site: Site, random: Random, shares: Mapping[str, float], ratings: list[float]
) -> list[Event]:
    """The events of the case, and of its duplicate if it has one, in the order of time. shares, ratings: see year.toml."""
    life = _Life(case, site, random, shares, ratings)
    match case.ending:
        case Ending.REJECTED:
            life.reject()
        case Ending.OPEN:
            steps = life.steps(on_the_spot=False)
            for _ in islice(steps, random.randint(1, BEFORE_CLOSING)):
                pass
        case Ending.CLOSED:
            for _ in life.steps(on_the_spot=random.random() < case.category.on_the_spot):
                pass
    return life.events()


@cache
def staff(role: Role, township: str, number: int, unit: str | None = None) -> Person:
    """A made-up person of a township, or of a unit in it."""
    of = f"{township}-{unit}" if unit else township
    name = f"demo-{of}-{role.value.replace('_', '-')}-{number}"
    return Person(name, frozenset({role}), units=frozenset([unit] if unit else []))


class _Life:
    """One incident on its way. `at` is when its last step was; `_act` takes the next."""

    def __init__(
        self, case: Case, site: Site, random: Random, shares: Mapping[str, float], ratings: list[float]
    ) -> None:
        self.case, self.site, self.random, self.shares, self.ratings = case, site, random, shares, ratings
        self.at = case.reported_at
        self.unit = case.category.unit
        self.incident = self._report(case.id)
        self.duplicate: Incident | None = None
        if case.duplicate:
            self._wait(3, 20)
            self.duplicate = self._report(case.duplicate)
            self._wait(2, 10)
            self.duplicate.merge(by=self._person(Role.INTAKE), at=self.at, into=self.incident)

    def events(self) -> list[Event]:
        events = self.incident.collect_events()
        if self.duplicate is None:
            return list(events)
        return sorted((*events, *self.duplicate.collect_events()), key=attrgetter("timestamp"))

    def reject(self) -> None:
        self._wait(5, 120)
        self._act(Incident.reject, Role.INTAKE, reason=f"不属受理范围{MADE_UP}")

    def steps(self, *, on_the_spot: bool) -> Iterator[IncidentState]:
        """The way to its closing, and what came after: the state after each step. It stops where nobody asks for the next one."""
        self._wait(2, 45)
        yield self._act(Incident.accept, Role.INTAKE)
        if on_the_spot:
            self._wait(10, 150)
            photo = f"{self.random.getrandbits(256):064x}"
            yield self._act(
                Incident.close_on_the_spot,
                Role.GRID_WORKER,
                photo_sha256=photo,
                note=f"已当场处置{MADE_UP}",
            )
        else:
            yield from self._through_unit()
        if self._happens("evaluated"):
            self._wait(24 * 60, 120 * 60)
            (rating,) = self.random.choices(range(1, BEST + 1), self.ratings)
            yield self._act(Incident.evaluate, Role.INTAKE, rating=rating, note=f"回访{MADE_UP}")
        if self._happens("reopened"):
            self._wait(12 * 60, 72 * 60)
            self._act(Incident.reopen, Role.SUPERVISOR, reason=f"问题再次出现{MADE_UP}")
            yield from self._through_unit()

    def _through_unit(self) -> Iterator[IncidentState]:
        """From its dispatch to its closing; some go to the wrong desk first, and may have to stay there."""
        self.unit = self.case.category.unit
        if self._happens("returned"):
            self.unit = WRONG_DESK
            yield self._dispatch()
            yield from self._return()
        if self.unit != self.incident.lead_unit:
            yield self._dispatch()
        self._wait_for(f"sign:{self.unit}", "signed_late")
        yield self._act(Incident.sign, Role.UNIT_HANDLER, self.unit)
        self._wait(5, 90)
        yield self._act(Incident.start_handling, Role.UNIT_HANDLER, self.unit)
        if self._happens("extended"):
            yield from self._extend()
        while True:
            self._wait_for(f"handle:{self.unit}", "handled_late")
            yield self._act(Incident.give_feedback, Role.UNIT_HANDLER, self.unit, result=f"已处理{MADE_UP}")
            self._wait_for("verify", "verified_late")
            if not self._happens("reworked"):
                yield self._act(Incident.verify, Role.VERIFIER, passed=True, note=f"属实{MADE_UP}")
                return
            yield self._act(Incident.verify, Role.VERIFIER, passed=False, note=f"未处理到位{MADE_UP}")

    def _dispatch(self) -> IncidentState:
        self._wait(3, 60)
        return self._act(Incident.dispatch, Role.DISPATCHER, lead_unit=self.unit)

    def _return(self) -> Iterator[IncidentState]:
        self._wait(20, 180)
        yield self._act(Incident.request_return, Role.UNIT_LEAD, self.unit, reason=f"不属本单位职责{MADE_UP}")
        self._wait(20, 120)
        granted = self._happens("return_granted")
        reason = f"同意{MADE_UP}" if granted else f"属职责范围，不予退单{MADE_UP}"
        yield self._act(Incident.decide_return, Role.DISPATCHER, granted=granted, reason=reason)
        if granted:
            self.unit = self.case.category.unit

    def _extend(self) -> Iterator[IncidentState]:
        due = self._due(f"handle:{self.unit}")
        self.at = max(self.at, self._in_office(self.at + (due - self.at) * self.random.uniform(0.4, 0.8)))
        yield self._act(
            Incident.request_extension,
            Role.UNIT_LEAD,
            self.unit,
            until=max(due, self.at) + timedelta(days=self.random.randint(2, 10)),
            reason=f"等待配件{MADE_UP}",
        )
        self._wait(20, 240)
        granted = self._happens("extension_granted")
        reason = f"同意{MADE_UP}" if granted else f"请按期办结{MADE_UP}"
        yield self._act(Incident.decide_extension, Role.SUPERVISOR, granted=granted, reason=reason)

    def _act(
        self, method: Callable[..., None], role: Role, unit: str | None = None, **fields: Any
    ) -> IncidentState:
        """Give the command, and say where it led; what was due before is overdue by then, as the timers would have said."""
        for deadline in sorted(self.incident.deadlines, key=attrgetter("due_at")):
            if deadline.due_at <= self.at:
                self.incident.pass_deadline(by=WORKER, at=deadline.due_at, name=deadline.name)
        method(self.incident, by=self._person(role, unit), at=self.at, **fields)
        return self.incident.state

    def _report(self, incident_id: UUID) -> Incident:
        case = self.case
        role = Role.GRID_WORKER if case.source is Source.GRID_WORKER else Role.INTAKE
        return Incident.report(
            id=incident_id,
            site=self.site,
            by=self._person(role),
            at=self.at,
            source=case.source,
            category=case.category.code,
            description=case.description,
            urgency=case.urgency,
        )

    def _person(self, role: Role, unit: str | None = None) -> Person:
        return staff(role, self.site.township, 1 + int(STAFF * self.random.random()), unit)

    def _happens(self, what: str) -> bool:
        return self.random.random() < self.shares[what]

    def _wait(self, least: int, most: int) -> None:
        """Some minutes pass."""
        self.at += timedelta(seconds=int(60 * (least + (most - least) * self.random.random())))

    def _wait_for(self, name: str, late: str) -> None:
        """Until the deadline is met, mostly early in its time, or missed by up to half of it as often as `late` says."""
        due = self._due(name)
        if self._happens(late):
            done = self._in_office(due + (due - self.at) * self.random.uniform(0.02, 0.5))
        else:
            part = self.random.random() * self.random.random()
            done = min(self._in_office(self.at + (due - self.at) * part), due - _MINUTE)
        self.at = max(self.at, done)

    def _due(self, name: str) -> datetime:
        """When the deadline runs out; now, if it has."""
        return next((one.due_at for one in self.incident.deadlines if one.name == name), self.at)

    def _in_office(self, at: datetime) -> datetime:
        """Then, or when offices open next; an emergency does not wait for them."""
        then = at if self.case.urgency is Urgency.EMERGENCY else after_working_time(at, _MINUTE)
        return then.replace(microsecond=0)
