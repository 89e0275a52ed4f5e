"""Timers: a deadline that has passed becomes an event of its aggregate, once, however many workers look and however often they start.

What runs is read from the projection `deadlines`; the aggregate itself decides whether it still does. The request id follows from the
aggregate, the deadline and when it was due, so two workers that see the same one append one event.
"""

import asyncio
import logging
from collections.abc import Callable
from datetime import datetime
from typing import Any
from uuid import uuid5

import asyncpg

from domain import commands
from domain.commands import Order
from domain.errors import AnjuError, ConflictError, UnavailableError
from domain.model import AGGREGATES, category_of
from domain.observation import NAMESPACE
from domain.people import CITY, Person
from domain.ports import EventLog
from projections import deadlines
from projections.runner import PASSING

PAGE = 100
PAUSE = 1.0
"""Seconds between two looks: a deadline is noticed so late, at most."""
WORKER = Person("worker:timers", frozenset(), CITY)
KINDS = {category_of(kind): kind for kind in AGGREGATES}
logger = logging.getLogger("anju.timers")


async def run(pool: asyncpg.Pool, log: EventLog, now: Callable[[], datetime]) -> None:
    """Turn deadlines into events until cancelled; `now` is the clock."""
    while True:
        try:
            await pass_deadlines(pool, log, now())
        except (UnavailableError, *PASSING) as error:
            logger.warning("the timers wait: %s", error)
        await asyncio.sleep(PAUSE)


async def pass_deadlines(pool: asyncpg.Pool, log: EventLog, at: datetime) -> int:
    """Let every deadline that has passed by `at` act; how many did. One that is refused is logged, and holds up no other."""
    acted, after = 0, None
    while True:
        async with pool.acquire() as connection:
            rows = await deadlines.passed(connection, at, first=PAGE, after=after)
        for row in rows:
            acted += await _pass(log, row, at)
        if len(rows) < PAGE:
            return acted
        after = rows[-1]["due_at"], rows[-1]["aggregate_id"], rows[-1]["name"]


async def _pass(log: EventLog, row: Any, at: datetime) -> bool:
    """Whether the deadline acted: not if it was over already, and its row is only not folded yet."""
    name = f"deadline:{row['aggregate_id']}:{row['name']}:{row['due_at'].isoformat()}"
    order = Order(WORKER, at, uuid5(NAMESPACE, name))
    kind = KINDS[row["category"]]
    try:
        done = await commands.pass_deadline(log, order, kind, row["aggregate_id"], row["name"])
    except ConflictError:
        return False  # somebody was faster; whether it still runs, the next look tells
    except UnavailableError:
        raise
    except AnjuError:
        logger.exception(
            "the deadline %s of %s %s is refused", row["name"], row["category"], row["aggregate_id"]
        )
        return False
    return done is not None and not done.repeated
