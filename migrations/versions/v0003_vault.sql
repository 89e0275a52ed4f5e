-- The key vault: one data key for each scope, wrapped by a master key that is not in this database.

create table vault_masters (
    master_key text primary key,
    created_at timestamptz not null default now()
);
comment on table vault_masters is 'Ids of the master keys in use: the keyring file must hold every one of them';

create table vault_keys (
    scope        text primary key,
    key_id       uuid unique,
    wrapped      bytea,
    master_key   text references vault_masters deferrable,
    created_at   timestamptz not null default now(),
    destroyed_at timestamptz,
    check (case when destroyed_at is null
           then key_id is not null and wrapped is not null and master_key is not null
           else wrapped is null and master_key is null end)
);
create index vault_keys_by_master on vault_keys (master_key);
comment on table vault_keys is 'What a scope''s personal fields are sealed with. The row of a destroyed key stays, so that none is made again';
comment on column vault_keys.wrapped is 'AES-256-GCM by the master key; see adapters/keyring.py';
comment on column vault_keys.master_key is 'A foreign key: a master key that still wraps something cannot be retired';

create function refuse_return_of_key() returns trigger language plpgsql as $$
begin
    raise exception 'the key of % is destroyed: it does not come back', old.scope using errcode = 'restrict_violation';
end $$;
create trigger vault_keys_stay_destroyed before update on vault_keys
    for each row when (old.destroyed_at is not null) execute function refuse_return_of_key();
create trigger vault_keys_destroyed_remain before delete on vault_keys
    for each row when (old.destroyed_at is not null) execute function refuse_return_of_key();

create function forget_key(gone text) returns void language plpgsql security definer set search_path = public, pg_temp as $$
begin
    insert into vault_keys (scope, destroyed_at) values (gone, now())
    on conflict (scope) do update set wrapped = null, master_key = null, destroyed_at = now()
        where vault_keys.destroyed_at is null;
    perform pg_notify('keys', gone);
end $$;

-- A key is gone in the transaction that records its destruction: there is no moment between the two, whoever appends.
create function forget_key_of_event() returns trigger language plpgsql security definer set search_path = public, pg_temp as $$
begin
    perform forget_key(convert_from(new.state, 'UTF8')::json ->> 'scope');
    return null;
end $$;
create trigger destroyed_keys_are_forgotten after insert on events_case
    for each row when (new.topic = 'key.destroyed') execute function forget_key_of_event();

-- A vault that was restored from a backup may hold keys that were destroyed since: they are forgotten again.
create index events_case_key on events_case (topic, originator_id) where category = 'key';
create function forget_destroyed_keys() returns bigint language plpgsql security definer set search_path = public, pg_temp as $$
declare
    gone      text;
    forgotten bigint := 0;
begin
    for gone in
        select convert_from(event.state, 'UTF8')::json ->> 'scope' from events_case as event
         where event.category = 'key' and event.topic = 'key.destroyed'
        except
        select scope from vault_keys where destroyed_at is not null
    loop
        perform forget_key(gone);
        forgotten := forgotten + 1;
    end loop;
    return forgotten;
end $$;

grant select, insert, delete on vault_masters to anju_app;
grant select, insert, update (wrapped, master_key) on vault_keys to anju_app;
revoke execute on function forget_key, forget_key_of_event, forget_destroyed_keys from public;
grant execute on function forget_destroyed_keys to anju_app;
