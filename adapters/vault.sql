-- name: masters
select master_key from vault_masters

-- name: register_master!
insert into vault_masters (master_key) values ($1) on conflict do nothing

-- name: keys
select scope, key_id, wrapped, master_key from vault_keys where scope = any($1::text[])

-- name: destroyed
select scope from vault_keys where scope = any($1::text[]) and wrapped is null

-- name: make
-- $1 scope[], $2 key_id[], $3 wrapped[], $4 master_key. The rows that were made: of two that make one key, one does.
insert into vault_keys (scope, key_id, wrapped, master_key)
select scope, key_id, wrapped, $4 from unnest($1::text[], $2::uuid[], $3::bytea[]) as row (scope, key_id, wrapped)
 order by scope
on conflict (scope) do nothing
returning scope, key_id, wrapped, master_key

-- name: forget_destroyed
select forget_destroyed_keys()

-- name: one_rotation
select pg_try_advisory_lock(hashtext('anju:rotate'))

-- name: rotation_ends
select pg_advisory_unlock(hashtext('anju:rotate'))

-- name: count_others
-- Keys that $1 does not wrap, but another master key does
select count(*) from vault_keys where master_key <> $1

-- name: some_others
-- At most $3 of them beyond the scope $2; a key that is destroyed meanwhile waits for us, or we for it
select scope, key_id, wrapped, master_key from vault_keys
 where master_key <> $1 and scope > $2 order by scope limit $3 for update

-- name: rewrap!
-- $1 scope[], $2 wrapped[], $3 master_key
update vault_keys set wrapped = row.wrapped, master_key = $3
  from unnest($1::text[], $2::bytea[]) as row (scope, wrapped)
 where vault_keys.scope = row.scope

-- name: check_at_the_end!
set constraints all deferred

-- name: forget_masters!
delete from vault_masters where master_key = any($1::text[])

-- name: announce
select pg_notify('keys', '')

-- name: counts
select split_part(scope, ':', 1) as kind, count(*) filter (where destroyed_at is null) as live,
       count(*) filter (where destroyed_at is not null) as destroyed
  from vault_keys group by 1 order by 1

-- name: count_held
with decided as (
    select count(*) filter (where topic = 'key.hold_placed') - count(*) filter (where topic = 'key.hold_lifted') as holds
      from events where category = 'key' group by originator_id
)
select count(*) from decided where holds > 0

-- name: count_wrapped
select master.master_key, master.created_at, count(key.scope) as wraps
  from vault_masters as master left join vault_keys as key using (master_key)
 group by master.master_key order by master.created_at, master.master_key
