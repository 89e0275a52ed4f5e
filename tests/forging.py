"""What somebody does who owns the database server and knows how the log is made."""

from domain.chain import GENESIS, Record, link


async def rewrite(connection, start):
    """Recompute every hash from position `start` on, and the head."""
    rows = await connection.fetch(
        "select * from events where notification_id >= $1 - 1 order by notification_id", start
    )
    previous = rows.pop(0)["hash"] if start > 1 else GENESIS
    for row in rows:
        record = Record(
            row["notification_id"],
            row["recorded_at"],
            row["originator_id"],
            row["originator_version"],
            row["request_id"],
            row["topic"],
            row["metadata"],
            row["state"],
        )
        previous = link(previous, record)
        await connection.execute(
            "update events set hash = $1 where notification_id = $2", previous, record.position
        )
    await connection.execute(
        """update log_head set (position, hash, recorded_at) =
           (select notification_id, hash, recorded_at from events order by notification_id desc limit 1)"""
    )
