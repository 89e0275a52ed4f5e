"""The servers that the tests talk to: real ones, started once per run, or those that the environment names."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from adapters.embedded import nats, postgres

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

DIRECTORY = Path(__file__).resolve().parents[1] / ".anju" / "test"


@pytest.fixture(scope="session")
async def postgres_url() -> AsyncIterator[str]:
    """A PostgreSQL whose role may create databases: ANJU_TEST_DATABASE_URL or an embedded one, stopped with the run."""
    if url := os.environ.get("ANJU_TEST_DATABASE_URL"):
        yield url
        return
    async with postgres(DIRECTORY) as server:
        yield server.url


@pytest.fixture(scope="session")
async def nats_url() -> AsyncIterator[str]:
    """A NATS with JetStream: ANJU_TEST_NATS_URL or an embedded one, stopped with the run."""
    if url := os.environ.get("ANJU_TEST_NATS_URL"):
        yield url
        return
    async with nats(DIRECTORY) as server:
        yield server.url
