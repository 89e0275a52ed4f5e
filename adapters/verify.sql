-- name: share_snapshot
select pg_export_snapshot()

-- name: head
select position, hash, recorded_at from log_head

-- name: last
select notification_id as position, hash, recorded_at from events order by notification_id desc limit 1

-- name: hashes_at
-- Of rows, and of the ends of archived stretches.
select notification_id as position, hash from events where notification_id = any($1::bigint[])
union all
select last, hash from archived_stretches where last = any($1::bigint[])

-- name: range
-- Filled in by psycopg, because COPY takes no parameters. The row at `after` comes first: its hash is what the next one follows.
-- adapters/verify_range.py reads the rows by these columns, in this order. An archived stretch stands for its rows: its last position,
-- version 0, which no event has, and its first position as the state.
-- Each side is in order by itself, so that the two are merged and not sorted.
copy (
    (select notification_id, recorded_at, originator_id, originator_version, request_id,
            category = split_part(topic, '.', 1), topic, metadata::text, state, hash
       from events
      where notification_id >= %(after)s and notification_id <= %(through)s
      order by notification_id)
     union all
    (select last, 'epoch', '00000000-0000-0000-0000-000000000000', 0, '00000000-0000-0000-0000-000000000000',
            true, '', '', int8send(first), hash
       from archived_stretches
      where last >= %(after)s and last <= %(through)s
      order by last)
     order by notification_id
) to stdout (format binary)

-- name: versions
-- The first position up to $1 whose version does not follow the one before of the same aggregate. The first events of an aggregate
-- may lie in an archive, where there is one for its category.
select min(position)
  from (select notification_id as position, originator_version - coalesce(lag(originator_version) over w,
                    case when category = any((select array_agg(name) from detached_archives, unnest(categories) as name)::text[])
                         then originator_version - 1 else 0 end) as step
          from events
         where notification_id <= $1
        window w as (partition by originator_id order by notification_id)) as row
 where step <> 1

-- name: versions_between
-- The same for the positions $1 to $2: a look-up for each, so that a short stretch of a long log is quickly done.
select min(notification_id)
  from events
 where notification_id between $1 and $2
   and originator_version - 1 is distinct from coalesce(
        (select max(before.originator_version) from events as before
          where before.originator_id = events.originator_id and before.notification_id < events.notification_id),
        case when category = any((select array_agg(name) from detached_archives, unnest(categories) as name)::text[])
             then originator_version - 1 else 0 end)

-- name: archived
-- How many of the positions $1 to $2 lie in archives.
select coalesce(sum(least(last, $2) - greatest(first, $1) + 1), 0)::bigint from archived_stretches where last >= $1 and first <= $2

-- name: whole
-- The positions $1 to $2, and the rest of the archived stretches that they begin and end in.
select least($1, (select first from archived_stretches where last >= $1 and first <= $1)) as first,
       greatest($2, (select last from archived_stretches where last >= $2 and first <= $2)) as last
