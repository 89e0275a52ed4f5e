-- What the figures are counted from; docs/figures.md defines them.

-- One row for each incident and cycle of it: from the report, or a reopening, to the closing.
create table closures (
    incident_id       uuid not null,
    cycle             integer not null,
    site_id           uuid not null,
    township          text not null,
    category          text not null,
    reported_position bigint not null,
    unit              text,
    mechanism         text,
    first_left_at     timestamptz,
    left_as           text,
    last_at           timestamptz not null,
    began_at          timestamptz not null,
    began_position    bigint not null,
    closed_at         timestamptz,
    closed_position   bigint,
    on_time           boolean,
    dispatched_at     timestamptz,
    feedback_at       timestamptz,
    close_working     float8,
    handle_working    float8,
    parked_at         timestamptz,
    parked            float8 not null,
    rated_at          timestamptz,
    rated_position    bigint,
    rating            integer,
    reopened_at       timestamptz,
    reopened_position bigint,
    reclosed_at       timestamptz,
    reclosed_position bigint,
    primary key (incident_id, cycle)
);
comment on column closures.unit is 'That leads the latest dispatch of the incident; as mechanism, left and last, the same in all its cycles';
comment on column closures.left_as is 'REJECTED or MERGED: counted on neither side';
comment on column closures.dispatched_at is 'The dispatch that led to the closing; null when closed on the spot';
comment on column closures.parked is 'Seconds; working times are seconds too';
comment on column closures.reclosed_at is 'The next closing of the incident';
create index closures_of_site on closures (site_id, category, began_at);
create index closures_closed_by on closures (closed_at, began_at);
create index closures_rated_by on closures (rated_at, closed_at) where rated_at is not null;
create index closures_reopened_by on closures (reopened_at, closed_at) where reopened_at is not null;
create index closures_closed_again on closures (closed_at, reclosed_at) include (on_time, township, category, unit, mechanism)
    where reclosed_at is not null;

-- One row for each dispatch.
create table closure_dispatches (
    incident_id         uuid not null,
    number              integer not null,
    cycle               integer not null,
    site_id             uuid not null,
    township            text not null,
    category            text not null,
    reported_position   bigint not null,
    unit                text not null,
    dispatched_at       timestamptz not null,
    dispatched_position bigint not null,
    due_at              timestamptz,
    late_from           timestamptz,
    due_position        bigint,
    signed_at           timestamptz,
    signed_position     bigint,
    sign_working        float8,
    feedback_at         timestamptz,
    extended_at         timestamptz,
    extended_position   bigint,
    ended_at            timestamptz,
    ended_position      bigint,
    returned            boolean not null,
    primary key (incident_id, number)
);
comment on column closure_dispatches.late_from is 'Since when, or from when on, it is past due: due_at, or when that was set if it had passed by then';
comment on column closure_dispatches.due_position is 'Of the event that set due_at and late_from last';
create index closure_dispatches_of_site on closure_dispatches (site_id);
create index closure_dispatches_running on closure_dispatches (late_from) where ended_at is null;
create index closure_dispatches_ended_late on closure_dispatches (ended_at) where late_from < ended_at;

-- What else happened to an incident: FAILED verifications (of the unit `value`), being TAGGED with a mechanism (`value`), having
-- LEFT the figures as `value`, or come back into them (null). The last two are looked at as of a day.
create table closure_marks (
    position    bigint primary key,
    incident_id uuid not null,
    mark        text not null,
    at          timestamptz not null,
    value       text
);
create index closure_marks_left on closure_marks (at) where mark = 'LEFT';
create index closure_marks_of on closure_marks (incident_id);

-- The due and late_from that a dispatch had before `position` changed them; looked at as known at a position.
create table closure_dues (
    incident_id uuid not null,
    number      integer not null,
    position    bigint not null,
    due_at      timestamptz,
    late_from   timestamptz,
    primary key (incident_id, number, position)
);

-- Counts of every day, of each township and of the whole city (''): of all incidents, and for every category, unit and mechanism ('': none).
create table closure_days (
    dimension         text not null,
    value             text not null,
    day               date not null,
    township          text not null,
    received          integer not null,
    rejected          integer not null,
    merged            integer not null,
    cohort_closed     integer not null,
    closings          integer not null,
    closings_on_time  integer not null,
    closings_reopened integer not null,
    reopened          integer not null,
    ratings           integer not null,
    satisfied         integer not null,
    dispatches        integer not null,
    returned          integer not null,
    extended          integer not null,
    verifications     integer not null,
    failed            integer not null,
    fell_overdue      integer not null,
    ended_overdue     integer not null,
    primary key (dimension, value, township, day)
);
comment on column closure_days.day is 'Calendar day in Asia/Shanghai';
comment on column closure_days.fell_overdue is 'Past due at the end of the day and not before; in ended_overdue on the day it was ended';

grant select, insert, update, delete on closures, closure_dispatches, closure_marks, closure_dues, closure_days to anju_app;
