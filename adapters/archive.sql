-- name: leaves
-- The partitions of observations, with the positions that they are for.
select child.relname as leaf, bounds[1]::bigint as lower, bounds[2]::bigint as upper,
       pg_total_relation_size(child.oid) as size, pg_has_role(session_user, child.relowner, 'member') as ours
  from pg_inherits
  join pg_class child on child.oid = inhrelid,
       regexp_match(pg_get_expr(child.relpartbound, child.oid), 'FROM \(''?(\d+)''?\) TO \(''?(\d+)''?\)') as bounds
 where inhparent = 'events_observation'::regclass
 order by lower

-- name: is_owner$
select pg_has_role(session_user, relowner, 'member') from pg_class where oid = 'events'::regclass

-- name: checkpoint$
select coalesce(max(size), 0) from checkpoints

-- name: checkpoints_within
select size from checkpoints where size >= :lower and size < :upper

-- name: last_recorded^
select notification_id as last, recorded_at, clock_timestamp() - recorded_at < make_interval(days => :days) as young
  from events_observation where notification_id < :upper and notification_id >= :lower
 order by notification_id desc limit 1

-- name: rows
-- A leaf's rows in order; `before` is the hash at the position before, where that is not the row before. $1 lower, $2 upper
select notification_id, recorded_at, originator_id, originator_version, request_id, topic, metadata, state, hash,
       case when lag(notification_id) over (order by notification_id) is distinct from notification_id - 1 then coalesce(
            chain_hash(notification_id - 1), decode(repeat('00', 32), 'hex')) end as before
  from events_observation as row
 where notification_id >= $1 and notification_id < $2
 order by notification_id

-- name: lock_timeout!
set local lock_timeout = '10s'

-- name: next_number$
select nextval(pg_get_serial_sequence('archives', 'number'))

-- name: add_archive!
insert into archives (number, leaf, lower, upper, categories, rows, first, last, root, file, size, sha256) overriding system value
values (:number, :leaf, :lower, :upper, observation_categories(), :rows, :first, :last, :root, :file, :size, :sha256)

-- name: drop_leaf!
select drop_observation_leaf(:leaf)

-- name: create_leaf!
select create_observation_leaf(:leaf, :lower, :upper)

-- name: add_return!
insert into archive_returns (archive) values (:archive)

-- name: archive_of^
select * from detached_archives where leaf = :leaf

-- name: archives
select number, leaf, lower, upper, categories, rows, first, last, root, file, size, sha256, detached_at, detached_by, attached_at
  from archives left join archive_returns on archive = number order by number

-- name: detached
select number, leaf, lower, upper, categories, rows, first, last, root, file, size, sha256 from detached_archives order by lower

-- name: stretches
select first, last, hash from archive_stretches where archive = $1 order by last

-- name: archives_over
-- The archives that hold positions from $1 to $2.
select distinct archive as number, file, sha256, categories
  from archived_stretches as stretch join archives on number = archive where stretch.last >= $1 and stretch.first <= $2

-- name: stretches_over
select first, last, archive from archived_stretches where last >= $1 and first <= $2 order by last
