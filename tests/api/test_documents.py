"""Trusted documents: where there is a list, nothing else is run, in whichever way a client names what it wants."""

import json
from contextlib import asynccontextmanager
from dataclasses import replace

import httpx
import pytest
from asking import Asker
from given import person

from api.graphql.documents import NOT_SUPPORTED, digest, read_documents
from api.graphql.schema import schema
from api.http import application
from domain.errors import InvalidError
from domain.people import Role

SUPERVISOR = person(Role.SUPERVISOR)
KNOWN = 'query Known($enum: String = "Unit") { labels(enum: $enum) { zh } }\n'
UNKNOWN = "{ systemStatus { position } }"


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "documents" / "pages").mkdir(parents=True)
    (tmp_path / "documents" / "pages" / "known.graphql").write_text(KNOWN, encoding="utf-8")
    return tmp_path / "documents"


@asynccontextmanager
async def trusting(running, path):
    """Asks `running`, which runs only what stands in `path`."""
    system = replace(running, settings=running.settings.model_copy(update={"trusted_documents": path}))
    transport = httpx.ASGITransport(application(system), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://anju") as client:
        yield Asker(client, running.issuer)


def read(path):
    return read_documents(path, schema._schema)


APOLLO = {"extensions": {"persistedQuery": {"version": 1, "sha256Hash": digest(KNOWN)}}}
NAMED = [
    {"query": KNOWN},
    {"query": KNOWN.strip()},
    APOLLO,
    APOLLO | {"query": None},
    APOLLO | {"query": KNOWN},
    {"extensions": {"persistedQuery": {"version": 1, "sha256Hash": digest(KNOWN).upper()}}},
    {"documentId": f"sha256:{digest(KNOWN)}"},
    {"documentId": digest(KNOWN), "variables": {"enum": "Unit"}, "operationName": "Known"},
]


@pytest.mark.parametrize("body", NAMED)
async def test_a_trusted_document_is_run_by_its_text_or_its_name(running, folder, body):
    async with trusting(running, folder) as asker:
        answer = (await asker.client.post("/graphql", json=body)).json()
    assert answer == {"data": {"labels": [{"zh": "小时"}, {"zh": "日"}]}}


async def test_its_name_can_be_got_as_well(running, folder):
    async with trusting(running, folder) as asker:
        for params in (
            {"documentId": digest(KNOWN), "variables": '{"enum": "Unit"}'},
            {"extensions": json.dumps(APOLLO["extensions"])},
        ):
            for accept in ("*/*", "application/json"):
                response = await asker.client.get("/graphql", params=params, headers={"Accept": accept})
                assert len(response.json()["data"]["labels"]) == 2


@pytest.mark.parametrize(
    "body",
    [
        {"query": UNKNOWN},
        {"query": KNOWN + " "},
        {"query": UNKNOWN, **APOLLO},  # the name of another document helps nobody
        {"query": UNKNOWN, "documentId": digest(KNOWN)},
        {"extensions": {"persistedQuery": {"version": 1, "sha256Hash": digest(UNKNOWN)}}},
        {"documentId": digest(UNKNOWN), "operationName": "Known"},
        {"documentId": "sha256:"},
        {"query": "{ __schema { types { name } } }"},
        {"query": "{{{"},
        {"query": "\ud800"},
    ],
)
async def test_nothing_else_is_run(running, folder, body):
    async with trusting(running, folder) as asker:
        headers = {
            "Authorization": f"Bearer {asker.token(SUPERVISOR)}",
            "Content-Type": "application/json",
        }
        response = await asker.client.post("/graphql", content=json.dumps(body), headers=headers)
        answer = response.json()
    assert answer["data"] is None
    assert [error["extensions"]["code"] for error in answer["errors"]] == ["FORBIDDEN"]


@pytest.mark.parametrize(
    "body",
    [{}, {"extensions": {"persistedQuery": 5}}, {"extensions": {"persistedQuery": {}}}, {"documentId": 5}],
)
async def test_what_names_no_document_is_a_problem(running, folder, body):
    async with trusting(running, folder) as asker:
        assert (await asker.client.post("/graphql", json=body)).status_code == 400


async def test_without_a_list_a_client_is_told_to_send_the_text(running, asker):
    answer = (await asker.client.post("/graphql", json=APOLLO)).json()
    assert [error["message"] for error in answer["errors"]] == [NOT_SUPPORTED]
    answer = (await asker.client.post("/graphql", json=APOLLO | {"query": "{ __typename }"})).json()
    assert answer == {"data": {"__typename": "Query"}}


def test_a_list_can_be_what_a_client_s_compiler_wrote(tmp_path):
    path = tmp_path / "persisted.json"
    for name in (digest(KNOWN), f"sha256:{digest(KNOWN)}"):
        path.write_text(json.dumps({name: KNOWN}), encoding="utf-8")
        assert read(path)[digest(KNOWN)] == KNOWN


@pytest.mark.parametrize(
    ("content", "what"),
    [
        ("[]", "cannot be read"),
        ("{", "cannot be read"),
        ('{"a": "{ __typename }"}', "the SHA-256 of the trusted document a"),
        (json.dumps({digest("{ nothing }"): "{ nothing }"}), "'nothing'"),
        (json.dumps({digest("{"): "{"}), "Syntax Error"),
    ],
)
def test_what_is_wrong_with_a_list_is_said_before_anything_is_served(tmp_path, content, what):
    path = tmp_path / "persisted.json"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(InvalidError, match=what):
        read(path)


def test_a_folder_without_documents_is_a_mistake(tmp_path):
    with pytest.raises(InvalidError, match=r"\.graphql"):
        read(tmp_path)
    with pytest.raises(InvalidError, match="cannot be read"):
        read(tmp_path / "nothing")
