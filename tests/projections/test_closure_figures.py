"""Each count of docs/figures.md, by a small story; the two ways of counting give the same; lineage is what was counted."""

from dataclasses import fields, replace
from datetime import UTC, date, datetime, timedelta
from itertools import count, product
from random import Random
from uuid import UUID

import pytest
from given import build_site, person
from histories import append, interleaved
from histories import append_requests as append_all
from incidents import (
    BOTH,
    DISPATCHER,
    GRID_WORKER,
    HANDLER,
    INTAKE,
    LIMITS,
    PICTURE,
    SUPERVISOR,
    UNIT,
    VERIFIER,
    WATER,
)

from domain.errors import InvalidError
from domain.incident import Incident, Source
from domain.mechanisms import JointMechanism
from domain.people import CITY, Role, Scope
from projections import closure_figures
from projections.closure import PROJECTION
from projections.closure_figures import (
    Basis,
    Closure,
    Group,
    Question,
    closure,
    compared,
    lineage,
    repeats,
    series,
    times,
)
from projections.period import Grain, Period, midnight, percent
from projections.runner import catch_up

MONDAY = datetime(2026, 3, 2, 1, tzinfo=UTC)
"""09:00 in Shanghai, of a working day."""
LATER = datetime(2027, 1, 1, tzinfo=UTC)
MARCH = Period(date(2026, 3, 1), date(2026, 3, 31))
COUNTS = [field.name for field in fields(Closure) if field.name != "position"]
PLUMBER = person(Role.UNIT_HANDLER, name="plumber", units=(WATER,))


def at(hours):
    return MONDAY + timedelta(hours=hours)


class Story:
    """An incident, and short words for what is done to it; every time is in hours after MONDAY."""

    numbers = count(1)

    def __init__(self, site, hours=0, category="noise"):
        self.it = Incident.report(
            id=closure_id(next(self.numbers)), site=site, by=INTAKE, at=at(hours), source=Source.CITIZEN, category=category,
            description="太吵",
        )  # fmt: skip

    def accepted(self, hours):
        self.it.accept(by=INTAKE, at=at(hours))
        return self

    def dispatched(self, hours, unit=UNIT):
        """Handling is due 10 hours later, and verifying 5 hours after the feedback."""
        if self.it.state == "REPORTED":
            self.accepted(hours)
        self.it.dispatch(by=DISPATCHER, at=at(hours), lead_unit=unit, limits=LIMITS)
        return self

    def handling(self, hours):
        by = HANDLER if self.it.lead_unit == UNIT else PLUMBER
        self.it.sign(by=by, at=at(hours))
        self.it.start_handling(by=by, at=at(hours))
        return self

    def feedback(self, hours):
        by = HANDLER if self.it.lead_unit == UNIT else PLUMBER
        self.it.give_feedback(by=by, at=at(hours), result="swept", limits=LIMITS)
        return self

    def verified(self, hours, passed=True):
        self.it.verify(by=VERIFIER, at=at(hours), passed=passed, note="seen", limits=LIMITS)
        return self

    def closed(self, hours, *, since=None):
        """Dispatched at `since` (two hours before), and closed at `hours`."""
        begin = hours - 2 if since is None else since
        return self.dispatched(begin).handling(begin).feedback(hours).verified(hours)

    def closed_on_the_spot(self, hours):
        if self.it.state == "REPORTED":
            self.accepted(hours)
        self.it.close_on_the_spot(by=GRID_WORKER, at=at(hours), photo_sha256=PICTURE, note="done")
        return self

    def reopened(self, hours):
        self.it.reopen(by=SUPERVISOR, at=at(hours), reason="again")
        return self

    def returned(self, hours):
        self.it.request_return(by=HANDLER, at=at(hours), reason="not ours")
        self.it.decide_return(by=SUPERVISOR, at=at(hours), granted=True, reason="right")
        return self

    def extended(self, hours, until):
        self.it.request_extension(by=HANDLER, at=at(hours), until=at(until), reason="long")
        self.it.decide_extension(by=SUPERVISOR, at=at(hours), granted=True, reason="yes")
        return self

    def parked(self, hours, until):
        self.it.park(by=SUPERVISOR, at=at(hours), until=at(until), reason="wait")
        return self

    def unparked(self, hours):
        self.it.unpark(by=SUPERVISOR, at=at(hours))
        return self

    def rated(self, hours, rating):
        self.it.evaluate(by=INTAKE, at=at(hours), rating=rating, note="asked")
        return self

    def tagged(self, hours, mechanism):
        self.it.tag_mechanism(by=DISPATCHER, at=at(hours), mechanism=mechanism)
        return self


def closure_id(number):
    return UUID(int=number)


@pytest.fixture
def ask(log, pool):
    """Appends stories and answers questions about March 2026; a question is asked both ways."""
    numbers = count()

    async def asked(*stories, period=MARCH, now=LATER, **fields):
        await append(log, [story.it for story in stories], first_number=1000 * next(numbers))
        await catch_up(PROJECTION, pool, log)
        question = Question(period=period, now=now, **fields)
        async with pool.acquire() as connection:
            found = await closure(connection, question)
            assert found == await by_rows(connection, question)
            await check_lineage(connection, question, found)
        return found

    return asked


async def by_rows(connection, question, grain=None, group=None):
    """The figure counted from rows, whatever would be quicker."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(closure_figures, "_days_suffice", lambda *_: False)
        found = await series(connection, question, grain, group)
    return found if grain or group else found[0].closure


async def check_lineage(connection, question, found):
    for name in COUNTS:
        rows = await lineage(connection, question, name, first=1000, after=0)
        assert len(rows) == getattr(found, name), name
    spent = await times(connection, question)
    beside = {
        "backlog": found.backlog,
        "signed": spent.to_sign.count,
        "handled": spent.to_handle.count,
        "repeats": await repeats(connection, question),
    }
    for name, number in beside.items():
        assert len(await lineage(connection, question, name, first=1000, after=0)) == number, name


def day(number, month=3):
    return date(2026, month, number)


def counts(found, *names):
    return tuple(getattr(found, name) for name in names)


def story_counts(found):
    """All that is not zero."""
    return {name: getattr(found, name) for name in COUNTS if getattr(found, name)}


async def test_one_that_is_reported_and_closed_on_time_counts_once_everywhere(ask, site):
    found = await ask(Story(site).closed(3))
    assert story_counts(found) == {
        "received": 1, "cohort_closed": 1, "closings": 1, "closed": 1, "on_time": 1, "dispatches": 1, "verifications": 1,
    }  # fmt: skip
    assert found.backlog == 0
    assert [found.rate(basis) for basis in Basis] == [1.0, 1.0, 1.0]


async def test_of_nothing_there_is_no_rate(ask):
    found = await ask()
    assert story_counts(found) == {}
    assert [found.rate(basis) for basis in Basis] == [None] * 3
    rates = ("on_time", "return", "rework", "extension", "satisfaction", "response", "reopen")
    assert [getattr(found, f"{name}_rate") for name in rates] == [None] * 7


async def test_rejected_and_merged_ones_are_only_counted_apart(ask, site):
    main, merged, back, rejected = (Story(site, n) for n in range(4))
    merged.it.merge(by=INTAKE, at=at(5), into=main.it)
    back.it.merge(by=INTAKE, at=at(30), into=main.it)
    back.it.unmerge(by=INTAKE, at=at(60), main=main.it, reason="another")
    rejected.it.reject(by=INTAKE, at=at(6), reason="not ours")
    # day 2 is hours 0 to 15, day 3 until 39, day 4 until 63
    assert counts(await ask(main, merged, back, rejected), "received", "merged", "rejected") == (2, 1, 1)
    assert counts(await ask(as_of=day(2)), "received", "merged", "rejected") == (2, 1, 1)
    assert counts(await ask(as_of=day(3)), "received", "merged", "rejected") == (1, 2, 1)
    assert counts(await ask(as_of=day(4)), "received", "merged", "rejected") == (2, 1, 1)
    assert counts(await ask(as_of=day(1)), "received", "merged", "rejected") == (0, 0, 0)


async def test_a_reopened_one_is_open_again_and_its_closing_counts_where_it_was(ask, site):
    story = Story(site).closed(3).reopened(24)
    found = await ask(story)
    assert counts(found, "received", "cohort_closed", "closed", "closings", "reopened") == (1, 0, 1, 1, 1)
    assert (found.backlog, found.closings_reopened, found.reopen_rate) == (1, 1, 1.0)
    before = await ask(as_of=day(2))
    assert counts(before, "cohort_closed", "closed", "reopened", "closings_reopened") == (1, 1, 0, 0)


async def test_what_is_closed_twice_in_a_period_is_closed_once_and_its_last_closing_says_if_on_time(
    ask, site
):
    story = Story(site).closed(3).reopened(24).closed(60, since=40)
    found = await ask(story)
    assert counts(found, "closings", "closed", "on_time", "late", "reopened") == (2, 1, 0, 1, 1)
    first = await ask(period=Period(day(2), day(2)))
    assert counts(first, "closings", "closed", "on_time", "late", "cohort_closed") == (1, 1, 1, 0, 1)


async def test_feedback_after_the_deadline_is_late_although_it_was_verified_at_once(ask, site):
    assert counts(await ask(Story(site).closed(12, since=1)), "on_time", "late") == (0, 1)


async def test_feedback_at_the_deadline_is_on_time_and_then_verification_is_due(ask, site):
    punctual = Story(site).dispatched(1).handling(2).feedback(11).verified(16)
    slow = Story(site).dispatched(1).handling(2).feedback(11).verified(16.1)
    assert counts(await ask(punctual, slow), "closed", "on_time", "late") == (2, 1, 1)


async def test_an_extension_before_the_deadline_moves_the_due_and_after_it_does_not(ask, site):
    in_time = Story(site).dispatched(1).handling(2).extended(10, 40).feedback(30).verified(31)
    too_late = Story(site).dispatched(1).handling(2).extended(12, 40).feedback(30).verified(31)
    found = await ask(in_time, too_late)
    assert counts(found, "on_time", "late", "extended") == (1, 1, 2)
    assert found.extension_rate == 1.0
    assert counts(await ask(as_of=day(2)), "overdue", "extended") == (1, 2)


async def test_a_second_extension_is_not_another_extended_dispatch(ask, site):
    story = Story(site).dispatched(1).handling(2).extended(3, 40).extended(20, 90)
    assert counts(await ask(story), "dispatches", "extended") == (1, 1)
    assert (await ask(period=Period(day(3), day(3)))).extended == 0


async def test_an_open_one_is_overdue_from_its_due_on_and_not_while_it_is_parked(ask, site):
    plain = Story(site).dispatched(0)
    parked = Story(site).dispatched(0).handling(1).parked(2, 100)
    missed = Story(site).dispatched(0).handling(1).parked(11, 100)
    resumed = Story(site).dispatched(0).handling(1).parked(2, 100).unparked(26)
    assert (await ask(plain, parked, missed, resumed, now=at(10))).overdue == 0  # just due
    assert (await ask(now=at(11))).overdue == 2
    assert (await ask(now=at(34))).overdue == 2
    assert (await ask(now=at(34.5))).overdue == 3
    assert (await ask(as_of=day(2))).overdue == 2
    assert (await ask(period=Period(day(2), day(2)))).overdue == 2
    assert (await ask()).overdue == 3
    assert (await ask(as_of=day(2))).rate(Basis.DUE) == 0.0


async def test_what_was_overdue_on_a_day_stays_overdue_in_the_figures_of_that_day(ask, site):
    story = Story(site).closed(30, since=0)
    assert counts(await ask(story), "overdue", "late") == (0, 1)
    assert (await ask(period=Period(day(2), day(2)))).overdue == 1
    assert (await ask(period=Period(day(2), day(2)), as_of=day(3))).overdue == 1
    assert (await ask(now=at(11))).overdue == 1
    assert (await ask(now=at(30))).overdue == 0


async def test_a_return_ends_the_dispatch_and_its_due(ask, site):
    story = Story(site).dispatched(0)
    story.it.sign(by=HANDLER, at=at(1))
    story.returned(12)
    found = await ask(story)
    assert counts(found, "dispatches", "returned", "overdue") == (1, 1, 0)
    assert (await ask(now=at(11))).overdue == 1
    assert found.return_rate == 1.0


async def test_what_was_late_before_it_was_returned_is_on_time_when_the_next_unit_is(ask, site):
    story = (
        Story(site).dispatched(0).returned(12).dispatched(13, WATER).handling(14).feedback(15).verified(16)
    )
    found = await ask(story)
    assert counts(found, "on_time", "late", "dispatches") == (1, 0, 2)


async def test_on_the_spot_there_is_no_due_and_no_verification(ask, site):
    found = await ask(Story(site).closed_on_the_spot(200))
    assert counts(found, "closed", "on_time", "verifications", "dispatches") == (1, 1, 0, 0)


async def test_failed_verifications_are_rework_of_the_unit_and_a_new_deadline_runs(ask, site):
    story = (
        Story(site).dispatched(0).handling(1).feedback(2).verified(3, passed=False).feedback(12).verified(13)
    )
    found = await ask(story)
    assert counts(found, "verifications", "failed", "on_time") == (2, 1, 1)
    assert found.rework_rate == 0.5
    assert counts(await ask(unit=UNIT), "verifications", "failed") == (2, 1)
    assert counts(await ask(unit=WATER), "verifications", "failed") == (0, 0)


async def test_ratings_are_of_the_closings_of_the_period(ask, site):
    glad, angry, silent = (Story(site).closed(3) for _ in range(3))
    glad.rated(100, 4)
    angry.rated(100, 3)
    found = await ask(glad, angry, silent)
    assert counts(found, "ratings", "satisfied", "closings") == (2, 1, 3)
    assert (found.satisfaction_rate, found.response_rate) == (0.5, 2 / 3)
    assert (await ask(period=Period(day(6), day(6)))).ratings == 0
    assert (await ask(as_of=day(2))).ratings == 0


async def test_incidents_are_of_the_latest_unit_and_dispatches_of_their_own(ask, site):
    story = Story(site).dispatched(0).returned(12).dispatched(30, WATER)
    await ask(story)
    names = ("received", "dispatches", "returned", "overdue")
    assert counts(await ask(unit=UNIT), *names) == (0, 1, 1, 0)
    assert counts(await ask(unit=WATER), *names) == (1, 1, 0, 1)
    assert counts(await ask(unit=UNIT, as_of=day(2)), *names) == (1, 1, 1, 0)
    assert counts(await ask(unit=WATER, as_of=day(2)), *names) == (0, 0, 0, 0)
    assert counts(await ask(unit=WATER, now=at(11)), "overdue") == (1,)


async def test_the_last_mechanism_counts(ask, site):
    story = (
        Story(site).tagged(1, JointMechanism.KEY_TASKS).closed(3).tagged(30, JointMechanism.PUBLIC_SECURITY)
    )
    await ask(story)
    names = ("received", "closed", "dispatches", "verifications")
    assert counts(await ask(mechanism="PUBLIC_SECURITY"), *names) == (1, 1, 1, 1)
    assert counts(await ask(mechanism="KEY_TASKS"), *names) == (0, 0, 0, 0)
    assert counts(await ask(mechanism="KEY_TASKS", as_of=day(2)), *names) == (1, 1, 1, 1)


async def test_what_says_an_earlier_time_than_the_step_before_counts_at_that_ones_time(ask, site):
    story = Story(site).dispatched(20).handling(1).feedback(2).verified(3)
    assert counts(await ask(story, period=Period(day(2), day(2))), "received", "dispatches", "closed") == (
        1,
        0,
        0,
    )
    assert counts(await ask(period=Period(day(3), day(3))), "received", "dispatches", "closed") == (0, 1, 1)


async def test_a_deadline_that_is_recorded_as_passed_stays_the_due(ask, site):
    story = Story(site).dispatched(0).handling(1)
    story.it.pass_deadline(by=BOTH, at=at(11), name=f"handle:{UNIT}")
    story.feedback(12).verified(13)
    assert counts(await ask(story), "on_time", "late") == (0, 1)
    assert (await ask(now=at(11))).overdue == 1


async def test_a_scope_is_all_that_is_counted(ask, log, site):
    there = await build_site(log, "shaozhai", "tangxia")
    await ask(Story(site).closed(3), Story(there).closed(3), Story(there).dispatched(0))
    names = ("received", "closed", "dispatches", "overdue")
    assert counts(await ask(), *names) == (3, 2, 3, 1)
    assert counts(await ask(scope=Scope("tangxia")), *names) == (2, 1, 2, 1)
    assert counts(await ask(scope=Scope(site_id=site.id)), *names) == (1, 1, 1, 0)
    assert counts(await ask(scope=Scope("tangxia"), township="yuhai"), *names) == (0, 0, 0, 0)
    assert counts(await ask(scope=Scope("tangxia"), site_id=site.id), *names) == (0, 0, 0, 0)
    assert counts(await ask(site_id=there.id), *names) == (2, 1, 2, 1)


async def test_the_year_before_and_the_period_before_are_counted_beside(ask, site, pool):
    last_year = [Story(site, -365 * 24) for _ in range(4)]
    february = [Story(site, -24 * 5).closed(-24 * 4) for _ in range(2)]
    await ask(*last_year, *february, Story(site))
    async with pool.acquire() as connection:
        found = await compared(connection, Question(period=MARCH, now=LATER))
    assert [one.received for one in (found.now, found.year_before, found.before)] == [1, 4, 2]
    assert [one.opening for one in (found.now, found.year_before, found.before)] == [4, 0, 4]


async def test_a_report_soon_after_another_of_the_same_site_and_category_is_a_repeat(ask, log, site, pool):
    there = await build_site(log, "shaozhai", "tangxia")
    rejected = Story(site, 7 * 24 + 300)
    rejected.it.reject(by=INTAKE, at=at(7 * 24 + 301), reason="no")
    await ask(
        Story(site), Story(site, 7 * 24), Story(site, 14 * 24 + 0.01), Story(site, 1, "theft"), Story(there, 1), rejected,
        Story(site, 7 * 24 + 310),
    )  # fmt: skip
    async with pool.acquire() as connection:
        question = Question(period=MARCH, now=LATER)
        assert await repeats(connection, question) == 2
        assert await repeats(connection, question, days=6) == 1
        assert await repeats(connection, replace(question, category="theft")) == 0


async def test_times_are_medians_by_the_wall_and_in_working_time(ask, site, pool):
    # all on Monday morning, until 13:00
    quick = Story(site).dispatched(1).handling(2).feedback(3).verified(4)
    slow = Story(site).dispatched(1).handling(7).parked(8, 50).unparked(25).feedback(26).verified(32)
    await ask(quick, slow)
    async with pool.acquire() as connection:
        found = await times(connection, Question(period=MARCH, now=LATER))
    assert (found.to_sign.count, found.to_sign.median, found.to_sign.p90) == (2, 3.5, 5.5)
    assert (found.to_close.count, found.to_close.median) == (2, 18.0)
    assert found.to_close.p90 == pytest.approx(4 + 0.9 * 28)
    assert found.to_handle.median == pytest.approx((2 + 25) / 2)
    # 09:00 to 13:00; to Tuesday 17:00
    assert found.to_close.working_median == pytest.approx((3 + 6.5 + 6.5) / 2)
    assert found.parked_hours == 17.0


async def test_the_practice_figures(ask, site):
    """737 of 972 closed on time, 174 late, 61 open and past due: the due rate is 911 of 972."""
    stories = [Story(site).closed(3) for _ in range(737)]
    stories += [Story(site).closed(12, since=1) for _ in range(174)]
    stories += [Story(site).dispatched(1) for _ in range(61)]
    found = await ask(*stories)
    assert found.fraction(Basis.DUE) == (911, 972)
    assert counts(found, "closed", "on_time", "late", "overdue") == (911, 737, 174, 61)
    assert str(percent(*found.fraction(Basis.DUE))) == "93.72"
    assert found.on_time_rate == 737 / 972


async def test_the_flow_of_a_period_begins_with_its_backlog(ask, site):
    old = [Story(site, -24 * 20) for _ in range(5)]
    for story in old[:3]:
        story.closed(10)
    new = [Story(site, 1).closed(5) for _ in range(7)]
    found = await ask(*old, *new, Story(site, 2))
    assert counts(found, "opening", "received", "closed", "cohort_closed") == (5, 8, 10, 7)
    assert (found.fraction(Basis.FLOW), found.backlog) == ((10, 13), 3)


QUESTIONS = [
    {}, {"township": "tangxia"}, {"category": "theft"}, {"unit": "water"}, {"mechanism": "KEY_TASKS"}, {"scope": Scope("yuhai")},
    {"now": datetime(2026, 3, 9, 5, tzinfo=UTC)},
]  # fmt: skip


async def test_the_counts_of_days_and_of_rows_are_the_same_in_every_bucket_of_every_group(log, pool, site):
    there = await build_site(log, "shaozhai", "tangxia")
    for seed, place in enumerate((site, there)):
        await append_all(log, interleaved(Random(seed), place, 40, first_number=seed * 10_000))
    await catch_up(PROJECTION, pool, log)
    async with pool.acquire() as connection:
        for fields_, group, grain in product(QUESTIONS, [None, *Group], [None, Grain.WEEK]):
            question = Question(**({"period": Period(day(3), day(5, 4)), "now": LATER} | fields_))
            found = await series(connection, question, grain, group)
            rows = await by_rows(connection, question, grain, group)
            expected = rows if grain or group else [replace(found[0], closure=rows)]
            assert found == expected, (fields_, group, grain)
        for as_of in (None, day(4), day(9), day(20), day(30, 4)):
            question = Question(period=MARCH, now=LATER, as_of=as_of)
            found = await by_rows(connection, question)
            await check_lineage(connection, question, found)


def done_by(requests, moment):
    """(the requests of what was done before `moment`, all others); time does not run back in an incident."""
    latest, parts = {}, ([], [])
    for request in requests:
        (event,) = request.events
        done = max(event.timestamp, latest.get(event.originator_id, event.timestamp))
        latest[event.originator_id] = done
        parts[done >= moment].append(request)
    return parts


@pytest.mark.parametrize("seed", range(4))
async def test_as_of_a_day_the_whole_log_says_what_it_said_when_it_ended_with_that_day(log, pool, site, seed):
    as_of = day(2 + 3 * seed)
    early, late = done_by(interleaved(Random(seed), site, 40), midnight(as_of + timedelta(days=1)))
    then = Question(period=MARCH, now=midnight(as_of + timedelta(days=1)))
    asked = [(grain, group) for grain in (None, Grain.WEEK) for group in (None, *Group)]
    await append_all(log, early)
    await catch_up(PROJECTION, pool, log)
    async with pool.acquire() as connection:
        said = [await series(connection, then, *way) for way in asked]
    await append_all(log, late)
    await catch_up(PROJECTION, pool, log)
    async with pool.acquire() as connection:
        now = [await series(connection, replace(then, now=LATER, as_of=as_of), *way) for way in asked]
    assert [timeless(one) for one in now] == [timeless(one) for one in said]


def timeless(buckets):
    return [replace(bucket, closure=replace(bucket.closure, position=0)) for bucket in buckets]


async def test_a_lineage_is_read_page_by_page_and_an_unknown_count_is_refused(ask, site, pool):
    await ask(*[Story(site).closed(3) for _ in range(5)])
    async with pool.acquire() as connection:
        question = Question(period=MARCH, now=LATER)
        found, rows = [], [None]
        while rows:
            after = found[-1]["reported_position"] if found else 0
            rows = await lineage(connection, question, "closed", first=2, after=after)
            found += rows
        assert len({row["incident_id"] for row in found}) == len(found) == 5
        assert all(row["closing_position"] > row["reported_position"] for row in found)
        with pytest.raises(InvalidError, match="no lineage of 'everything'; there is of: backlog, closed,"):
            await lineage(connection, question, "everything", first=1, after=0)


@pytest.mark.parametrize("far", [date(999, 12, 31), date(9999, 1, 1), date.min, date.max])
def test_days_at_the_edges_of_the_calendar_are_refused(far):
    for fields_ in ({"period": Period(far, far)}, {"period": MARCH, "as_of": far}):
        with pytest.raises(InvalidError, match="is not of the years 1000 to 9998"):
            Question(now=LATER, **fields_)


def test_every_count_and_rate_has_its_definition():
    rates = {name for name, value in vars(Closure).items() if isinstance(value, property)}
    assert {*COUNTS, *rates, *Basis, "repeats"} == set(closure_figures.DEFINITIONS)
    assert Question(period=MARCH, now=LATER).scope == CITY
