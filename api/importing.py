"""A row of history -> the incident that it tells of, made by the aggregate's own commands in the order in which they were given. Pure.

A row is a mapping of columns to what they say; empty ones are not in it. docs/import.md describes the columns.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cached_property
from typing import Any
from uuid import UUID, uuid5

from api.import_file import Columns
from domain.commands import takes_limits
from domain.deadlines import DEFAULT_LIMITS, Limits
from domain.errors import InvalidError, RuleError
from domain.incident import Incident, Source
from domain.lifecycle import require_aware, require_text
from domain.observation import NAMESPACE
from domain.people import Person, Role
from domain.personal import Personal, of_subject
from domain.ports import Request
from domain.site import Site

Row = Mapping[str, str]


def _as_it_is(text: str, _column: str) -> str:
    return text


def _yes_or_no(text: str, column: str) -> bool:
    match text.lower():
        case "true":
            return True
        case "false":
            return False
        case _:
            raise InvalidError(f"{column} is {text!r}: write true or false")


@dataclass(frozen=True)
class Step:
    """A command in a row: columns for when and by whom, of which unit (if a unit gives it), and one for each argument of the method."""

    name: str
    method: Callable[..., None]
    role: Role
    of_unit: bool = False
    arguments: Mapping[str, Callable[[str, str], Any]] = field(default_factory=dict)
    round: int = 1

    @cached_property
    def columns(self) -> Mapping[str, str]:
        """Part -> column, such as at -> `feedback_at`, or in the second round `feedback_at_2`."""
        parts = ["at", "by", *(["unit"] if self.of_unit else []), *self.arguments]
        suffix = f"_{self.round}" if self.round > 1 else ""
        return {part: f"{self.name}_{part}{suffix}" for part in parts}

    @cached_property
    def timed(self) -> bool:
        """Whether something is due after it."""
        return takes_limits(self.method)


def _number(text: str, column: str) -> int:
    if not (text.isascii() and text.isdigit()):
        raise InvalidError(f"{column} is {text!r}: write a whole number")
    return int(text)


STEPS = (
    Step("rejected", Incident.reject, Role.INTAKE, arguments={"reason": _as_it_is}),
    Step("accepted", Incident.accept, Role.INTAKE),
    Step(
        "spot",
        Incident.close_on_the_spot,
        Role.GRID_WORKER,
        arguments={"photo_sha256": _as_it_is, "note": _as_it_is},
    ),
    Step("dispatched", Incident.dispatch, Role.DISPATCHER, arguments={"lead_unit": _as_it_is}),
    Step("signed", Incident.sign, Role.UNIT_HANDLER, of_unit=True),
    Step("started", Incident.start_handling, Role.UNIT_HANDLER, of_unit=True),
    Step(
        "feedback", Incident.give_feedback, Role.UNIT_HANDLER, of_unit=True, arguments={"result": _as_it_is}
    ),
    Step("verified", Incident.verify, Role.VERIFIER, arguments={"passed": _yes_or_no, "note": _as_it_is}),
)
"""In the order in which an incident goes through them."""
AFTER = (Step("evaluated", Incident.evaluate, Role.INTAKE, arguments={"rating": _number, "note": _as_it_is}),)
"""What may follow its closing."""
ROUNDS = 9
"""Rounds that a row can tell of: a failed verification 返工 begins the next."""
WALK = (
    *STEPS,
    *(replace(step, round=number) for number in range(2, ROUNDS + 1) for step in STEPS[-2:]),
    *AFTER,
)
"""Every step that a row can tell of."""

REPORT = (
    "number",
    "site",
    "category",
    "source",
    "description",
    "occurred_at",
    "reported_at",
    "reported_by",
    "reporter",
)
OPTIONAL = frozenset({"occurred_at", "reporter"})
COLUMNS = Columns(
    (*REPORT, *(column for step in WALK for column in step.columns.values())),
    frozenset(REPORT) - OPTIONAL,
)


@dataclass(frozen=True, slots=True)
class Import:
    """Rows come from `source`, whose numbers are its own; `by` imports them, at `now`: nothing in them is later.

    limits: the time limits of the place, by which what is still open is due.
    """

    source: str
    by: Person
    now: datetime
    limits: Limits = DEFAULT_LIMITS

    def __post_init__(self) -> None:
        require_text(self.source, "the source's name", 100)

    def incident_id(self, number: str) -> UUID:
        """The id of the incident with this number of the source."""
        return uuid5(uuid5(NAMESPACE, f"import:{self.source}"), number)

    def request(self, row: Row, site: Site) -> Request:
        """What `row` tells of the incident, to be appended all or not at all. InvalidError or RuleError say why it cannot have been.

        The same row is the same request; another row with the same number is another request about the same incident, which the
        log refuses.
        """
        number = require_text(require_cell(row, "number"), "number", 100)
        subject = self.incident_id(number)
        incident = self._report(row, site, subject)
        last = incident.created_on
        for step in WALK:
            last = self._take(incident, step, row, last)
        metadata = {
            "channel": "import",
            "causation": f"import:{self.source}:{number}",
            "importer": self.by.id,
        }
        return Request(uuid5(subject, _impersonal(row)), incident.collect_events(), metadata)

    def _report(self, row: Row, site: Site, subject: UUID) -> Incident:
        reported_at = self._time(row, "reported_at")
        reporter = row.get("reporter")
        return Incident.report(
            id=subject,
            site=site,
            by=_person(row, "reported_by", Role.INTAKE),
            at=reported_at,
            source=_source(require_cell(row, "source")),
            category=require_cell(row, "category"),
            description=require_cell(row, "description"),
            occurred_at=self._time(row, "occurred_at") if "occurred_at" in row else None,
            reporter=Personal(of_subject(uuid5(subject, "reporter")), reporter) if reporter else None,
        )

    def _take(self, incident: Incident, step: Step, row: Row, last: datetime) -> datetime:
        """Give the command, if the row tells of it; when the last one was given."""
        columns = step.columns
        if row.keys().isdisjoint(columns.values()):
            return last
        for column in (columns["at"], columns["by"]):
            if column not in row:
                said = next(name for name in columns.values() if name in row)
                raise InvalidError(f"{said} says something, and {column} is empty")
        at = self._time(row, columns["at"])
        if at < last:
            raise RuleError(f"{columns['at']} lies before the step before it ({at} < {last})")
        unit = (row.get(columns["unit"]) or incident.lead_unit) if step.of_unit else None
        arguments = {
            name: read(require_cell(row, columns[name]), columns[name])
            for name, read in step.arguments.items()
        }
        if step.timed:
            arguments["limits"] = self.limits
        step.method(incident, by=_person(row, columns["by"], step.role, unit), at=at, **arguments)
        return at

    def _time(self, row: Row, column: str) -> datetime:
        text = require_cell(row, column)
        try:
            time = require_aware(datetime.fromisoformat(text))
        except InvalidError as error:
            raise InvalidError(f"{column}: {error}") from error
        except ValueError as error:
            raise InvalidError(f"{column} is {text!r}: write a time as 2018-03-01T08:00:00+08:00") from error
        if time > self.now:
            raise RuleError(f"{column} lies in the future ({text}): history is what has happened")
        return time


def require_cell(row: Row, column: str) -> str:
    """What the column says; InvalidError if it is empty."""
    try:
        return row[column]
    except KeyError:
        raise InvalidError(f"{column} is empty") from None


def _person(row: Row, column: str, role: Role, unit: str | None = None) -> Person:
    name = require_text(require_cell(row, column), column, 100)
    return Person(name, frozenset({role}), units=frozenset([unit] if unit else []))


def _source(text: str) -> Source:
    try:
        return Source(text)
    except ValueError as error:
        raise InvalidError(f"source is {text!r}; accepted are: {', '.join(Source)}") from error


def _impersonal(row: Row) -> str:
    """The row without the reporter: what is made of it outlives the reporter's key, and must not let anybody guess at them."""
    return json.dumps(sorted(item for item in row.items() if item[0] != "reporter"), ensure_ascii=False)
