-- The event log: append-only, gapless, hash-chained. Column names are those of the eventsourcing library.

create table events (
    notification_id    bigint primary key,
    originator_id      uuid not null,
    originator_version integer not null check (originator_version > 0),
    topic              text not null,
    category           text not null generated always as (split_part(topic, '.', 1)) stored,
    recorded_at        timestamptz not null,
    request_id         uuid not null,
    metadata           json not null,
    state              bytea not null,
    hash               bytea not null check (octet_length(hash) = 32),
    unique (originator_id, originator_version)
);
create index events_request on events (request_id);

comment on table events is 'The truth. Rows are appended under the lock of log_head and never change.';
comment on column events.notification_id is 'Position: 1, 2, 3 .. without gaps, in commit order';
comment on column events.request_id is 'Idempotency key: the same request is appended once';
comment on column events.hash is 'SHA-256 over the hash before, the header and the state; see domain/chain.py';

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
