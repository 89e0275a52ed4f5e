-- The event log: append-only, gapless, hash-chained. Column names are those of the eventsourcing library.
--
-- Case events and observations (gate passes) lie in partitions of their own: years of cases stay, while a stretch of
-- observations can be taken off as a whole. Uniqueness is kept in each leaf, and across leaves by the lock of log_head.

create table events (
    notification_id    bigint not null,
    originator_id      uuid not null,
    originator_version integer not null check (originator_version > 0),
    topic              text not null,
    category           text not null,
    recorded_at        timestamptz not null,
    request_id         uuid not null,
    metadata           json not null,
    state              bytea not null,
    hash               bytea not null check (octet_length(hash) = 32),
    primary key (notification_id, category)
) partition by list (category);
create index events_of_request on events (request_id);

comment on table events is 'The truth. Rows are appended under the lock of log_head and never change.';
comment on column events.notification_id is 'Position: 1, 2, 3 .. without gaps, in commit order';
comment on column events.category is 'The first word of the topic; it chooses the partition';
comment on column events.request_id is 'Idempotency key: the same request is appended once';
comment on column events.hash is 'SHA-256 over the hash before, the header and the state; see domain/chain.py';

create table events_case partition of events default;
create unique index events_case_version on events_case (originator_id, originator_version);
create table events_observation partition of events for values in ('gate') partition by range (notification_id);

-- Whoever appends locks this row first: positions are given, and hashes chained, in commit order.
create table log_head (
    only_row    boolean primary key default true check (only_row),
    position    bigint not null,
    hash        bytea not null check (octet_length(hash) = 32),
    recorded_at timestamptz not null
) with (fillfactor = 20);
insert into log_head (position, hash, recorded_at)
values (0, decode(repeat('00', 32), 'hex'), '1970-01-01 00:00:00+00');

create function refuse_change() returns trigger language plpgsql as $$
begin
    raise exception '% on % is refused: the log is append-only', tg_op, tg_table_name using errcode = 'restrict_violation';
end $$;

create trigger events_are_immutable before update or delete on events
    for each row execute function refuse_change();
create trigger events_are_not_truncated before truncate on events
    for each statement execute function refuse_change();
create trigger events_case_is_not_truncated before truncate on events_case
    for each statement execute function refuse_change();
create trigger log_head_stays before delete on log_head
    for each row execute function refuse_change();
create trigger log_head_is_not_truncated before truncate on log_head
    for each statement execute function refuse_change();

create function refuse_going_back() returns trigger language plpgsql as $$
begin
    raise exception 'the head of the log only moves forward' using errcode = 'restrict_violation';
end $$;
create trigger log_head_moves_forward before update on log_head
    for each row when (new.position <= old.position) execute function refuse_going_back();

-- A leaf for ten million positions of observations. Attaching locks nobody who reads or appends.
create function observation_leaf_size() returns bigint language sql immutable as 'select 10000000::bigint';

create function ensure_observation_leaf(place bigint) returns void
    language plpgsql security definer set search_path = public, pg_temp as $$
declare
    number bigint := place / observation_leaf_size();
    leaf   text := 'events_observation_' || number;
begin
    if to_regclass(leaf) is not null then
        return;
    end if;
    lock table only events_observation in share update exclusive mode; -- two writers may come to its edge at the same time
    if to_regclass(leaf) is not null then
        return;
    end if;
    execute format('create table %I (like events including all)', leaf);
    execute format('create unique index %I on %I (originator_id, originator_version)', leaf || '_version', leaf);
    execute format('create trigger %I before truncate on %I for each statement execute function refuse_change()',
                   leaf || '_is_not_truncated', leaf);
    execute format('alter table events_observation attach partition %I for values from (%s) to (%s)',
                   leaf, number * observation_leaf_size(), (number + 1) * observation_leaf_size());
end $$;
select ensure_observation_leaf(0);

-- The one way into the log. Locks the head, decides whether every row may follow, gives positions and hashes, and moves the head.
-- Row i is (originators[i], versions[i], topics[i], requests[i], metadata[i], states[i]); followed/followed_versions: aggregates that
-- must be there, at least at that version. Returns the first position, or null (and nothing is written) if one of the requests is
-- there already, a new aggregate is, or a predecessor is missing; a taken version is a unique_violation.
create function chain_step(state bytea, start bytea, record bytea) returns bytea
    language plpgsql immutable parallel safe as $$
begin
    return sha256(coalesce(state, start) || record);
end $$;
create aggregate chain (start bytea, record bytea) (sfunc = chain_step, stype = bytea);
comment on aggregate chain (bytea, bytea) is 'As a window function: the hash chain from start over the records; see domain/chain.py';

create function append_events(
    originators uuid[], versions integer[], topics text[], requests uuid[], metadata text[], states bytea[],
    followed uuid[], followed_versions integer[]
) returns bigint
    language plpgsql security definer
    set search_path = public, pg_temp
    set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off -- only single rows are looked up
    as $$
declare
    head    log_head;
    now     timestamptz;
    instant bytea;
    size    bigint := observation_leaf_size();
begin
    select * into head from log_head for update;
    if exists (select from events where request_id = any(requests))
        -- A new aggregate that is there, in a partition into which the unique index of its own does not look.
        or exists (
            select from events where category = 'gate' and originator_id = any(array(
                select fresh.id from unnest(originators, versions) as fresh (id, version) where fresh.version = 1)))
        or exists (
            select from events where originator_id = any(array(
                select fresh.id from unnest(originators, versions, topics) as fresh (id, version, topic)
                 where fresh.version = 1 and fresh.topic like 'gate.%')))
        or exists (
            select from unnest(followed, followed_versions) as predecessor (id, version)
             where not exists (
                select from events where originator_id = predecessor.id and originator_version = predecessor.version))
    then
        return null;
    end if;

    now := greatest(head.recorded_at, clock_timestamp());
    instant := int8send((extract(epoch from now) * 1000000)::bigint);
    if to_regclass('events_observation_' || (head.position + cardinality(originators)) / size) is null then
        perform ensure_observation_leaf(head.position + cardinality(originators));
    end if;

    insert into events
        (notification_id, originator_id, originator_version, topic, category, recorded_at, request_id, metadata, state, hash)
    select head.position + number, originator, version, topic, split_part(topic, '.', 1), now, request, meta::json, state,
           chain(head.hash,
                 int8send(head.position + number) || instant || uuid_send(originator) || int4send(version) || uuid_send(request)
                 || int4send(octet_length(topic)) || convert_to(topic, 'UTF8')
                 || int4send(octet_length(meta)) || convert_to(meta, 'UTF8') || state) over (order by number)
      from unnest(originators, versions, topics, requests, metadata, states)
      with ordinality as row (originator, version, topic, request, meta, state, number)
     order by number;

    update log_head
       set position = head.position + cardinality(originators), recorded_at = now,
           hash = (select hash from events where notification_id = head.position + cardinality(originators));
    perform pg_notify('log', (head.position + cardinality(originators))::text);
    return head.position + 1;
end $$;

create function lock_log() returns void language plpgsql security definer set search_path = public, pg_temp as $$
begin
    perform from log_head for update;
end $$;
comment on function lock_log is 'Nobody else appends until this transaction ends';

-- The application appends and reads as this role, whoever it logged in as: what it may not do, the database refuses.
do $$
begin
    if not exists (select from pg_roles where rolname = 'anju_app') then
        create role anju_app nologin;
    end if;
exception
    when duplicate_object or unique_violation then null; -- another migrator of this server was faster
end $$;
revoke execute on function ensure_observation_leaf, append_events, lock_log from public;
grant select on events, log_head to anju_app;
grant execute on function append_events, lock_log to anju_app;
