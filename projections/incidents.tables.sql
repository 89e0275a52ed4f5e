-- One row for each incident, as it stands now.
create table incidents (
    incident_id   uuid primary key,
    site_id       uuid not null,
    township      text not null,
    category      text not null,
    source        text not null,
    description   text not null,
    state         text not null,
    lead_unit     text,
    round         integer not null default 1,
    urgency       text not null,
    occurred_at   timestamptz not null,
    reported_at   timestamptz not null,
    dispatched_at timestamptz,
    closed_at     timestamptz,
    version       integer not null,
    position      bigint not null
);
create index incidents_newest on incidents (reported_at desc, incident_id desc);
create index incidents_of_site on incidents (site_id, reported_at desc, incident_id desc);
create index incidents_in_state on incidents (state, reported_at desc, incident_id desc);

grant select, insert, update, delete on incidents to anju_app;
