-- One row for each credential, as it stands now. Whose it is, and what it says, stands in the log alone.
create table credentials (
    credential_id uuid primary key,
    site_id       uuid not null,
    township      text not null,
    kind          text not null,
    resident      uuid not null,
    state         text not null,
    valid_from    timestamptz not null,
    valid_until   timestamptz not null,
    ended_at      timestamptz,
    due           text,
    due_at        timestamptz,
    version       integer not null,
    position      bigint not null
);
comment on column credentials.resident is 'A random id, as in the log';
comment on column credentials.ended_at is 'When it was revoked, or expired';
create index credentials_of_site on credentials (site_id, valid_from, credential_id);

grant select, insert, update, delete on credentials to anju_app;
