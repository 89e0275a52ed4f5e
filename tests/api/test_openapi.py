"""The description of the HTTP interface: written down, whole, and the same wherever it is asked for."""

import json

import pytest
from commanding import ROOT
from typer.testing import CliRunner

from api.cli import app
from api.http import description

FILE = "docs/openapi.json"


@pytest.fixture
def described():
    return json.loads((ROOT / FILE).read_text(encoding="utf-8"))


@pytest.fixture
def operations(described):
    return {
        f"{method.upper()} {path}": operation
        for path, methods in described["paths"].items()
        for method, operation in methods.items()
    }


def test_the_file_is_the_description(settings):
    assert (ROOT / FILE).read_text(encoding="utf-8") == description(settings), (
        f"run `anju openapi > {FILE}` and look at what changed"
    )


def test_the_command_prints_the_description():
    assert CliRunner().invoke(app, ["openapi"]).stdout == (ROOT / FILE).read_text(encoding="utf-8")


async def test_the_server_serves_the_same(asker, described):
    assert (await asker.client.get("/openapi.json")).json() == described


def test_every_operation_and_every_parameter_says_what_it_is(operations):
    for name, operation in operations.items():
        assert operation["summary"], name
        assert operation["description"], name
        for parameter in operation.get("parameters", ()):
            assert parameter["description"], (name, parameter["name"])


def test_every_answer_says_what_is_in_it(operations):
    for name, operation in operations.items():
        for status, response in operation["responses"].items():
            assert response["description"], (name, status)
            assert ("content" in response) != (status in {"204", "304"}), (name, status)
            for media_type, content in response.get("content", {}).items():
                if media_type == "application/json":
                    assert content["schema"], (name, status)


def test_whoever_needs_a_token_is_told_so_and_every_refusal_is_a_problem(operations):
    open_to_all = {name for name, operation in operations.items() if "security" not in operation}
    open311 = {name for name in operations if " /open311/v2/" in name}
    assert open_to_all == {"GET /healthz", "GET /readyz", "GET /metrics"} | open311
    for name in set(operations) - open_to_all:
        responses = operations[name]["responses"]
        assert {"401", "403", "422", "429", "503"} <= set(responses), name
        for status, response in responses.items():
            if status >= "400":
                assert set(response["content"]) == {"application/problem+json"}, (name, status)


def test_whatever_open311_reads_from_an_address_or_a_form_is_described(operations):
    def names(path):
        return {one["name"] for one in operations[f"GET /open311/v2/{path}.{{how}}"]["parameters"]} - {"how"}

    span = {"jurisdiction_id", "start_date", "end_date", "page", "page_size"}
    assert names("requests") == span | {"service_request_id", "service_code", "status"}
    assert names("servicerequestupdates") == span
    body = operations["POST /open311/v2/requests.{how}"]["requestBody"]
    form = body["content"]["application/x-www-form-urlencoded"]["schema"]
    assert form["required"] == ["api_key", "service_code"]


def test_nothing_that_is_referred_to_is_missing(described):
    text = json.dumps(described)
    for name in {part.split('"')[0] for part in text.split("#/components/schemas/")[1:]}:
        assert name in described["components"]["schemas"], name
