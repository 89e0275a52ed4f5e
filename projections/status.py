"""How the projections are: how far behind, whether they stand still, and whether anything was lost."""

from pathlib import Path
from typing import Any

import aiosql
import asyncpg

SQL: Any = aiosql.from_path(Path(__file__).with_suffix(".sql"), "asyncpg", mandatory_parameters=False)
WINDOW = 100_000
"""Positions of the log that are counted at a time."""


async def statuses(connection: asyncpg.Connection | asyncpg.Pool) -> list[Any]:
    """Rows of (name, version, position, folded, missing, lag, lag_seconds, error, digest, proved_position, updated_at,
    log_position), by name.

    missing: how many more events of its topics the log has, up to its position, than it folded; None if it is not known.
    """
    return [row async for row in SQL.statuses(connection, window=WINDOW)]


async def reconcile(connection: asyncpg.Connection, name: str) -> None:
    """Count on what the log has for `name`, to where it stands: `statuses` counts only what came after."""
    while await SQL.reconcile(connection, name=name, window=WINDOW):
        pass
