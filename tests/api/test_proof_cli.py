"""The commands of the proof side, as an operator and an auditor type them."""

import pytest
from given import build_site

from domain.errors import CorruptError, InvalidError


async def test_a_log_is_verified_exported_proved_and_checked(invoke, log, site, tmp_path, monkeypatch):
    bucket, bundle = tmp_path / "bucket", tmp_path / "bundle.json"
    code, made = await invoke("checkpoint", "export", bucket, "--json")
    assert (code, made["size"], made["continues"], len(made["files"])) == (0, 6, 0, 3)
    code, verified = await invoke("verify", "--checkpoints", bucket, "--json")
    assert (code, verified["holds"], verified["events"], verified["checkpoints"]) == (0, True, 6, 2)
    code, proved = await invoke("proof", site.id, "-o", bundle, "--json")
    assert (code, proved["events"]) == (0, 6)
    monkeypatch.delenv("ANJU_DATABASE_URL")
    code, checked = await invoke("proof", "check", bundle, "--key", made["fingerprint"], "--json")
    assert (code, checked["holds"], checked["events"]) == (0, True, 6)
    code, checked = await invoke("proof", "check", bucket, "--json")
    assert (code, checked["checkpoints"]) == (0, 1)
    bundle.write_text(bundle.read_text().replace("site.accepted", "site.rejected"))
    code, checked = await invoke("proof", "check", bundle, "--json")
    assert (code, checked["where"]) == (1, "events[4]")


async def test_a_broken_log_is_exit_code_1_and_the_first_bad_position(invoke, log, site, forger):
    await forger.execute("update events set state = 'x' where notification_id in (3, 5)")
    code, found = await invoke("verify", "--json")
    assert (code, found["holds"], found["position"]) == (1, False, 3)
    code, found = await invoke("verify", "--from", 4, "--json")
    assert (code, found["position"]) == (1, 5)
    code, found = await invoke("verify", "--from", 1, "--to", 2, "--json")
    assert (code, found["events"]) == (0, 2)
    with pytest.raises(InvalidError, match="no positions 5 to 9"):
        await invoke("verify", "--from", 5, "--to", 9)


async def test_a_wrong_call_is_exit_code_2(invoke, log, tmp_path):
    assert (await invoke("verify", "--from", 0))[0] == 2
    assert (await invoke("proof", "no-uuid", "-o", tmp_path / "b.json"))[0] == 2
    assert (await invoke("proof", "6f1d7a52-3a1c-4b47-8d0e-1df1f7a3a001"))[0] == 2
    assert (await invoke("verify", "--checkpoints", tmp_path / "none"))[0] == 2


async def test_the_key_that_signs_is_shown_for_publishing(invoke, log, site, tmp_path):
    _, shown = await invoke("checkpoint", "key")
    _, made = await invoke("checkpoint", "export", tmp_path / "bucket", "--json")
    assert shown.split()[-1] == made["fingerprint"]
    assert (tmp_path / "bucket" / "verifier-key.txt").read_text().strip() == shown.splitlines()[0]


async def test_a_lost_key_is_not_silently_replaced(invoke, log, site, tmp_path):
    await invoke("checkpoint", "export", tmp_path / "bucket", "--json")
    (tmp_path / "data" / "checkpoint-key.pem").unlink()
    await build_site(log, "later")
    with pytest.raises(CorruptError, match="it is not signed by the key"):
        await invoke("checkpoint", "export", tmp_path / "bucket")
