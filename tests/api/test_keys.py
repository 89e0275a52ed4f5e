"""Who reported an incident, over GraphQL and until they are forgotten; and `anju keys`."""

import asyncio
import json
import re
from uuid import uuid4

import httpx
import pytest
from given import build_site, person
from typer.testing import CliRunner

from api.cli import app
from api.http import application
from domain.errors import RuleError, UnavailableError
from domain.incident import Incident
from domain.people import Role
from domain.personal import of_subject
from projections import incidents, runner

REPORT = """mutation($reporter: String, $subject: UUID, $request: UUID) {
  reportIncident(site: "runjinyuan", source: CITIZEN, category: "noise", description: "夜间施工",
                 reporter: $reporter, reporterSubject: $subject, requestId: $request) { id position repeated }
}"""
READ = "query($id: UUID!) { incident(id: $id) { id reporter { scope text redacted } } }"
DESTROY = 'mutation($scope: String!) { destroyKey(scope: $scope, reason: "asked for") { position } }'


@pytest.fixture
async def ask(running):
    """Ask GraphQL as somebody with a role; the whole answer."""
    await build_site(running.log)
    transport = httpx.ASGITransport(application(running))

    async with httpx.AsyncClient(transport=transport, base_url="http://anju") as client:

        async def asked(role, query, **variables):
            token = running.issuer.sign(person(role), running.now())
            response = await client.post(
                "/graphql",
                json={"query": query, "variables": variables},
                headers={"Authorization": f"Bearer {token}"},
            )
            await runner.catch_up(incidents.PROJECTION, running.pool, running.log)
            return response.json()

        yield asked


async def test_the_reporter_is_read_by_who_may_and_is_redacted_once_forgotten(ask):
    subject = uuid4()
    reported = await ask(Role.INTAKE, REPORT, reporter="李某 13900001111", subject=str(subject))
    incident = reported["data"]["reportIncident"]["id"]
    read = await ask(Role.VERIFIER, READ, id=incident)
    scope = of_subject(subject)
    assert read["data"]["incident"]["reporter"] == {
        "scope": scope,
        "text": "李某 13900001111",
        "redacted": False,
    }
    assert "errors" not in await ask(Role.PRIVACY_OFFICER, DESTROY, scope=scope)
    read = await ask(Role.VERIFIER, READ, id=incident)
    assert read["data"]["incident"]["reporter"] == {"scope": scope, "text": None, "redacted": True}


async def test_an_anonymous_report_has_no_reporter(ask):
    reported = await ask(Role.INTAKE, REPORT)
    read = await ask(Role.VERIFIER, READ, id=reported["data"]["reportIncident"]["id"])
    assert read["data"]["incident"]["reporter"] is None


@pytest.mark.parametrize("role", [Role.GRID_WORKER, Role.DISPATCHER, Role.GUARD, Role.ADMIN])
async def test_who_may_see_the_incident_may_not_therefore_see_the_reporter(ask, role):
    reported = await ask(Role.INTAKE, REPORT, reporter="李某")
    answer = await ask(role, READ, id=reported["data"]["reportIncident"]["id"])
    assert answer["errors"][0]["extensions"]["code"] == "FORBIDDEN"
    assert answer["data"]["incident"]["reporter"] is None
    assert "李某" not in json.dumps(answer, ensure_ascii=False)


async def test_a_report_repeated_makes_no_second_subject(ask, running):
    request = str(uuid4())
    first = await ask(Role.INTAKE, REPORT, reporter="李某", request=request)
    again = await ask(Role.INTAKE, REPORT, reporter="李某", request=request)
    assert again["data"]["reportIncident"] == first["data"]["reportIncident"] | {"repeated": True}
    assert await running.pool.fetchval("select count(*) from vault_keys") == 1


async def test_nobody_but_a_privacy_officer_destroys_and_a_wrong_scope_is_invalid(ask):
    for role, scope, code in (
        (Role.ADMIN, of_subject(uuid4()), "FORBIDDEN"),
        (Role.PRIVACY_OFFICER, "subject:李某", "INVALID"),
    ):
        answer = await ask(role, DESTROY, scope=scope)
        assert answer["errors"][0]["extensions"]["code"] == code


async def test_without_the_master_keys_a_report_with_a_reporter_is_unavailable(ask, running):
    await ask(Role.INTAKE, REPORT, reporter="李某")
    running.settings.keyring.unlink()
    running.vault.forget("")
    before = await running.log.position()
    answer = await ask(Role.INTAKE, REPORT, reporter="王某")
    assert answer["errors"][0]["extensions"]["code"] == "UNAVAILABLE"
    assert "Restore the file from its backup" in answer["errors"][0]["message"]
    assert await running.log.position() == before


# --- the command line ----------------------------------------------------------------------------------------------------------


@pytest.fixture
async def cli(ask, settings, monkeypatch):
    """Call `anju keys ..` as another process would: the result, or the refusal raised."""
    monkeypatch.setenv("ANJU_DATABASE_URL", settings.database_url)
    monkeypatch.setenv("ANJU_DATA_DIR", str(settings.data_dir))
    monkeypatch.setenv("ANJU_NATS_URL", settings.nats_url)

    async def call(*arguments):
        result = await asyncio.to_thread(CliRunner().invoke, app, ["keys", *arguments])
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        assert result.exit_code == 0, result.output
        return result.output

    return call


async def test_hold_destroy_release_destroy(cli, ask, running):
    subject = uuid4()
    scope = of_subject(subject)
    reported = await ask(Role.INTAKE, REPORT, reporter="李某", subject=str(subject))
    incident = reported["data"]["reportIncident"]["id"]
    await cli("hold", scope, "--case", "2026-17", "--by", "p-1")
    with pytest.raises(RuleError, match="under legal hold and stays: 2026-17"):
        await cli("destroy", scope, "--reason", "asked for", "--by", "p-1")
    await cli("release", scope, "--case", "2026-17", "--by", "p-1")
    done = json.loads(await cli("destroy", scope, "--reason", "asked for", "--by", "p-1", "--json"))
    assert done["position"] == await running.log.position()
    running.vault.forget(scope)
    assert (await running.log.load(Incident, incident)).reporter.redacted


async def test_rotate_retire_and_list_count_keys_and_show_none(cli, ask, running):
    await ask(Role.INTAKE, REPORT, reporter="李某")
    await cli("hold", of_subject(uuid4()), "--case", "2026-17", "--by", "p-1")
    first = json.loads(await cli("list", "--json"))
    assert first["kinds"] == [{"kind": "subject", "live": 1, "destroyed": 0}]
    assert (first["held"], [master["wraps"] for master in first["masters"]]) == (1, [1])
    rotated = json.loads(await cli("rotate", "--json"))
    assert rotated["rewrapped"] == 1
    retired = json.loads(await cli("retire", "--json"))
    assert retired == {"retired": [first["masters"][0]["master_key"]]}
    listed = await cli("list")
    assert rotated["master_key"] in listed
    secrets = re.findall(r"^[0-9a-f]{16} (\S+)", running.settings.keyring.read_text(), re.MULTILINE)
    assert len(secrets) == 1
    assert secrets[0] not in listed


async def test_a_lost_keyring_is_named(cli, ask, running):
    await ask(Role.INTAKE, REPORT, reporter="李某")
    running.settings.keyring.unlink()
    with pytest.raises(
        UnavailableError, match=r"there is no .*master-keys.*Restore the file from its backup"
    ):
        await cli("rotate")
    assert not running.settings.keyring.exists()
