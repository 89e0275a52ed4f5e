-- One row for each governance centre, as it is now.
create table centres (
    centre_id    uuid primary key,
    township     text not null unique,
    name         text not null,
    state        text not null,
    founded_at   timestamptz not null,
    accepted_at  timestamptz,
    withdrawn_at timestamptz,
    units        text[] not null,
    staff        integer not null,
    version      integer not null,
    position     bigint not null
);
comment on column centres.staff is 'How many';
comment on column centres.accepted_at is 'The last time, as is withdrawn_at';

-- The latest inspection of each item of the checklist.
create table centre_items (
    centre_id    uuid not null,
    item         text not null,
    passed       boolean not null,
    inspected_at timestamptz not null,
    inspector    text not null,
    position     bigint not null,
    primary key (centre_id, item)
);

grant select, insert, update, delete on centres, centre_items to anju_app;
