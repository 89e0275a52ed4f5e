-- One row for each device, as it is now.
create table devices (
    device_id     uuid primary key,
    site_id       uuid not null,
    township      text not null,
    code          text not null,
    kind          text not null,
    protocol      text not null,
    state         text not null,
    armed         boolean not null,
    registered_at timestamptz not null,
    changed_at    timestamptz not null,
    last_seen_at  timestamptz,
    reason        text,
    due           text,
    due_at        timestamptz,
    version       integer not null,
    position      bigint not null
);
comment on column devices.changed_at is 'When its state last changed';
comment on column devices.last_seen_at is 'At least; an online device says so once in an hour, and is heard in between';
comment on column devices.reason is 'Why it is out of service, or retired';
create index devices_of_site on devices (site_id, code);

grant select, insert, update, delete on devices to anju_app;
