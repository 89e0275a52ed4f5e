"""A bundle that proves one aggregate's history to somebody who has nothing of ours; api/check_bundle.py reads it.

It holds every byte that was hashed, for each row the way up to the root that a signed checkpoint names, and a signed statement of how
many rows there are: so that what is left out is a broken word, not an open question.
"""

import base64
import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from adapters.checkpoints import Signed, kept, make, reading, tree_of
from adapters.signing import Signer
from adapters.tree import SQL, Tree
from domain.chain import GENESIS, Record, link
from domain.checkpoint import time_text, to_text
from domain.errors import CorruptError, NotFoundError
from domain.merkle import inclusion_ranges, leaf_hash, verify_inclusion

FORMAT = "anju-proof/1"


def statement(origin: str, aggregate_id: UUID, events: int, size: int) -> str:
    """What is signed about a bundle: how many rows of the aggregate the first `size` positions hold."""
    return f"{FORMAT}\n{origin}\noriginator-id {aggregate_id}\nevents {events}\nsize {size}\n"


async def bundle(database_url: str, signer: Signer, aggregate_id: UUID, now: datetime) -> dict[str, Any]:
    """Everything that proves the history of `aggregate_id`, ready to be written as JSON.

    A checkpoint is made if the newest does not cover the last event. NotFoundError if there is no such aggregate; CorruptError if the
    log does not hold what was signed.
    """
    async with reading(database_url) as connection:
        last = await connection.fetchval(SQL.last_of.sql, aggregate_id)
        if last is None:
            raise NotFoundError(f"the log has no events of {aggregate_id}")
        have = await kept(connection, signer.public)
        if have.newest is None or have.newest.checkpoint.size < last:
            await make(database_url, signer, now)
            have = await kept(connection, signer.public)
        tree, signed = await tree_of(connection, have), have.newest
        assert tree is not None
        assert signed is not None
        rows = await connection.fetch(SQL.rows_of.sql, aggregate_id, tree.size)
        events = await _events(tree, signed, aggregate_id, rows)
    return {
        "format": FORMAT,
        "key": str(signer.public),
        "checkpoint": signed.note,
        "statement": signer.sign(statement(signer.origin, aggregate_id, len(events), tree.size)),
        "originator_id": str(aggregate_id),
        "events": events,
    }


async def _events(
    tree: Tree, signed: Signed, aggregate_id: UUID, rows: Sequence[Any]
) -> list[dict[str, Any]]:
    ways = [inclusion_ranges(row["notification_id"] - 1, tree.size) for row in rows]
    hashes = iter(await tree.hashes([part for way in ways for part in way]))
    events = []
    for row, way in zip(rows, ways, strict=True):
        position = row["notification_id"]
        previous = row["previous"] or GENESIS
        record = Record(
            position,
            row["recorded_at"],
            aggregate_id,
            row["originator_version"],
            row["request_id"],
            row["topic"],
            row["metadata"],
            row["state"],
        )
        inclusion = [next(hashes) for _ in way]
        leaf = leaf_hash(link(previous, record))
        if not verify_inclusion(leaf, position - 1, tree.size, inclusion, signed.checkpoint.root):
            raise CorruptError(f"position {position} is not what was signed: run `anju verify`")
        events.append(
            {
                "position": position,
                "recorded_at": time_text(record.recorded_at),
                "originator_version": record.originator_version,
                "request_id": str(record.request_id),
                "topic": record.topic,
                "metadata": record.metadata,
                "state": base64.b64encode(record.state).decode(),
                "reads": _readable(record.state),
                "previous_hash": to_text(previous),
                "inclusion": [to_text(node) for node in inclusion],
            }
        )
    return events


def _readable(state: bytes) -> Any:
    """The stored bytes as JSON, for people; None if they are not JSON."""
    try:
        return json.loads(state)
    except ValueError:
        return None
