"""Verify the log for somebody who asks over the API: answered at once if it is quick, else it goes on and can be looked at."""

import asyncio
from uuid import UUID

from adapters import checkpoints, verifications
from adapters.checkpoints import Signed, reading
from adapters.verifications import Verification
from api.bootstrap import System, checkpoint_key
from api.graphql.context import Context
from domain.checkpoint import PublicKey
from domain.errors import BusyError, InvalidError, NotFoundError

PATIENCE = 3.0
"""Seconds after which the answer is that it goes on: some hundred thousand events."""
MOST = 500

_going_on: set[asyncio.Task[None]] = set()  # a task that nobody holds may be collected


async def verification(context: Context, first: int | None, last: int | None) -> Verification:
    """Verify positions `first` to `last` (None: all there are); what came of it by now. One runs at a time: it is the answer to who
    asks for its stretch, or for no particular one; anybody else gets a BusyError.
    """
    person, system = context.allow("read.log"), context.system
    size = await system.log.position()
    begin, end = first or 1, size if last is None else last
    if not 1 <= begin <= end <= size:
        raise InvalidError(f"there are no positions {begin} to {end}: the log has 1 to {size}")
    url = system.settings.require_database_url
    begun = await verifications.verify(url, checkpoint_key(system.settings), person.id, begin, end)
    if begun is None:
        running = [one for one in await verifications.newest(system.pool) if one.running]
        anything = first is None and last is None
        if running and (anything or (running[0].first, running[0].last) == (begin, end)):
            return running[0]
        raise BusyError("another stretch of the log is being verified: ask again when that is done")
    number, task = begun
    _going_on.add(task)
    task.add_done_callback(_going_on.discard)
    await asyncio.wait([task], timeout=PATIENCE)
    (found,) = await verifications.newest(system.pool, id=number)
    return found


async def look(context: Context, number: UUID) -> Verification:
    """What became of one; NotFoundError."""
    context.allow("read.log")
    found = await verifications.newest(context.system.pool, id=number)
    if not found:
        raise NotFoundError(f"there is no verification {number}")
    return found[0]


async def newest(context: Context, first: int) -> list[Verification]:
    """At most `first`, the newest first."""
    context.allow("read.log")
    return await verifications.newest(context.system.pool, first=page_size(first))


async def signed(context: Context, first: int, before: int | None) -> tuple[PublicKey | None, list[Signed]]:
    """The key that checks them, and at most `first` checkpoints, the newest first. Without a key there is none."""
    context.allow("read.log")
    return await _signed(context.system, page_size(first), before)


async def _signed(system: System, first: int, before: int | None) -> tuple[PublicKey | None, list[Signed]]:
    key = checkpoint_key(system.settings)
    if key is None:
        return None, []
    async with reading(system.settings.require_database_url) as connection:
        return key, await checkpoints.listed(connection, key, first=first, before=before)


def page_size(first: int) -> int:
    """`first`, if so many are served."""
    if not 1 <= first <= MOST:
        raise InvalidError(f"first is {first}; 1 to {MOST} are served")
    return first
