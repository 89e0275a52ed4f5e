"""Read models of another version than the program's: whoever asks is told which one must be rebuilt, and nobody else is."""

import asyncpg
import pytest
from given import person
from statements import told
from telling import tell

from domain.people import Role
from projections.reading import reading
from projections.runner import OutdatedError

CHIEF = person(Role.SUPERVISOR)
PERIOD = "from=2018-11-01&to=2018-11-30"
RATE = '{ closureRate(period: {from: "2018-11-01", to: "2018-11-30"}) { closed } }'
INCIDENTS = "{ incidents { edges { node { id category } } } }"
DISPUTES = "{ disputes { edges { node { id sessions } } } }"


@pytest.fixture
async def before(running, forger):
    """Puts the tables of a projection back to the version before, in which a column had another name."""
    await tell(running.log, running.pool)

    async def put(name, table, column):
        await forger.execute(f"alter table {table} rename column {column} to another")
        await forger.execute("update projections set version = version - 1 where name = $1", name)
        return f"run `anju rebuild {name}`"

    return put


@pytest.fixture
def get(asker):
    """GET as a supervisor."""

    async def ask(path):
        headers = {"Authorization": f"Bearer {asker.token(CHIEF)}"}
        return await asker.client.get(path, headers=headers)

    return ask


@pytest.mark.parametrize(
    ("name", "table", "column", "question"),
    [
        ("incidents", "incidents", "category", INCIDENTS),
        ("closure", "closures", "closed_at", RATE),
        ("disputes", "disputes", "sessions", DISPUTES),  # read with `select *`
    ],
)
async def test_a_question_to_a_read_model_of_the_version_before_names_it(
    asker, before, name, table, column, question
):
    advice = await before(name, table, column)
    refusal = await asker.refusal(question, CHIEF)
    assert (refusal["code"], advice in refusal["message"]) == ("UNAVAILABLE", True)
    others = {INCIDENTS, RATE, DISPUTES} - {question}
    for other in others:
        await asker.data(other, CHIEF)


async def test_a_field_of_a_list_is_unavailable_where_it_has_a_read_model_of_its_own(asker, before):
    advice = await before("sites", "sites", "name")
    answer = await asker.answer("{ incidents { edges { node { id site { name } } } } }", CHIEF)
    assert {error["extensions"]["code"] for error in answer["errors"]} == {"UNAVAILABLE"}
    assert advice in answer["errors"][0]["message"]


async def test_a_report_of_it_is_a_problem_that_names_it(get, before):
    advice = await before("closure", "closures", "closed_at")
    for path in (
        f"closure.json?{PERIOD}",
        f"closure.xlsx?{PERIOD}",
        f"closure.csv?{PERIOD}&lineage=received",
    ):
        response = await get(f"/api/reports/{path}")
        assert (response.status_code, response.json()["title"]) == (503, "UNAVAILABLE"), path
        assert advice in response.json()["detail"], path
    assert (await get(f"/api/reports/gates.json?{PERIOD}")).status_code == 200


async def test_open311_answers_503_with_the_same_words(get, before):
    advice = await before("incidents", "incidents", "category")
    for path in ("requests.json", "servicerequestupdates.json"):
        response = await get(f"/open311/v2/{path}")
        (error,) = response.json()
        assert (response.status_code, error["code"]) == (503, "503"), path
        assert advice in error["description"], path


async def test_what_is_missing_from_tables_of_our_version_is_a_defect_and_no_advice(asker, running, forger):
    await tell(running.log, running.pool)
    await forger.execute("alter table incidents rename column category to another")
    refusal = await asker.refusal(INCIDENTS, CHIEF)
    assert (refusal["code"], "rebuild" in refusal["message"]) == ("INTERNAL", False)


async def test_what_else_goes_wrong_beside_outdated_tables_is_not_laid_to_them(running, before):
    await before("visitors", "visitors", "host")
    with pytest.raises(asyncpg.DivisionByZeroError):
        async with reading(running.pool) as connection:
            await connection.execute("select 1 / 0")
    with pytest.raises(OutdatedError, match="the tables of visitors are of version 0"):
        async with reading(running.pool) as connection:
            await connection.execute("select host from visitors")


async def test_versions_are_looked_at_only_when_something_did_not_fit(running, before):
    async with told(running.pool) as statements, reading(running.pool) as connection:
        await connection.fetch("select host from visitors")
    assert statements == ["select host from visitors"]
