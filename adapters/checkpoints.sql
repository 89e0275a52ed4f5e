-- name: leaves
-- The hashes of the positions $1 + 1 to $2, one after another.
select string_agg(hash, ''::bytea order by notification_id) from events where notification_id > $1 and notification_id <= $2

-- name: rows_among
select notification_id as position, hash from events where notification_id > $1 and notification_id <= $2

-- name: stretches_among
select first, last, hash, roots from archived_stretches where last > $1 and last <= $2

-- name: one_at_a_time
select pg_advisory_xact_lock(hashtext('anju checkpoints'))

-- name: stored
select size, note, subtrees from checkpoints order by size

-- name: newest_first
select size, note from checkpoints where $2::bigint is null or size < $2 order by size desc limit $1

-- name: store!
insert into checkpoints (size, note, subtrees) values ($1, $2, $3)

-- name: row_at
-- The time is null at the end of an archived stretch.
select hash, recorded_at from events where notification_id = $1
union all
select hash, null from archived_stretches where last = $1

-- name: last_of
select max(notification_id) from events where originator_id = $1

-- name: rows_of
-- Every row of the aggregate $1 up to position $2, each with the hash it follows (null for the first of all).
select notification_id, recorded_at, originator_version, request_id, topic, metadata, state,
       chain_hash(notification_id - 1) as previous
  from events
 where originator_id = $1 and notification_id <= $2
 order by originator_version
