"""Long reports: sent while they are written, or written while nobody waits, and let go of in the end."""

import asyncio
import json
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit
from uuid import UUID, uuid4
from weakref import WeakSet

import asyncpg
import httpx
import pytest
from asking import Asker
from given import person, until
from histories import append, reported
from telling import at, tell

from api.graphql import context
from api.http import application
from api.reports import jobs as jobs_module
from api.reports import routes, sources
from api.reports.asked import Name
from api.reports.jobs import reporting
from api.serving import serving
from domain.errors import UnavailableError
from domain.people import Role, Scope
from domain.site import Site, site_id
from projections.all import PROJECTIONS
from projections.runner import catch_up

NOVEMBER = {"from": "2018-11-01", "to": "2018-11-30"}
JOBS = "/api/reports/jobs"
SOON = 10.0
"""Seconds in which what has to happen has happened."""
READER = person(Role.SUPERVISOR)


@pytest.fixture
async def served(running):
    """Asks a real server; the story has been told."""
    await tell(running.log, running.pool)
    async with (
        serving(application(running), "127.0.0.1", 0) as url,
        httpx.AsyncClient(base_url=url, trust_env=False, timeout=SOON) as client,
    ):
        yield Asker(client, running.issuer)


def headers(asker, by=READER, **more):
    return {"Authorization": f"Bearer {asker.token(by)}"} | more


async def get(asker, path, by=READER, more=(), **parameters):
    """Ask for a report by its name, or for anything else by its path."""
    if not path.startswith("/"):
        path, parameters = f"/api/reports/{path}", NOVEMBER | parameters
    return await asker.client.get(path, params=parameters, headers=headers(asker, by, **dict(more)))


async def asked_for(asker, name, by=READER, **parameters):
    """The place of a report that is written while nobody waits."""
    response = await get(asker, name, by, {"Prefer": "respond-async"}, **parameters)
    assert (response.status_code, response.headers["preference-applied"]) == (202, "respond-async")
    assert response.headers["location"] == f"{JOBS}/{response.json()['id']}"
    return response.headers["location"]


async def ended(asker, place, by=READER):
    async def over():
        return (await get(asker, place, by)).json()["state"] in {"DONE", "FAILED"}

    await until(over)
    return (await get(asker, place, by)).json()


@asynccontextmanager
async def stuck(database_url):
    """Inside, nothing can be counted, as when it takes long."""
    connection = await asyncpg.connect(database_url)
    try:
        async with connection.transaction():
            await connection.execute("lock table sites in access exclusive mode")
            yield
    finally:
        await connection.close()


async def counting(running, number):
    """So many reports wait for the database."""

    async def waiting():
        return number == await running.pool.fetchval(
            "select count(*) from pg_locks where relation = 'sites'::regclass and not granted"
        )

    await until(waiting)


def open_files(running):
    """Of reports, in this process."""
    found = []
    for each in Path("/proc/self/fd").iterdir():
        with suppress(FileNotFoundError):  # the one that lists them
            found.append(each.readlink())
    return [path for path in found if path.is_relative_to(running.settings.reports_dir)]


async def closed(running):
    """No file of a report is left open."""

    async def none():
        return not open_files(running)

    await until(none)


def told_by(monkeypatch, lineage, *columns):
    """The lineage of the safety report is read by `lineage`: after -> rows of these columns."""

    async def read(_connection, _asked, _of, after):
        return await lineage(after)

    source = replace(sources.SOURCES[Name.SAFETY], lineage=read, traced=columns or ("id", "position"))
    monkeypatch.setitem(sources.SOURCES, Name.SAFETY, source)


def lineage_of(text):
    (section,) = json.loads(text)["sections"]
    return section["rows"]


# --- jobs ------------------------------------------------------------------------------------------------------------


async def test_a_report_that_nobody_waits_for_is_fetched_later_and_is_the_same(running, served):
    for name in ("closure.json", "closure.csv", "closure.xlsx"):
        place = await asked_for(served, name, group="SITE")
        told = await ended(served, place)
        assert (told["state"], told["progress"], told["link"]) == ("DONE", 1.0, f"{place}/file")
        assert told["startedAt"] < told["keptUntil"]
        fetched = [await get(served, told["link"]) for _ in range(2)]
        assert len({one.content for one in fetched}) == 1
        at_once = await get(served, name, group="SITE")
        assert fetched[0].headers["content-disposition"] == at_once.headers["content-disposition"]
        assert fetched[0].headers["content-type"] == at_once.headers["content-type"]
        if name == "closure.json":
            assert fetched[0].json()["sections"] == at_once.json()["sections"]
    assert [one["report"] for one in (await get(served, JOBS)).json()] == [
        f"closure-2018-11-01-2018-11-30.{how}" for how in ("json", "csv", "xlsx")
    ]
    assert len(open_files(running)) == 3
    # a file without a name does not outlive its process
    assert not list(running.settings.reports_dir.iterdir())


async def test_a_report_that_is_not_ready_in_time_goes_on_without_the_caller(
    served, database_url, monkeypatch
):
    monkeypatch.setattr(routes, "PATIENCE", 0.1)
    async with stuck(database_url):
        response = await get(served, "safety.xlsx")
        assert (response.status_code, response.headers["retry-after"]) == (202, "1")
        told = (await get(served, response.headers["location"])).json()
        assert (told["state"], told["link"], told["keptUntil"]) == ("RUNNING", None, None)
        early = await get(served, f"{response.headers['location']}/file")
        assert (early.status_code, "not written yet" in early.json()["detail"]) == (404, True)
    told = await ended(served, response.headers["location"])
    assert (await get(served, told["link"])).content.startswith(b"PK")


async def test_nobody_else_sees_a_report_nor_its_asker_when_responsible_for_something_else(served):
    clerk = person(Role.AUDITOR, name="a-1", scope=Scope("yuhai"))
    place = await asked_for(served, "safety.json", clerk, lineage="incidents")
    await ended(served, place, clerk)
    others = [
        person(Role.AUDITOR, name="a-2", scope=Scope("yuhai")),
        person(Role.AUDITOR, name="a-1"),
        person(Role.AUDITOR, name="a-1", scope=Scope("tangxia")),
    ]
    for other in others:
        assert (await get(served, JOBS, other)).json() == []
        for path in (place, f"{place}/file"):
            refused = await get(served, path, other)
            assert (refused.status_code, "or none of yours" in refused.json()["detail"]) == (404, True)
        assert (await served.client.delete(place, headers=headers(served, other))).status_code == 404
    no_reader_any_more = person(Role.STATISTICIAN, name="a-1", scope=Scope("yuhai"))
    assert (await get(served, f"{place}/file", no_reader_any_more)).status_code == 403
    assert (await get(served, place)).status_code == 404
    assert (await get(served, f"{place}/file", clerk)).status_code == 200


async def test_a_report_that_is_deleted_is_gone_and_is_not_counted_any_further(running, served, database_url):
    async with stuck(database_url):
        place = await asked_for(served, "closure.csv")
        await counting(running, 1)
        assert (await served.client.delete(place, headers=headers(served))).status_code == 204
        await counting(running, 0)
        await closed(running)
    refused = await get(served, place)
    assert (refused.status_code, "ask for it again" in refused.json()["detail"]) == (404, True)


async def test_a_written_report_is_let_go_of_after_its_time(running, served, monkeypatch):
    monkeypatch.setattr(jobs_module, "KEPT", jobs_module.KEPT / 36_000)  # 0.1 seconds
    place = await asked_for(served, "closure.csv")

    async def gone():
        return (await get(served, place)).status_code == 404 and not open_files(running)

    await until(gone)


async def test_why_a_report_could_not_be_written_is_told(served):
    told = await ended(served, await asked_for(served, "safety.csv", site="nowhere"))
    assert (told["state"], told["link"]) == ("FAILED", None)
    assert told["problem"]["status"] == 404
    assert "there is no site 'nowhere'" in told["problem"]["detail"]
    refused = await get(served, f"{JOBS}/{told['id']}/file")
    assert (refused.status_code, refused.json()["detail"]) == (404, told["problem"]["detail"])
    at_once = await get(served, "mediation.csv", more={"Prefer": "respond-async"}, group="GATE")
    assert at_once.status_code == 422  # no job for what can be known to be wrong


async def test_reports_are_bounded_for_each_person_and_in_all(served, database_url, monkeypatch):
    monkeypatch.setattr(jobs_module, "MOST_OF_PERSON", 2)
    monkeypatch.setattr(jobs_module, "MOST", 3)
    first, second, third = (person(Role.STATISTICIAN, name=f"s-{n}") for n in range(3))
    async with stuck(database_url):
        places = [await asked_for(served, "gates.csv", first) for _ in range(2)]
        refused = await get(served, "gates.csv", first)
        assert (refused.status_code, refused.json()["title"]) == (503, "UNAVAILABLE")
        assert "2 reports are being written or kept for s-0" in refused.json()["detail"]
        await asked_for(served, "gates.csv", second)
        assert "3 reports" in (await get(served, "gates.csv", third)).json()["detail"]
    await ended(served, places[0], first)
    await served.client.delete(places[0], headers=headers(served, first))
    assert (await get(served, "gates.csv", third)).status_code == 200
    assert (await get(served, "gates.csv", third)).status_code == 200  # one that was sent is kept no longer


async def test_only_some_are_counted_at_the_same_time_and_not_all_for_one_person(
    running, served, database_url
):
    people = [person(Role.STATISTICIAN, name=f"s-{n}") for n in range(3)]
    async with stuck(database_url):
        places = [(one, await asked_for(served, "gates.csv", one)) for one in people[:1] * 4]
        await counting(running, jobs_module.AT_ONCE_OF_PERSON)
        states = [(await get(served, place, one)).json()["state"] for one, place in places]
        assert states == ["RUNNING", "RUNNING", "WAITING", "WAITING"]
        places += [(one, await asked_for(served, "gates.csv", one)) for one in people[1:] * 2]
        await counting(running, jobs_module.AT_ONCE)
        states = [(await get(served, place, one)).json()["state"] for one, place in places]
        assert (states.count("RUNNING"), states.count("WAITING")) == (4, 4)
    for one, place in places:
        assert (await ended(served, place, one))["state"] == "DONE"


async def test_a_full_folder_is_a_problem(served, monkeypatch):
    monkeypatch.setattr(jobs_module, "ROOM", 100)
    for name in ("gates.csv", "gates.json", "gates.xlsx"):
        refused = await get(served, name)
        assert (refused.status_code, "all reports together" in refused.json()["detail"]) == (503, True)


async def test_nothing_is_counted_any_further_when_the_process_stops(running, database_url):
    await tell(running.log, running.pool)
    wanted = routes.Parameters(**NOVEMBER).wanted(Name.CLOSURE, routes.Format.CSV, READER, running.now())
    async with stuck(database_url):
        async with (
            asyncio.timeout(SOON),
            reporting(running.pool, running.settings.reports_dir, running.now) as jobs,
        ):
            job = jobs.start(READER, wanted)
            jobs.keep(job)
            await counting(running, 1)
        await counting(running, 0)
    assert job.task.cancelled()
    await closed(running)


# --- what is sent while it is written --------------------------------------------------------------------------------


async def test_a_long_lineage_is_sent_while_it_is_read_and_few_rows_of_it_are_held(
    running, served, monkeypatch
):
    pages, size, held, most = 40, 500, WeakSet(), 0
    go_on = asyncio.Event()

    async def read(after):
        nonlocal most
        most = max(most, len(held))
        if after == pages * size // 2:
            await go_on.wait()
        ids = [uuid4() for _ in range(size if after < pages * size else 0)]
        held.update(ids)
        return [("x", after + n + 1, each) for n, each in enumerate(ids)]

    told_by(monkeypatch, read, "id", "position", "another")
    monkeypatch.setattr(routes, "STREAMED", 100_000)
    for how in ("csv", "json"):
        go_on.clear()
        request = served.client.stream(
            "GET",
            f"/api/reports/safety.{how}",
            params=NOVEMBER | {"lineage": "incidents"},
            headers=headers(served),
        )
        async with request as response:
            assert response.status_code == 200
            assert "content-length" not in response.headers
            chunks = response.aiter_bytes()
            received = b""
            while len(received) < 100_000:
                received += await anext(chunks)
            assert not go_on.is_set()  # the other half is not even read
            go_on.set()
            received += b"".join([chunk async for chunk in chunks])
        rows = (
            lineage_of(received)
            if how == "json"
            else [line for line in received.decode().splitlines() if line.startswith("lineage,")][1:]
        )
        assert len(rows) == pages * size
    assert 0 < most <= 3 * size
    await closed(running)


async def test_a_report_that_breaks_off_is_no_shorter_report(running, served, monkeypatch):
    async def read(after):
        if after > 5_000:
            raise UnavailableError("the database does not answer")
        return [(UUID(int=after + n), after + n + 1) for n in range(1_000)]

    told_by(monkeypatch, read)
    monkeypatch.setattr(routes, "STREAMED", 100_000)
    with pytest.raises(httpx.RemoteProtocolError):
        await get(served, "safety.csv", lineage="incidents")
    await closed(running)
    monkeypatch.setattr(routes, "STREAMED", 1_000_000)
    assert (await get(served, "safety.csv", lineage="incidents")).status_code == 503


# --- callers who hang up ---------------------------------------------------------------------------------------------


async def connected(asker, path):
    """A connection of one's own, on which `path` was asked for."""
    url = urlsplit(str(asker.client.base_url))
    reader, writer = await asyncio.open_connection(url.hostname, url.port)
    lines = [f"GET {path} HTTP/1.1", "Host: anju", *(": ".join(each) for each in headers(asker).items())]
    writer.write("\r\n".join([*lines, "", ""]).encode())
    return reader, writer


async def test_for_a_caller_who_hangs_up_nothing_is_counted_any_further(
    running, served, database_url, monkeypatch
):
    monkeypatch.setattr(routes, "PATIENCE", 60.0)
    async with stuck(database_url):
        for name in ("closure.csv", "closure.xlsx"):
            _, writer = await connected(served, f"/api/reports/{name}?from=2018-11-01&to=2018-11-30")
            await counting(running, 1)
            writer.close()
            await counting(running, 0)
            await closed(running)


async def test_for_a_caller_who_hangs_up_in_the_middle_nothing_is_read_any_further(
    running, served, monkeypatch
):
    last = 0

    async def read(after):
        nonlocal last
        last = after
        return [(UUID(int=after + n), after + n + 1) for n in range(1_000)]  # for ever

    told_by(monkeypatch, read)
    monkeypatch.setattr(routes, "STREAMED", 100_000)
    reader, writer = await connected(
        served, "/api/reports/safety.csv?from=2018-11-01&to=2018-11-30&lineage=incidents"
    )
    assert b"200 OK" in await reader.readline()
    writer.close()
    await closed(running)
    stood = last
    await asyncio.sleep(0.2)
    assert last == stood


async def test_a_caller_who_hangs_up_before_the_first_byte_leaves_no_file_open(running, served):
    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "method": "GET",
        "path": "/api/reports/closure.csv",
        "query_string": b"from=2018-11-01&to=2018-11-30",
        "scheme": "http",
        "client": ("192.0.2.1", 1),
        "headers": [(name.lower().encode(), value.encode()) for name, value in headers(served).items()],
    }
    asked = asyncio.Event()

    async def receive():
        await asked.wait()

    async def send(_message):
        raise OSError("the other side is gone")

    with pytest.raises(Exception):  # noqa: B017, PT011  (whatever the server is told)
        await application(running)(scope, receive, send)
    await closed(running)


# --- what has not changed, and what has just been written ------------------------------------------------------------


async def one_more(running):
    """An incident of that November, reported; its position."""
    site = await running.log.load(Site, site_id("runjinyuan"))
    await append(running.log, [reported(99, site, at(2018, 11, 9))], first_number=1_000)
    return await running.log.position()


async def folded(running):
    for projection in PROJECTIONS.values():
        await catch_up(projection, running.pool, running.log)


async def test_a_report_that_has_not_changed_is_not_sent_again(running, served):
    first = await get(served, "closure.json", group="SITE")
    tag = first.headers["etag"]
    again = await get(served, "closure.json", more={"If-None-Match": f'"other", {tag}'}, group="SITE")
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
    others = [
        await get(served, "closure.csv", group="SITE"),
        await get(served, "closure.json"),
        await get(served, "closure.json", person(Role.AUDITOR, scope=Scope("yuhai")), group="SITE"),
        await get(served, "closure.json", group="SITE", as_of="2018-11-20"),
    ]
    assert len({tag, *(other.headers["etag"] for other in others)}) == 5
    await one_more(running)
    await folded(running)
    later = await get(served, "closure.json", more={"If-None-Match": tag}, group="SITE")
    assert (later.status_code, later.headers["etag"] != tag) == (200, True)
    await closed(running)


async def test_a_period_that_is_not_over_has_figures_of_the_moment(served):
    tomorrow = str(datetime.now(UTC).date() + timedelta(days=2))
    assert "etag" not in (await get(served, "closure.json", to=tomorrow)).headers
    assert "etag" in (await get(served, "closure.json", to=tomorrow, as_of="2018-11-30")).headers


async def test_whoever_has_written_something_can_wait_until_it_counts(running, served, monkeypatch):
    monkeypatch.setattr(context, "WAIT", 0.2)

    async def received(**parameters):
        response = await get(served, "closure.json", **parameters)
        (counts, *_) = response.json()["sections"] if response.status_code == 200 else ({"rows": []},)
        return response, next((row["now"] for row in counts["rows"] if row["measure"] == "received"), None)

    assert (await received())[1] == 4
    position = await one_more(running)
    early, _ = await received(after_position=position)
    assert (early.status_code, "has not reached" in early.json()["detail"]) == (503, True)
    monkeypatch.setattr(context, "WAIT", SOON)
    _, (response, now) = await asyncio.gather(folded(running), received(after_position=position))
    assert (response.json()["position"], now) == (position, 5)
    beyond, _ = await received(after_position=position + 1)
    assert (beyond.status_code, "beyond the end of the log" in beyond.json()["detail"]) == (422, True)
