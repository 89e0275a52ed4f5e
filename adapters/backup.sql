-- name: has_log$
select to_regclass('log_head') is not null and to_regclass('alembic_version') is not null

-- name: snapshot$
select pg_export_snapshot()

-- name: state^
select clock_timestamp() as made_at, current_setting('server_version') as server, version_num as schema,
       position, encode(hash, 'hex') as hash
  from log_head, alembic_version

-- name: has_archives$
select to_regclass('archived_stretches') is not null

-- name: archive_files
select distinct file from detached_archives order by file

-- name: strangers$
-- What an empty database does not have.
select count(*) from pg_class join pg_namespace n on n.oid = relnamespace
 where nspname not like 'pg\_%' and nspname <> 'information_schema'

-- name: ensure_role!
do $$
begin
    if not exists (select from pg_roles where rolname = 'anju_app') then
        create role anju_app nologin;
    end if;
exception
    when duplicate_object or unique_violation then null;
end $$

-- name: copied
select relid, tuples_processed from pg_stat_progress_copy where datname = current_database()
