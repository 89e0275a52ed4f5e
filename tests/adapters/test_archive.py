"""A leaf of observations goes to a file and comes back; the chain, the reads and the Merkle tree hold without its rows."""

import json
import resource
import zlib
from dataclasses import replace
from hashlib import sha256
from uuid import uuid4

import asyncpg
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from given import NOW, build_site, named, observation, person

from adapters import archive, archive_return
from adapters.archive_file import ArchiveFile, ArchiveWriter
from adapters.audit import audit
from adapters.checkpoint_files import export
from adapters.checkpoints import make
from adapters.database import connect, create_pool
from adapters.event_log import event_log
from adapters.proof import bundle
from adapters.signing import Signer
from adapters.verify import verify
from domain import gatepass
from domain.errors import (
    CorruptError,
    ForbiddenError,
    InvalidError,
    NotFoundError,
    UnavailableError,
)
from domain.gatepass import GatePass
from domain.incident import Incident, Source
from domain.merkle import Levels, consistency_ranges, inclusion_ranges, leaf_hash
from domain.people import Role
from domain.ports import Request
from domain.retention import Remains, Stretch, nodes, subtrees
from domain.site import Site, site_id
from projections.closure import PROJECTION as CLOSURE
from projections.gate_lineage import lineage
from projections.gate_traffic import PROJECTION as GATE_TRAFFIC
from projections.period import Period, day_of
from projections.question import Question
from projections.runner import catch_up

LEAF = "events_observation_1"
LEAF_SIZE = 20
GATE, INCIDENT = frozenset({"gate.passed"}), frozenset({"incident.reported"})


def quiet(description: str, done: int, total: int | None) -> None:
    """Nobody watches."""


async def chain_holds(url):
    return await verify(url)


async def run(url, sql):
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(sql)
    finally:
        await connection.close()


async def fetch(url, sql, *values):
    connection = await asyncpg.connect(url)
    try:
        return await connection.fetch(sql, *values)
    finally:
        await connection.close()


@pytest.fixture(scope="module")
def signer():
    return Signer("anju.test/log", Ed25519PrivateKey.generate())


@pytest.fixture(scope="module")
async def template(postgres_url, template, signer):
    """What every test here begins with: leaves of twenty positions instead of ten million, and a log of 60 positions.

    Gate passes, with incidents at 7, 12, 17 .. between them; signed checkpoints at 33 and 51.
    """
    name = f"template_{uuid4().hex}"
    url = named(postgres_url, name)
    await run(postgres_url, f"create database {name} template {template} strategy file_copy")
    await run(
        url,
        f"create or replace function observation_leaf_size() returns bigint language sql immutable as 'select {LEAF_SIZE}::bigint';"
        "select drop_observation_leaf('events_observation_0'); select ensure_observation_leaf(0)",
    )
    async with create_pool(url) as pool, event_log(pool, url) as log:
        await fill(log, await build_site(log), url, signer)
    yield name
    await run(postgres_url, f"drop database {name} with (force)")


async def fill(log, site, url, signer):
    clerk = person(Role.INTAKE)
    events = [
        Incident.report(
            id=uuid4(), site=site, by=clerk, at=NOW, source=Source.CITIZEN, category="noise", description="x"
        )
        if number % 5 == 0
        else gatepass.decide(observation(), site)
        for number in range(54)
    ]
    for start in range(0, 54, 9):
        part = events[start : start + 9]
        await log.append_all(
            [Request(one.id, one.collect_events(), {"correlation": str(one.id)}) for one in part]
        )
        if start in {18, 36}:
            await make(url, signer, NOW)


async def everything(url):
    return await fetch(url, "select * from events order by notification_id")


async def detach(url, folder, leaf=LEAF):
    return await archive.detach(url, leaf, folder, quiet, youngest=0)


async def test_an_archived_leaf_leaves_the_log_and_the_chain_still_holds(database_url, tmp_path):
    before = await chain_holds(database_url)
    made = await detach(database_url, tmp_path)
    after = await chain_holds(database_url)
    rows = len(list(ArchiveFile(tmp_path / made.file).rows()))
    assert (after.holds, after.events, after.hash) == (True, 60, before.hash)
    assert after.archived == made.rows == rows > 0
    assert not await fetch(database_url, "select from events where notification_id = $1", made.first)


async def test_the_log_is_as_before_when_the_archive_came_back(database_url, tmp_path):
    before = await everything(database_url)
    made = await detach(database_url, tmp_path)
    assert await archive_return.attach(database_url, tmp_path / made.file, quiet) == made.rows
    assert await everything(database_url) == before
    verdict = await chain_holds(database_url)
    assert (verdict.holds, verdict.archived) == (True, 0)
    with pytest.raises(NotFoundError, match="has no use for"):
        await archive_return.attach(database_url, tmp_path / made.file, quiet)


async def test_it_can_be_archived_again_after_it_came_back(database_url, tmp_path):
    first = await detach(database_url, tmp_path / "a")
    await archive_return.attach(database_url, tmp_path / "a" / first.file, quiet)
    again = await detach(database_url, tmp_path / "b")
    assert (again.sha256, again.root) == (first.sha256, first.root)
    assert (await chain_holds(database_url)).archived == again.rows


async def test_the_log_goes_on_growing_and_verifying_without_the_leaf(log, database_url, tmp_path):
    await detach(database_url, tmp_path)
    passed = gatepass.decide(observation(), await log.load(Site, site_id("runjinyuan")))
    await log.append(Request(passed.id, passed.collect_events(), {}))
    verdict = await chain_holds(database_url)
    assert (verdict.holds, verdict.events) == (True, 61)


async def test_two_leaves_beside_each_other_can_both_be_archived(database_url, tmp_path):
    made = [await detach(database_url, tmp_path, f"events_observation_{n}") for n in (1, 0)]
    verdict = await chain_holds(database_url)
    assert (verdict.holds, verdict.archived) == (True, sum(one.rows for one in made))
    for one in made:
        await archive_return.attach(database_url, tmp_path / one.file, quiet)
    assert (await chain_holds(database_url)).archived == 0


async def test_a_leaf_that_no_checkpoint_covers_stays(database_url, tmp_path):
    with pytest.raises(InvalidError, match="the last checkpoint is at position 51, and its end at 59"):
        await detach(database_url, tmp_path, "events_observation_2")


async def test_a_leaf_that_is_young_stays(database_url, tmp_path):
    with pytest.raises(InvalidError, match="less than 30 days old"):
        await archive.detach(database_url, LEAF, tmp_path, quiet)
    assert not list(tmp_path.iterdir())


async def test_an_unknown_leaf_is_named_with_those_that_there_are(database_url, tmp_path):
    with pytest.raises(NotFoundError, match="there are: events_observation_0, events_observation_1"):
        await detach(database_url, tmp_path, "events_case")


async def test_a_row_that_was_altered_is_not_archived(database_url, tmp_path):
    await run(
        database_url,
        f"alter table {LEAF} disable trigger all; update {LEAF} set state = state || ' '::bytea where notification_id = 38",
    )
    with pytest.raises(CorruptError, match="position 38 is not what was appended"):
        await detach(database_url, tmp_path)
    assert not list(tmp_path.iterdir())
    assert await fetch(database_url, f"select from {LEAF}")


async def test_a_leaf_that_somebody_reads_stays_and_no_file_is_left(database_url, tmp_path, monkeypatch):
    monkeypatch.setattr(archive.SQL, "lock_timeout", lambda it: it.execute("set local lock_timeout = '50ms'"))
    reader = await asyncpg.connect(database_url)
    async with reader.transaction():
        await reader.fetch("select from events")
        with pytest.raises(UnavailableError, match="try again when they are done"):
            await detach(database_url, tmp_path)
    await reader.close()
    assert not list(tmp_path.iterdir())
    assert (await chain_holds(database_url)).archived == 0


async def test_an_existing_file_is_not_written_over(database_url, tmp_path):
    (tmp_path / f"{LEAF}.anju-archive").write_text("mine")
    with pytest.raises(InvalidError, match="is there already"):
        await detach(database_url, tmp_path)
    assert (tmp_path / f"{LEAF}.anju-archive").read_text() == "mine"


async def test_only_the_owner_of_the_database_archives(database_url, tmp_path):
    login = f"clerk_{uuid4().hex}"
    await run(database_url, f"create role {login} login in role anju_app")
    try:
        with pytest.raises(ForbiddenError, match="only the owner"):
            await detach(database_url.replace("//anju@", f"//{login}@"), tmp_path)
    finally:
        await run(database_url, f"drop role {login}")


async def test_the_application_can_neither_archive_nor_forget_that_it_was_done(database_url, tmp_path):
    await detach(database_url, tmp_path)
    application = await connect(database_url)
    for sql in (
        "select drop_observation_leaf('events_observation_0')",
        "select create_observation_leaf('x', 1, 2)",
        "delete from archives",
        "insert into archive_returns (archive) select number from archives",
        "update archive_stretches set hash = hash",
    ):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await application.execute(sql)
    await application.close()
    for sql in ("delete from archive_stretches", "update archives set file = ''", "truncate archive_returns"):
        with pytest.raises(asyncpg.RestrictViolationError, match="append-only"):
            await run(database_url, sql)


async def checked(url, folder):
    connection = await connect(url)
    try:
        return await archive_return.check(connection, folder, quiet)
    finally:
        await connection.close()


async def test_the_rows_in_the_file_are_checked_against_what_stayed(database_url, tmp_path):
    made = await detach(database_url, tmp_path)
    (found,) = await checked(database_url, tmp_path)
    assert (found.leaf, found.rows, found.problem) == (LEAF, made.rows, None)


@pytest.mark.parametrize("place", [3, 40, 0.5, -200, -40, -1])
async def test_an_altered_archive_is_found_and_refused(database_url, tmp_path, place):
    path = tmp_path / (await detach(database_url, tmp_path)).file
    data = bytearray(path.read_bytes())
    data[int(len(data) * place) if isinstance(place, float) else place] ^= 1
    path.write_bytes(data)
    (found,) = await checked(database_url, tmp_path)
    assert path.name in found.problem
    with pytest.raises((CorruptError, InvalidError), match=path.name):
        await archive_return.attach(database_url, path, quiet)
    assert (await chain_holds(database_url)).archived == found.rows


@pytest.mark.parametrize("left", [0, 5, 100, -1])
async def test_a_truncated_archive_is_found_and_refused(database_url, tmp_path, left):
    path = tmp_path / (await detach(database_url, tmp_path)).file
    path.write_bytes(path.read_bytes()[:left])
    (found,) = await checked(database_url, tmp_path)
    assert path.name in found.problem
    with pytest.raises((CorruptError, InvalidError), match=path.name):
        await archive_return.attach(database_url, path, quiet)


async def test_a_missing_archive_is_named(database_url, tmp_path):
    made = await detach(database_url, tmp_path)
    (found,) = await checked(database_url, tmp_path / "elsewhere")
    assert made.file in found.problem


async def test_the_archive_of_another_log_is_refused(database_url, tmp_path):
    """Written by the same code, whole by itself, with rows that were never in this log."""
    made = await detach(database_url, tmp_path)
    original = ArchiveFile(tmp_path / made.file)
    rows = list(original.rows())
    with (tmp_path / "forged").open("xb") as file:
        writer = ArchiveWriter(file)
        for row in rows:
            writer.add(replace(row.record, metadata="{}"), bytes(32) if row is rows[0] else None)
        writer.finish(LEAF, original.manifest.lower, original.manifest.upper)
    ArchiveFile(tmp_path / "forged").require_whole()
    with pytest.raises(CorruptError, match="is not what was archived"):
        await archive_return.attach(database_url, tmp_path / "forged", quiet)


async def test_who_needs_what_is_archived_reads_it_from_the_file(log, pool, database_url, tmp_path):
    before = await log.read(0, 100, GATE | INCIDENT)
    await detach(database_url, tmp_path)
    async with event_log(pool, database_url, archive_dir=tmp_path) as reader:
        assert await reader.read(0, 100, GATE | INCIDENT) == before
        pages, after = [], 0
        while (page := await reader.read(after, 7, GATE | INCIDENT)).through > after:
            pages += page.entries
            after = page.through
        assert (pages, after) == (before.entries, 60)


async def test_who_needs_what_is_archived_and_has_no_file_is_told_which(log, pool, database_url, tmp_path):
    made = await detach(database_url, tmp_path)
    with pytest.raises(UnavailableError, match=f"archived in {made.file}: set ANJU_ARCHIVE_DIR"):
        await log.read(0, 100, GATE)
    async with event_log(pool, database_url, archive_dir=tmp_path / "empty") as reader:
        with pytest.raises(UnavailableError, match=f"copy {made.file} into"):
            await reader.read(22, 3, GATE)


async def test_who_needs_nothing_of_it_reads_on_without_the_file(log, database_url, tmp_path):
    before = await log.read(0, 100, INCIDENT)
    await detach(database_url, tmp_path)
    assert await log.read(0, 100, INCIDENT) == before
    assert (await log.read(22, 3, INCIDENT)).through == 25


async def test_a_projection_waits_for_the_archive_and_then_counts_what_is_in_it(
    log, pool, database_url, tmp_path
):
    made = await detach(database_url, tmp_path)
    with pytest.raises(UnavailableError, match=made.file):
        await catch_up(GATE_TRAFFIC, pool, log)
    assert await catch_up(CLOSURE, pool, log) == 60
    async with event_log(pool, database_url, archive_dir=tmp_path) as reader:
        assert await catch_up(GATE_TRAFFIC, pool, reader) == 60
    assert await pool.fetchval("select sum(passes) from gate_traffic") == 54 - 11


async def test_a_lineage_of_passes_that_are_archived_is_refused_where_it_comes_to_them(
    log, pool, database_url, tmp_path
):
    asked = Question(period=Period(day_of(NOW), day_of(NOW)), now=NOW)
    await catch_up(GATE_TRAFFIC, pool, log)
    async with pool.acquire() as connection:
        whole = await lineage(connection, asked, first=100, after=0)
        made = await detach(database_url, tmp_path)
        before = [one for one in whole if one.position < LEAF_SIZE]
        assert await lineage(connection, asked, first=len(before), after=0) == before != []
        for first, after in ((len(before) + 1, 0), (1, before[-1].position), (1, LEAF_SIZE + 3)):
            with pytest.raises(UnavailableError, match="anju archive attach"):
                await lineage(connection, asked, first=first, after=after)
        beyond = [one for one in whole if one.position >= 2 * LEAF_SIZE]
        assert await lineage(connection, asked, first=100, after=2 * LEAF_SIZE - 1) == beyond != []
        await archive_return.attach(database_url, tmp_path / made.file, quiet)
        assert await lineage(connection, asked, first=100, after=0) == whole


async def test_a_disk_that_is_full_leaves_no_archive_and_the_rows_in_the_log(database_url, tmp_path):
    """The system's own limit of a file's size: writing fails as it does on a full disk."""
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limit[1]))
    try:
        with pytest.raises(UnavailableError, match="cannot be written: File too large; nothing was archived"):
            await detach(database_url, tmp_path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
    assert not list(tmp_path.iterdir())
    verdict = await chain_holds(database_url)
    assert (verdict.holds, verdict.archived) == (True, 0)


async def test_an_altered_file_is_not_read(pool, database_url, tmp_path):
    path = tmp_path / (await detach(database_url, tmp_path)).file
    path.write_bytes(path.read_bytes().replace(b'"rows"', b'"Rows"'))
    async with event_log(pool, database_url, archive_dir=tmp_path) as log:
        with pytest.raises(CorruptError, match=path.name):
            await log.read(0, 100, GATE)


async def test_a_missing_row_is_still_an_error(log, database_url, tmp_path):
    await detach(database_url, tmp_path)
    await run(
        database_url,
        "alter table events_case disable trigger all; delete from events_case where notification_id = 27",
    )
    with pytest.raises(CorruptError, match="position 27 is missing"):
        await log.read(0, 100, INCIDENT)
    assert (await chain_holds(database_url)).position == 27


async def test_a_pass_that_was_archived_is_not_taken_for_a_new_one(log, database_url, tmp_path):
    """Its later events, were there any, are not folded without the first ones."""
    (row,) = await fetch(database_url, f"select originator_id from {LEAF} order by notification_id limit 1")
    await detach(database_url, tmp_path)
    with pytest.raises(NotFoundError):
        await log.load(GatePass, row["originator_id"])


async def test_every_checkpoint_and_every_proof_can_be_made_without_the_rows(database_url, tmp_path):
    whole = Levels([leaf_hash(row["hash"]) for row in await everything(database_url)])
    await detach(database_url, tmp_path)
    rows = {row["notification_id"]: row["hash"] for row in await everything(database_url)}
    kept = [
        Stretch(row["first"], row["last"], row["hash"], tuple(batched(row["roots"])))
        for row in await fetch(
            database_url, "select first, last, hash, roots from archived_stretches order by last"
        )
    ]
    tree = Remains(nodes(rows, kept))
    ranges = [(0, size) for size in (33, 51, 60)] + [
        r for old in (33, 51) for r in consistency_ranges(old, 60)
    ]
    ranges += [r for position in rows for r in inclusion_ranges(position - 1, 60)]
    assert all(tree.over(one) == whole.over(one) for one in ranges)
    inside = next(low for one in kept for low, high in subtrees(one.first, one.last) if high - low > 1)
    with pytest.raises(LookupError, match="is in an archive"):
        tree.over((inside, inside + 1))


def batched(roots):
    return [roots[at : at + 32] for at in range(0, len(roots), 32)]


async def test_the_signed_checkpoints_vouch_for_what_is_archived(database_url, signer, tmp_path):
    made = await detach(database_url, tmp_path)
    found = await audit(database_url, signer.public, archives=tmp_path)
    assert (found.verdict.holds, found.verdict.archived, found.checkpoints) == (True, made.rows, 2)
    assert [(one.rows, one.problem) for one in found.archives] == [(made.rows, None)]
    await run(
        database_url,
        "alter table archive_stretches disable trigger all; update archive_stretches set roots = sha256(roots) || sha256(roots) where last = 26",
    )
    found = await audit(database_url, signer.public)
    assert "do not give the root that was signed" in found.verdict.problem


async def test_checkpoints_and_exports_go_on_after_a_leaf_went(log, database_url, signer, tmp_path):
    await export(database_url, signer, tmp_path / "off", NOW)
    await detach(database_url, tmp_path)
    site = await build_site(log, "another")
    again = await export(database_url, signer, tmp_path / "off", NOW)
    assert (again.old, again.signed.checkpoint.size) == (60, 66)
    assert (await audit(database_url, signer.public, tmp_path / "off")).verdict.holds
    proved = await bundle(database_url, signer, site.id, NOW)
    assert len(proved["events"]) == 6


async def test_an_incident_between_archived_passes_can_still_be_proved(database_url, signer, tmp_path):
    rows = await fetch(
        database_url,
        "select originator_id from events where topic = 'incident.reported' and notification_id between 20 and 39",
    )
    before = [await bundle(database_url, signer, row["originator_id"], NOW) for row in rows]
    await detach(database_url, tmp_path)
    assert [await bundle(database_url, signer, row["originator_id"], NOW) for row in rows] == before


async def test_an_audit_with_the_archives_names_the_altered_one(database_url, signer, tmp_path):
    path = tmp_path / (await detach(database_url, tmp_path)).file
    data = bytearray(path.read_bytes())
    data[100] ^= 1
    path.write_bytes(data)
    found = await audit(database_url, signer.public, archives=tmp_path)
    assert path.name in found.verdict.problem
    assert not found.verdict.holds


@pytest.mark.parametrize(("first", "last"), [(1, 22), (23, None), (21, 24), (24, 24), (33, 51)])
async def test_a_part_of_the_log_can_be_verified_wherever_it_is_cut(database_url, tmp_path, first, last):
    await detach(database_url, tmp_path)
    assert (await verify(database_url, first=first, last=last)).holds


async def test_the_stretches_that_stayed_cannot_be_altered_unseen(database_url, tmp_path):
    await detach(database_url, tmp_path)
    for change, position in (("hash = sha256(hash)", 27), ("first = first + 1", 23)):
        connection = await asyncpg.connect(database_url)
        await connection.execute("set session_replication_role = replica")
        await connection.execute(f"update archive_stretches set {change} where last = 26")
        assert (await verify(database_url)).position == position
        await connection.close()


async def test_the_file_is_what_its_description_says(database_url, tmp_path):
    """Read with nothing but the standard library, following the words of adapters/archive_file.py."""
    rows = await fetch(database_url, f"select * from {LEAF} order by notification_id")
    data = (tmp_path / (await detach(database_url, tmp_path)).file).read_bytes()
    assert data[:8] == b"ANJUARC1"
    assert data[-32:] == sha256(data[:-32]).digest()
    size = int.from_bytes(data[-36:-32])
    manifest = json.loads(data[-36 - size : -36])
    assert (manifest["leaf"], manifest["rows"]) == (LEAF, len(rows))
    found = []
    for _, offset in manifest["blocks"]:
        block = zlib.decompress(data[offset + 4 : offset + 4 + int.from_bytes(data[offset : offset + 4])])
        while block:
            count, hash_, block = int.from_bytes(block[8:12]), block[12:44], block[44:]
            for _ in range(count):
                length = int.from_bytes(block[:4])
                hash_ = sha256(hash_ + block[4 : 4 + length]).digest()
                found.append(hash_)
                block = block[4 + length :]
    assert found == [row["hash"] for row in rows]
    assert manifest["root"] == Levels([leaf_hash(hash_) for hash_ in found]).root.hex()
