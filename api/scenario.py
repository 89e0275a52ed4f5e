"""The Rui'an scenario: the story's places, and a made-up sample of its year, driven through the real commands."""

import asyncio
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any
from uuid import UUID, uuid5

from domain import commands
from domain.commands import Order
from domain.credentials import CredentialKind
from domain.errors import CorruptError
from domain.incident import Incident, Source
from domain.observation import NAMESPACE, GateRef
from domain.people import Person, Role
from domain.ports import EventLog
from domain.site import Direction, Gate, GateMode, Measure, Site, site_id

_FOLDER = Path(__file__).parent / "scenarios"
LONG_WAY = 7
"""The incident that goes the long way, by its number in the sample: `anju demo` names it, and `anju replay` tells it."""
SIDE_BY_SIDE = 64
"""Incidents that are driven at the same time."""
FOUNDED = datetime(2017, 3, 1, 1, tzinfo=UTC)
PHOTO_AT = datetime(2018, 11, 30, 0, 0, tzinfo=UTC)
"""When the demonstration's group photo counts as taken: 08:00 in Rui'an."""
PHOTO_GATE = GateRef("runjinyuan", "main")
INSPECTOR = "demo-inspector"

STAFF = {
    role: Person(
        f"demo-{role.value.replace('_', '-')}", frozenset({role}), units=frozenset({"police-station"})
    )
    for role in Role
}
"""One made-up person for each role; the demo's tokens are theirs."""


@dataclass(frozen=True, slots=True)
class SampleIncident:
    """One made-up incident: where, what, and the moment of each step; `closed` is the last one's, if it is closed."""

    number: int
    site: str
    category: str
    unit: str
    description: str
    source: Source
    reported_at: datetime
    closes: bool


@dataclass(frozen=True, slots=True)
class Scenario:
    """The story's facts and what is made up around them."""

    facts: dict[str, Any]
    synthetic: dict[str, Any]

    @property
    def sites(self) -> dict[str, list[str]]:
        """Code -> [name, township] of all sites."""
        return {**self.synthetic["operating"], **self.synthetic["under_construction"]}

    def incidents(self) -> Iterator[SampleIncident]:
        """The sample, always the same; the last `open` ones are not closed."""
        sample = self.synthetic["sample"]
        random = Random(sample["seed"])  # noqa: S311  (a repeatable story, not a secret)
        start = datetime(2018, 1, 1, 0, 0, tzinfo=UTC)
        minutes = int(timedelta(days=330) / timedelta(minutes=1))
        moments = sorted(random.sample(range(minutes), sample["reported"]))
        for number, minute in enumerate(moments):
            category = random.choice(list(self.synthetic["categories"]))
            unit, description = self.synthetic["categories"][category]
            yield SampleIncident(
                number=number,
                site=random.choice(list(self.sites)),
                category=category,
                unit=unit,
                description=f"{description}（模拟 synthetic）",
                source=random.choice([Source.GRID_WORKER, Source.CITIZEN, Source.HOTLINE]),
                reported_at=start + timedelta(minutes=minute),
                closes=number < sample["reported"] - sample["open"],
            )


def load_scenario() -> Scenario:
    """Read both files; CorruptError if the made-up part names other sites than the story."""
    facts, synthetic = (
        tomllib.loads((_FOLDER / name).read_text(encoding="utf-8"))
        for name in ("ruian.toml", "synthetic.toml")
    )
    for group in ("operating", "under_construction"):
        told, coded = set(facts["programme"][group]), {name for name, _ in synthetic[group].values()}
        if told != coded:
            raise CorruptError(f"synthetic.toml and ruian.toml disagree on {group}: {told ^ coded}")
    return Scenario(facts, synthetic)


@dataclass(frozen=True, slots=True)
class Loaded:
    """What the scenario put in: what a question has to give back."""

    reported: int
    closed: int
    position: int


async def load(scenario: Scenario, log: EventLog, progress: Callable[[int, int], None]) -> Loaded:
    """Plan the sites and drive every incident through its commands. Done again, it changes nothing."""
    for code, (name, township) in scenario.sites.items():
        await _build_site(scenario, log, code, name, township)
    incidents = list(scenario.incidents())
    gate = asyncio.Semaphore(SIDE_BY_SIDE)
    done = 0

    async def drive(incident: SampleIncident) -> int:
        nonlocal done
        async with gate:
            position = await _drive(incident, log)
        done += 1
        progress(done, len(incidents))
        return position

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(drive(incident)) for incident in incidents]
    return Loaded(len(incidents), sum(i.closes for i in incidents), max(task.result() for task in tasks))


def long_way() -> UUID:
    """The id of the incident that goes the long way."""
    return commands.subject_id(_by(Role.GRID_WORKER, FOUNDED, LONG_WAY, "report"))


def _request(*parts: object) -> UUID:
    return uuid5(NAMESPACE, "scenario:" + ":".join(map(str, parts)))


def _by(role: Role, at: datetime, *parts: object, unit: str | None = None) -> Order:
    person = STAFF[role]
    if unit:
        person = Person(f"{unit}-{role.value.replace('_', '-')}", person.roles, units=frozenset({unit}))
    return Order(person, at, _request(*parts))


async def _build_site(scenario: Scenario, log: EventLog, code: str, name: str, township: str) -> None:
    key = site_id(code)
    gate = Gate(
        scenario.synthetic["gate"]["code"],
        scenario.synthetic["gate"]["name"],
        GateMode.OPEN,
        Direction.IN,
        (CredentialKind.FACE, CredentialKind.CARD),
    )
    steps: list[tuple[Callable[..., None], dict[str, Any]]] = [
        (Site.start_construction, {}),
        (Site.add_gate, {"gate": gate}),
    ]
    if code in scenario.synthetic["operating"]:
        steps += [
            (Site.install_measure, {"measure": Measure.VIDEO_SURVEILLANCE}),
            (Site.accept, {"inspector": INSPECTOR}),
            (Site.start_operation, {}),
        ]
    if await log.find(_request(code, steps[-1][0].__name__)) is not None:
        return
    if await log.find(_request(code, "plan")) is None:
        await commands.plan_site(
            log, _by(Role.ADMIN, FOUNDED, code, "plan"), code=code, name=name, township=township
        )
    for step, fields in steps:
        await commands.act(log, _by(Role.ADMIN, FOUNDED, code, step.__name__), Site, step, key, **fields)


async def _drive(incident: SampleIncident, log: EventLog) -> int:
    """From report to closure (or only to handling); the position of the last event."""
    number, at = incident.number, incident.reported_at
    way = _long_way(incident.unit) if number == LONG_WAY else _straight_way(incident.unit)
    steps = way if incident.closes else way[:4]
    if (last := await log.find(_request(number, len(steps)))) is not None:
        return last.last
    done = await commands.report_incident(
        log,
        _by(Role.GRID_WORKER, at, number, "report"),
        site_id=site_id(incident.site),
        source=incident.source,
        category=incident.category,
        description=incident.description,
    )
    for turn, step in enumerate(steps, start=1):
        order = _by(step.role, at + timedelta(hours=step.hours), number, turn, unit=step.unit)
        done = await commands.act(log, order, Incident, step.method, done.id, **step.fields(at))
    return done.position


@dataclass(frozen=True, slots=True)
class _Step:
    """A command, who gives it, of which unit, and how many hours after the report."""

    method: Callable[..., None]
    role: Role
    hours: float
    unit: str | None = None
    said: Mapping[str, Any] = field(default_factory=dict)

    def fields(self, reported_at: datetime) -> dict[str, Any]:
        """What it takes; `until`, where there is one, is given in days after the report."""
        return {
            name: reported_at + timedelta(days=value) if name == "until" else value
            for name, value in self.said.items()
        }


def _handled(unit: str, hours: float, *, passed: bool = True) -> list[_Step]:
    """Feedback and its verification."""
    note = "属实（模拟 synthetic）" if passed else "仍有异味，退回重办（模拟 synthetic）"
    return [
        _Step(Incident.give_feedback, Role.UNIT_HANDLER, hours, unit, {"result": "已处理（模拟 synthetic）"}),
        _Step(Incident.verify, Role.VERIFIER, hours + 10, said={"passed": passed, "note": note}),
    ]


def _dispatched(unit: str, hours: float) -> list[_Step]:
    """Handed to the unit, which signs for it and begins."""
    return [
        _Step(Incident.dispatch, Role.DISPATCHER, hours, said={"lead_unit": unit}),
        _Step(Incident.sign, Role.UNIT_HANDLER, hours + 0.6, unit),
        _Step(Incident.start_handling, Role.UNIT_HANDLER, hours + 1.6, unit),
    ]


def _straight_way(unit: str) -> list[_Step]:
    return [_Step(Incident.accept, Role.INTAKE, 0.2), *_dispatched(unit, 0.4), *_handled(unit, 20)]


def _long_way(unit: str) -> list[_Step]:
    """Returned by the first unit, extended, sent back by the verifier, closed, and reopened."""
    wrong, why = "transport", "不属本单位职责（模拟 synthetic）"
    return [
        _Step(Incident.accept, Role.INTAKE, 0.2),
        _Step(Incident.dispatch, Role.DISPATCHER, 0.4, said={"lead_unit": wrong}),
        _Step(Incident.request_return, Role.UNIT_LEAD, 2, wrong, {"reason": why}),
        _Step(
            Incident.decide_return,
            Role.SUPERVISOR,
            3,
            said={"granted": True, "reason": "同意（模拟 synthetic）"},
        ),
        *_dispatched(unit, 4),
        _Step(
            Incident.request_extension,
            Role.UNIT_LEAD,
            60,
            unit,
            {"until": 30, "reason": "等待配件（模拟 synthetic）"},
        ),
        _Step(
            Incident.decide_extension,
            Role.DISPATCHER,
            61,
            said={"granted": True, "reason": "同意（模拟 synthetic）"},
        ),
        *_handled(unit, 300, passed=False),
        *_handled(unit, 340),
        _Step(
            Incident.evaluate, Role.INTAKE, 400, said={"rating": 2, "note": "回访：又坏了（模拟 synthetic）"}
        ),
        _Step(Incident.reopen, Role.SUPERVISOR, 410, said={"reason": "回访不满意（模拟 synthetic）"}),
        *_dispatched(unit, 411),
        *_handled(unit, 460),
    ]
