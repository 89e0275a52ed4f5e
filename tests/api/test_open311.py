"""Open311 GeoReport v2 over HTTP: what the specification asks for, and what the public may not see."""

import asyncio
import json
import re
from datetime import UTC, datetime, timedelta
from urllib.parse import urlencode
from uuid import UUID, uuid4
from xml.etree import ElementTree as ET

import httpx
import pytest
from georeport import GeoReport
from given import build_site, order, person, report, until

from api.http import application
from api.open311.city import OURS, read_city
from api.open311.keys import make_integrator_key
from api.serving import serving
from api.settings import Settings
from domain import commands
from domain.details import Answer, Details
from domain.errors import InvalidError
from domain.incident import Incident, Source
from domain.people import Role
from domain.site import site_id

BASE = "/open311/v2"
REQUEST = {
    "service_request_id", "status", "status_notes", "service_name", "service_code", "description", "agency_responsible",
    "service_notice", "requested_datetime", "updated_datetime", "expected_datetime", "address", "address_id", "zipcode", "lat",
    "long", "media_url",
}  # fmt: skip
"""The fields that the specification lists."""
MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")


@pytest.fixture
def key(running):
    """A key for the whole city."""
    return make_integrator_key(running.settings.integrator_keys, "street-app", None)


@pytest.fixture
def get(asker):
    """GET as JSON."""

    async def ask(path, expected=200, **query):
        response = await asker.client.get(f"{BASE}/{path}.json", params=query)
        assert response.headers["content-type"] == "application/json; charset=utf-8"
        assert response.status_code == expected, response.text
        return response.json()

    return ask


@pytest.fixture
def get_xml(asker):
    """GET as XML, parsed by a parser that is not ours."""

    async def ask(path, expected=200, **query):
        return xml(await asker.client.get(f"{BASE}/{path}.xml", params=query), expected)

    return ask


@pytest.fixture
def post(asker, key):
    """POST a report as a form; a field that is None is left out."""

    async def send(status=200, how="json", **fields):
        form = {"api_key": key, "service_code": "noise", "address_id": "runjinyuan"} | fields
        form = {name: value for name, value in form.items() if value is not None}
        response = await asker.client.post(f"{BASE}/requests.{how}", data=form)
        assert response.status_code == status, response.text
        return response.json() if how == "json" else xml(response, status)

    return send


def xml(response, status):
    assert response.headers["content-type"] == "text/xml; charset=utf-8"
    assert response.status_code == status, response.text
    assert re.match(rb"<\?xml version='1.0' encoding='utf-8'\?>\n<", response.content)
    return ET.fromstring(response.content)


def id_of(answer):
    (created,) = answer
    assert created.keys() == {"service_request_id", "service_notice", "account_id"}
    return UUID(created["service_request_id"])


def refused(answer, status, why):
    (error,) = answer
    assert error["code"] == str(status)
    assert why in error["description"]


def outline(element):
    """An element as JSON has it in the Spark convention: a list where the children repeat or could."""
    children = list(element)
    if element.tag in {"services", "service_requests", "attributes", "values", "endpoints", "formats", "errors",
                       "service_request_updates"}:  # fmt: skip
        return [outline(child) for child in children]
    return {child.tag: outline(child) for child in children} if children else element.text


def as_text(data):
    """JSON with its values as XML writes them."""
    match data:
        case dict():
            return {name: as_text(value) for name, value in data.items()}
        case list():
            return [as_text(value) for value in data]
        case bool():
            return str(data).lower()
        case None | "":
            return None
        case _:
            return str(data)


async def act(log, incident_id, role, method, **fields):
    await commands.act(log, order(role, at=datetime.now(UTC)), Incident, method, incident_id, **fields)


async def test_discovery_says_where_it_is_and_what_it_speaks(running, get, get_xml):
    found = await get("discovery")
    assert found.keys() == {"changeset", "contact", "key_service", "endpoints"}
    (endpoint,) = found["endpoints"]
    assert endpoint == {
        "specification": "http://wiki.open311.org/GeoReport_v2",
        "url": "http://anju/open311/v2",
        "changeset": found["changeset"],
        "type": "test",
        "formats": ["text/xml", "application/json"],
    }
    assert outline(await get_xml("discovery")) == as_text(found)


async def test_the_services_are_listed_and_defined_alike_in_both_formats(running, get, get_xml):
    listed = await get("services")
    assert {"parking", "noise", "flooding"} <= {one["service_code"] for one in listed}
    assert not {"theft", "neighbours", "wage-arrears", "stranger"} & {one["service_code"] for one in listed}
    for one in listed:
        assert one.keys() == {
            "service_code",
            "service_name",
            "description",
            "metadata",
            "type",
            "keywords",
            "group",
        }
        assert one["type"] == "realtime"
        definition = await get(f"services/{one['service_code']}")
        assert definition["service_code"] == one["service_code"]
        assert one["metadata"] == bool(definition["attributes"])
        assert [attribute["order"] for attribute in definition["attributes"]] == [
            *range(1, len(definition["attributes"]) + 1)
        ]
        for attribute in definition["attributes"]:
            assert attribute.keys() == {
                "variable", "code", "datatype", "required", "datatype_description", "order", "description", "values",
            }  # fmt: skip
            assert bool(attribute["values"]) == attribute["datatype"].endswith("list")
        told = outline(await get_xml(f"services/{one['service_code']}"))
        assert (told["attributes"] or []) == as_text(definition)["attributes"]
    assert outline(await get_xml("services")) == as_text(listed)


async def test_a_report_becomes_an_incident_by_the_integrator_s_account(running, log, site, post):
    created = id_of(
        await post(
            service_code="parking",
            lat="27.7721",
            long="120.6468",
            address_string="润锦苑3幢楼下",
            first_name="小明",
            last_name="王",
            phone="13800138000",
            email="wang@example.com",
            device_id="tt222111",
            account_id="a-17",
            description="堵住了消防通道\n已经三天",
            media_url="https://pictures.example/1.jpg",
            **{"attribute[vehicle]": "car", "attribute[blocks][]": ["fire-lane", "entrance"]},
        )
    )
    incident = await log.load(Incident, created)
    assert (incident.source, incident.category, incident.site_id) == (Source.OPEN311, "parking", site.id)
    assert incident.description == "堵住了消防通道\n已经三天"
    assert incident.reporter.text == "小明 王, 13800138000, wang@example.com"
    assert incident.details == Details(
        "润锦苑3幢楼下",
        27.7721,
        120.6468,
        "https://pictures.example/1.jpg",
        (Answer("vehicle", ("car",)), Answer("blocks", ("fire-lane", "entrance"))),
    )
    (entry,) = await log.history(created)
    assert entry.event.actor == "open311:street-app"


async def test_whoever_works_on_it_reads_where_exactly_and_what_was_answered(working, log, site, post, asker):
    created = id_of(
        await post(address_string="润锦苑3幢501", lat="27.77", long="120.64", **{"attribute[source]": "钻头"})
    )
    query = "query($id: UUID!) { incident(id: $id) { details { place latitude longitude mediaUrl answers { code values } } } }"
    found = await asker.data(query, person(Role.UNIT_HANDLER), id=str(created))
    assert found["details"] == {
        "place": "润锦苑3幢501",
        "latitude": 27.77,
        "longitude": 120.64,
        "mediaUrl": None,
        "answers": [{"code": "source", "values": ["钻头"]}],
    }


REPORT = """
mutation($category: String! = "parking", $details: DetailsInput) {
  reportIncident(site: "runjinyuan", source: HOTLINE, category: $category, description: "堵住了消防通道", details: $details) { id }
}
"""


async def test_what_staff_are_told_on_the_telephone_is_kept_as_what_the_public_sends(
    log, site, post, running, asker
):
    form = {"address_string": "3幢楼下", "lat": "27.7721", "long": "120.6468", "media_url": "https://pictures.example/1.jpg"}  # fmt: skip
    answers = {"attribute[blocks][]": ["fire-lane", "entrance"], "attribute[vehicle]": "car"}
    sent = id_of(await post(service_code="parking", **form, **answers))
    details = {
        "place": " 3幢楼下 ", "latitude": 27.7721, "longitude": 120.6468, "mediaUrl": "https://pictures.example/1.jpg",
        "answers": [{"code": "blocks", "values": ["fire-lane", "entrance"]}, {"code": "vehicle", "values": ["car"]}],
    }  # fmt: skip
    intake = person(Role.INTAKE)
    told = await asker.data(REPORT, intake, details=details)
    assert (await log.load(Incident, UUID(told["id"]))).details == (await log.load(Incident, sent)).details
    for partial in ({"place": "3幢"}, {"latitude": 27.7, "longitude": 120.6}):  # nothing has to be answered
        made = await asker.data(REPORT, intake, details=partial)
        assert (await log.load(Incident, UUID(made["id"]))).details == Details(**partial)
    without = await asker.data(REPORT, intake)
    assert (await log.load(Incident, UUID(without["id"]))).details is None


def answered(**values):
    return {"answers": [{"code": code, "values": given} for code, given in values.items()]}


@pytest.mark.parametrize(
    ("details", "why"),
    [
        ({"latitude": 27.7}, "give both, or neither"),
        ({"latitude": 91, "longitude": 0}, "latitude 91.0 is not accepted"),
        ({"place": "\u200b"}, "place is empty"),
        ({"mediaUrl": "file:///etc/passwd"}, "no address of the web"),
        (answered(blocks=["fire-lane"]), "attribute[vehicle] was not provided"),
        (answered(vehicle=["tank"]), "'tank' is not accepted: one of car"),
        (answered(vehicle=["car", "ebike"]), "was given 2 times"),
        (answered(vehicle=["car"], colour=["red"]), "attribute[colour] is not asked for parking"),
        (answered(vehicle=[]), "each question has one answer"),
        ({"answers": [{"code": "vehicle", "values": ["car"]}] * 2}, "each question has one answer"),
    ],
)
async def test_details_that_cannot_be_so_are_refused_and_nothing_is_reported(
    running, site, asker, details, why
):
    before = await running.log.position()
    refusal = await asker.refusal(REPORT, person(Role.INTAKE), details=details)
    assert (refusal["code"], why in refusal["message"]) == ("INVALID", True), refusal
    assert await running.log.position() == before


async def test_a_category_that_is_no_service_asks_nothing(running, site, asker):
    details = answered(vehicle=["car"])
    refusal = await asker.refusal(REPORT, person(Role.INTAKE), category="theft", details=details)
    assert "nothing is asked for the category 'theft'" in refusal["message"]
    await asker.data(REPORT, person(Role.INTAKE), category="theft", details={"place": "3幢"})


async def test_who_reported_it_is_sealed_in_the_log_and_in_no_read_model(working, log, site, post, get, pool):
    await post(
        first_name="小明", phone="13800138000", email="wang@example.com", address_string="润锦苑3幢501"
    )
    stored = b"\n".join(record["state"] for record in await pool.fetch("select state from events"))
    for secret in ("小明", "13800138000", "wang@example.com"):
        assert secret.encode() not in stored
    await until(lambda: get("requests"))
    shown = json.dumps(await get("requests"), ensure_ascii=False)
    for secret in ("小明", "13800138000", "wang@example.com", "501"):
        assert secret not in shown


async def test_who_asks_at_once_is_told_about_the_request(working, log, site, post, get, get_xml):
    await until(lambda: working.pool.fetchval("select true from sites where code = 'runjinyuan'"))
    created = id_of(await post(lat="27.772123456", long="120.646812345"))
    (found,) = await get(f"requests/{created}")
    assert found.keys() == REQUEST
    assert found | {"requested_datetime": None, "updated_datetime": None} == {
        "service_request_id": str(created),
        "status": "open",
        "status_notes": "已上报，等待受理 Reported; the centre has not taken it on yet",
        "service_name": "噪声扰民 Noise",
        "service_code": "noise",
        "description": None,
        "agency_responsible": None,
        "service_notice": "综合执法人员到场处理 Officers of urban management come and see",
        "requested_datetime": None,
        "updated_datetime": None,
        "expected_datetime": None,
        "address": "润锦苑",
        "address_id": "runjinyuan",
        "zipcode": "325200",
        "lat": 27.7721,
        "long": 120.6468,
        "media_url": None,
    }
    assert MOMENT.fullmatch(found["requested_datetime"])
    assert outline(await get_xml(f"requests/{created}")) == as_text([found])
    assert await get(f"tokens/{created}") == [{"service_request_id": str(created), "token": str(created)}]


async def test_a_request_follows_its_incident_to_the_end(working, log, site, post, get):
    created = id_of(await post(description="夜间施工", media_url="http://pictures.example/1.jpg"))

    async def stands(note):
        await until(lambda: said(note))
        return (await get(f"requests/{created}"))[0]

    async def said(note):
        return note in (await get(f"requests/{created}"))[0]["status_notes"]

    assert (await stands("等待受理"))["description"] is None
    await act(log, created, Role.INTAKE, Incident.accept)
    accepted = await stands("已受理")
    assert (accepted["description"], accepted["media_url"]) == ("夜间施工", "http://pictures.example/1.jpg")
    await act(log, created, Role.DISPATCHER, Incident.dispatch, lead_unit="urban-management")
    handed = await stands("已分流交办")
    assert handed["agency_responsible"] == "urban-management"
    assert handed["expected_datetime"] > handed["requested_datetime"]
    assert handed["status"] == "open"


async def test_what_is_closed_says_when(working, log, site, post, get):
    created = id_of(await post())
    await act(log, created, Role.INTAKE, Incident.accept)
    await act(
        log, created, Role.GRID_WORKER, Incident.close_on_the_spot, photo_sha256="a" * 64, note="已劝止"
    )
    (closed,) = await closed_one(get, created)
    closing = closed["updated_datetime"]
    await asyncio.sleep(1.1)  # what is shown has whole seconds
    await act(log, created, Role.SUPERVISOR, Incident.evaluate, rating=5, note="满意")
    await until(lambda: noted(get, created, "评价"))
    (evaluated,) = await get(f"requests/{created}")
    assert (evaluated["status"], evaluated["updated_datetime"]) == ("closed", closing)


async def closed_one(get, created):
    await until(lambda: noted(get, created, "已办结"))
    return await get("requests", status="closed")


async def noted(get, created, note):
    return note in (await get(f"requests/{created}"))[0]["status_notes"]


async def test_the_public_sees_no_words_of_other_sources_and_nothing_confidential(working, log, site, get):
    at = datetime.now(UTC)
    shown = (await report(log, site, by=order(Role.INTAKE, at=at))).id
    for fields in ({"confidential": True, "category": "noise"}, {"category": "theft"}):
        hidden = await commands.report_incident(
            log,
            order(Role.INTAKE, at=at),
            site_id=site.id,
            source=Source.OPEN311,
            description="王家",
            **fields,
        )
    await act(log, shown, Role.INTAKE, Incident.accept)
    await until(lambda: working.pool.fetchval("select count(*) = 3 from incidents where version > 0"))
    await until(lambda: noted(get, shown, "已受理"))
    (found,) = await get("requests")
    assert found["service_request_id"] == str(shown)
    assert found["description"] is None
    assert (found["lat"], found["long"]) == (27.772, 120.647)
    assert await get("requests", service_request_id=str(hidden.id)) == []
    refused(await get(f"requests/{hidden.id}", 404), 404, "was not found")
    (update,) = await get("servicerequestupdates")
    assert update["service_request_id"] == str(shown)


async def test_requests_are_listed_the_newest_first_and_by_what_is_asked(working, log, site, post, get):
    noise, lamp = id_of(await post()), id_of(await post(service_code="lighting"))
    old = await commands.report_incident(
        log,
        order(Role.INTAKE, at=datetime.now(UTC) - timedelta(days=100)),
        site_id=site.id,
        source=Source.OPEN311,
        category="noise",
        description="旧",
    )
    await until(lambda: get("requests", service_request_id=str(old.id)))

    async def ids(**query):
        return [UUID(one["service_request_id"]) for one in await get("requests", **query)]

    assert await ids() == [lamp, noise]
    assert await ids(service_code="noise") == [noise]
    assert await ids(service_code="noise,lighting", status="open,closed") == [lamp, noise]
    assert await ids(status="closed") == []
    assert await ids(service_code="", status="", start_date="") == [lamp, noise]
    assert await ids(page_size=1) == [lamp]
    assert await ids(page_size=1, page=2) == [noise]
    assert await ids(page_size=1, page=3) == []
    assert set(await ids(service_request_id=f"{noise},{old.id},{uuid4()},none", status="closed")) == {
        noise,
        old.id,
    }
    (row,) = await get("requests", service_request_id=str(old.id))
    moment = row["requested_datetime"]
    assert await ids(start_date=moment, end_date=moment) == [old.id]
    assert await ids(end_date=moment) == [old.id]
    assert await ids(start_date=moment) == [old.id]


async def test_an_update_keeps_its_id_until_the_state_changes(working, log, site, post, get):
    created = id_of(await post())
    (first,) = await get("servicerequestupdates")
    assert first.keys() == {
        "update_id", "service_request_id", "status", "updated_datetime", "description", "media_url",
    }  # fmt: skip
    await act(log, created, Role.INTAKE, Incident.comment, text="内部备注")
    await act(log, created, Role.INTAKE, Incident.accept)
    await until(lambda: noted(get, created, "已受理"))
    (second,) = await get("servicerequestupdates", start_date=first["updated_datetime"])
    assert second["update_id"] != first["update_id"]
    assert second["description"] == "已受理 Taken on"
    assert await get("servicerequestupdates", start_date="2020-01-01T00:00:00Z") == []


LOCATIONS = [
    ({"address_id": "runjinyuan"}, "runjinyuan"),
    ({"address_id": None, "lat": "27.7725", "long": "120.6465"}, "runjinyuan"),
    ({"address_id": None, "address_string": "莘阳大道润锦苑北门"}, "runjinyuan"),
    ({"address_id": None, "lat": "30", "long": "120", "address_string": "润锦苑"}, "runjinyuan"),
    ({"address_id": "gaoqiao", "lat": "27.7725", "long": "120.6465"}, "gaoqiao"),
]


async def test_a_place_is_found_by_its_code_its_nearness_or_its_name(working, log, site, post):
    await build_site(log, "gaoqiao", "xianjiang")
    await log_names(working, log)
    for fields, expected in LOCATIONS:
        created = id_of(await post(**fields))
        assert (await log.load(Incident, created)).site_id == site_id(expected), fields


async def log_names(working, log):
    """Wait for the read model of sites, in which 高桥 gets a name of its own."""
    end = await log.position()
    await until(
        lambda: working.pool.fetchval("select position >= $1 from projections where name = 'sites'", end)
    )
    await working.pool.execute("update sites set name = '高桥小区' where code = 'gaoqiao'")


WRONG = [
    (400, "service_code was not provided", {"service_code": ""}),
    (404, "service_code 'theft' was not found; there are: parking", {"service_code": "theft"}),
    (404, "jurisdiction_id 'elsewhere' was not found", {"jurisdiction_id": "elsewhere"}),
    (403, "api_key was not provided", {"api_key": None}),
    (403, "api_key is not known", {"api_key": "guessed"}),
    (403, "api_key is not known", {"api_key": "\ud83d"}),
    (400, "a location was not provided", {"address_id": None}),
    (400, "lat and long belong together", {"lat": "27"}),
    (400, "are not numbers", {"lat": "north", "long": "east"}),
    (400, "latitude 91.0 is not accepted", {"lat": "91", "long": "0"}),
    (400, "longitude nan is not accepted", {"lat": "1", "long": "nan"}),
    (400, "no site was found there", {"address_id": None, "lat": "0", "long": "0", "address_string": "nowhere"}),
    (400, "is not a code", {"address_id": "No Code"}),
    (404, "", {"address_id": "nowhere"}),
    (400, "description has 4001 characters", {"description": "x" * 4001}),
    (400, "media_url is no address", {"media_url": "javascript:alert(1)"}),
    (400, "media_url is no address", {"media_url": "http://[x"}),
    (400, "reporter has", {"first_name": "x" * 300}),
    (400, "attribute[vehicle] was not provided", {"service_code": "parking"}),
    (400, "one of car, ebike, shared-bike", {"service_code": "parking", "attribute[vehicle]": "tank"}),
    (400, "it has one value", {"service_code": "parking", "attribute[vehicle]": ["car", "ebike"]}),
    (400, "is not asked for noise; asked are: source", {"attribute[vehicle]": "car"}),
    (400, "not asked", {"service_code": "flooding", "attribute[danger]": "x"}),
    (400, "a number", {"service_code": "lighting", "attribute[lamps]": "inf"}),
    (400, "one line", {"service_code": "lighting", "attribute[pole]": "a\nb"}),
    (400, "with its zone", {"service_code": "parking", "attribute[vehicle]": "car", "attribute[since]": "2026-03-01T08:00"}),
    (400, "phone was given 2 times", {"phone": ["1", "2"]}),
    (400, "too large", {"description": "长" * 9000}),
    (400, "cannot be read", {f"x{n}": "1" for n in range(300)}),
]  # fmt: skip


async def test_what_cannot_be_reported_is_refused_with_the_status_of_the_specification(
    running, site, asker, key
):
    for status, why, fields in WRONG:
        form = {"api_key": key, "service_code": "noise", "address_id": "runjinyuan"} | fields
        body = urlencode({n: v for n, v in form.items() if v is not None}, doseq=True, errors="replace")
        for how in ("json", "xml"):
            response = await asker.client.post(
                f"{BASE}/requests.{how}",
                content=body,
                headers={"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"},
            )
            answer = response.json() if how == "json" else outline(xml(response, status))
            assert response.status_code == status, (fields, answer)
            refused(answer, status, why)
    assert await running.pool.fetchval("select count(*) from events where topic = 'incident.reported'") == 0


async def test_a_body_that_is_no_form_is_refused(running, site, asker, key):
    for body, media, why in (
        (b'{"api_key": "x"}', "application/json", "the body is application/json"),
        (b"description=%ff", "application/x-www-form-urlencoded", "cannot be read"),
        (b"description=\xff", "application/x-www-form-urlencoded", "cannot be read"),
    ):
        response = await asker.client.post(
            f"{BASE}/requests.json", content=body, headers={"Content-Type": media}
        )
        refused(response.json(), 400, why)


UNASKABLE = [
    ("services", 404, "jurisdiction_id 'x' was not found", {"jurisdiction_id": "x"}),
    ("services/none", 404, "service_code 'none' was not found", {}),
    ("requests/none", 404, "was not found", {}),
    ("tokens/none", 404, "was not found", {}),
    (f"requests/{UUID(int=7)}", 404, "was not found", {}),
    ("requests", 404, "service_code 'theft'", {"service_code": "theft"}),
    ("requests", 400, "status 'late'", {"status": "late"}),
    ("requests", 400, "start_date 'soon'", {"start_date": "soon"}),
    ("requests", 400, "with its time zone", {"start_date": "2026-03-01T00:00:00"}),
    (
        "requests",
        400,
        "more than 90 days",
        {"start_date": "2026-01-01T00:00:00Z", "end_date": "2026-06-01T00:00:00Z"},
    ),
    (
        "requests",
        400,
        "before start_date",
        {"start_date": "2026-06-01T00:00:00Z", "end_date": "2026-01-01T00:00:00Z"},
    ),
    ("requests", 400, "too far", {"end_date": "0001-01-01T00:00:00Z"}),
    ("requests", 400, "page_size '1001'", {"page_size": "1001"}),
    ("requests", 400, "page '0'", {"page": "0"}),
    ("requests", 400, "page '101'", {"page": "101"}),
    ("requests", 400, "at most 1000", {"service_request_id": ",".join(["x"] * 1001)}),
    ("servicerequestupdates", 400, "end_date", {"end_date": "2026"}),
]


async def test_what_cannot_be_asked_is_refused_in_the_format_that_was_asked_for(running, get, get_xml, asker):
    for path, status, why, query in UNASKABLE:
        refused(await get(path, status, **query), status, why)
        refused(outline(await get_xml(path, status, **query)), status, why)
    refused(outline(xml(await asker.client.get(f"{BASE}/services.pdf"), 404)), 404, "there is no .pdf here")


async def test_without_the_database_it_says_so(running, get):
    await running.pool.close()
    refused(await get("requests", 503), 503, "the requests cannot be read")


async def test_text_that_xml_cannot_carry_is_left_out_and_markup_is_text(
    working, log, site, post, get_xml, get
):
    created = id_of(await post(description="<b>&amp;</b>\x0b\x1b ]]> \ufffe 𠮷"))
    await act(log, created, Role.INTAKE, Incident.accept)
    await until(lambda: noted(get, created, "已受理"))
    (found,) = outline(await get_xml(f"requests/{created}"))
    assert found["description"] == "<b>&amp;</b> ]]>  𠮷"


async def test_a_key_for_a_township_reports_nowhere_else(running, log, site, post):
    elsewhere = make_integrator_key(running.settings.integrator_keys, "xianjiang-app", "xianjiang")
    refused(await post(403, api_key=elsewhere), 403, "is responsible for township xianjiang")


async def test_a_key_that_is_deleted_opens_nothing_any_more(running, log, site, post):
    await post()
    running.settings.integrator_keys.write_text("")
    refused(await post(403), 403, "api_key is not known")
    running.settings.integrator_keys.write_text("[[key]]\nnam = 'x'")
    refused(await post(503), 503, "cannot be read")


async def test_a_name_has_one_key(running, key):
    path = running.settings.integrator_keys
    assert key not in path.read_text()
    assert path.stat().st_mode & 0o077 == 0
    with pytest.raises(InvalidError, match="street-app has a key"):
        make_integrator_key(path, "street-app", None)
    with pytest.raises(InvalidError, match="is not a code"):
        make_integrator_key(path, 'x"\n[[key]]', None)


TWO = """
[[jurisdiction]]
id = "yuhai.example"
township = "yuhai"
[[jurisdiction]]
id = "xianjiang.example"
township = "xianjiang"
"""


async def test_of_several_jurisdictions_each_has_its_own_requests(running, working, log, site, key, tmp_path):
    city = tmp_path / "city.toml"
    ours = OURS.read_text(encoding="utf-8")
    city.write_text(re.sub(r"\[\[jurisdiction\]\]\n(.+\n)+", TWO, ours), encoding="utf-8")
    system = type(running)(**{
        name: getattr(running, name) for name in running.__dataclass_fields__
    } | {"settings": running.settings.model_copy(update={"open311": city})})  # fmt: skip
    transport = httpx.ASGITransport(application(system))
    async with httpx.AsyncClient(transport=transport, base_url=f"http://anju{BASE}") as client:
        refused((await client.get("/services.json")).json(), 400, "yuhai.example, xianjiang.example")
        form = {
            "api_key": key,
            "service_code": "noise",
            "address_id": "runjinyuan",
            "jurisdiction_id": "xianjiang.example",
        }
        refused((await client.post("/requests.json", data=form)).json(), 403, "township xianjiang")
        form["jurisdiction_id"] = "yuhai.example"
        created = id_of((await client.post("/requests.json", data=form)).json())

        async def ids(jurisdiction):
            found = await client.get("/requests.json", params={"jurisdiction_id": jurisdiction})
            return [UUID(one["service_request_id"]) for one in found.json()]

        assert (await ids("yuhai.example"), await ids("xianjiang.example")) == ([created], [])


async def test_the_public_client_georeport_reads_it(working, log, site, key, post):
    first, second = (
        id_of(await post()),
        id_of(await post(service_code="parking", **{"attribute[vehicle]": "car"})),
    )
    async with serving(application(working), "127.0.0.1", 0) as url:
        for how in ("json", "xml"):
            client = GeoReport(f"{url}{BASE}", jurisdiction="ruian.example", output_format=how)
            services = await asyncio.to_thread(client.get_service_list)
            assert services[0]["service_code"] == "parking"
            definition = await asyncio.to_thread(client.get_service_definition, "parking")
            assert definition["service_code"] == "parking"
            listed = await asyncio.to_thread(client.get_service_requests, status="open")
            assert [one["service_request_id"] for one in listed] == [str(second), str(first)]
            one = await asyncio.to_thread(client.get_service_request, str(first))
            assert (one["service_code"], one["status"]) == ("noise", "open")


def test_a_file_of_services_says_what_is_wrong_with_it(tmp_path):
    ours = OURS.read_text(encoding="utf-8")
    for old, new, why in (
        ("changeset", "changed", "missing required field|unknown field"),
        ('code = "noise"', 'code = "parking"', "'parking' stands there twice"),
        ('code = "noise"', 'code = "No Code"', "is not a code"),
        ('datatype = "number"', 'datatype = "singlevaluelist"', "lists have values"),
        ("latitude = 27.7720", "latitude = 270", "<= 90"),
        ("[[jurisdiction]]", "[jurisdiction]", "array"),
    ):
        path = tmp_path / "city.toml"
        path.write_text(ours.replace(old, new), encoding="utf-8")
        with pytest.raises(InvalidError, match=why):
            read_city(path)
    with pytest.raises(InvalidError, match="No such file"):
        read_city(tmp_path / "nothing.toml")
    assert Settings().open311 is None
