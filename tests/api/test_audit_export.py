"""An exported case is checked with plain Python, offline, by whoever has nothing of ours; and one byte that was changed is found."""

import asyncio
import hashlib
import io
import json
import subprocess
import sys
import zipfile
from urllib.parse import quote

import pytest
from given import NOW, order, person, report
from typer.testing import CliRunner

from api.cli import app
from domain import commands
from domain.incident import Incident
from domain.people import Role
from domain.reading import Shown

PICTURE = b"\xff\xd8 a picture " * 100
DIGEST, LOST = hashlib.sha256(PICTURE).hexdigest(), "e" * 64
AUDITOR = person(Role.AUDITOR)


async def pieces(data):
    yield data


@pytest.fixture
async def incident(running, site):
    """With two pieces of evidence, of which the store has one."""
    assert (await running.evidence.put(pieces(PICTURE), "p-guard")).sha256 == DIGEST
    done = await report(running.log, site)
    for digest in (DIGEST, LOST):
        await commands.act(
            running.log, order(Role.INTAKE, at=NOW), Incident, Incident.attach_evidence, done.id,
            sha256=digest, media_type="image/jpeg", note="现场照片",
        )  # fmt: skip
    return done.id


@pytest.fixture
async def answer(asker, incident):
    """The export, over HTTP."""
    headers = {"Authorization": f"Bearer {asker.token(AUDITOR)}", "Anju-Purpose": quote("法院调取")}
    return await asker.client.get(f"/api/audit/cases/{incident}.zip", headers=headers)


@pytest.fixture
def case(answer, tmp_path):
    """The folder in which it was unpacked."""
    folder = tmp_path / "case"
    zipfile.ZipFile(io.BytesIO(answer.content)).extractall(folder)
    return folder


def check(folder, *arguments):
    """What its own verifier says in a Python that finds no packages: (exit code, its words)."""
    command = [sys.executable, "-I", "-S", "check_bundle.py", ".", *arguments]
    done = subprocess.run(command, cwd=folder, env={}, capture_output=True, encoding="utf-8", check=False)
    return done.returncode, done.stdout + done.stderr


def test_it_holds_for_a_bare_python_and_says_what_it_lacks(case, answer):
    assert answer.headers["content-type"] == "application/zip"
    assert sorted(path.name for path in case.iterdir()) == [
        *("README.md", "check_bundle.py", "checkpoint.txt", "events.jsonl", "evidence", "proof.json"),
        "verifier-key.txt",
    ]
    code, text = check(case)
    assert code == 0
    assert "HOLDS  3 events" in text
    assert f"NOT INCLUDED: evidence {LOST}, which the event at position 9 names" in text
    code, text = check(case, "--json", "--key", "verifier-key.txt")
    found = json.loads(text)
    assert (code, found["missing_evidence"], found["key_compared"]) == (0, {LOST: 9}, True)
    assert check(case, "--key", "0" * 64)[0] == 1


def test_events_are_there_to_be_read_and_as_they_were_stored(case):
    lines = [json.loads(line) for line in (case / "events.jsonl").read_text().splitlines()]
    assert [line["topic"] for line in lines] == ["incident.reported", *["incident.evidence_attached"] * 2]
    assert lines[1]["reads"]["sha256"] == DIGEST
    assert (case / "evidence" / DIGEST).read_bytes() == PICTURE
    text = (case / "README.md").read_text(encoding="utf-8")
    for words in ("如何核验", "How to check it", "3 events", "共 3 条事件"):
        assert words in text


@pytest.mark.parametrize("name", ["proof.json", "events.jsonl", "checkpoint.txt", "verifier-key.txt", DIGEST])
def test_a_changed_byte_is_found_wherever_it_is(case, name):
    path = case / "evidence" / name if name == DIGEST else case / name
    whole = path.read_bytes()
    places = range(0, len(whole), max(1, len(whole) // 6))
    for place in places:
        if whole[place] in b" \n":
            continue  # how JSON is laid out says nothing
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        code, text = check(case)
        assert (code, "REFUSED" in text) == (1, True), place
    path.write_bytes(whole)
    assert check(case)[0] == 0


def test_what_is_left_out_or_added_is_found(case):
    events = case / "events.jsonl"
    whole = events.read_text()
    events.write_text("".join(f"{line}\n" for line in whole.splitlines()[:-1]))
    assert "2 lines, and 3 events are proved" in check(case)[1]
    events.write_text(whole)
    (case / "evidence" / ("f" * 64)).write_bytes(b"planted")
    assert "no event of the case names it" in check(case)[1]


async def test_an_export_is_in_the_log_with_its_reason_and_needs_one(asker, answer, running, incident):
    page = await running.log.read(0, 100, frozenset({"reading.recorded"}))
    (said,) = (entry.event for entry in page.entries)
    assert (said.shown, said.subjects, said.purpose) == (Shown.EXPORT, (incident,), "法院调取")
    headers = {"Authorization": f"Bearer {asker.token(AUDITOR)}"}
    refusal = await asker.client.get(f"/api/audit/cases/{incident}.zip", headers=headers)
    assert (refusal.status_code, refusal.json()["title"]) == (422, "INVALID")


async def test_evidence_that_was_altered_in_the_store_is_not_exported(asker, running, incident):
    running.evidence.path(DIGEST).write_bytes(b"another picture")
    headers = {"Authorization": f"Bearer {asker.token(AUDITOR)}", "Anju-Purpose": "audit"}
    response = await asker.client.get(f"/api/audit/cases/{incident}.zip", headers=headers)
    assert response.status_code == 500


async def test_the_command_writes_the_same_and_says_who(
    database_url, running, incident, tmp_path, monkeypatch
):
    monkeypatch.setenv("ANJU_DATABASE_URL", database_url)
    monkeypatch.setenv("ANJU_DATA_DIR", str(running.settings.data_dir))
    path = tmp_path / "case.zip"
    arguments = ["export", str(incident), "-o", str(path), "--purpose", "法院调取", "--json"]
    done = await asyncio.to_thread(CliRunner().invoke, app, arguments)
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout) == {"events": 3, "evidence": 1, "case": str(path)}
    zipfile.ZipFile(path).extractall(tmp_path / "unpacked")
    assert check(tmp_path / "unpacked")[0] == 0
    page = await running.log.read(0, 100, frozenset({"reading.recorded"}))
    (said,) = (entry.event for entry in page.entries)
    assert said.actor.startswith("operator:")
    assert said.purpose == "法院调取"
