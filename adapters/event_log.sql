-- name: lock_head
begin; select from log_head for update

-- name: situation
-- One row for the head, one for each aggregate with its version, one for each request that was appended before.
-- $1 uuid[] aggregates, $2 uuid[] requests
select 'head' as kind, null::uuid as id, position as first, null::bigint as last, hash,
       greatest(recorded_at, clock_timestamp()) as now, null::uuid[] as aggregates
  from log_head
union all
select 'version', id, coalesce((select max(originator_version) from events where originator_id = id), 0), null, null, null, null
  from unnest($1::uuid[]) as id
union all
select 'request', request_id, min(notification_id), max(notification_id), null, null, array_agg(distinct originator_id)
  from events where request_id = any($2::uuid[]) group by request_id

-- name: append
-- $1 position[], $2 originator_id[], $3 originator_version[], $4 topic[], $5 request_id[], $6 metadata[], $7 state[], $8 hash[],
-- $9 recorded_at, $10 the new head's position, $11 its hash
with appended as (
    insert into events (notification_id, originator_id, originator_version, topic, category, recorded_at, request_id, metadata, state, hash)
    select position, originator_id, originator_version, topic, split_part(topic, '.', 1), $9, request_id, metadata, state, hash
      from unnest($1::bigint[], $2::uuid[], $3::int[], $4::text[], $5::uuid[], $6::json[], $7::bytea[], $8::bytea[])
        as row (position, originator_id, originator_version, topic, request_id, metadata, state, hash)
), moved as (
    update log_head set position = $10, hash = $11, recorded_at = $9
)
select pg_notify('log', $10::text)

-- name: append_alone
-- As append, if the head is still at $12 with hash $13, none of the requests is there, each aggregate of $14 is at least at its
-- version in $15, and none of $16 is there in any partition (the unique indexes look only into their own). One row if it was done, none if not. Nothing was committed after $12, so the snapshot sees all that matters.
with moved as (
    update log_head set position = $10, hash = $11, recorded_at = $9
     where position = $12 and hash = $13
       and not exists (select from events where request_id = any($5::uuid[]))
       and not exists (select from events where originator_id = any($16::uuid[]))
       and not exists (
            select from unnest($14::uuid[], $15::int[]) as followed (id, version)
             where not exists (select from events where originator_id = followed.id and originator_version = followed.version))
    returning position
), appended as (
    insert into events (notification_id, originator_id, originator_version, topic, category, recorded_at, request_id, metadata, state, hash)
    select position, originator_id, originator_version, topic, split_part(topic, '.', 1), $9, request_id, metadata, state, hash
      from unnest($1::bigint[], $2::uuid[], $3::int[], $4::text[], $5::uuid[], $6::json[], $7::bytea[], $8::bytea[])
        as row (position, originator_id, originator_version, topic, request_id, metadata, state, hash)
     where exists (select from moved)
)
select pg_notify('log', position::text) from moved

-- name: leaf_size
select observation_leaf_size()

-- name: ensure_leaf
select ensure_observation_leaf($1)

-- name: find_request
select min(notification_id) as first, max(notification_id) as last from events where request_id = $1 and ($2::uuid is null or originator_id = $2)

-- name: load
select topic, state from events where originator_id = $1 order by originator_version

-- name: history
select notification_id, topic, recorded_at, metadata, state
  from events where originator_id = $1 order by originator_version

-- name: read
select notification_id, topic, recorded_at, metadata, state
  from events where notification_id > $1 and notification_id <= $2 order by notification_id

-- name: head
select position, hash from log_head

-- name: chain
select notification_id, recorded_at, originator_id, originator_version, request_id, topic, metadata, state, hash
  from events order by notification_id
