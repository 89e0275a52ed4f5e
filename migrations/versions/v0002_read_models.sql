-- Read models: derived from the log, thrown away and rebuilt at will.

create table projections (
    name       text primary key,
    version    integer not null,
    position   bigint not null default 0,
    error      text,
    updated_at timestamptz not null default now()
);
comment on column projections.error is 'Why it stands still: the event after position could not be folded';

create table gate_traffic (
    site_id  uuid not null,
    gate     text not null,
    hour     timestamptz not null,
    decision text not null,
    passes   bigint not null,
    primary key (site_id, hour, gate, decision)
);

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

-- One row for each incident: in which period it counts, and the events that say so.
create table closures (
    incident_id       uuid primary key,
    site_id           uuid not null,
    township          text not null,
    category          text not null,
    reported_on       date not null,
    reported_position bigint not null,
    closed_on         date,
    closed_position   bigint,
    left_as           text
);
comment on column closures.left_as is 'REJECTED or MERGED: counted on neither side';
comment on column closures.reported_on is 'Calendar day in Asia/Shanghai';
create index closures_by_day on closures (reported_on, site_id) include (closed_position) where left_as is null;

-- The deadlines that run now: what the timers look at.
create table deadlines (
    aggregate_id uuid not null,
    category     text not null,
    name         text not null,
    due_at       timestamptz not null,
    rule         text not null,
    primary key (aggregate_id, name)
);
comment on column deadlines.category is 'First word of the topics of the aggregate';
create index deadlines_next on deadlines (due_at, aggregate_id, name);

grant select, insert, update, delete on projections, gate_traffic, incidents, closures, deadlines to anju_app;
