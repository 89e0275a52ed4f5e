-- name: lock_head
begin; select from log_head for update

-- name: situation
-- One row for the head, one for each aggregate with its version, one for each request that was appended before.
-- $1 uuid[] aggregates, $2 uuid[] requests
select 'head' as kind, null::uuid as id, position as first, null::bigint as last, hash,
       greatest(recorded_at, clock_timestamp()) as now
  from log_head
union all
select 'version', id, coalesce((select max(originator_version) from events where originator_id = id), 0), null, null, null
  from unnest($1::uuid[]) as id
union all
select 'request', request_id, min(notification_id), max(notification_id), null, null
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
-- As append, if the head is still at $12 with hash $13, none of the requests is there, and each aggregate of $14 is at least at its
-- version in $15. One row if it was done, none if not. Nothing was committed after $12, so the snapshot sees all that matters.
with moved as (
    update log_head set position = $10, hash = $11, recorded_at = $9
     where position = $12 and hash = $13
       and not exists (select from events where request_id = any($5::uuid[]))
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
select min(notification_id) as first, max(notification_id) as last from events where request_id = $1

-- name: load
-- One aggregate. The category says in which partition it lies: the others are not looked into.
-- $1 its id, $2 its category, $3 its last version or null, $4 the last recorded_at or null
select topic, state from events
 where originator_id = $1 and category = $2
   and originator_version <= coalesce($3::int, 2147483647) and recorded_at <= coalesce($4::timestamptz, 'infinity')
 order by originator_version

-- name: kind
-- The topic that an aggregate begins with, whatever it is.
select topic from events where originator_id = $1 and originator_version = 1

-- name: history
select notification_id, recorded_at, topic, state, metadata
  from events where originator_id = $1 order by originator_version

-- name: read_all
-- The positions beyond $1 up to $2, every one of them.
select notification_id, recorded_at, topic, state, metadata
  from events where notification_id > $1 and notification_id <= $2 order by notification_id

-- name: read_some
-- The first $3 events of the topics $4 (null: all) in the categories $5 among the positions beyond $1 up to $2; always the head, on
-- every row, and one row without an event if there is none. Partitions of other categories are not looked into.
select head.position, found.*
  from log_head as head left join lateral (
        select notification_id, recorded_at, topic, state, metadata from events
         where notification_id > $1 and notification_id <= least($2, head.position)
           and category = any($5::text[]) and ($4::text[] is null or topic = any($4))
         order by notification_id limit $3
    ) as found on true
 order by notification_id

-- name: head
select position, hash from log_head

-- name: chain
select notification_id, recorded_at, originator_id, originator_version, request_id, topic, metadata, state, hash
  from events order by notification_id
