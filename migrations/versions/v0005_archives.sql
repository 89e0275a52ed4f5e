-- Old leaves of observations are taken off to files. What stays here is what the chain and the Merkle tree need, and a record of
-- every file: append-only, as the log is. Only the owner of the database takes a leaf off; the application may but look.

create table archives (
    number      bigint generated always as identity primary key,
    leaf        text not null,
    lower       bigint not null,
    upper       bigint not null,
    categories  text[] not null,
    rows        bigint not null check (rows > 0),
    first       bigint not null,
    last        bigint not null,
    root        bytea not null check (octet_length(root) = 32),
    file        text not null,
    size        bigint not null,
    sha256      bytea not null check (octet_length(sha256) = 32),
    detached_at timestamptz not null default now(),
    detached_by text not null default session_user
);
comment on table archives is 'Leaves of the log that were taken off: positions lower to upper - 1 of the categories';
comment on column archives.root is 'RFC 6962 over the chain hashes of the rows, in order: it stands in the file too';
comment on column archives.sha256 is 'Of the whole file, as sha256sum prints it';

create table archive_returns (
    archive     bigint primary key references archives,
    attached_at timestamptz not null default now(),
    attached_by text not null default session_user
);
comment on table archive_returns is 'Archives whose rows are back in the log';

create table archive_stretches (
    archive bigint not null references archives deferrable initially deferred, -- written before it, block by block
    first   bigint not null,
    last    bigint not null,
    hash    bytea not null check (octet_length(hash) = 32),
    roots   bytea not null check (octet_length(roots) % 32 = 0),
    primary key (last, archive) include (first)
);
comment on table archive_stretches is 'Positions in a row that lie in an archive; none crosses a multiple of 16384 or a checkpoint';
comment on column archive_stretches.hash is 'The chain''s, at last: the next row follows it';
comment on column archive_stretches.roots is 'Of the complete subtrees of the log''s Merkle tree in it; see domain/retention.py';

create view detached_archives as
    select * from archives where not exists (select from archive_returns where archive = number);
create view archived_stretches as
    select archive, first, last, hash, roots from archive_stretches
     where not exists (select from archive_returns where archive_returns.archive = archive_stretches.archive);

do $$
declare
    kept text;
begin
    foreach kept in array array['archives', 'archive_returns', 'archive_stretches'] loop
        execute format('create trigger %I before update or delete on %I for each row execute function refuse_change()',
                       kept || '_are_immutable', kept);
        execute format('create trigger %I before truncate on %I for each statement execute function refuse_change()',
                       kept || '_are_not_truncated', kept);
    end loop;
end $$;

create function chain_hash(place bigint) returns bytea language sql stable set search_path = public, pg_temp as $$
    select hash from events where notification_id = place
    union all
    select hash from archived_stretches where last = place
    limit 1
$$;
comment on function chain_hash is 'Of a row, or at the end of an archived stretch; null inside one';

create function observation_categories() returns text[] language sql stable set search_path = public, pg_temp as $$
    select array_agg(found[1])
      from pg_class, regexp_matches(pg_get_expr(relpartbound, oid), '''([^'']*)''', 'g') as found
     where oid = 'events_observation'::regclass
$$;
comment on function observation_categories is 'Those whose events lie in the leaves of observations';

-- A leaf as ensure_observation_leaf makes it, for any positions: for one that comes back.
create function create_observation_leaf(leaf text, lower bigint, upper bigint) returns void
    language plpgsql set search_path = public, pg_temp as $$
begin
    execute format('create table %I (like events including all)', leaf);
    execute format('create unique index %I on %I (originator_id, originator_version)', leaf || '_version', leaf);
    execute format('create trigger %I before truncate on %I for each statement execute function refuse_change()',
                   leaf || '_is_not_truncated', leaf);
    execute format('alter table events_observation attach partition %I for values from (%s) to (%s)', leaf, lower, upper);
end $$;

create function drop_observation_leaf(leaf text) returns void
    language plpgsql set search_path = public, pg_temp as $$
begin
    execute format('alter table events_observation detach partition %I', leaf);
    execute format('drop table %I', leaf);
end $$;

revoke execute on function create_observation_leaf, drop_observation_leaf from public;
grant select on archives, archive_returns, archive_stretches, detached_archives, archived_stretches to anju_app;
