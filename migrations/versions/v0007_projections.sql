-- A projection counts what it folds; what the log has of its topics is counted apart, so that a loss is seen.

alter table projections
    add column topics           text[] not null default '{}',
    add column folded           bigint not null default 0,
    add column appended         bigint default 0,
    add column appended_through bigint not null default 0,
    add column digest           text,
    add column proved_position  bigint;
update projections set appended = null; -- what they folded before was not counted
comment on table projections is 'Read models: how far each has folded the log';
comment on column projections.folded is 'Events of its topics that were folded';
comment on column projections.appended is 'Events of its topics in the log through appended_through; null: cannot be known';
comment on column projections.digest is 'Of its tables at proved_position, when a rebuild gave equal ones';

-- How many events of `wanted` the log has beyond `after` through `through`; null if some may be in an archive.
create function count_events(wanted text[], after bigint, through bigint) returns bigint
    language sql stable set search_path = public, pg_temp as $$
    with asked as (
        select array_agg(distinct split_part(topic, '.', 1)) as categories from unnest(wanted) as topic
    )
    select case when asked.categories && observation_categories()
                     and exists (select from archived_stretches where last > after and first <= through)
                then null
                else (select count(*) from events
                       where notification_id > after and notification_id <= through
                         and category = any(asked.categories) and topic = any(wanted))
           end
      from asked
$$;
