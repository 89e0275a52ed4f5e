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

grant select, insert, update, delete on closures to anju_app;
