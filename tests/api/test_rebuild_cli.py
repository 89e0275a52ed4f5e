"""`anju rebuild` from the outside: what it prints, and its exit codes."""

from functools import partial

import asyncpg
import pytest
from histories import mixed

from domain.errors import NotFoundError
from projections.all import PROJECTIONS
from projections.runner import catch_up


@pytest.fixture
def anju(invoke):
    """Run `anju rebuild` with arguments; see `invoke`."""
    return partial(invoke, "rebuild")


@pytest.fixture
async def built(log, pool, site):
    """Every projection at the end of a log with something in it."""
    await mixed(log, site)
    for projection in PROJECTIONS.values():
        await catch_up(projection, pool, log)


@pytest.fixture
async def damaged(built, database_url):
    """The read model of the incidents without one of its rows."""
    superuser = await asyncpg.connect(database_url)
    await superuser.execute(
        "delete from incidents where incident_id = (select min(incident_id::text)::uuid from incidents)"
    )
    await superuser.close()


async def test_one_that_equals_the_log_is_switched_and_that_is_said(anju, built):
    code, text = await anju("incidents")
    assert code == 0
    assert "incidents: 40 rows, equal" in text
    assert "switched" in text


async def test_all_are_checked_and_nothing_is_switched(anju, built, log, pool):
    code, outcomes = await anju("--all", "--check", "--json")
    assert code == 0
    assert [outcome["projection"] for outcome in outcomes] == list(PROJECTIONS)
    for outcome in outcomes:
        assert (outcome["equal"], outcome["switched"]) == (True, False)
        assert outcome["position"] == await log.position()
        assert outcome["events"] > 0
        row = await pool.fetchrow("select * from projections where name = $1", outcome["projection"])
        assert (row["digest"], row["proved_position"]) == (outcome["digest"], outcome["position"])


async def test_a_difference_is_explained_and_the_exit_code_is_1(anju, damaged, pool):
    code, (outcome,) = await anju("incidents", "--check", "--json")
    assert code == 1
    table = next(one for one in outcome["tables"] if one["name"] == "incidents")
    assert (table["rows"], table["runningRows"], table["equal"]) == (40, 39, False)
    assert table["differences"] == [
        {"key": "(00000000-0000-0000-0000-000000000001)", "what": "only in the rebuilt one"}
    ]
    code, text = await anju("incidents")
    assert code == 1
    assert "nothing was switched. With --accept-difference the rebuilt one replaces it" in text
    assert "(00000000-0000-0000-0000-000000000001) only in the rebuilt one" in text
    assert await pool.fetchval("select count(*) from incidents") == 39


async def test_a_difference_is_accepted_when_that_is_said(anju, damaged, pool):
    code, text = await anju("incidents", "--accept-difference")
    assert code == 0
    assert "differs (running: 39 rows)" in text
    assert await pool.fetchval("select count(*) from incidents") == 40
    assert (await anju("incidents", "--check"))[0] == 0


async def test_an_unknown_one_is_refused_with_the_names_there_are(anju):
    with pytest.raises(NotFoundError, match=f"no projection 'closures'; there are {', '.join(PROJECTIONS)}"):
        await anju("closures")


@pytest.mark.parametrize("arguments", [(), ("incidents", "--all")])
async def test_neither_a_name_nor_all_is_a_wrong_call(anju, arguments):
    code, text = await anju(*arguments)
    assert code == 2
    assert "say --all" in text
