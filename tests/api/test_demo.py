"""The demonstration: everything comes back as it was put in, it can be told to stop at any moment, and its check can fail."""

import asyncio
import shutil
import signal
import tempfile
from io import StringIO
from pathlib import Path

import asyncpg
import httpx
import pytest
from commanding import MODELS, anju, line_with, running_on, started, stopped
from given import until
from rich.console import Console

from adapters.embedded import postgres
from api import demo
from api.tokens import load_issuer
from domain.people import Role

SIGNALS = [signal.SIGTERM, signal.SIGINT]


async def log_position(folder):
    """Where the log ends that a demonstration left in `folder`."""
    async with postgres(folder) as server:
        connection = await asyncpg.connect(server.url)
        position = await connection.fetchval("select position from log_head")
        await connection.close()
    return position


@pytest.fixture(scope="module")
async def shown():
    """A folder in which the demonstration was run and checked once, and what it said."""
    folder = Path(tempfile.mkdtemp(prefix="demo-"))
    result = await anju(folder, "demo", "--headless-check", "--port", "0", data_dir=folder, models_dir=MODELS)
    yield folder, result
    shutil.rmtree(folder)


async def test_everything_that_was_put_in_comes_back(shown):
    folder, result = shown
    assert result.code == 0, result.err
    assert result.err == ""
    assert "99.87" in result.out
    assert "✗" not in result.out
    assert "5532 events" in result.out
    assert running_on(folder) == []


async def test_shown_again_on_the_same_data_it_adds_nothing_to_the_log(shown):
    folder, _ = shown
    before = await log_position(folder)
    result = await anju(folder, "demo", "--headless-check", "--port", "0", data_dir=folder, models_dir=MODELS)
    assert result.code == 0, result.err
    assert await log_position(folder) == before == 5532
    assert running_on(folder) == []


@pytest.mark.parametrize("number", SIGNALS)
async def test_it_stays_and_answers_with_the_tokens_it_prints_until_it_is_told_to_stop(shown, number):
    folder, _ = shown
    async with started(folder, "demo", "--port", "0", data_dir=folder, models_dir=MODELS) as process:
        url = (await line_with(process.stdout, "/graphql")).split()[0]
        role, token = (await line_with(process.stdout, "statistician ")).split()
        assert load_issuer(folder).person(token).roles == {Role(role)}
        await line_with(process.stdout, "Ctrl-C")
        question = '{ closureRate(period: {from: "2018-01-01", to: "2018-11-30"}) { percent } }'
        async with httpx.AsyncClient(trust_env=False) as client:
            headers = {"Authorization": f"Bearer {token}"}
            answer = await client.post(url, json={"query": question}, headers=headers)
            assert answer.json() == {"data": {"closureRate": {"percent": "99.87"}}}
            result = await stopped(process, number)
    assert (result.code, result.err) == (0, "")
    assert running_on(folder) == []


@pytest.mark.parametrize("number", SIGNALS)
async def test_told_to_stop_while_it_starts_it_leaves_nothing_running_and_has_proved_nothing(
    tmp_path, number
):
    words = ["demo", "--headless-check", "--port", "0"]
    async with started(tmp_path, *words, data_dir=tmp_path, models_dir=MODELS) as process:
        await until(lambda: servers(tmp_path, process.pid))
        result = await stopped(process, number)
    assert (result.code, result.err) == (1, "")
    assert running_on(tmp_path) == []


async def servers(folder, pid):
    return [server for server in running_on(folder) if server.pid != pid]


async def test_a_port_that_is_taken_is_one_clear_line_and_leaves_nothing_running(shown):
    folder, _ = shown
    taken = await asyncio.start_server(lambda reader, writer: None, "127.0.0.1", 0)
    port = taken.sockets[0].getsockname()[1]
    result = await anju(
        folder, "demo", "--headless-check", "--port", port, data_dir=folder, models_dir=MODELS
    )
    taken.close()
    assert result.code == 1
    assert result.line == (
        f"UNAVAILABLE 127.0.0.1:{port} cannot be served: Address already in use; choose another with --port"
    )
    assert running_on(folder) == []


async def test_the_check_fails_when_a_read_model_or_the_log_is_not_what_was_put_in(settings, database_url):
    settings = settings.model_copy(update={"models_dir": MODELS})

    async def shown():
        said = StringIO()
        code = await demo.run(settings, Console(file=said, width=120), stay=False)
        return code, said.getvalue()

    assert (await shown())[0] == 0
    superuser = await asyncpg.connect(database_url)
    some_day = "(select min(day) from closure_days where cohort_closed > 0)"
    await superuser.execute(
        f"update closure_days set cohort_closed = cohort_closed - 1 where dimension = 'ALL' and day = {some_day}"
    )
    await superuser.execute("set session_replication_role = replica")
    await superuser.execute("update events set state = state || ' ' where notification_id = 17")
    await superuser.close()
    code, said = await shown()
    assert code == 1
    assert said.count("✗") == 3  # closed, the rate of them, the chain
    assert "position 17 is not what was appended" in said
