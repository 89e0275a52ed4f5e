-- name: share_snapshot
select pg_export_snapshot()

-- name: head
select position, hash, recorded_at from log_head

-- name: last
select notification_id as position, hash, recorded_at from events order by notification_id desc limit 1

-- name: hashes_at
select notification_id as position, hash from events where notification_id = any($1::bigint[])

-- name: range
-- Filled in by psycopg, because COPY takes no parameters. The row at `after` comes first: its hash is what the next one follows.
-- adapters/verify_range.py reads the rows by these columns, in this order.
copy (
    select notification_id, recorded_at, originator_id, originator_version, request_id,
           category = split_part(topic, '.', 1), topic, metadata, state, hash
      from events
     where notification_id >= %(after)s and notification_id <= %(through)s
     order by notification_id
) to stdout (format binary)

-- name: versions
-- The first position up to $1 whose version does not follow the one before of the same aggregate.
select min(position)
  from (select notification_id as position, originator_version - coalesce(lag(originator_version) over w, 0) as step
          from events
         where notification_id <= $1
        window w as (partition by originator_id order by notification_id)) as row
 where step <> 1

-- name: versions_between
-- The same for the positions $1 to $2: a look-up for each, so that a short stretch of a long log is quickly done.
select min(notification_id)
  from events
 where notification_id between $1 and $2
   and originator_version - 1 is distinct from (
        select coalesce(max(before.originator_version), 0) from events as before
         where before.originator_id = events.originator_id and before.notification_id < events.notification_id)
