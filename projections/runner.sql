-- name: stands^
select version, position, topics from projections where name = :name

-- name: enrol!
insert into projections (name, version, topics) values (:name, :version, :topics)
on conflict (name) do update set topics = excluded.topics where projections.version = excluded.version

-- name: hold^
-- The fold's statements are planned for each batch: a general plan would be settled on while a rebuilt table is nearly empty.
-- Nobody waits for the disk: what a crash takes away, rows and position together, is folded again.
select version, position, set_config('plan_cache_mode', 'force_custom_plan', true), set_config('synchronous_commit', 'off', true)
  from projections where name = :name for update

-- name: advance!
-- Who waits for it is told; nobody waits for one that is being rebuilt.
with moved as (
    update projections set position = :position, folded = folded + :folded::bigint, error = null, updated_at = now() where name = :name
)
select pg_notify('projections', :name || ' ' || :position::bigint) where current_schema() = 'public'

-- name: record_error!
-- Unless another worker, perhaps a newer one, has got past it.
update projections set error = :error, updated_at = now()
 where name = :name and position = :position and version = :version

-- name: position$
select position from projections where name = :name
