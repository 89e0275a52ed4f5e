"""The command line: it teaches, refuses in one line, exits 0, 1 or 2, and stops when it is told to."""

import asyncio
import json
import shutil
import signal
import sys
from pathlib import Path
from uuid import uuid4

import asyncpg
import httpx
import insightface
import nats as nats_client
import pytest
import typer
from commanding import MODELS, anju, environment, line_with, running_on, started, stopped
from given import build_site, person
from typer.testing import CliRunner

from api.cli import app
from api.tokens import load_issuer
from domain.people import Role, Scope
from domain.site import site_id
from recognition.registry import MODELS as KNOWN

PHOTO = Path(insightface.__file__).parent / "data" / "images" / "t1.jpg"
NOWHERE = "postgresql://nobody@127.0.0.1:1/nothing"
SIGNALS = [signal.SIGTERM, signal.SIGINT]


def every_command(group=None, path=()):
    """The words of every command and group there is."""
    group = typer.main.get_command(app) if group is None else group
    yield path, group
    for name, command in getattr(group, "commands", {}).items():
        yield from every_command(command, (*path, name))


@pytest.fixture
async def empty_database_url(postgres_url, database_url):
    """A database without a schema, gone after the test."""
    name = f"test_{uuid4().hex}"
    admin = await asyncpg.connect(postgres_url)
    await admin.execute(f"create database {name}")
    yield database_url.replace(database_url.split("/")[3].split("?")[0], name)
    await admin.execute(f"drop database {name} with (force)")
    await admin.close()


# --- it teaches ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", [path for path, _ in every_command()], ids=" ".join)
def test_help_says_what_the_command_does_and_what_each_option_is(path):
    result = CliRunner().invoke(app, [*path, "--help"], prog_name="anju")
    assert result.exit_code == 0
    command = next(command for words, command in every_command() if words == path)
    assert command.help
    assert command.help.rstrip().endswith(".")
    assert command.help.split()[0] in result.output
    for option in command.params:
        assert getattr(option, "help", None), f"{path}: {option.name} has no help"


async def test_without_words_it_shows_what_there_is_and_a_wrong_word_is_a_wrong_call(tmp_path):
    nothing, wrong, option = await asyncio.gather(
        anju(tmp_path), anju(tmp_path, "emperor"), anju(tmp_path, "serve", "--port", "70000")
    )
    for command in ("demo", "serve", "work", "recognise", "migrate", "verify", "token", "models"):
        assert command in nothing.out + nothing.err
    assert (wrong.code, option.code) == (2, 2)
    assert "No such command 'emperor'" in wrong.err
    assert "65535" in option.err
    assert "Traceback" not in wrong.err + option.err


async def test_a_wrong_setting_does_not_keep_help_away_and_is_one_line_else(tmp_path):
    helped, refused = await asyncio.gather(
        anju(tmp_path, "verify", "--help", port="http"), anju(tmp_path, "verify", port="http")
    )
    assert helped.code == 0
    assert refused.code == 1
    assert refused.line.startswith("INVALID a setting is wrong: ANJU_PORT: ")


async def test_without_settings_it_says_what_to_set(tmp_path):
    results = await asyncio.gather(*(anju(tmp_path, command) for command in ("migrate", "serve")))
    for result in results:
        assert result.code == 1
        assert result.line == (
            "INVALID no database: set ANJU_DATABASE_URL=postgresql://user@host/database, or run `anju demo` beside this"
        )


async def test_a_database_that_does_not_answer_is_one_line(tmp_path):
    results = await asyncio.gather(
        *(
            anju(tmp_path, *words, database_url=NOWHERE)
            for words in (["migrate"], ["verify"], ["work", "--projections"])
        )
    )
    for result in results:
        assert result.code == 1
        assert result.line.startswith("UNAVAILABLE ")
        assert "the database" in result.line


# --- the log ---------------------------------------------------------------------------------------------------------


async def test_migrating_makes_the_schema_and_doing_it_again_changes_nothing(tmp_path, empty_database_url):
    before = await anju(tmp_path, "verify", database_url=empty_database_url)
    assert (before.code, before.line) == (1, "UNAVAILABLE the database has no schema yet: run `anju migrate`")
    first = await anju(tmp_path, "migrate", "--json", database_url=empty_database_url)
    again = await anju(tmp_path, "migrate", "--json", database_url=empty_database_url)
    made, kept = json.loads(first.out), json.loads(again.out)
    assert (first.code, made["before"]) == (0, None)
    assert kept == {"before": made["now"], "now": made["now"]}
    after = await anju(tmp_path, "verify", database_url=empty_database_url)
    assert after.code == 0


async def test_verifying_holds_until_a_row_is_altered_and_then_names_it(tmp_path, log, database_url):
    await build_site(log)
    whole, whole_json = await asyncio.gather(
        anju(tmp_path, "verify", database_url=database_url),
        anju(tmp_path, "verify", "--json", database_url=database_url),
    )
    assert whole.code == 0
    assert "the chain holds: 6 events" in whole.out
    verdict = json.loads(whole_json.out)
    assert (verdict["holds"], verdict["events"], verdict["problem"]) == (True, 6, None)

    superuser = await asyncpg.connect(database_url)
    await superuser.execute("set session_replication_role = replica")
    await superuser.execute("update events set state = state || ' ' where notification_id = 4")
    await superuser.close()
    broken, broken_json = await asyncio.gather(
        anju(tmp_path, "verify", database_url=database_url),
        anju(tmp_path, "verify", "--json", database_url=database_url),
    )
    assert broken.code == 1
    assert "position 4 is not what was appended" in broken.line
    verdict = json.loads(broken_json.out)
    assert (broken_json.code, verdict["holds"], verdict["position"]) == (1, False, 4)


# --- tokens ----------------------------------------------------------------------------------------------------------


async def test_a_token_is_believed_by_who_has_the_key_and_says_what_was_asked_for(tmp_path):
    scoped, wrong = await asyncio.gather(
        anju(
            tmp_path, "token", "unit_lead", "--person", "police-01", "--township", "yuhai", "--site", "runjinyuan",
            "--unit", "police-station", "--unit", "fire-safety", data_dir=tmp_path,
        ),
        anju(tmp_path, "token", "emperor", data_dir=tmp_path),
    )  # fmt: skip
    assert load_issuer(tmp_path).person(scoped.out.strip()) == person(
        Role.UNIT_LEAD, name="police-01", scope=Scope("yuhai", site_id("runjinyuan")), units=("police-station", "fire-safety"),
    )  # fmt: skip
    assert (wrong.code, wrong.out) == (2, "")
    assert "grid_worker" in wrong.err


async def test_a_data_folder_that_cannot_be_one_is_one_line(tmp_path):
    (tmp_path / "file").write_text("")
    result = await anju(tmp_path, "token", "admin", data_dir=tmp_path / "file")
    assert result.code == 1
    assert result.line.startswith("UNAVAILABLE ")
    assert "ANJU_DATA_DIR" in result.line


# --- recognition -----------------------------------------------------------------------------------------------------


async def test_the_faces_of_a_photograph_are_published(tmp_path, bus_url):
    settings = {"nats_url": bus_url, "models_dir": MODELS}
    result = await anju(tmp_path, "recognise", PHOTO, "--gate", "runjinyuan.main", "--json", **settings)
    assert (result.code, result.err) == (0, "")
    summary = json.loads(result.out)
    assert (summary["frames"], summary["faces"], summary["unreadable"]) == (1, 6, [])
    client = await nats_client.connect(bus_url)
    info = await client.jetstream().stream_info("OBSERVATIONS", subjects_filter=">")
    await client.close()
    assert info.state.subjects == {"obs.v1.runjinyuan.main.face": 6}


async def test_what_cannot_be_looked_at_is_refused_and_the_rest_is_still_published(tmp_path, bus_url):
    settings = {"nats_url": bus_url, "models_dir": MODELS}
    folder = tmp_path / "pictures [red]"
    folder.mkdir()
    (folder / "text.jpg").write_text("this is not a picture")
    shutil.copy(PHOTO, folder / "photo.jpg")
    text, both, unknown, gate, no_bus = await asyncio.gather(
        anju(tmp_path, "recognise", folder / "text.jpg", "--gate", "a.b", **settings),
        anju(tmp_path, "recognise", folder, "--gate", "a.b", "--json", **settings),
        anju(tmp_path, "recognise", "nothing.jpg", "--gate", "a.b", **settings),
        anju(tmp_path, "recognise", PHOTO, "--gate", "nonsense", **settings),
        anju(tmp_path, "recognise", PHOTO, "--gate", "a.b", models_dir=MODELS),
    )
    assert text.code == 1
    assert text.line.startswith(f"INVALID {folder / 'text.jpg'} cannot be read: ")
    summary = json.loads(both.out)
    assert (both.code, summary["faces"]) == (1, 6)
    assert [refused["path"] for refused in summary["unreadable"]] == [str(folder / "text.jpg")]
    assert unknown.code == 2
    assert "nothing.jpg" in unknown.err
    assert gate.code == 2
    assert "SITE.GATE" in gate.err
    assert (no_bus.code, no_bus.line.split(":")[0]) == (1, "INVALID no bus")


async def test_models_are_listed_and_verified(tmp_path):
    table, verified, missing = await asyncio.gather(
        anju(tmp_path, "models", "list", models_dir=MODELS),
        anju(tmp_path, "models", "verify", "--json", models_dir=MODELS),
        anju(tmp_path, "models", "verify", "--json", data_dir=tmp_path),
    )
    assert (table.code, verified.code, missing.code) == (0, 0, 1)
    names = [model.name for model in KNOWN]
    for result, here in ((verified, True), (missing, False)):
        rows = json.loads(result.out)
        assert [row["name"] for row in rows] == names
        assert all(row["ok"] is here for row in rows)
    assert all(name in table.out for name in names)
    assert "never fetched" in table.out


# --- running and stopping --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", SIGNALS)
async def test_serving_and_working_stop_when_told_to(tmp_path, database_url, bus_url, number):
    settings = {"database_url": database_url, "nats_url": bus_url, "data_dir": tmp_path}
    async with (
        started(tmp_path, "serve", "--port", "0", **settings) as serving,
        started(tmp_path, "work", **settings) as working,
    ):
        url = (await line_with(serving.stderr, "Anju answers at")).split()[3]
        await line_with(working.stderr, "working")
        async with httpx.AsyncClient(trust_env=False) as client:  # its connection stays open meanwhile
            assert (await client.get(f"{url}/readyz")).json()["status"] == "ok"
            served, worked = await asyncio.gather(stopped(serving, number), stopped(working, number))
    for result in (served, worked):
        assert (result.code, result.err) == (0, "")
    assert running_on(tmp_path) == []


async def test_who_only_serves_and_works_carries_no_recognition_engine(tmp_path):
    script = (
        "import sys, api.http, api.workers; print({'cv2', 'onnxruntime', 'insightface'} & set(sys.modules))"
    )
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", script, cwd=tmp_path, env=environment(), stdout=asyncio.subprocess.PIPE
    )
    assert (await process.communicate())[0] == b"set()\n"


async def test_a_port_that_is_taken_is_one_line(tmp_path, database_url):
    taken = await asyncio.start_server(lambda reader, writer: None, "127.0.0.1", 0)
    port = taken.sockets[0].getsockname()[1]
    result = await anju(tmp_path, "serve", "--port", port, database_url=database_url)
    taken.close()
    assert result.code == 1
    assert result.line == (
        f"UNAVAILABLE 127.0.0.1:{port} cannot be served: Address already in use; choose another with --port"
    )
