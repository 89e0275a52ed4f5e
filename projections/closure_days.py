"""What one incident adds to the counts of each day, as the table closure_days has them. Pure."""

from collections import defaultdict
from collections.abc import Iterator
from datetime import date
from enum import IntEnum, auto

from projections.closure_history import Dispatch, History, Mark
from projections.period import day_of

SATISFIED = 4
"""满意: the lowest rating that is."""


class Count(IntEnum):
    """The counts, in the order of the columns."""

    RECEIVED = 0
    REJECTED = auto()
    MERGED = auto()
    COHORT_CLOSED = auto()
    CLOSINGS = auto()
    CLOSINGS_ON_TIME = auto()
    CLOSINGS_REOPENED = auto()
    REOPENED = auto()
    RATINGS = auto()
    SATISFIED = auto()
    DISPATCHES = auto()
    RETURNED = auto()
    EXTENDED = auto()
    VERIFICATIONS = auto()
    FAILED = auto()
    FELL_OVERDUE = auto()
    ENDED_OVERDUE = auto()


Fact = tuple[int, date, str | None, str | None]
"""(count, day, unit, mechanism): one that an incident counts for."""
Key = tuple[str, str, date, str]
"""(dimension, value, day, township)"""
CITY = ""
"""In the place of a township: all of them together."""
Days = defaultdict[Key, list[int]]


def no_days() -> Days:
    """To be added to."""
    return defaultdict(lambda: [0] * len(Count))


def move(days: Days, history: History, before: list[Fact], after: list[Fact]) -> None:
    """Take away what `history` counted for, and add what it counts for now."""
    if before == after:
        return
    township, category = history.township, history.category
    for facts, sign in ((before, -1), (after, 1)):
        for count, day, unit, mechanism in facts:
            for place in (township, CITY):
                days["ALL", "", day, place][count] += sign
                days["CATEGORY", category, day, place][count] += sign
                days["UNIT", unit or "", day, place][count] += sign
                days["MECHANISM", mechanism or "", day, place][count] += sign


def facts(history: History) -> list[Fact]:
    """Everything it counts for. The unit is the incident's, but of what belongs to a dispatch it is that one's."""
    unit, mechanism = history.unit, history.mechanism
    reported = day_of(history.cycles[0].began_at)
    if history.left_as is not None:
        return [(Count[history.left_as], reported, unit, mechanism)]
    found: list[Fact] = [(Count.RECEIVED, reported, unit, mechanism)]
    if history.cycles[-1].closed_at is not None:
        found.append((Count.COHORT_CLOSED, reported, unit, mechanism))
    found += ((count, day, unit, mechanism) for count, day in _of_cycles(history))
    for dispatch in history.dispatches:
        found += ((count, day, dispatch.unit, mechanism) for count, day in _of_dispatch(dispatch))
        found += ((count, day, unit, mechanism) for count, day in _overdue(dispatch))
    for mark in history.marks:
        if mark.mark is Mark.FAILED:
            day = day_of(mark.at)
            found += ((count, day, mark.value, mechanism) for count in (Count.VERIFICATIONS, Count.FAILED))
    return found


def _of_cycles(history: History) -> Iterator[tuple[int, date]]:
    for cycle in history.cycles:
        if cycle.number > 1:
            yield Count.REOPENED, day_of(cycle.began_at)
        if cycle.closed_at is None:
            continue
        day = day_of(cycle.closed_at)
        yield Count.CLOSINGS, day
        if cycle.on_time:
            yield Count.CLOSINGS_ON_TIME, day
        if cycle.reopened_at is not None:
            yield Count.CLOSINGS_REOPENED, day
        if cycle.rating is not None:
            yield Count.RATINGS, day
            if cycle.rating >= SATISFIED:
                yield Count.SATISFIED, day


def _of_dispatch(dispatch: Dispatch) -> Iterator[tuple[int, date]]:
    yield Count.DISPATCHES, day_of(dispatch.dispatched_at)
    if dispatch.extended_at is not None:
        yield Count.EXTENDED, day_of(dispatch.extended_at)
    if dispatch.ended_at is not None:
        yield Count.RETURNED if dispatch.returned else Count.VERIFICATIONS, day_of(dispatch.ended_at)


def _overdue(dispatch: Dispatch) -> Iterator[tuple[int, date]]:
    """On which day it was the first time past due when the day was over, and on which it no longer was."""
    if dispatch.late_from is None:
        return
    fell = day_of(dispatch.late_from)
    if dispatch.ended_at is None:
        yield Count.FELL_OVERDUE, fell
    elif fell < (ended := day_of(dispatch.ended_at)):
        yield Count.FELL_OVERDUE, fell
        yield Count.ENDED_OVERDUE, ended
