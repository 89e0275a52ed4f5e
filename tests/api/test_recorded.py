"""Every field that says who somebody is or how something stood is recorded before it is shown, and everything that an auditor asks."""

import inspect
import re
from uuid import UUID, uuid4

import pytest
from asking import Asker
from given import NOW, build_site, destroy, person
from graphql import GraphQLObjectType, get_named_type
from histories import append, reported
from registering import a_visit, registers
from sockets import opened
from telling import tell

from api.graphql.incident_filter import IncidentFilter
from api.graphql.reads import Looked
from api.graphql.schema import schema
from api.http import application
from api.serving import serving
from domain.errors import UnavailableError
from domain.incident import Source
from domain.inquiry import Records
from domain.people import Role, Scope
from domain.personal import Personal, of_subject
from domain.policy import ALLOWED
from domain.reading import Shown
from projections.all import PROJECTIONS
from projections.runner import catch_up

FAR = Scope("xianjiang")
NOBODY_S = {
    "read.incidents",
    "read.alarms",
    "read.devices",
    "read.sites",
    "read.centres",
    "read.disputes",
} | {
    "read.figures",
    "read.system",
}
"""Rights to read what is of no person: it is recorded of an auditor only."""

PERSONAL = {
    "Incident.reporter": Shown.REPORTER,
    "DisputeFile.description": Shown.PARTIES,
    "Party.details": Shown.PARTIES,
    "Agreement.facts": Shown.PARTIES,
    "Agreement.duties": Shown.PARTIES,
    "Agreement.method": Shown.PARTIES,
    "Agreement.place": Shown.PARTIES,
    "VisitorFile.name": Shown.VISITORS,
    "Consent.name": Shown.CONSENTS,
    "Consent.guardian": Shown.CONSENTS,
    "Credential.holder": Shown.CREDENTIALS,
    "WatchEntry.subject": Shown.WATCHED,
}
"""The fields of the schema that are personal text, and as what it is recorded who was shown them."""

LOOKED = {
    *("VisitorRecord.name", "VisitorRecord.phone", "VisitorRecord.plate"),
    *("PassRecord.value", "PassRecord.credentialId", "CredentialRecord.holder", "CredentialRecord.value"),
}
"""Those that an inquiry shows: the look is the record, see test_records.py."""

GUARDED = {
    "consent": Shown.CONSENTS,
    "credential": Shown.CREDENTIALS,
    "watchEntry": Shown.WATCHED,
    "inquiry": Shown.SEARCHED,
    "reads": Shown.LOOKS,
    "auditEvents": Shown.EVENTS,
    "history": Shown.HISTORY,
    "replay": Shown.REPLAY,
    "diff": Shown.DIFFERENCE,
    "visitor": None,  # its name is recorded
    "visitors": None,  # who they are is not in it
    "lead": None,  # digests; the images are recorded as evidence
    "leads": None,
    "verification": None,  # counts and hashes
    "checkpoints": None,
}
"""The queries that need a right to read what is of persons or of the log, and as what they are recorded."""

QUERIES = [
    (Shown.PARTIES, "dispute(id: $id) { description { text } }", 200, Role.MEDIATOR, Role.GUARD, ("description",), "漏水"),
    (Shown.PARTIES, "dispute(id: $id) { parties { details { text } } }", 200, Role.MEDIATOR, Role.GUARD, ("parties",), "张三"),
    (Shown.PARTIES, "dispute(id: $id) { agreement { duties { text } } }", 200, Role.MEDIATOR, Role.GUARD, ("agreement",), "赔偿"),
    (Shown.VISITORS, "visitor(id: $id) { name { text } }", 10, Role.GUARD, Role.MEDIATOR, ("name",), "张三"),
    (Shown.CONSENTS, "consent(id: $id) { name { text } }", 11, Role.INTAKE, Role.MEDIATOR, (), "张三"),
    (Shown.CREDENTIALS, "credential(id: $id) { holder { text } }", 12, Role.GUARD, Role.MEDIATOR, (), "张三"),
    (Shown.WATCHED, "watchEntry(id: $id) { subject { text } }", 13, Role.REVIEWER, Role.GUARD, (), "李四"),
    (Shown.SEARCHED, "inquiry(id: $id) { purpose }", 14, Role.SUPERVISOR, Role.GUARD, (), "where was the car"),
    (Shown.PAST, "incident(id: $id, asOf: $then) { state description }", 8, Role.GUARD, Role.STATISTICIAN, (), "REPORTED"),
]  # fmt: skip
"""As what it is recorded, the query, the id, who may, who may not, the fields that are recorded, and what the answer says."""
NAMES = [f"{shown}-{fields[0] if fields else 'whole'}" for shown, _, _, _, _, fields, _ in QUERIES]


def variables(query, number):
    then = {"then": "2018-11-20T04:30:00Z"} if "$then" in query else {}
    return {"id": str(UUID(int=number))} | then


def text(query):
    return f"query($id: UUID!{', $then: DateTime' if '$then' in query else ''}) {{ {query} }}"


async def fold(running):
    for projection in PROJECTIONS.values():
        await catch_up(projection, running.pool, running.log)


async def readings(log, after=0):
    page = await log.read(after, 1000, frozenset({"reading.recorded"}))
    return [entry.event for entry in page.entries]


@pytest.fixture
async def district(running):
    """Somebody of each kind, at sites of yuhai and tangxia; the read models know them."""
    await tell(running.log, running.pool)
    site = await build_site(running.log, "gaoqiao", garage=True)
    await append(running.log, [a_visit(site), *registers(site)], first_number=700)
    await fold(running)
    return await running.log.position()


@pytest.fixture
def full(running, monkeypatch):
    """A disk on which nothing more can be written."""

    async def refuse(_request):
        raise UnavailableError("the disk is full")

    monkeypatch.setattr(running.log, "append", refuse)


# --- no field is forgotten -------------------------------------------------------------------------------------------


def test_every_field_that_is_personal_is_recorded_as_something():
    found = {
        f"{name}.{field}"
        for name, kind in schema._schema.type_map.items()
        if isinstance(kind, GraphQLObjectType)
        for field, of in kind.fields.items()
        if get_named_type(of.type).name == "Personal"
    }
    assert found == set(PERSONAL) | LOOKED, "say as what it is recorded, and add a query to QUERIES"
    assert set(PERSONAL.values()) - {Shown.REPORTER} <= {shown for shown, *_ in QUERIES}


def test_every_query_that_needs_a_right_over_persons_is_recorded_as_something():
    named = schema.config.name_converter
    found = set()
    for field in schema.get_type_by_name("Query").fields:
        function = field.base_resolver.wrapped_func
        code = inspect.getsource(function)
        rights = set(re.findall(r'"(read\.\w+)"', code))
        if rights - NOBODY_S or "events." in code or "verifying." in code:
            found.add(named.from_field(field))
    assert found == set(GUARDED)
    assert set(ALLOWED) > NOBODY_S


def test_every_kind_of_reading_can_be_shown_and_asked_for():
    assert {one.value for one in Looked} == {one.value for one in (*Records, *Shown)}


# --- what is recorded ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("shown", "query", "number", "reader", "stranger", "fields", "said"), QUERIES, ids=NAMES
)
async def test_who_is_shown_it_is_in_the_log_with_where_it_lies_and_who_is_not_is_not(
    running, asker, district, shown, query, number, reader, stranger, fields, said
):
    asked = variables(query, number)
    assert said in str(await asker.data(text(query), person(reader), **asked))
    (event,) = await readings(running.log, district)
    assert (event.shown, event.actor, event.subjects) == (shown, f"p-{reader}", (UUID(int=number),))
    assert event.fields == fields
    assert (event.township, event.found) == ("tangxia" if number in (8, 200) else "yuhai", 1)
    assert event.site_id is not None

    before = await running.log.position()
    assert "FORBIDDEN" in str(await asker.answer(text(query), person(stranger), **asked))
    assert await asker.data(text(query), person(reader, scope=FAR), **asked) is None
    assert await asker.data(text(query), person(reader), **asked | {"id": str(uuid4())}) is None
    assert await running.log.position() == before


@pytest.mark.parametrize(
    ("shown", "query", "number", "reader", "stranger", "fields", "said"), QUERIES, ids=NAMES
)
async def test_what_cannot_be_recorded_is_not_shown(
    asker, district, full, shown, query, number, reader, stranger, fields, said
):
    answer = await asker.answer(text(query), person(reader), **variables(query, number))
    assert said not in str(answer)
    assert answer["errors"][0]["extensions"]["code"] == "UNAVAILABLE"


async def test_all_that_one_answer_shows_of_a_dispute_is_one_append(running, asker, district):
    query = (
        "dispute(id: $id) { description { text } parties { details { text } } agreement { facts { text } } }"
    )
    await asker.data(text(query), person(Role.MEDIATOR), **variables(query, 200))
    page = await running.log.read(district, 1000)
    assert sorted(entry.event.fields for entry in page.entries) == [
        ("agreement",),
        ("description",),
        ("parties",),
    ]
    assert len({entry.recorded_at for entry in page.entries}) == 1


async def test_a_forgotten_name_is_a_read_too(running, asker, district):
    await destroy(running.log, of_subject(UUID(int=10)))
    before = await running.log.position()
    query = "visitor(id: $id) { name { text redacted } }"
    shown = await asker.data(text(query), person(Role.GUARD), **variables(query, 10))
    assert shown == {"name": {"text": None, "redacted": True}}
    assert [event.shown for event in await readings(running.log, before)] == [Shown.VISITORS]


# --- the past --------------------------------------------------------------------------------------------------------

PAGE = """query($filter: IncidentFilter, $asOf: DateTime, $atPosition: Position) {
  incidents(filter: $filter, asOf: $asOf, atPosition: $atPosition) { edges { node { id reporter { text } } } } }"""


async def test_fifty_rows_of_then_are_one_reading_with_what_was_asked_and_their_reporters_one_more_append(
    running, asker, site
):
    made = [reported(n, site, NOW, reporter=Personal(of_subject(UUID(int=n)), "陈女士")) for n in range(50)]
    await append(running.log, made)
    await fold(running)
    before = known = await running.log.position()
    wanted = {"state": ["REPORTED"], "site": "runjinyuan", "text": "施工"}
    moment = {"asOf": "2026-03-02T00:00:00Z"}
    plain = PAGE.replace("reporter { text }", "state")
    await asker.data(plain, person(Role.INTAKE), filter=wanted | {"text": None}, **moment)
    (event,) = await readings(running.log, before)
    assert (event.shown, event.found, len(event.subjects)) == (Shown.PAST, 50, 50)
    assert event.asked == "asOf=2026-03-02T00:00:00+00:00&state=REPORTED&site=runjinyuan"

    before = await running.log.position()
    found = await asker.data(PAGE, person(Role.INTAKE), filter=wanted | {"text": None}, atPosition=known)
    assert len(found["edges"]) == 50
    page = await running.log.read(before, 1000)
    past, names = (entry.event for entry in page.entries)
    assert (past.shown, past.asked) == (Shown.PAST, f"atPosition={known}&state=REPORTED&site=runjinyuan")
    assert (names.shown, len(names.subjects)) == (Shown.REPORTER, 50)

    before = await running.log.position()
    await asker.data(plain, person(Role.INTAKE), filter=wanted)
    assert await running.log.position() == before, "a list of now is no reading of the past"


def test_the_words_that_were_searched_for_are_not_in_the_record():
    assert IncidentFilter(text="陈女士", unit="water").question() == "unit=water"


async def test_figures_of_then_name_nobody_and_are_no_reading(running, asker, district):
    query = """{ closureRate(period: {from: "2018-11-01", to: "2018-11-30"}, asOf: "2018-11-20") { rate } }"""
    await asker.data(query, person(Role.STATISTICIAN))
    assert await running.log.position() == district


# --- the record itself -----------------------------------------------------------------------------------------------


async def test_the_record_shows_readings_by_role_and_who_reads_it_is_in_it_next_time(
    running, asker, district
):
    guard, officer = person(Role.GUARD), person(Role.PRIVACY_OFFICER)
    await asker.data(text("visitor(id: $id) { name { text } }"), guard, id=str(UUID(int=10)))
    await fold(running)
    query = """query($kind: ReadKind, $subject: UUID, $records: ReadRecords) {
      reads(kind: $kind, subject: $subject, records: $records) { edges { node {
        kind groundId caseNumber lookedBy records subjects fields asked found township siteId site { code } } } } }"""
    visitor = str(UUID(int=10))
    (edge,) = (await asker.data(query, officer, kind="ROLE", subject=visitor, records="VISITORS"))["edges"]
    assert edge["node"] == {
        "kind": "ROLE", "groundId": None, "caseNumber": None, "lookedBy": "p-guard", "records": "VISITORS",
        "subjects": [visitor], "fields": ["name"], "asked": None, "found": 1, "township": "yuhai",
        "siteId": edge["node"]["siteId"], "site": {"code": "gaoqiao"},
    }  # fmt: skip
    await fold(running)
    (edge,) = (await asker.data(query, officer, records="LOOKS"))["edges"]
    assert (edge["node"]["lookedBy"], edge["node"]["subjects"]) == ("p-privacy_officer", [visitor])
    assert (edge["node"]["asked"], edge["node"]["found"]) == ("kind=ROLE&records=VISITORS", 1)
    assert edge["node"]["site"] is None
    before = await running.log.position()
    assert (await asker.refusal(query, guard))["code"] == "FORBIDDEN"
    assert await running.log.position() == before


async def test_the_record_is_not_shown_if_that_cannot_be_recorded(asker, district, full):
    refusal = await asker.refusal("{ reads { edges { node { lookedBy } } } }", person(Role.PRIVACY_OFFICER))
    assert refusal["code"] == "UNAVAILABLE"


# --- everything that an auditor asks ---------------------------------------------------------------------------------

AUDITOR = person(Role.AUDITOR, scope=Scope("tangxia"))
BOARD = """query ZhangSan13800000000($id: UUID!) {
  one: incident(id: $id) { ...Told }  incidents(filter: {text: "张三"}) { edges { node { id __typename } } } __typename }
fragment Told on Incident { state site { code } }"""


async def test_an_auditor_s_operation_is_one_reading_in_the_words_of_the_schema(running, asker, district):
    eighth = str(UUID(int=8))
    answer = await asker.answer(BOARD, AUDITOR, id=eighth)
    assert answer["data"]["one"] == {"state": "CLOSED", "site": {"code": "shaozhai"}}
    (event,) = await readings(running.log, district)
    assert (event.shown, event.asked, event.subjects) == (Shown.OPERATION, "graphql query", (UUID(eighth),))
    assert (event.actor, event.township, event.site_id) == ("p-auditor", "tangxia", None)
    assert event.fields == (
        "Incident.id", "Incident.site", "Incident.state", "IncidentConnection.edges", "IncidentEdge.node",
        "Query.incident", "Query.incidents", "Site.code",
    )  # fmt: skip
    await asker.answer(BOARD, person(Role.SUPERVISOR), id=eighth)
    assert len(await readings(running.log, district)) == 1, "of nobody else"


async def test_what_an_auditor_was_refused_or_asked_of_the_schema_alone_is_no_reading(
    running, asker, district
):
    for query in (
        '{ openWork(unit: "No Code") { edges { node { duty } } } }',
        "{ __schema { types { name } } __typename }",
        "{ nothing }",
        'mutation { archiveIncident(id: "00000000-0000-0000-0000-000000000007") { id } }',
    ):
        await asker.answer(query, AUDITOR)
    assert (
        await asker.data("query($id: UUID!) { incident(id: $id) { id } }", AUDITOR, id=str(uuid4())) is None
    )
    assert await running.log.position() == district


async def test_an_auditor_sees_nothing_that_cannot_be_recorded(asker, district, full):
    refusal = await asker.refusal("{ incidents { edges { node { id } } } }", AUDITOR)
    assert (refusal["code"], refusal["message"]) == ("UNAVAILABLE", "the disk is full")


async def test_a_personal_field_that_an_auditor_asks_for_is_recorded_as_such_too(running, asker, district):
    query = "dispute(id: $id) { description { text } }"
    await asker.data(text(query), AUDITOR, **variables(query, 200))
    assert [event.shown for event in await readings(running.log, district)] == [
        Shown.PARTIES,
        Shown.OPERATION,
    ]


async def test_an_auditor_who_follows_something_is_recorded_when_it_starts(running, district):
    token = Asker(None, running.issuer).token(AUDITOR)
    async with serving(application(running), "127.0.0.1", 0) as url, opened(url, token) as socket:
        await socket.init()
        await socket.subscribe('subscription { gatePassed(site: "gaoqiao") { id } }', key="no")
        assert (await socket.error("no"))["code"] == "FORBIDDEN"
        assert await running.log.position() == district
        await socket.subscribe(
            "subscription S($from: Position) { incidentChanged(fromPosition: $from) { ...T } } "
            "fragment T on IncidentChange { topic incident { id } }",
            **{"from": 0},
        )
        await socket.next()
        (event,) = await readings(running.log, district)
    assert (event.shown, event.asked, event.actor) == (Shown.OPERATION, "graphql subscription", "p-auditor")
    assert event.fields == (
        "IncidentChange.incident", "IncidentChange.topic", "IncidentNow.id", "Subscription.incidentChanged",
    )  # fmt: skip


async def test_an_auditor_follows_nothing_that_cannot_be_recorded(running, district, full):
    token = Asker(None, running.issuer).token(AUDITOR)
    async with serving(application(running), "127.0.0.1", 0) as url, opened(url, token) as socket:
        await (await socket.init()).subscribe("subscription { incidentChanged(fromPosition: 0) { topic } }")
        assert (await socket.error())["code"] == "UNAVAILABLE"


async def test_reports_that_an_auditor_asks_for_are_recorded(running, asker, district):
    async def get(path, who, **parameters):
        headers = {"Authorization": f"Bearer {asker.token(who)}"}
        return await asker.client.get(path, headers=headers, params=parameters)

    november = {"from": "2018-11-01", "to": "2018-11-30"}
    report = "/api/reports/closure.json"
    assert (await get(report, AUDITOR, **november, by="DAY")).status_code == 200
    assert (await get(report, person(Role.SUPERVISOR), **november)).status_code == 200
    assert (await get(report, AUDITOR, **november, lineage="陈女士")).status_code == 422
    assert [(event.shown, event.asked) for event in await readings(running.log, district)] == [
        (Shown.OPERATION, f"{report}?from=2018-11-01&to=2018-11-30&by=DAY&bom=False"),
    ]


async def test_a_report_that_cannot_be_recorded_is_not_sent(asker, district, full):
    headers = {"Authorization": f"Bearer {asker.token(AUDITOR)}"}
    answer = await asker.client.get(
        "/api/reports/closure.json", headers=headers, params={"from": "2018-11-01", "to": "2018-11-30"}
    )
    assert answer.status_code == 503


async def test_what_an_auditor_who_is_also_somebody_else_does_is_an_event_of_its_own(
    running, asker, district
):
    both = person(Role.AUDITOR, Role.INTAKE, name="p-both")
    done = await asker.do(
        "reportIncident", both, site="gaoqiao", category="noise", source=Source.CITIZEN, description="x"
    )
    page = await running.log.read(district, 1000)
    assert [(entry.event.originator_id, entry.event.TOPIC) for entry in page.entries] == [
        (UUID(done["id"]), "incident.reported")
    ]
