-- name: lock
begin; select lock_log()

-- name: situation
-- Under the lock: one row for each aggregate with its version, one for each request that was appended before.
-- $1 uuid[] aggregates, $2 uuid[] requests
select 'version' as kind, id, coalesce((select max(originator_version) from events where originator_id = id), 0)::bigint as first,
       null::bigint as last, null::uuid[] as aggregates
  from unnest($1::uuid[]) as id
union all
select 'request', request_id, min(notification_id), max(notification_id), array_agg(distinct originator_id)
  from events where request_id = any($2::uuid[]) group by request_id

-- name: append
select append_events($1, $2, $3, $4, $5, $6, $7, $8)

-- name: find_request
select min(notification_id) as first, max(notification_id) as last
  from events where request_id = $1 and ($2::uuid is null or originator_id = $2)

-- name: load
select originator_version, topic, state from events where originator_id = $1 order by originator_version

-- name: history
select notification_id, topic, recorded_at, metadata, state
  from events where originator_id = $1 order by originator_version

-- name: read
select notification_id, topic, recorded_at, metadata, state
  from events where notification_id > $1 and notification_id <= $2 order by notification_id

-- name: head
select position, hash from log_head
