-- One row for each visit, as it stands now. Who the visitor is stands in the log alone.
create table visitors (
    visitor_id   uuid primary key,
    site_id      uuid not null,
    township     text not null,
    host         uuid not null,
    requester    text not null,
    gates        text[] not null,
    state        text not null,
    valid_from   timestamptz not null,
    valid_until  timestamptz not null,
    uses         integer not null,
    entries      integer not null,
    requested_at timestamptz not null,
    approved_at  timestamptz,
    entered_at   timestamptz,
    entered_by   text,
    left_at      timestamptz,
    due          text,
    due_at       timestamptz,
    version      integer not null,
    position     bigint not null
);
comment on column visitors.host is 'A random id, as in the log';
comment on column visitors.gates is 'Codes of those it is for; none means all';
comment on column visitors.entered_at is 'The last time, as is left_at';
comment on column visitors.entered_by is 'The gate';
create index visitors_of_site on visitors (site_id, valid_from, visitor_id);
create index visitors_inside on visitors (site_id) where state in ('ENTERED', 'OVERSTAY');
create index visitors_expected on visitors (valid_until) where state in ('APPROVED', 'CHECKED', 'LEFT');

grant select, insert, update, delete on visitors to anju_app;
