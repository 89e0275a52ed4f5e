"""Every operation of the interface, tried with what Schemathesis makes up from its description: see schemathesis.toml."""

import asyncio
import sys
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest
from commanding import ROOT, environment
from demonstrated import demonstration
from refusals import filter_failure

from api.errors import STATUS
from api.tokens import load_issuer
from domain.people import Person, Role

EVERYTHING = Person("p-contract", frozenset(Role) - {Role.DEVICE}, units=frozenset({"police-station"}))
"""Whom no role stops: what is tried gets as far as it can."""
PATIENCE = 300


@pytest.fixture(scope="module")
async def address(tmp_path_factory):
    """Where a demonstration answers as often as it is asked, and a token that it believes."""
    folder = tmp_path_factory.mktemp("demo")
    async with demonstration(folder, rate=0, stranger_rate=0) as url:
        yield url, load_issuer(folder).sign(EVERYTHING, datetime.now(UTC), timedelta(hours=1))


@pytest.fixture
def tried(address):
    """Runs Schemathesis on the description at a path: its exit code, and what it said."""
    url, token = address

    async def run(path, *options):
        words = [
            "run",
            f"{url}{path}",
            "-H",
            f"Authorization: Bearer {token}",
            "-H",
            "Anju-Purpose: contract",
        ]
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", "schemathesis.cli", "--config-file", "tests/api/schemathesis.toml", *words, *options),
            cwd=ROOT,
            env=environment(),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        async with asyncio.timeout(PATIENCE):
            said, _ = await process.communicate()
        return process.returncode, said.decode()

    return run


async def test_every_route_keeps_what_its_description_promises(tried):
    code, said = await tried("/openapi.json")
    assert code == 0, said
    assert "No issues found" in said


async def test_every_query_and_mutation_is_answered_or_refused_with_a_reason(tried):
    code, said = await tried("/graphql", "--phases", "fuzzing")
    assert code == 0, said
    assert "No issues found" in said


def counts(path, *codes):
    """Whether an error with these codes counts as a failure."""
    body = {"errors": [{"extensions": {"code": code}} for code in codes]}
    return filter_failure(None, None, SimpleNamespace(path=path), SimpleNamespace(json=lambda: body))


def test_a_refusal_is_no_failure_and_anything_else_is():
    assert not counts("/graphql", "INVALID", "NOT_FOUND")
    assert counts("/graphql", "INVALID", "INTERNAL")
    assert counts("/graphql", "UNAVAILABLE")
    assert counts("/graphql")
    assert counts("/api/audit/events", "INVALID")
    assert {code for code in STATUS if counts("/graphql", code)} == {
        "UNAVAILABLE",
        "UNAUTHENTICATED",
        "TOO_SLOW",
    }
