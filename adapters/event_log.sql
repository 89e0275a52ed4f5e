-- name: lock
begin; select lock_log()

-- name: situation
-- Under the lock: one row for each aggregate with its version, one for each request that was appended before.
-- $1 uuid[] aggregates, $2 uuid[] requests
select 'version' as kind, id, coalesce((select max(originator_version) from events where originator_id = id), 0)::bigint as first,
       null::bigint as last, null::uuid[] as aggregates, null as command
  from unnest($1::uuid[]) as id
union all
select 'request', request_id, min(notification_id), max(notification_id), array_agg(distinct originator_id), min(metadata ->> 'command')
  from events where request_id = any($2::uuid[]) group by request_id

-- name: append
select append_events($1, $2, $3, $4, $5, $6, $7, $8)

-- name: find_request
-- Materialized: else the smallest position is looked for from the first one on, through the whole log.
with found as materialized (
    select notification_id, metadata ->> 'command' as command
      from events where request_id = $1 and ($2::uuid is null or originator_id = $2)
)
select min(notification_id) as first, max(notification_id) as last, min(command) as command from found

-- name: load
-- One aggregate. The category says in which partition it lies: the others are not looked into.
-- $1 its id, $2 its category, $3 its last version or null, $4 the last recorded_at or null
select originator_version, topic, state from events
 where originator_id = $1 and category = $2
   and originator_version <= coalesce($3::int, 2147483647) and recorded_at <= coalesce($4::timestamptz, 'infinity')
 order by originator_version

-- name: beyond
-- What happened since to aggregates of the category $1: $2 their ids, $3 the version of each that is known, 0 for none
select originator_id, originator_version, topic, state
  from events
  join unnest($2::uuid[], $3::int[]) as known (id, version) on originator_id = id and originator_version > version
 where category = $1
 order by originator_id, originator_version

-- name: kind
-- The first event there is of an aggregate, whatever it is.
select topic, originator_version from events where originator_id = $1 order by originator_version limit 1

-- name: history
select notification_id, topic, recorded_at, metadata, state
  from events where originator_id = $1 order by originator_version

-- name: histories
-- Of several aggregates of one category: $1 their ids, $2 the category, $3 the last version of each or null
select notification_id, topic, recorded_at, metadata, state
  from events
 where originator_id = any($1::uuid[]) and category = $2 and originator_version <= coalesce($3::int, 2147483647)
 order by originator_id, originator_version

-- name: events_of_versions
-- Single events: $1 the ids of their aggregates, $2 the version of each, $3 the category
select notification_id, topic, recorded_at, metadata, state
  from events
  join unnest($1::uuid[], $2::int[]) as wanted (id, version) on originator_id = id and originator_version = version
 where category = $3

-- name: read
-- The positions beyond $1 up to $2, every one of them; the state only of the topics $3 (null: of all).
select notification_id, topic, recorded_at, metadata, case when $3::text[] is null or topic = any($3) then state end as state
  from events where notification_id > $1 and notification_id <= $2 order by notification_id

-- name: read_some
-- The first $3 events of the topics $4, of the categories $5, among the positions beyond $1 up to $2: partitions of other categories
-- are not looked into. On every row, and on the one there is if nothing was found: through which position these are all, and how many
-- of the positions up to there are held (fewer than there are, if some are archived or missing).
with found as materialized (
    select notification_id, topic, recorded_at, metadata, state from events
     where notification_id > $1 and notification_id <= $2 and category = any($5::text[]) and topic = any($4::text[])
     order by notification_id limit $3
), reach as (
    select case when count(*) = $3 then max(notification_id) else least($2, (select position from log_head)) end as through from found
)
select through, held, found.*
  from reach
 cross join lateral (select count(*) as held from events where notification_id > $1 and notification_id <= through) as counted
  left join found on true
 order by notification_id

-- name: head
select position, hash from log_head
