-- name: enrol!
insert into projections (name, version) values (:name, :version) on conflict (name) do nothing

-- name: hold$
select position from projections where name = :name for update

-- name: advance$
with moved as (
    update projections set position = :position, error = null, updated_at = now() where name = :name
)
select pg_notify('projections', :name || ' ' || :position::bigint)

-- name: record_error!
-- Unless another worker, perhaps a newer one, has got past it.
update projections set error = :error, updated_at = now() where name = :name and position = :position

-- name: statuses
select name, version, position, error, updated_at from projections order by name

-- name: position$
select position from projections where name = :name
