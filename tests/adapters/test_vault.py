"""Keys are made once, are used for a moment, and are gone when they were destroyed."""

import asyncio
from uuid import uuid4

import asyncpg
import pytest
from given import destroy, order, report

from adapters import vault as vaults
from adapters.database import connect
from adapters.event_log import event_log
from adapters.tail import Tail
from adapters.vault import Vault
from adapters.verify import verify
from domain import commands
from domain.errors import CorruptError, ForbiddenError, RuleError, UnavailableError
from domain.incident import Incident
from domain.key import Key, key_id
from domain.people import Role, Scope
from domain.personal import Personal, of_subject
from domain.ports import Request


@pytest.fixture
def scope():
    return of_subject(uuid4())


@pytest.fixture
def reporter(scope):
    return Personal(scope, "李某 13900001111")


@pytest.fixture
async def other(pool, database_url, tmp_path):
    """The log as another process has it, with a vault of its own and the same master keys."""
    async with event_log(pool, database_url, Vault(pool, tmp_path / "master-keys")) as opened:
        yield opened


async def reporter_of(log, incident):
    """As a command loads it, as its history says, and as a projection reads it."""
    loaded = (await log.load(Incident, incident)).reporter
    (history,) = [entry.event.reporter for entry in await log.history(incident)]
    page = await log.read(0, 1000, frozenset({Incident.Reported.TOPIC}))
    (read,) = [entry.event.reporter for entry in page.entries if entry.event.originator_id == incident]
    assert loaded == history == read
    return loaded


# --- writing and reading -------------------------------------------------------------------------------------------------------


async def test_what_was_reported_is_read_by_another_process(log, other, site, reporter):
    done = await report(log, site, reporter=reporter)
    assert await reporter_of(other, done.id) == reporter


async def test_it_stands_sealed_in_the_log_and_the_chain_holds(log, site, pool, database_url, reporter):
    done = await report(log, site, reporter=reporter)
    state = await pool.fetchval("select state from events where notification_id = $1", done.position)
    assert reporter.text.encode() not in state
    assert (await verify(database_url)).holds


async def test_one_key_serves_everything_of_its_scope_and_a_batch_asks_once(log, site, pool, vault, reporter):
    await asyncio.gather(*(report(log, site, reporter=reporter) for _ in range(5)))
    strangers = [Personal(of_subject(uuid4()), f"no. {n}") for n in range(20)]
    await asyncio.gather(*(report(log, site, reporter=stranger) for stranger in strangers))
    assert await pool.fetchval("select count(*) from vault_keys") == 21
    asked = []
    vault.forget("")
    vault._fetch, fetch = lambda sql, *values: (asked.append(sql), fetch(sql, *values))[1], vault._fetch
    page = await log.read(0, 1000, frozenset({Incident.Reported.TOPIC}))
    assert {entry.event.reporter for entry in page.entries} == {reporter, *strangers}
    assert asked.count(vaults.SQL.keys.sql) == 1


async def test_keys_that_many_ask_for_at_once_are_made_together(pool, vault):
    made = []
    vault._fetch, fetch = lambda sql, *values: (made.append(sql), fetch(sql, *values))[1], vault._fetch
    scopes = [{of_subject(uuid4())} for _ in range(64)]
    keys = await asyncio.gather(*(vault.for_writing(one) for one in scopes))
    assert [set(found) for found in keys] == scopes
    assert made.count(vaults.SQL.make.sql) <= 2
    assert await pool.fetchval("select count(*) from vault_keys") == 64


async def test_two_processes_that_make_the_key_of_one_scope_end_with_one(pool, tmp_path, scope):
    processes = [Vault(pool, tmp_path / "master-keys") for _ in range(10)]
    made = await asyncio.gather(*(one.for_writing({scope}) for one in processes))
    assert len({keys[scope].id for keys in made}) == 1
    sealed = made[0][scope].cipher.encrypt(bytes(12), b"x", None)
    assert all(keys[scope].cipher.decrypt(bytes(12), sealed, None) == b"x" for keys in made)


async def test_many_that_make_many_keys_in_any_order_do_not_wait_for_each_other_for_ever(pool, tmp_path):
    scopes = [of_subject(uuid4()) for _ in range(300)]
    processes = [Vault(pool, tmp_path / "master-keys") for _ in range(6)]
    halves = [set(scopes[start : start + 200]) for start in (0, 50, 100) * 2]
    await asyncio.gather(*(one.for_writing(half) for one, half in zip(processes, halves, strict=True)))
    assert await pool.fetchval("select count(*) from vault_keys") == 300


async def test_a_log_without_a_vault_takes_nothing_personal(pool, database_url, site, reporter):
    async with event_log(pool, database_url) as plain:
        before = await plain.position()
        with pytest.raises(UnavailableError, match="without the key vault"):
            await report(plain, site, reporter=reporter)
        assert (await report(plain, site)).position == before + 1


# --- destruction ---------------------------------------------------------------------------------------------------------------


async def test_after_destruction_every_reader_has_a_redacted_value_and_the_chain_holds(
    log, other, site, database_url, scope, reporter
):
    done = await report(log, site, reporter=reporter)
    await destroy(log, scope)
    assert await reporter_of(log, done.id) == Personal(scope, None)
    other._vault.forget(scope)
    assert await reporter_of(other, done.id) == Personal(scope, None)
    assert (await verify(database_url)).holds


async def test_the_key_is_gone_in_the_transaction_that_records_its_destruction(
    log, site, pool, scope, reporter
):
    await report(log, site, reporter=reporter)
    done = await destroy(log, scope)
    row = await pool.fetchrow("select *, xmin::text as written from vault_keys where scope = $1", scope)
    event = await pool.fetchrow(
        "select topic, xmin::text as written from events where notification_id = $1", done.position
    )
    assert (row["wrapped"], row["master_key"], row["written"]) == (None, None, event["written"])
    assert event["topic"] == "key.destroyed"


async def test_a_command_on_an_incident_whose_reporter_is_forgotten_still_works(log, site, scope, reporter):
    done = await report(log, site, reporter=reporter)
    await destroy(log, scope)
    accepted = await commands.act(log, order(Role.INTAKE), Incident, Incident.accept, done.id)
    assert accepted.version == 2


async def test_other_scopes_are_not_touched(log, site, scope, reporter):
    neighbour = Personal(of_subject(uuid4()), "王某")
    kept = await report(log, site, reporter=neighbour)
    await report(log, site, reporter=reporter)
    await destroy(log, scope)
    assert await reporter_of(log, kept.id) == neighbour


async def test_a_destroyed_scope_takes_nothing_new_and_the_requests_beside_it_are_appended(
    log, site, scope, reporter
):
    await destroy(log, scope)
    requests = [
        Request(uuid4(), Incident.report(id=uuid4(), site=site, **fields).collect_events(), {})
        for fields in (incident(reporter), incident(None))
    ]
    refused, appended = await log.append_all(requests)
    assert isinstance(refused, RuleError)
    assert appended.first == await log.position()
    with pytest.raises(RuleError, match="nothing personal is stored under this scope again"):
        await report(log, site, reporter=reporter)


def incident(reporter):
    given = order(Role.INTAKE)
    return {
        "by": given.by,
        "at": given.at,
        "source": "CITIZEN",
        "category": "noise",
        "description": "x",
        "reporter": reporter,
    }


async def test_a_request_repeated_after_destruction_is_still_the_one_that_was_done(
    log, site, scope, reporter
):
    given = order(Role.INTAKE)
    first = await report(log, site, by=given, reporter=reporter)
    await destroy(log, scope)
    again = await report(log, site, by=given, reporter=reporter)
    assert (again.position, again.repeated) == (first.position, True)


async def test_a_scope_is_destroyed_before_anything_is_known_of_it(log, site, pool, scope, reporter):
    await destroy(log, scope)
    assert await pool.fetchval("select wrapped is null from vault_keys where scope = $1", scope)
    with pytest.raises(RuleError, match="destroyed"):
        await report(log, site, reporter=reporter)


async def test_another_process_stops_using_the_key_when_it_is_told(
    log, other, site, database_url, scope, reporter
):
    heard = []

    def hear(scope):
        heard.append(scope)
        other._vault.forget(scope)

    async with Tail(database_url, {"keys": hear}), asyncio.timeout(5):
        while not heard:
            await log._pool.execute("notify keys, 'nobody'")
        done = await report(log, site, reporter=reporter)
        other._vault._clock = lambda: 0.0  # nothing ever grows old: only the message counts
        assert await reporter_of(other, done.id) == reporter
        await destroy(log, scope)
        while not (await other.load(Incident, done.id)).reporter.redacted:
            await asyncio.sleep(0.01)


async def test_another_process_that_is_not_told_stops_within_a_second(log, other, site, scope, reporter):
    done = await report(log, site, reporter=reporter)
    clock = [0.0]
    other._vault._clock = lambda: clock[0]
    assert await reporter_of(other, done.id) == reporter
    await destroy(log, scope)
    clock[0] = vaults.LIFETIME
    assert (await reporter_of(other, done.id)).redacted
    assert vaults.LIFETIME <= 1


async def test_unwrapped_keys_in_memory_are_bounded(vault, monkeypatch):
    monkeypatch.setattr(vaults, "LARGEST", 10)
    scopes = {of_subject(uuid4()) for _ in range(25)}
    assert (await vault.for_writing(scopes)).keys() == scopes
    assert len(vault._known) == 10


async def test_a_vault_restored_from_a_backup_forgets_again_what_was_destroyed(
    log, site, pool, database_url, vault, scope, reporter
):
    done = await report(log, site, reporter=reporter)
    row = await pool.fetchrow("select * from vault_keys")
    await destroy(log, scope)
    owner = await asyncpg.connect(database_url)
    await owner.execute("alter table vault_keys disable trigger user; delete from vault_keys")
    await owner.execute("insert into vault_keys values ($1, $2, $3, $4, $5, $6)", *row.values())
    await owner.execute("alter table vault_keys enable trigger user")
    await owner.close()
    vault.forget("")
    assert await reporter_of(log, done.id) == reporter
    assert (await vault.forget_destroyed(), await vault.forget_destroyed()) == (1, 0)
    vault.forget("")
    assert (await reporter_of(log, done.id)).redacted


async def test_the_application_can_neither_bring_a_key_back_nor_delete_one(
    log, site, database_url, scope, reporter
):
    await report(log, site, reporter=reporter)
    await destroy(log, scope)
    application = await connect(database_url)
    refusals = {
        "update vault_keys set wrapped = 'x', master_key = (select master_key from vault_masters)": (
            asyncpg.RestrictViolationError
        ),
        "update vault_keys set destroyed_at = null": asyncpg.InsufficientPrivilegeError,
        "delete from vault_keys": asyncpg.InsufficientPrivilegeError,
        "truncate vault_keys": asyncpg.InsufficientPrivilegeError,
        f"select forget_key('{scope}')": asyncpg.InsufficientPrivilegeError,
    }
    for statement, refusal in refusals.items():
        with pytest.raises(refusal):
            await application.execute(statement)
    await application.close()


async def test_a_key_that_is_lost_but_was_not_destroyed_is_an_error_and_not_a_redaction(
    log, other, site, database_url, reporter
):
    done = await report(log, site, reporter=reporter)
    owner = await asyncpg.connect(database_url)
    await owner.execute("delete from vault_keys")
    await owner.close()
    with pytest.raises(CorruptError, match=r"the vault has lost 1 keys.*restore vault_keys"):
        await other.load(Incident, done.id)


# --- legal hold and who may ----------------------------------------------------------------------------------------------------


async def test_a_key_under_legal_hold_is_not_destroyed_until_it_is_lifted(log, site, scope, reporter):
    done = await report(log, site, reporter=reporter)
    officer = order(Role.PRIVACY_OFFICER)
    await commands.decide_key(log, officer, Key.place_hold, scope, case="2026-17", reason="trial")
    with pytest.raises(RuleError, match="under legal hold"):
        await destroy(log, scope)
    assert await reporter_of(log, done.id) == reporter
    await commands.decide_key(
        log, order(Role.INVESTIGATOR), Key.lift_hold, scope, case="2026-17", reason="over"
    )
    await destroy(log, scope)
    assert (await reporter_of(log, done.id)).redacted


async def test_of_a_hold_and_a_destruction_at_once_one_is_refused(log, other, site, scope, reporter):
    await report(log, site, reporter=reporter)
    hold = commands.decide_key(
        other, order(Role.INVESTIGATOR), Key.place_hold, scope, case="2026-17", reason="trial"
    )
    results = await asyncio.gather(destroy(log, scope), hold, return_exceptions=True)
    assert sum(isinstance(result, RuleError) for result in results) == 1
    key = await log.load(Key, key_id(scope))
    assert key.destroyed is not bool(key.holds)


@pytest.mark.parametrize("role", sorted(set(Role) - {Role.PRIVACY_OFFICER}))
async def test_only_a_privacy_officer_destroys(log, scope, role):
    with pytest.raises(ForbiddenError, match=r"key.destroy needs one of these roles: privacy_officer"):
        await commands.decide_key(log, order(role), Key.destroy, scope, reason="asked for")
    assert await log.position() == 0


async def test_a_key_is_no_matter_of_one_township(log, scope):
    given = order(Role.PRIVACY_OFFICER)
    local = commands.Order(
        type(given.by)("p", given.by.roles, Scope(township="yuhai")), given.at, given.request_id
    )
    with pytest.raises(ForbiddenError, match="belongs to the whole city"):
        await commands.decide_key(log, local, Key.destroy, scope, reason="asked for")


# --- master keys ---------------------------------------------------------------------------------------------------------------


@pytest.fixture
async def sealed(log, site, tmp_path, reporter):
    """An incident with a reporter, and the file of the master keys it needs."""
    return await report(log, site, reporter=reporter), tmp_path / "master-keys"


def away(path):
    path.rename(path.with_name("elsewhere"))


def another(path):
    away(path)
    vaults.keyring.load(path, may_make=True)


@pytest.mark.parametrize(
    ("damage", "said"), [(away, "there is no .*master-keys"), (another, "lacks the master key")]
)
async def test_without_its_master_keys_the_vault_says_which_file_to_restore_and_the_log_stays(
    sealed, pool, database_url, site, log, vault, reporter, damage, said
):
    # given
    done, path = sealed
    damage(path)
    vault.forget("")
    before = await log.position(), await pool.fetch("select * from vault_keys")
    # when, then
    for attempt in (
        lambda: report(log, site, reporter=reporter),
        lambda: report(log, site, reporter=Personal(of_subject(uuid4()), "王某")),
        lambda: log.load(Incident, done.id),
        lambda: commands.act(log, order(Role.INTAKE), Incident, Incident.accept, done.id),
    ):
        with pytest.raises(UnavailableError, match=rf"{said}.*Restore the file from its backup"):
            await attempt()
    assert (await log.position(), await pool.fetch("select * from vault_keys")) == before
    # and what is not personal goes on
    assert (await report(log, site)).position == before[0] + 1
    # and when the file is back, so is everything
    path.with_name("elsewhere").rename(path)
    assert (await log.load(Incident, done.id)).reporter == reporter
    assert (await report(log, site, reporter=reporter)).position == before[0] + 2
