-- One row for each incident, as it stands now. The columns are the fields of `Standing` (projections/standing.py).
create table incidents (
    incident_id       uuid primary key,
    site_id           uuid not null,
    township          text not null,
    category          text not null,
    source            text not null,
    description       text not null,
    details           jsonb,
    confidential      boolean not null,
    urgency           text not null,
    occurred_at       timestamptz not null,
    reported_at       timestamptz not null,
    state             text not null,
    lead_unit         text,
    legs              jsonb not null,
    round             integer not null,
    level             integer not null,
    supervised        boolean not null,
    parked            boolean not null,
    running           jsonb not null,
    missed            jsonb not null,
    overdue           text[] not null,
    due_name          text,
    due_at            timestamptz,
    extension_until   timestamptz,
    extensions        integer not null,
    returns           integer not null,
    reopenings        integer not null,
    merged_into       uuid,
    duplicates        integer not null,
    evidence          integer not null,
    mechanism         text,
    dispatched_at     timestamptz,
    closed_at         timestamptz,
    last_topic        text not null,
    last_at           timestamptz not null,
    version           integer not null,
    position          bigint not null,
    reported_position bigint not null
);
comment on column incidents.details is 'What the public said beside the description (domain/details.py)';
comment on column incidents.legs is 'Unit to how far it is with its part, the lead unit and those assisting';
comment on column incidents.running is 'Name to time of the deadlines that run';
comment on column incidents.missed is 'Name to time of those that passed and are not made good';
comment on column incidents.overdue is 'Names of all that ever passed';
comment on column incidents.due_at is 'The earliest of what is running or missed; while parked, when it is looked at again';
create index incidents_newest on incidents (reported_at desc, incident_id desc);
create index incidents_latest on incidents (last_at desc, incident_id desc);
create index incidents_due on incidents (due_at, incident_id) where due_at is not null;
create index incidents_closed on incidents (closed_at, incident_id) where closed_at is not null;
create index incidents_of_site on incidents (site_id, reported_at desc, incident_id desc);
create index incidents_in_state on incidents (state, reported_at desc, incident_id desc);
create index incidents_of_unit on incidents (lead_unit, reported_at desc, incident_id desc);

-- What has to be done now, and by whom; made from the row of the incident whenever that changes.
create table work (
    incident_id uuid not null,
    site_id     uuid not null,
    township    text not null,
    unit        text not null,
    duty        text not null,
    assisting   boolean not null,
    due_at      timestamptz,
    primary key (incident_id, unit, duty)
);
comment on column work.unit is 'Empty: the centre';
create index work_of_unit on work (unit, coalesce(due_at, 'infinity'::timestamptz), incident_id, duty);

grant select, insert, update, delete on incidents, work to anju_app;
