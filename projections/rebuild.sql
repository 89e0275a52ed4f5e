-- Statements over tables whose names are only known at run time are made here by format(), which quotes the names.

-- name: take$
select pg_try_advisory_lock(hashtextextended('anju rebuild ' || :name, 0))

-- name: give_back!
select pg_advisory_unlock(hashtextextended('anju rebuild ' || :name, 0))

-- name: schema_anew$
-- An earlier rebuild that was killed left its own; the tables are then made in this one, by their unqualified names.
select format(
    'drop schema if exists %1$I cascade; create schema %1$I; grant usage on schema %1$I to anju_app; '
    'create table %1$I.projections (like public.projections including all); '
    'grant select, insert, update on %1$I.projections to anju_app; '
    'set local search_path = %1$I, public', :schema::text)

-- name: schema_gone$
select format('drop schema if exists %I cascade', :schema::text)

-- name: unmade
select wanted from unnest(:tables::text[]) as wanted where to_regclass(format('%I.%I', :schema::text, wanted)) is null

-- name: vacuum$
select format('vacuum (analyze) %I.%I', :schema::text, :table::text)

-- name: as_text!
-- Rows are compared as text: it must be the same text in every session.
set local timezone = 'UTC'; set local datestyle = 'ISO'; set local intervalstyle = 'postgres'; set local extra_float_digits = 1;
set local bytea_output = 'hex'; set local lock_timeout = '30s'

-- name: contents$
-- Rows, and the sum of 128-bit hashes of each: equal for equal rows in any order.
select format(
    'select count(*) as rows, md5(concat(count(*), '','', sum((''x'' || left(hash, 16))::bit(64)::bigint::numeric), '','', '
    'sum((''x'' || right(hash, 16))::bit(64)::bigint::numeric))) as digest '
    'from (select md5(one::text) as hash from %s as one) as hashed', found)
  from to_regclass(format('%I.%I', :schema::text, :table::text)) as found where found is not null

-- name: differences$
-- The first rows that are not the same in both, by their primary key, and what is different.
with tables as (
    select format('%I.%I', :live::text, :table::text)::regclass as live, format('%I.%I', :built::text, :table::text)::regclass as built
), keys as (
    select coalesce(string_agg(format('one.%I', attname), ', ' order by ordinality), 'one.*') as columns
      from tables join pg_index on indrelid = live and indisprimary
     cross join unnest(indkey::int2[]) with ordinality as place (number, ordinality)
      join pg_attribute on attrelid = live and attnum = number
)
select format(
    'select key, case when live.row is null then ''only in the rebuilt one'' when built.row is null then ''only in the running one'' '
    'else (select string_agg(mine.key, '', '' order by mine.key) from jsonb_each(to_jsonb(live.one)) as mine '
    'join jsonb_each(to_jsonb(built.one)) as other on other.key = mine.key where other.value is distinct from mine.value) || '' differ'' '
    'end as what '
    'from (select row(%3$s)::text as key, one::text as row, one from %1$s as one) as live '
    'full join (select row(%3$s)::text as key, one::text as row, one from %2$s as one) as built using (key) '
    'where live.row is distinct from built.row order by key limit %4$s', live, built, columns, :most::int)
  from tables, keys

-- name: lock_tables$
select format('set local lock_timeout = %L; lock table %s in access exclusive mode', :wait::text,
              string_agg(format('public.%I', name), ', ' order by name))
  from unnest(:tables::text[]) as name where to_regclass(format('public.%I', name)) is not null

-- name: move_tables$
select string_agg(format('drop table if exists public.%1$I; alter table %2$I.%1$I set schema public', name, :schema::text), '; ' order by name)
  from unnest(:tables::text[]) as name

-- name: built^
select format('select position, folded from %I.projections where name = %L', :schema::text, :name::text)

-- name: switched!
-- What the log has was counted from topics: with others it is counted anew.
with moved as (
    update projections
       set version = :version, position = :position, folded = :folded, topics = :topics::text[], digest = :digest,
           proved_position = :position, error = null, updated_at = now(),
           appended = case when topics = :topics::text[] and appended is not null then appended else 0 end,
           appended_through = case when topics = :topics::text[] and appended is not null then appended_through else 0 end
     where name = :name
)
select pg_notify('projections', :name || ' ' || :position::bigint)

-- name: proved!
update projections set digest = :digest, proved_position = :position where name = :name
