"""One incident is proved to somebody who has neither the database nor our code."""

import asyncio
import json
import subprocess
import sys
from copy import deepcopy
from functools import cache
from pathlib import Path
from uuid import uuid4

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from given import NOW, build_site, order, report

from adapters.checkpoints import make
from adapters.proof import bundle, statement
from adapters.signing import Signer
from api import check_bundle
from api.check_bundle import Refused, check, load
from domain import commands
from domain.errors import CorruptError, NotFoundError
from domain.incident import Incident
from domain.people import Role

ORIGIN = "anju.example/log"
VERIFIER = Path(check_bundle.__file__)


@pytest.fixture(autouse=True)
def small(monkeypatch):
    monkeypatch.setattr("adapters.tree.CHUNK", 4)
    monkeypatch.setattr("adapters.verify_workers.os.cpu_count", lambda: 1)


@pytest.fixture
def signer():
    return Signer(ORIGIN, Ed25519PrivateKey.generate())


@pytest.fixture
async def incident(log, site):
    """An incident of three events, with others before, between and behind them."""
    done = await report(log, site)
    await commands.act(log, order(Role.INTAKE), Incident, Incident.accept, done.id)
    await build_site(log, "other")
    await commands.act(log, order(Role.DISPATCHER), Incident, Incident.dispatch, done.id, lead_unit="housing")
    await build_site(log, "third")
    return done.id


@pytest.fixture
async def proven(incident, database_url, signer):
    return await bundle(database_url, signer, incident, NOW)


async def test_a_bundle_proves_every_event_of_the_incident(proven, incident, log, signer):
    found = check(load(json.dumps(proven)))
    assert found.originator_id == str(incident)
    assert [event.topic for event in found.events] == [
        "incident.reported", "incident.accepted", "incident.dispatched",
    ]  # fmt: skip
    assert [event.position for event in found.events] == [
        entry.position for entry in await log.history(incident)
    ]
    assert found.checkpoint.size == await log.position()
    assert found.key.fingerprint == signer.public.fingerprint
    story = check_bundle.story(found)
    assert "1. incident reported by p-intake" in story[0]
    assert "description: 夜间施工" in story[0]
    assert "3. incident dispatched by p-dispatcher (deadlines: sign:housing 2026-03-0" in story[2]
    assert story[2].endswith("limits-2026-1; lead unit: housing), position 15")


async def test_a_checkpoint_is_made_only_for_events_that_none_covers(incident, database_url, signer, log):
    first = await make(database_url, signer, NOW)
    later = await build_site(log, "fourth")
    assert (await bundle(database_url, signer, incident, NOW))["checkpoint"] == first.note
    assert check(await bundle(database_url, signer, later.id, NOW)).checkpoint.size == await log.position()


async def test_who_is_not_in_the_log_has_no_bundle(site, database_url, signer):
    with pytest.raises(NotFoundError, match="no events"):
        await bundle(database_url, signer, uuid4(), NOW)


async def test_a_row_altered_since_it_was_signed_is_not_proved(incident, database_url, signer, forger):
    await make(database_url, signer, NOW)
    await forger.execute("update events set state = state || ' ' where originator_id = $1", incident)
    with pytest.raises(CorruptError, match="position 7 is not what was signed"):
        await bundle(database_url, signer, incident, NOW)


async def test_a_chain_recomputed_since_it_was_signed_is_not_proved(incident, database_url, signer, forger):
    await make(database_url, signer, NOW)
    await forger.execute("update events set hash = sha256(hash) where originator_id = $1", incident)
    with pytest.raises(CorruptError, match="position 7 is not what was signed"):
        await bundle(database_url, signer, incident, NOW)


def leaves(value, way=()):
    """Every value in a bundle that is not made of others, with the way to it."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from leaves(inner, (*way, name))
    elif isinstance(value, list):
        for place, inner in enumerate(value):
            yield from leaves(inner, (*way, place))
    else:
        yield way, value


def altered(bundle_, way, value):
    copy = deepcopy(bundle_)
    at = copy
    for step in way[:-1]:
        at = at[step]
    at[way[-1]] = value
    return copy


async def test_no_character_of_a_bundle_can_be_changed(proven, monkeypatch):
    monkeypatch.setattr(check_bundle, "ed25519_holds", cache(check_bundle.ed25519_holds))
    for way, value in leaves(proven):
        text = str(value)
        for place in range(len(text)):
            changed = text[:place] + chr(ord(text[place]) ^ 1) + text[place + 1 :]
            new = int(changed) if isinstance(value, int) and changed.isdigit() else changed
            with pytest.raises(Refused) as refused:
                check(altered(proven, way, new))
            assert refused.value.where.partition("[")[0].partition(".")[0] in {*proven, "bundle"}


async def test_a_refusal_says_where(proven):
    cases = {
        ("format",): ("anju-proof/2", "format"),
        ("key",): ("x", "key"),
        ("originator_id",): (str(uuid4()), "statement"),
        ("events", 1, "position"): (10**6, "events[1].position"),
        ("events", 1, "topic"): ("incident.closed", "events[1]"),
        ("events", 2, "reads", "lead_unit"): ("police", "events[2].reads"),
        ("events", 0, "recorded_at"): ("2026-03-01", "events[0].recorded_at"),
        ("events", 2, "inclusion"): ([], "events[2]"),
        ("events", 0, "originator_version"): (True, "events[0].originator_version"),
        ("events", 0, "metadata"): (None, "events[0].metadata"),
    }
    for way, (value, where) in cases.items():
        with pytest.raises(Refused) as refused:
            check(altered(proven, way, value))
        assert refused.value.where == where


async def test_events_cannot_be_left_out_added_repeated_or_reordered(proven, database_url, signer, site):
    other = await bundle(database_url, signer, site.id, NOW)
    a, b, c = proven["events"]
    for events in ([a, b], [b, c], [a, c], [a, b, c, c], [b, a, c], [a, b, c, other["events"][3]], [], None):
        with pytest.raises(Refused):
            check({**proven, "events": events})


async def test_parts_of_two_bundles_cannot_be_mixed(proven, database_url, signer, site):
    other = await bundle(database_url, signer, site.id, NOW)
    for name in ("statement", "originator_id", "events"):
        with pytest.raises(Refused):
            check({**proven, name: other[name]})


async def test_a_checkpoint_is_no_statement_and_a_statement_is_no_checkpoint(proven):
    with pytest.raises(Refused, match="statement"):
        check({**proven, "statement": proven["checkpoint"]})
    with pytest.raises(Refused, match="checkpoint"):
        check({**proven, "checkpoint": proven["statement"]})


async def test_whoever_signs_with_another_key_is_seen_by_the_fingerprint(proven, incident, signer, tmp_path):
    mallory = Signer(ORIGIN, Ed25519PrivateKey.generate())
    forged = {
        **proven,
        "key": str(mallory.public),
        "checkpoint": mallory.sign(proven["checkpoint"].partition("\n\n")[0] + "\n"),
        "statement": mallory.sign(proven["statement"].partition("\n\n")[0] + "\n"),
    }
    path = tmp_path / "bundle.json"
    path.write_text(json.dumps(forged))
    key_file = tmp_path / "verifier-key.txt"
    key_file.write_text(f"{signer.public}\n")
    assert check_bundle.main([str(path)]) == 0
    for known in (signer.public.fingerprint, str(signer.public), str(key_file)):
        assert check_bundle.main([str(path), "--key", known]) == 1
        path.write_text(json.dumps(proven))
        assert check_bundle.main([str(path), "--key", known]) == 0
        path.write_text(json.dumps(forged))


async def test_a_signed_statement_of_fewer_events_is_the_operators_own_lie(proven, incident, signer):
    """Leaving an event out takes the signing key; and the statement stays in the reader's hands."""
    size = check(proven).checkpoint.size
    lie = {
        **proven,
        "events": proven["events"][:2],
        "statement": signer.sign(statement(ORIGIN, incident, 2, size)),
    }
    assert len(check(lie).events) == 2


async def test_the_verifier_runs_alone_where_nothing_of_ours_is_installed(proven, tmp_path):
    path = tmp_path / "bundle.json"
    path.write_text(json.dumps(proven, ensure_ascii=False), encoding="utf-8")
    code, said, _ = await asyncio.to_thread(run_alone, path)
    assert code == 0
    assert "HOLDS  3 events" in said
    path.write_text(json.dumps(altered(proven, ("events", 1, "topic"), "incident.closed")))
    code, _, complaint = await asyncio.to_thread(run_alone, path)
    assert code == 1
    assert complaint.startswith("REFUSED  events[1]")


def run_alone(path):
    """Exit code, stdout and stderr of the verifier, copied away, in an interpreter without site-packages."""
    alone = path.with_name("check_bundle.py")
    alone.write_bytes(VERIFIER.read_bytes())
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-X", "utf8", alone, path],
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
        cwd=path.parent,
    )
    return done.returncode, done.stdout, done.stderr
