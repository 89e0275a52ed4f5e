"""Checkpoints leave the machine; whoever rewrites the log afterwards, however well, contradicts them."""

import asyncpg
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from forging import rewrite
from given import NOW, build_site

from adapters.audit import audit
from adapters.checkpoint_files import KEY_FILE, export, read_directory, read_verifier_key
from adapters.checkpoints import make
from adapters.database import connect
from adapters.signing import Signer, checked, make_key, read_key
from api import check_bundle
from domain import checkpoint
from domain.errors import CorruptError, NotFoundError, RuleError
from domain.merkle import Levels, leaf_hash

ORIGIN = "anju.example/log"


@pytest.fixture(autouse=True)
def small(monkeypatch):
    """Chunks and ranges of a few positions, checked by a thread."""
    monkeypatch.setattr("adapters.tree.CHUNK", 4)
    monkeypatch.setattr("adapters.verify.STEP", 4)
    monkeypatch.setattr("adapters.verify_workers.os.cpu_count", lambda: 1)


@pytest.fixture
def signer():
    return Signer(ORIGIN, Ed25519PrivateKey.generate())


@pytest.fixture
async def exported(log, database_url, signer, tmp_path):
    """A log of 18 events, with checkpoints of 6 and 12 in a directory off the machine."""
    for number in range(3):
        await build_site(log, f"s{number}")
        if number < 2:
            await export(database_url, signer, tmp_path, NOW)
    return tmp_path


async def root_of(pool, size):
    rows = await pool.fetch(
        "select hash from events where notification_id <= $1 order by notification_id", size
    )
    return Levels([leaf_hash(row["hash"]) for row in rows]).root


async def test_a_checkpoint_names_the_root_and_the_last_hash_and_is_signed(
    log, site, database_url, pool, signer
):
    signed = await make(database_url, signer, NOW)
    found = checkpoint.parsed(checked(signed.note, signer.public))
    assert (found.origin, found.size, found.made_at) == (ORIGIN, 6, NOW)
    assert found.root == await root_of(pool, 6)
    row = await pool.fetchrow("select hash, recorded_at from log_head")
    assert (found.last_hash, found.recorded_at) == tuple(row)


async def test_each_checkpoint_has_the_root_of_the_whole_log_however_often_one_was_made(
    log, database_url, pool, signer
):
    for number in range(5):
        await build_site(log, f"s{number}")
        signed = await make(database_url, signer, NOW)
        assert signed.checkpoint.root == await root_of(pool, 6 * (number + 1))
    assert (
        await pool.fetchval("select octet_length(string_agg(subtrees, '')) from checkpoints") == 30 // 4 * 32
    )


async def test_nothing_new_makes_no_new_checkpoint(log, site, database_url, signer, tmp_path):
    first = await export(database_url, signer, tmp_path, NOW)
    again = await export(database_url, signer, tmp_path, NOW)
    assert len(first.files) == 3
    assert (again.files, again.signed.note) == ((), first.signed.note)


async def test_an_empty_log_is_not_signed(database_url, signer):
    with pytest.raises(RuleError, match="empty"):
        await make(database_url, signer, NOW)


async def test_exported_checkpoints_continue_each_other_and_the_stand_alone_verifier_agrees(
    exported, database_url, signer
):
    await export(database_url, signer, exported, NOW)
    assert [signed.checkpoint.size for signed in read_directory(exported, signer.public)] == [6, 12, 18]
    key, found = check_bundle.check_directory(exported)
    assert [one.size for one in found] == [6, 12, 18]
    assert key.fingerprint == signer.public.fingerprint == read_verifier_key(exported / KEY_FILE).fingerprint


async def test_a_second_directory_begins_with_the_newest_checkpoint(exported, database_url, signer, tmp_path):
    other = tmp_path / "other"
    done = await export(database_url, signer, other, NOW)
    assert (done.old, done.signed.checkpoint.size) == (0, 18)
    assert [one.size for one in check_bundle.check_directory(other)[1]] == [18]


async def test_a_log_that_is_as_it_was_agrees_with_every_checkpoint(exported, database_url, signer):
    found = await audit(database_url, signer.public, exported)
    assert (found.verdict.holds, found.verdict.events, found.checkpoints) == (True, 18, 4)


FORGERIES = {
    "the tail cut, the head put back": ("delete from events where notification_id > 10", 10, 11, "cut"),
    "a payload swapped, the chain recomputed": ("update events set state = state || ' ' where notification_id = 8", 8, 7, "positions 7 to 12"),
    "two events reordered, the chain recomputed": ("""
        update events set notification_id = -notification_id where notification_id in (6, 7);
        update events set notification_id = 13 + notification_id where notification_id < 0""", 6, 1, "positions 1 to 6"),
}  # fmt: skip


@pytest.mark.parametrize("what", FORGERIES)
async def test_a_log_rewritten_with_the_whole_chain_recomputed_is_found(
    exported, database_url, signer, forger, what
):
    statement, start, position, problem = FORGERIES[what]
    await forger.execute(statement)
    await rewrite(forger, start)
    for step in ("the checkpoints are left as they are", "the checkpoints in the database are gone"):
        found = (await audit(database_url, signer.public, exported)).verdict
        assert (found.holds, found.position) == (False, position), step
        assert problem in found.problem
        with pytest.raises(CorruptError, match=r"cut|rewritten"):
            await export(database_url, signer, exported, NOW)
        await forger.execute("delete from checkpoints")
    assert (await audit(database_url, signer.public)).verdict.holds  # nothing in the database tells any more


async def test_a_broken_log_is_not_signed(exported, database_url, signer, forger):
    await forger.execute("update events set state = 'x' where notification_id = 15")
    with pytest.raises(CorruptError, match="position 15 is not what was appended"):
        await export(database_url, signer, exported, NOW)


STORED = {
    "the note": ("update checkpoints set note = replace(note, 'made-at 2026', 'made-at 2025')", "checkpoint 6 .* wrong"),
    "the size": ("update checkpoints set size = 7 where size = 6", "checkpoint 7 .* its note is of size 6"),
    "the subtrees": ("update checkpoints set subtrees = sha256('x') where size = 6", "subtrees"),
    "no subtrees": ("update checkpoints set subtrees = ''", "subtrees"),
    "one left out": ("delete from checkpoints where size = 6", "subtrees"),
}  # fmt: skip


@pytest.mark.parametrize("what", STORED)
async def test_a_checkpoint_altered_in_the_database_is_found_and_nothing_is_signed(
    exported, database_url, signer, forger, what
):
    statement, problem = STORED[what]
    await forger.execute(statement)
    found = (await audit(database_url, signer.public)).verdict
    assert not found.holds
    with pytest.raises(CorruptError, match=problem):
        await make(database_url, signer, NOW)


async def test_the_chain_is_named_before_a_checkpoint(exported, database_url, signer, forger):
    await forger.execute("update checkpoints set note = 'x'")
    await forger.execute("update events set state = 'x' where notification_id = 5")
    assert (await audit(database_url, signer.public)).verdict.position == 5


async def test_a_checkpoint_signed_by_somebody_else_is_found(exported, database_url, signer):
    mallory = Signer(ORIGIN, Ed25519PrivateKey.generate())
    path = max(exported.glob("*.checkpoint"))
    text = checked(path.read_text(), signer.public)
    path.write_text(mallory.sign(text))
    found = (await audit(database_url, signer.public, exported)).verdict
    assert path.name in found.problem
    with pytest.raises(CorruptError, match="in the database: it is not signed by the key"):
        await make(database_url, mallory, NOW)


async def test_every_byte_of_an_exported_file_matters(exported, signer):
    for path in exported.iterdir():
        whole = path.read_bytes()
        for place in range(len(whole)):
            path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
            with pytest.raises(CorruptError):
                read_directory(exported, read_verifier_key(exported / KEY_FILE))
        path.write_bytes(whole)
    assert read_directory(exported, signer.public)


async def test_an_exported_file_that_is_gone_is_missed(exported, signer):
    first, second = sorted(exported.glob("*.checkpoint"))
    kept = first.read_bytes()
    first.unlink()
    with pytest.raises(CorruptError, match="a file is missing or altered"):
        read_directory(exported, signer.public)
    first.write_bytes(kept)
    second.with_suffix(".consistency").unlink()
    with pytest.raises(CorruptError, match="cannot be read"):
        read_directory(exported, signer.public)


async def test_an_export_never_overwrites(exported, database_url, signer):
    (exported / f"{18:020}.consistency").write_text("something else")
    with pytest.raises(CorruptError, match="it is not overwritten"):
        await export(database_url, signer, exported, NOW)
    assert not (exported / f"{18:020}.checkpoint").exists()


async def test_a_key_is_made_once_and_only_its_owner_can_read_it(tmp_path):
    path = tmp_path / "new" / "key.pem"
    with pytest.raises(NotFoundError):
        read_key(path)
    key = make_key(path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert make_key(path).private_bytes_raw() == key.private_bytes_raw()
    path.write_text("no key")
    with pytest.raises(CorruptError, match="is not a private key"):
        make_key(path)


CHANGES = [
    "update checkpoints set made_at = now()",
    "delete from checkpoints",
    "truncate checkpoints",
]


async def test_the_database_refuses_the_owner_to_change_a_checkpoint(exported, database_url):
    owner = await asyncpg.connect(database_url)
    for statement in CHANGES:
        with pytest.raises(asyncpg.RestrictViolationError):
            await owner.execute(statement)
    await owner.close()


async def test_the_application_has_no_right_to_change_log_or_checkpoints(exported, database_url):
    application = await connect(database_url)
    tables = ("events", "events_case", "events_observation", "events_observation_0")
    for statement in (
        *CHANGES,
        *(f"update {table} set topic = 'x'" for table in tables),
        *(f"delete from {table}" for table in tables),
        *(f"truncate {table}" for table in tables),
        "delete from log_head",
        "truncate log_head",
    ):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await application.execute(statement)
    await application.close()
