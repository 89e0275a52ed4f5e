"""What came of the disputes of a period is what one counts by hand: whatever the batches, as of any day, for everybody who may look."""

from random import Random
from statistics import median
from uuid import UUID

import pytest
from given import NOW
from histories import append
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from lives import DAY, STAFF, about, batches, lived, site

from domain.dispute import AgreementForm, Dispute, Objection
from domain.mechanisms import JointMechanism
from domain.people import CITY, Scope
from projections import disputes
from projections.disputes import PROJECTION, DisputeFilter, DisputeOrder
from projections.mediation import Mediation, MediationGroup, lineage, mediation, mediation_by
from projections.period import Period, day_of, midnight
from projections.question import Question
from projections.runner import catch_up

PLACES = [site(), site("gaoqiao", "tangxia")]
ANN, BOB, CAI = STAFF
FIRST = day_of(NOW)
scopes = st.sampled_from([CITY, CITY, Scope("yuhai"), Scope(site_id=PLACES[1].id)])
questions = st.builds(
    lambda start, days, as_of, scope, township, place: Question(
        period=Period(FIRST + start * DAY, FIRST + (start + days) * DAY),
        now=NOW,
        scope=scope,
        township=township,
        site_id=place,
        as_of=None if as_of is None else FIRST + as_of * DAY,
    ),
    start=st.integers(-2, 30),
    days=st.integers(0, 60),
    as_of=st.none() | st.integers(0, 120),
    scope=scopes,
    township=st.sampled_from([None, None, "yuhai", "tangxia"]),
    place=st.sampled_from([None, None, PLACES[0].id]),
)


def within(question, it):
    """Whether the question is about something at this place."""
    return (
        question.scope.covers(it.township, it.site_id)
        and question.township in (None, it.township)
        and question.site_id in (None, it.site_id)
    )


def done(question, life, *kinds):
    """The first entry of these kinds that was done by the as-of day."""
    return next(
        (
            entry
            for entry in life.entries
            if isinstance(entry.event, kinds)
            and (question.as_of is None or day_of(entry.event.timestamp) <= question.as_of)
        ),
        None,
    )


def by_hand(question, lives):
    """Mediation, counted life by life; its position aside."""
    counted = [
        life
        for life in lives
        if within(question, life.it)
        and (accepted := done(question, life, Dispute.Accepted))
        and question.period.start <= day_of(accepted.event.timestamp) <= question.period.end
    ]

    def count(kind, **fields):
        found = [done(question, life, kind) for life in counted]
        return sum(
            entry is not None and all(getattr(entry.event, k) == v for k, v in fields.items())
            for entry in found
        )

    days = [
        (agreed.event.timestamp - done(question, life, Dispute.Accepted).event.timestamp) / DAY
        for life in counted
        if (agreed := done(question, life, Dispute.Agreed))
    ]
    return Mediation(
        accepted=len(counted),
        agreed=count(Dispute.Agreed),
        failed=count(Dispute.Failed),
        withdrawn=count(Dispute.Withdrawn),
        referred=count(Dispute.Referred),
        performing=count(Dispute.PerformanceStarted),
        breached=count(Dispute.Breached),
        fulfilled=count(Dispute.Fulfilled),
        confirmations_requested=count(Dispute.ConfirmationRequested),
        confirmed=count(Dispute.ConfirmationDecided, confirmed=True),
        confirmations_refused=count(Dispute.ConfirmationDecided, confirmed=False),
        median_days_to_agreement=pytest.approx(median(days)) if days else None,
        position=0,
    )


def part_of(question, life, by):
    """For what the dispute counts: its place and mechanism, and the assignment that stood last by the as-of day."""
    moves = [
        entry.event
        for entry in life.entries
        if isinstance(entry.event, Dispute.Assigned | Dispute.MediatorRecused)
        and (question.as_of is None or day_of(entry.event.timestamp) <= question.as_of)
    ]
    last = moves[-1] if moves and isinstance(moves[-1], Dispute.Assigned) else None
    match by:
        case MediationGroup.TOWNSHIP:
            return life.it.township
        case MediationGroup.MECHANISM:
            return life.it.mechanism
        case MediationGroup.ROOM:
            return last and last.room
        case MediationGroup.MEDIATOR:
            return last and last.mediator


@given(seed=st.integers(0, 2**32), question=questions, by=st.sampled_from(MediationGroup))
@hypothesis_settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
async def test_the_figures_and_their_lineage_are_those_counted_by_hand(pool, seed, question, by):
    random = Random(seed)
    lives, entries = lived("disputes", random, PLACES, 25, spread=40 * DAY)
    async with pool.acquire() as connection:
        transaction = connection.transaction()
        await transaction.start()
        for part in batches(random, entries):
            await PROJECTION.fold(connection, part)
        figures = await mediation(connection, question)
        parts = await mediation_by(connection, question, by)
        counted = await paged(connection, question, random.randint(1, 4))
        registered = await disputes.registered(connection, question, first=1000, after=0)
        assert await disputes.registrations(connection, question) == len(registered)
        await transaction.rollback()
    assert figures == by_hand(question, lives)
    groups = {}
    for life in lives:
        groups.setdefault(part_of(question, life, by), []).append(life)
    expected = {part: by_hand(question, members) for part, members in groups.items()}
    assert parts == {part: figure for part, figure in expected.items() if figure.accepted}
    assert sum(row["agreed_position"] is not None for row in counted) == figures.agreed
    assert sum(row["failed_position"] is not None for row in counted) == figures.failed
    positions = {entry.position: entry for entry in entries}
    for row in counted:
        for column, kind in (
            ("accepted", Dispute.Accepted),
            ("agreed", Dispute.Agreed),
            ("failed", Dispute.Failed),
        ):
            if position := row[f"{column}_position"]:
                assert isinstance(positions[position].event, kind)
                assert positions[position].event.originator_id == row["dispute_id"]
    assert len(counted) == figures.accepted
    assert {row["dispute_id"] for row in registered} == {
        life.it.id
        for life in lives
        if within(question, life.it)
        and (begun := done(question, life, Dispute.Registered))
        and question.period.start <= day_of(begun.event.timestamp) <= question.period.end
    }


async def paged(connection, question, first):
    """The whole lineage, `first` rows at a time."""
    rows = []
    while page := await lineage(
        connection, question, first=first, after=rows[-1]["accepted_position"] if rows else 0
    ):
        rows += page
    return rows


def opened(number, at=NOW, *, place=None, mechanism=None):
    """A dispute that was accepted at `at`."""
    dispute = Dispute.register(
        id=UUID(int=number + 1),
        by=ANN,
        at=at,
        category="neighbours",
        description=about(UUID(int=number + 1)),
        mechanism=mechanism,
        **({"site": place} if place else {"township": "yuhai"}),
    )
    for party in (UUID(int=101), UUID(int=102)):
        dispute.add_party(by=ANN, at=at, party=party, details=about(party))
        dispute.give_consent(by=ANN, at=at, party=party)
    dispute.accept(by=ANN, at=at)
    return dispute


def mediated(dispute, at, *, mediator=BOB, room="lao-li"):
    """The same, after a session."""
    dispute.assign(by=ANN, at=at, mediator=mediator.id, room=room)
    dispute.hold_session(by=mediator, at=at)
    return dispute


def agreed(dispute, at, *, mediator=BOB):
    """The same, agreed."""
    terms = {what: about(dispute.id) for what in ("facts", "duties", "method", "place")}
    dispute.agree(
        by=mediator,
        at=at,
        agreed_by=tuple(dispute.parties),
        form=AgreementForm.WRITTEN,
        perform_by=at + 10 * DAY,
        **terms,
    )
    return dispute


@pytest.fixture
async def story(log, pool):
    """Of five accepted disputes two were agreed (after 2 and 4 days), one failed, one was withdrawn and one goes on."""
    failing = mediated(opened(2), NOW + DAY, mediator=CAI, room="lan-jie")
    failing.fail(by=CAI, at=NOW + 6 * DAY, reason="各执一词")
    withdrawn = opened(3)
    withdrawn.withdraw(by=ANN, at=NOW + DAY, party=UUID(int=101))
    made = [
        agreed(mediated(opened(0), NOW + DAY), NOW + 2 * DAY),
        agreed(mediated(opened(1, mechanism=JointMechanism.DISPUTE_MEDIATION), NOW + DAY), NOW + 4 * DAY),
        failing,
        withdrawn,
        mediated(opened(4, place=PLACES[0]), NOW + DAY, mediator=CAI, room="lan-jie"),
    ]
    await append(log, made)
    await catch_up(PROJECTION, pool, log)
    return made


TODAY = Question(period=Period(FIRST, FIRST), now=NOW)


async def test_success_is_a_rate_of_the_accepted_and_another_of_the_handled(log, pool, story):
    async with pool.acquire() as connection:
        figures = await mediation(connection, TODAY)
        rooms = await mediation_by(connection, TODAY, MediationGroup.ROOM)
    assert (figures.accepted, figures.handled, figures.agreed, figures.failed) == (5, 3, 2, 1)
    assert (figures.success_of_accepted, figures.success_of_handled) == (2 / 5, 2 / 3)
    assert figures.median_days_to_agreement == 3
    assert figures.position == await log.position()
    assert {room: (figure.accepted, figure.success_of_handled) for room, figure in rooms.items()} == {
        "lao-li": (2, 1.0),
        "lan-jie": (2, 0.0),
        None: (1, None),
    }


async def test_as_of_a_day_only_what_was_done_by_its_end_counts(pool, story):
    shown = []
    async with pool.acquire() as connection:
        for days in (-1, 0, 2, 3, 4, 6):
            as_of = Question(period=TODAY.period, now=NOW, as_of=FIRST + days * DAY)
            figures = await mediation(connection, as_of)
            shown.append((figures.accepted, figures.agreed, figures.failed, figures.withdrawn))
    assert shown == [(0, 0, 0, 0), (5, 0, 0, 0), (5, 1, 0, 1), (5, 1, 0, 1), (5, 2, 0, 1), (5, 2, 1, 1)]


async def test_as_of_a_day_the_lineage_has_no_step_that_was_done_later(pool, story):
    async with pool.acquire() as connection:
        known = [
            await lineage(
                connection,
                Question(period=TODAY.period, now=NOW, as_of=FIRST + days * DAY),
                first=9,
                after=0,
            )
            for days in (1, 2, 6)
        ]
    assert [
        [sum(row[column] is not None for row in rows) for column in ("agreed_position", "failed_position")]
        for rows in known
    ] == [[0, 0], [1, 0], [2, 1]]


async def test_what_is_accepted_when_a_day_begins_is_accepted_on_that_day(log, pool):
    await append(log, [opened(0, midnight(FIRST))])
    await catch_up(PROJECTION, pool, log)
    async with pool.acquire() as connection:
        counted = [
            (await mediation(connection, Question(period=Period(day, day), now=NOW))).accepted
            for day in (FIRST - DAY, FIRST, FIRST + DAY)
        ]
    assert counted == [0, 1, 0]


async def test_a_dispute_counts_for_the_mediator_who_has_it_now_and_then_for_who_had_it(log, pool):
    dispute = mediated(opened(0), NOW)
    dispute.recuse_mediator(by=BOB, at=NOW + DAY, objection=Objection.RELATIVE)
    agreed(mediated(dispute, NOW + 2 * DAY, mediator=CAI, room="lan-jie"), NOW + 3 * DAY, mediator=CAI)
    await append(log, [dispute])
    await catch_up(PROJECTION, pool, log)
    shown = []
    async with pool.acquire() as connection:
        for days in (0, 1, 2, 3):
            as_of = Question(period=TODAY.period, now=NOW, as_of=FIRST + days * DAY)
            parts = await mediation_by(connection, as_of, MediationGroup.MEDIATOR)
            shown.append({mediator: figure.agreed for mediator, figure in parts.items()})
    assert shown == [{"bob": 0}, {None: 0}, {"cai": 0}, {"cai": 1}]


async def test_without_any_dispute_there_is_no_rate(pool):
    async with pool.acquire() as connection:
        figures = await mediation(connection, TODAY)
        assert await mediation_by(connection, TODAY, MediationGroup.ROOM) == {}
    assert (figures.accepted, figures.handled, figures.position) == (0, 0, 0)
    assert (figures.success_of_accepted, figures.success_of_handled, figures.fulfilment) == (None, None, None)
    assert figures.median_days_to_agreement is None


# --- the board -------------------------------------------------------------------------------------------------------


async def board(pool, scope=CITY, order=DisputeOrder.NEWEST, **wanted):
    """The numbers of the disputes that are listed, page by page of two."""
    found, after = [], None
    async with pool.acquire() as connection:
        while page := await disputes.listed(
            connection, scope, DisputeFilter(**wanted), first=2, order=order, after=after
        ):
            found += [row["dispute_id"].int - 1 for row in page]
            after = (page[-1][order.column], page[-1]["dispute_id"])
    return found


async def test_what_is_due_first_comes_first_and_what_is_not_due_is_not_listed(pool, story):
    due = await board(pool, order=DisputeOrder.DUE)
    async with pool.acquire() as connection:
        rows = [await disputes.one(connection, CITY, UUID(int=n + 1)) for n in range(5)]
    running = [(row["due_at"], n) for n, row in enumerate(rows) if row["due_at"]]
    assert due == [n for _, n in sorted(running)]
    assert len(due) > 1
    late = [n for n, row in enumerate(rows) if row["overdue"]]
    assert sorted(await board(pool, overdue=True)) == late
    assert sorted(await board(pool, overdue=False)) == sorted(set(range(5)) - set(late))


async def test_the_board_shows_what_is_asked_for_and_lies_in_the_scope(pool, story):
    assert await board(pool) == [4, 3, 2, 1, 0]
    assert await board(pool, state="AGREED") == [1, 0]
    assert await board(pool, mediator="cai") == [4, 2]
    assert await board(pool, room="lao-li") == [1, 0]
    assert await board(pool, mechanism=JointMechanism.DISPUTE_MEDIATION) == [1]
    assert await board(pool, category="wages") == []
    assert await board(pool, township="yuhai", site_id=PLACES[0].id) == [4]
    assert await board(pool, due_by=NOW + 12 * DAY) == [0]
    assert await board(pool, Scope(site_id=PLACES[0].id)) == [4]
    assert await board(pool, Scope("tangxia")) == []
    async with pool.acquire() as connection:
        assert await disputes.one(connection, Scope("tangxia"), UUID(int=1)) is None
        row = await disputes.one(connection, Scope("yuhai"), UUID(int=1))
    assert (row["parties"], row["state"], row["due"], row["due_at"]) == (
        2,
        "AGREED",
        "perform",
        NOW + 12 * DAY,
    )
