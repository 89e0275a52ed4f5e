"""No answer without its record: whoever is shown something personal is in the log before they see it, once for a request."""

from urllib.parse import quote
from uuid import UUID, uuid4

import pytest
from given import build_site, order, person, report
from looking import ASKER, DAY, OFFICER

from api.audit.record import Read, together
from domain import commands
from domain.errors import UnavailableError
from domain.inquiry import Inquiry, Records
from domain.people import CITY, Role, Scope
from domain.personal import Personal, of_subject
from domain.reading import MOST, Shown

REPORTERS = "{ incidents { edges { node { id reporter { text } } } } }"
NAME = "陈女士 13800000000"


@pytest.fixture
async def ask(asker, working):
    """Ask for the reporters of all incidents with headers: (person, headers) -> the answer. It waits for the read models."""

    async def answer(by, query=REPORTERS, **headers):
        token = {"Authorization": f"Bearer {asker.token(by)}"}
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        done = await asker.client.post("/graphql", json={"query": query}, headers=token | named)
        return done.json()

    return answer


@pytest.fixture
async def reported(running, asker, working):
    """Three incidents at two sites of one township and one of another, each with its reporter; in the read models."""
    done = []
    for code, township, count in (("one", "yuhai", 2), ("two", "yuhai", 1), ("far", "tangxia", 1)):
        site = await build_site(running.log, code, township)
        for _ in range(count):
            scope = of_subject(uuid4())
            done.append(await report(running.log, site, reporter=Personal(scope, NAME)))
    query = f"{{ incidents(afterPosition: {done[-1].position}) {{ edges {{ node {{ id }} }} }} }}"
    assert len((await asker.data(query, person(Role.INTAKE)))["edges"]) == 4
    return [one.id for one in done]


async def readings(log, after=0):
    page = await log.read(after, 1000, frozenset({"reading.recorded"}))
    return [entry.event for entry in page.entries]


async def test_many_rows_are_one_append_and_a_reading_for_each_township(running, ask, reported):
    before = await running.log.position()
    answer = await ask(person(Role.INTAKE), Anju_Purpose=quote("回访"))
    assert [edge["node"]["reporter"]["text"] for edge in answer["data"]["incidents"]["edges"]] == [NAME] * 4
    page = await running.log.read(before, 1000)
    far, near = (entry.event for entry in page.entries)
    assert len({entry.recorded_at for entry in page.entries}) == 1
    assert {far.actor, near.actor} == {"p-intake"}
    assert {far.purpose, near.purpose} == {"回访"}
    assert (far.township, far.subjects, far.found) == ("tangxia", (reported[3],), 1)
    assert (near.township, near.site_id, near.found) == ("yuhai", None, 3)
    assert near.subjects == tuple(sorted(reported[:3]))
    assert near.fields == ("reporter",)


async def test_only_what_is_shown_is_recorded(running, ask, reported):
    at_far = person(Role.INTAKE, scope=Scope("tangxia"))
    await ask(at_far)
    assert [event.subjects for event in await readings(running.log)] == [(reported[3],)]
    await ask(person(Role.GUARD))  # may not
    await ask(person(Role.INTAKE), "{ incidents { edges { node { id category } } } }")  # does not ask
    assert len(await readings(running.log)) == 1


async def test_what_cannot_be_recorded_is_not_shown(running, ask, reported, monkeypatch):
    async def refuse(_request):
        raise UnavailableError("the disk is full")

    monkeypatch.setattr(running.log, "append", refuse)
    answer = await ask(person(Role.INTAKE))
    assert NAME not in str(answer)
    assert {error["extensions"]["code"] for error in answer["errors"]} == {"UNAVAILABLE"}


async def test_an_inquiry_stands_behind_a_reading_only_for_whom_it_is(running, ask, reported):
    site, asked = await build_site(running.log, "four"), order(by=ASKER, at=running.now())
    made = await commands.create(
        running.log, asked, Inquiry.request, id=commands.subject_id(asked), case="2026-17", purpose="who called",
        sites=[site], records={Records.PASSES}, since=asked.at - DAY, until=asked.at, expires_at=asked.at + DAY,
        colleagues=["p-intake"],
    )  # fmt: skip
    headers = {"Anju_Inquiry": str(made.id)}
    assert "is REQUESTED" in str(await ask(person(Role.INTAKE), **headers))
    await commands.act(running.log, order(by=OFFICER, at=running.now()), Inquiry, Inquiry.approve, made.id)
    await ask(person(Role.INTAKE), **headers)
    assert {event.inquiry_id for event in await readings(running.log)} == {made.id}
    assert NAME not in str(await ask(person(Role.VERIFIER), **headers))


async def test_an_inquiry_of_others_is_refused_in_the_words_of_one_that_is_not_there(running, ask, reported):
    site, asked = await build_site(running.log, "four"), order(by=ASKER, at=running.now())
    made = await commands.create(
        running.log, asked, Inquiry.request, id=commands.subject_id(asked), case="2026-17", purpose="who called",
        sites=[site], records={Records.PASSES}, since=asked.at - DAY, until=asked.at, expires_at=asked.at + DAY,
    )  # fmt: skip

    async def refused(given):
        (error, *_) = (await ask(person(Role.INTAKE), Anju_Inquiry=str(given)))["errors"]
        return error["extensions"]["code"], error["message"].replace(str(given), "ID")

    unknown = await refused(UUID(int=5))
    assert unknown == ("NOT_FOUND", "there is no inquiry ID, or none of yours")
    assert await refused(made.id) == unknown  # asked for
    await commands.act(running.log, order(by=OFFICER, at=running.now()), Inquiry, Inquiry.approve, made.id)
    assert await refused(made.id) == unknown  # approved
    assert await refused(site.id) == unknown  # something else


@pytest.mark.parametrize(
    ("headers", "why"),
    [
        ({"Anju_Purpose": "%ff%fe"}, "not URL-encoded UTF-8"),
        ({"Anju_Purpose": "x" * 201}, "purpose has 201 characters"),
        ({"Anju_Purpose": "%20"}, "purpose is empty"),
        ({"Anju_Purpose": quote("\u200b\u2060\ufeff \u3000")}, "purpose is empty"),
        ({"Anju_Purpose": quote("\u3164\u2800\u034f")}, "purpose is empty"),
        ({"Anju_Inquiry": "2026-17"}, "is no inquiry's id"),
        ({"Anju_Inquiry": str(UUID(int=5))}, "there is no inquiry"),
    ],
)
async def test_a_reason_that_cannot_be_read_shows_nothing(ask, reported, headers, why):
    answer = await ask(person(Role.INTAKE), **headers)
    assert why in answer["errors"][0]["message"]
    assert NAME not in str(answer)


async def test_nobody_s_name_is_in_the_record(running, ask, reported, pool):
    await ask(person(Role.INTAKE))
    rows = await pool.fetch("select state from events where topic = 'reading.recorded'")
    assert rows
    assert not any(NAME.encode() in row["state"] for row in rows)


def test_what_is_more_than_one_reading_holds_is_several():
    by, subjects = person(Role.AUDITOR, scope=CITY), [UUID(int=n) for n in range(2 * MOST + 1)]
    made = together([Read(by, Shown.PAST, "yuhai", None, (subject,), (), None, None) for subject in subjects])
    assert [read.found for read in made] == [MOST, MOST, 1]
    assert [subject for read in made for subject in read.subjects] == subjects
