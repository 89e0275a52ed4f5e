"""The figures of docs/figures.md once more: counted over the events themselves, in memory, as the definitions read, and sharing nothing with the SQL.

A question is anything with the fields of `closure_figures.Question`. A count is the list of facts that it counts, so its lineage is itself.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from fractions import Fraction
from typing import Any, NamedTuple

from domain.alarm import Alarm
from domain.deadlines import Timed
from domain.dispute import Dispute
from domain.gatepass import GatePass
from domain.incident import Incident
from domain.site import Site
from domain.working_time import working_time
from projections.period import Period, day_of, midnight

HOUR = timedelta(hours=1)
PARTS = {
    "TOWNSHIP": "township",
    "SITE": "site_id",
    "CATEGORY": "category",
    "UNIT": "unit",
    "MECHANISM": "mechanism",
}
"""How figures are grouped, and the part of a question that each group is."""


# Time


class Fact(NamedTuple):
    """One event, where it stands in the log, and when it counts."""

    position: int
    at: datetime
    event: Any


def histories(entries, kind):
    """What happened to each aggregate whose events are of `kind`; time does not run back in it."""
    found: dict[Any, list[Fact]] = {}
    for entry in entries:
        if isinstance(entry.event, kind):
            history = found.setdefault(entry.event.originator_id, [])
            at = max(entry.event.timestamp, history[-1].at) if history else entry.event.timestamp
            history.append(Fact(entry.position, at, entry.event))
    return list(found.values())


def known(told: Iterable[list[Fact]], as_of):
    """The histories as they were at the end of the day `as_of`; None: as they are."""
    for history in told:
        then = history if as_of is None else before(history, Period(as_of, as_of).over)
        if then:
            yield then


def before(history, moment):
    """What had happened before `moment`."""
    return [fact for fact in history if fact.at < moment]


def within(fact, period):
    """Whether it was done on a day of the period."""
    return period.start <= day_of(fact.at) <= period.end


def cut_off(question):
    """The end of the period, or of the as-of day, or now, whichever comes first."""
    return min(end_of_days(question), question.now)


def end_of_days(question):
    """The end of the period, or of the as-of day."""
    if question.as_of is None:
        return question.period.over
    return min(question.period.over, Period(question.as_of, question.as_of).over)


def by_cut_off(history, question):
    """What had happened at the cut-off: what is done this very moment is done, what is done at midnight belongs to the next day."""
    return [fact for fact in before(history, end_of_days(question)) if fact.at <= question.now]


# The story of one incident


@dataclass
class Dispatch:
    """What belongs to one dispatch. `due`: the deadline that runs for its lead unit, or that was missed; None while it waits."""

    fact: Fact
    due: datetime | None = None
    signed: Fact | None = None
    feedback: Fact | None = None
    extended: Fact | None = None
    returned: Fact | None = None
    verifications: list[Fact] = field(default_factory=list)

    @property
    def unit(self):
        return self.fact.event.lead_unit


@dataclass
class Closing:
    """One closing, the report or reopening that it ended, and the dispatch that led to it (None: closed on the spot)."""

    fact: Fact
    began: Fact
    dispatch: Dispatch | None
    parked: timedelta
    rated: Fact | None = None
    reopened: Fact | None = None

    @property
    def on_time(self):
        return self.dispatch is None or self.dispatch.due is None or self.fact.at <= self.dispatch.due


@dataclass
class Story:
    """An incident as its events tell it. `going`: the dispatch that has not ended. `left`: REJECTED or MERGED."""

    reported: Fact
    began: Fact
    left: str | None = None
    closed: bool = False
    mechanism: Any = None
    going: Dispatch | None = None
    parked_at: datetime | None = None
    parked: timedelta = timedelta()
    dispatches: list[Dispatch] = field(default_factory=list)
    closings: list[Closing] = field(default_factory=list)
    reopenings: list[Fact] = field(default_factory=list)

    @property
    def unit(self):
        return self.dispatches[-1].unit if self.dispatches else None


def tell(history):
    """The story that `history` tells, from its report on."""
    story = Story(reported=history[0], began=history[0])
    for fact in history[1:]:
        step(story, fact)
        if story.going:
            step_of_dispatch(story.going, fact)
        match fact.event:
            case Incident.Returned():
                story.going = None
            case Incident.Closed() | Incident.ClosedOnTheSpot():
                story.closings.append(Closing(fact, story.began, story.going, story.parked))
                story.closed, story.going = True, None
    return story


def step(story, fact):
    """What a fact means for the incident, but for the end of a dispatch."""
    match fact.event:
        case Incident.Rejected():
            story.left = "rejected"
        case Incident.Merged():
            story.left = "merged"
        case Incident.Unmerged():
            story.left = None
        case Incident.MechanismTagged():
            story.mechanism = fact.event.mechanism
        case Incident.Dispatched():
            story.going = Dispatch(fact)
            story.dispatches.append(story.going)
        case Incident.Parked():
            story.parked_at = fact.at
        case Incident.Unparked():
            story.parked += fact.at - story.parked_at
        case Incident.Evaluated():
            story.closings[-1].rated = fact
        case Incident.Reopened():
            story.closings[-1].reopened = fact
            story.reopenings.append(fact)
            story.began, story.parked, story.closed = fact, timedelta(), False


def step_of_dispatch(dispatch, fact):
    """What a fact means for the dispatch that goes on."""
    match fact.event:
        case Incident.Signed():
            dispatch.signed = dispatch.signed or fact
        case Incident.ExtensionGranted():
            dispatch.extended = dispatch.extended or fact
        case Incident.FeedbackGiven():
            dispatch.feedback = fact
        case Incident.Reworked() | Incident.Closed():
            dispatch.verifications.append(fact)
        case Incident.Returned():
            dispatch.returned = fact
    if isinstance(fact.event, Timed):
        set_due(dispatch, fact)


def set_due(dispatch, fact):
    """The deadline that runs from this fact on, unless the one before was missed: it stays the due."""
    if dispatch.due is not None and dispatch.due < fact.at:
        return
    runs = {deadline.name: deadline.due_at for deadline in fact.event.deadlines}
    due = runs.get(f"handle:{dispatch.unit}") or runs.get("verify")
    if due is not None:
        dispatch.due = due
    elif isinstance(fact.event, Incident.Parked) and dispatch.due is not None and dispatch.due > fact.at:
        dispatch.due = None  # it waits; what is due this very moment does not, as the domain has it


# What is counted


def counts(told, question):
    """Each count of `question`, as the facts that it counts: a report, a dispatch, a closing .."""
    found = defaultdict(list)
    for history in known(told, question.as_of):
        story = tell(history)
        if not asked_for(story, question):
            continue
        for dispatch in story.dispatches:
            if question.unit in (None, dispatch.unit):
                for name, fact in of_dispatch(dispatch, question.period):
                    found[name].append(fact)
        if question.unit in (None, story.unit):
            for name, fact in of_incident(story, history, question):
                found[name].append(fact)
    return found


def asked_for(story, question):
    """Whether the incident lies inside the scope, place, category and mechanism of the question."""
    report = story.reported.event
    return (
        question.scope.township in (None, report.township)
        and question.scope.site_id in (None, report.site_id)
        and question.township in (None, report.township)
        and question.site_id in (None, report.site_id)
        and question.category in (None, report.category)
        and question.mechanism in (None, story.mechanism)
    )


def of_dispatch(dispatch, period):
    """What one dispatch adds: (count, fact)."""
    if within(dispatch.fact, period):
        yield "dispatches", dispatch.fact
    if dispatch.returned and within(dispatch.returned, period):
        yield "returned", dispatch.returned
    if dispatch.extended and within(dispatch.extended, period):
        yield "extended", dispatch.extended
    for fact in dispatch.verifications:
        if within(fact, period):
            yield "verifications", fact
            if isinstance(fact.event, Incident.Reworked):
                yield "failed", fact


def of_incident(story, history, question):
    """What one incident adds: (count, fact)."""
    period = question.period
    received = within(story.reported, period)
    if story.left is not None:
        if received:
            yield story.left, story.reported
        return
    if received:
        yield "received", story.reported
        if story.closed:
            yield "cohort_closed", story.closings[-1].fact
    if is_open(before(history, midnight(period.start))):
        yield "opening", story.reported
    for fact in story.reopenings:
        if within(fact, period):
            yield "reopened", fact
    yield from of_closings([closing for closing in story.closings if within(closing.fact, period)])
    if is_overdue(by_cut_off(history, question), cut_off(question)):
        yield "overdue", story.reported


def of_closings(closings):
    """What the closings of one incident in the period add: (count, fact)."""
    for closing in closings:
        yield "closings", closing.fact
        if closing.rated:
            yield "ratings", closing.fact
            if closing.rated.event.rating in (4, 5):
                yield "satisfied", closing.fact
        if closing.reopened:
            yield "closings_reopened", closing.fact
    if closings:
        yield "closed", closings[-1].fact
        yield ("on_time" if closings[-1].on_time else "late"), closings[-1].fact


def is_open(history):
    """Whether it is reported and not closed, of an incident that has not left."""
    return bool(history) and not tell(history).closed


def is_overdue(history, end):
    """Whether it is open and past due at `end`."""
    going = tell(history).going if history else None
    return going is not None and going.due is not None and going.due < end


def repeats(told, question, days=7):
    """The received ones that were reported within `days` after another one of the same site and category."""
    counted = [story for story in map(tell, known(told, question.as_of)) if story.left is None]
    places = defaultdict(list)
    for story in counted:
        places[story.reported.event.site_id, story.reported.event.category].append(story.reported)
    found = []
    for story in counted:
        one = story.reported
        if (
            within(one, question.period)
            and asked_for(story, question)
            and question.unit in (None, story.unit)
            and any(
                timedelta() < one.at - other.at <= timedelta(days=days)
                for other in places[one.event.site_id, one.event.category]
            )
        ):
            found.append(one)
    return found


def groups(told, question, group):
    """The values of `group` that anything of the question belongs to; None where an incident has none yet."""
    found = set()
    for story in map(tell, known(told, question.as_of)):
        match group:
            case "UNIT":
                found |= {story.unit, *(dispatch.unit for dispatch in story.dispatches)}
            case "MECHANISM":
                found.add(story.mechanism)
            case _:
                found.add(getattr(story.reported.event, PARTS[group]))
    return found


# Rates


def rate(part, whole):
    """Part of whole; None of nothing."""
    return Fraction(part, whole) if whole else None


def rates(counted):
    """Every rate, of the numbers of the counts."""
    n = defaultdict(int, counted)
    return {
        "COHORT": rate(n["cohort_closed"], n["received"]),
        "FLOW": rate(n["closed"], n["opening"] + n["received"]),
        "DUE": rate(n["closed"], n["closed"] + n["overdue"]),
        "on_time": rate(n["on_time"], n["closed"] + n["overdue"]),
        "return": rate(n["returned"], n["dispatches"]),
        "rework": rate(n["failed"], n["verifications"]),
        "extension": rate(n["extended"], n["dispatches"]),
        "satisfaction": rate(n["satisfied"], n["ratings"]),
        "response": rate(n["ratings"], n["closings"]),
        "reopen": rate(n["closings_reopened"], n["closings"]),
    }


def backlog(counted):
    """Open at the end of the period."""
    n = defaultdict(int, counted)
    return n["opening"] + n["received"] + n["reopened"] - n["closings"]


def still_open(told, question):
    """The incidents that are open when the period is over: the backlog, counted directly."""
    found = []
    for history in known(told, question.as_of):
        story = tell(history)
        if (
            story.left is None
            and asked_for(story, question)
            and question.unit in (None, story.unit)
            and is_open(before(history, question.period.over))
        ):
            found.append(story.reported)
    return found


# Times


def times(told, question):
    """(from, to) of everything that `to_sign`, `to_handle` and `to_close` look at, and the parked time of those closings."""
    spans, parked = {"to_sign": [], "to_handle": [], "to_close": []}, timedelta()
    for story in map(tell, known(told, question.as_of)):
        if not asked_for(story, question):
            continue
        for dispatch in story.dispatches:
            if (
                dispatch.signed
                and within(dispatch.signed, question.period)
                and question.unit in (None, dispatch.unit)
            ):
                spans["to_sign"].append((dispatch.fact.at, dispatch.signed.at))
        for closing in story.closings:
            if within(closing.fact, question.period) and question.unit in (None, story.unit):
                spans["to_close"].append((closing.began.at, closing.fact.at))
                parked += closing.parked
                if closing.dispatch:
                    spans["to_handle"].append((closing.dispatch.fact.at, closing.dispatch.feedback.at))
    return spans, parked


def percentile(values, share):
    """The value below which `share` of them lie, between the two nearest as percentile_cont has it; None of nothing."""
    if not values:
        return None
    ordered = sorted(values)
    place = share * (len(ordered) - 1)
    low = int(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (place - low)


def spread(spans):
    """How many there are, and in hours the median and p90 by the wall, then of working time."""
    wall = [Fraction((end - start) // timedelta.resolution) for start, end in spans]
    working = [Fraction(working_time(start, end) // timedelta.resolution) for start, end in spans]
    hour = HOUR // timedelta.resolution
    found = [
        percentile(values, share) for values in (wall, working) for share in (Fraction(1, 2), Fraction(9, 10))
    ]
    return len(spans), *(value if value is None else value / hour for value in found)


# Safety


def in_place(event, question):
    """Whether something that happened in the township and at the site of `event` is asked for."""
    return (
        question.scope.township in (None, event.township)
        and question.scope.site_id in (None, event.site_id)
        and question.township in (None, event.township)
        and question.site_id in (None, event.site_id)
    )


OUTCOMES = {
    "agreed": Dispute.Agreed,
    "failed": Dispute.Failed,
    "withdrawn": Dispute.Withdrawn,
    "referred": Dispute.Referred,
    "performing": Dispute.PerformanceStarted,
    "breached": Dispute.Breached,
    "fulfilled": Dispute.Fulfilled,
    "confirmations_requested": Dispute.ConfirmationRequested,
}
"""What may become of a dispute that was accepted, and the event that says so."""


def mediation(entries, question):
    """The disputes accepted in the period, and of those what became of each."""
    found = {"accepted": [], **{outcome: [] for outcome in OUTCOMES}}
    for history in known(histories(entries, Dispute.Event), question.as_of):
        accepted = [fact for fact in history if isinstance(fact.event, Dispute.Accepted)]
        if (
            not in_place(history[0].event, question)
            or not accepted
            or not within(accepted[0], question.period)
        ):
            continue
        found["accepted"].append(accepted[0])
        for outcome, event in OUTCOMES.items():
            found[outcome] += [fact for fact in history if isinstance(fact.event, event)][:1]
    return found


def alarms(entries, question):
    """The alarms tripped in the period, what they were found to be, and the seconds until somebody acknowledged each."""
    found = {"tripped": [], "real": [], "false": [], "test": [], "seconds": []}
    for history in known(histories(entries, Alarm.Event), question.as_of):
        tripped = history[0]
        if not in_place(tripped.event, question) or not within(tripped, question.period):
            continue
        found["tripped"].append(tripped)
        for fact in history:
            match fact.event:
                case Alarm.FoundReal():
                    found["real"].append(fact)
                case Alarm.FoundFalse():
                    found["false"].append(fact)
                case Alarm.FoundTest():
                    found["test"].append(fact)
                case Alarm.Acknowledged():
                    found["seconds"].append(
                        Fraction((fact.at - tripped.at) // timedelta.resolution, 1_000_000)
                    )
    return found


def passes(entries, question):
    """The passes of the period under what was decided last: (where each passed, what decided so)."""
    found = defaultdict(list)
    for history in known(histories(entries, GatePass.Event), question.as_of):
        passed, last = history[0], history[-1]
        if in_place(passed.event, question) and within(passed, question.period):
            found[last.event.TO or passed.event.decision].append((passed, last))
    return found


def households(entries, question):
    """The households of the asked-for sites at the middle of the period, as they were last counted by then."""
    middle = question.period.start + timedelta(days=question.period.days // 2)
    planned, last = {}, {}
    for entry in entries:
        event = entry.event
        match event:
            case Site.Planned():
                planned[event.originator_id] = event
            case Site.HouseholdsCounted():
                before_it = last.get(event.originator_id)
                if (
                    event.counts_from <= middle
                    and (question.as_of is None or day_of(event.timestamp) <= question.as_of)
                    and (before_it is None or event.counts_from >= before_it.counts_from)
                ):
                    last[event.originator_id] = event
    return sum(
        event.households
        for site_id, event in last.items()
        if question.scope.township in (None, planned[site_id].township)
        and question.scope.site_id in (None, site_id)
        and question.township in (None, planned[site_id].township)
        and question.site_id in (None, site_id)
    )


def per_thousand(events, count, days=None):
    """Events for each 1,000 households, of a year if `days` says how long the period is; None without households."""
    if not count:
        return None
    return Fraction(events * 1000, count) * (Fraction(365, days) if days else 1)
