"""What was known at a position: the clock, the read models and the archives that it takes. The oracle tests count the figures."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from given import NOW, build_site, person
from histories import TO_CLOSURE, a_pass, append, driven, everything, reported, request, step

from domain.access import Decision
from domain.errors import InvalidError, UnavailableError
from domain.gatepass import ReleaseGround
from domain.people import Role
from projections import at_position, closure, gate_lineage, gate_traffic
from projections.closure_figures import Question
from projections.closure_figures import closure as counted
from projections.period import Period, day_of
from projections.runner import OutdatedError, catch_up

TODAY = day_of(NOW)
ASKED = Question(period=Period(TODAY - timedelta(days=30), TODAY + timedelta(days=30)), now=NOW)
CLOSURE = (closure.PROJECTION,)
GATES = (gate_traffic.PROJECTION,)
GUARD = person(Role.GUARD)


async def known(connection, position, reads=CLOSURE, question=ASKED):
    """The figures of closure at `position`."""
    asked = await at_position.known(connection, question, position)
    async with at_position.then(connection, position, reads):
        return await counted(connection, asked)


async def test_what_was_done_before_but_told_later_was_not_known(log, pool, site):
    await append(log, [driven(reported(1, site, NOW), TO_CLOSURE)])
    before = await log.position()
    await append(log, [driven(reported(2, site, NOW - timedelta(days=9)), TO_CLOSURE)], first_number=9)
    await catch_up(closure.PROJECTION, pool, log)

    async with pool.acquire() as connection:
        now = await counted(connection, ASKED)
        then = await known(connection, before)
        again = await counted(connection, ASKED)  # on the same connection: nothing of then stays

    assert (now.received, now.closed, now.position) == (2, 2, await log.position())
    assert (then.received, then.closed, then.position) == (1, 1, before)
    assert again == now


async def test_the_clock_stands_where_the_position_was_written(log, pool, site):
    """What is due after that is not overdue yet, however late it is asked."""
    await append(log, [driven(reported(1, site, NOW), 2)])
    await catch_up(closure.PROJECTION, pool, log)
    end = await log.position()
    written = (await everything(log))[-1].recorded_at
    late = Question(
        period=Period(TODAY, day_of(written) + timedelta(days=1)), now=datetime(2100, 1, 1, tzinfo=UTC)
    )

    async with pool.acquire() as connection:
        asked = await at_position.known(connection, late, end)
        nothing = await at_position.known(connection, late, 0)

    assert (asked.at_position, asked.now, asked.cut_off) == (end, written, written)
    assert nothing.now == late.now


async def test_a_due_that_another_took_the_place_of_later_is_the_one_that_was_known(log, pool, site):
    """Feedback came in time, but was told later: as far as was known, handling was overdue."""
    one = driven(reported(1, site, NOW), 2)
    deadlines = one.pending_events[-1].deadlines
    due = next(deadline.due_at for deadline in deadlines if deadline.name.startswith("handle"))
    await append(log, [one])
    before = await log.position()
    for _ in range(3):
        step(one, due - timedelta(minutes=1))
    await log.append(request(one, 2))
    await catch_up(closure.PROJECTION, pool, log)
    question = Question(period=Period(TODAY, day_of(due)), now=due + timedelta(seconds=1))

    async with pool.acquire() as connection:
        now = await counted(connection, question)
        async with at_position.then(connection, before, CLOSURE):
            then = await counted(connection, replace(question, at_position=before))

    assert (then.overdue, now.overdue) == (1, 0)


async def test_an_hour_that_was_being_counted_is_counted_again(log, pool):
    site = await build_site(log, garage=True)
    passes = [a_pass(site, NOW, number=n, gate="garage" if n % 2 else "main") for n in range(6)]
    await append(log, passes)
    third = (await log.history(passes[2].id))[0].position
    passes[1].release(by=GUARD, at=NOW, ground=ReleaseGround.HOST_CONFIRMED)
    await log.append(request(passes[1], 9))
    await catch_up(gate_traffic.PROJECTION, pool, log)

    async with pool.acquire() as connection, at_position.then(connection, third, GATES):
        rows = await gate_traffic.totals(connection, ASKED)
        then = {(row["gate"], row["decision"]): row["passes"] for row in rows}

    assert then == {("main", Decision.RECORDED): 2, ("garage", Decision.HELD): 1}


async def test_a_pass_that_was_held_and_let_in_since_is_found_where_it_passed(log, pool):
    site = await build_site(log, garage=True)
    passes = [a_pass(site, NOW, number=n, gate="garage") for n in range(2)]
    await append(log, passes)
    for number, one in enumerate(passes, start=8):
        one.release(by=GUARD, at=NOW, ground=ReleaseGround.HOST_CONFIRMED)
        await log.append(request(one, number))
    await catch_up(gate_traffic.PROJECTION, pool, log)
    passed, released = zip(
        *[[entry.position for entry in await log.history(one.id)] for one in passes], strict=True
    )

    async with pool.acquire() as connection, at_position.then(connection, released[0], GATES):
        found = await gate_lineage.lineage(connection, ASKED, first=9, after=0)

    assert [one.position for one in found] == list(passed)


async def test_passes_that_would_have_to_be_read_from_an_archive_are_refused(log, pool, forger):
    site = await build_site(log, garage=True)
    passes = [a_pass(site, NOW, number=n) for n in range(3)]
    await append(log, passes)
    await catch_up(gate_traffic.PROJECTION, pool, log)
    first, second, third = [(await log.history(one.id))[0].position for one in passes]
    await forger.execute(
        "insert into archive_stretches (archive, first, last, hash, roots) values (1, $1, $1, decode(repeat('00', 32), 'hex'), '')",
        first,
    )

    async with pool.acquire() as connection:
        with pytest.raises(UnavailableError, match=f"position {first} .* in an archive"):
            async with at_position.then(connection, second, GATES):
                pass
        async with at_position.then(connection, third, GATES):  # the hour was whole
            assert await gate_traffic.passes(connection, ASKED) == 3


async def test_tables_of_an_earlier_version_are_asked_for_a_rebuild(log, pool, site):
    await append(log, [reported(1, site, NOW)])
    await catch_up(closure.PROJECTION, pool, log)
    await pool.execute("update projections set version = 2 where name = 'closure'")

    async with pool.acquire() as connection:
        with pytest.raises(OutdatedError, match="anju rebuild closure"):
            await known(connection, 1)
        assert (await counted(connection, ASKED)).received == 1


def test_two_moments_are_no_moment():
    with pytest.raises(InvalidError, match="asOf and atPosition"):
        Question(period=ASKED.period, now=NOW, as_of=TODAY, at_position=1)


async def test_the_statements_of_figures_are_planned_as_one_with_what_was_known(log, pool, site):
    """PostgreSQL has put the functions of the schema in their place: nothing is computed first and filtered afterwards."""
    async with pool.acquire() as connection, at_position.then(connection, 0, CLOSURE):
        plan = await connection.fetch(
            "explain select count(*) from closures where township = 'yuhai' and unit = 'water' and closed_at < now()"
        )
    text = "\n".join(row[0] for row in plan)
    assert "Function Scan" not in text
    assert "closures_then" not in text
    assert "closure_marks" not in text  # what is not asked for is not computed
