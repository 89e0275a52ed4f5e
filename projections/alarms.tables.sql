-- One row for each alarm, as it stands now, and when it was seen to.
create table alarms (
    alarm_id              uuid primary key,
    site_id               uuid not null,
    township              text not null,
    sensor                text not null,
    trigger               text not null,
    state                 text not null,
    active                boolean not null,
    shelved               boolean not null,
    suppressed            boolean not null,
    out_of_service        boolean not null,
    trips                 integer not null,
    level                 integer not null,
    tripped_at            timestamptz not null,
    tripped_position      bigint not null,
    last_tripped_at       timestamptz not null,
    acknowledged_at       timestamptz,
    acknowledged_by       text,
    acknowledged_position bigint,
    reviewed_at           timestamptz,
    reviewer              text,
    verdict               text,
    verdict_at            timestamptz,
    verdict_position      bigint,
    cause                 text,
    incident_id           uuid,
    due                   text,
    due_at                timestamptz,
    version               integer not null,
    position              bigint not null
);
comment on column alarms.sensor is 'Code of the device at its site';
comment on column alarms.level is 'How often it was escalated';
comment on column alarms.verdict is 'REAL, FALSE or TEST';
create index alarms_by_trip on alarms (tripped_at, site_id);
create index alarms_open on alarms (site_id) where state <> 'CLEARED';

grant select, insert, update, delete on alarms to anju_app;
