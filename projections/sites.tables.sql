-- One row for each site of the programme, as it is now.
create table sites (
    site_id                 uuid primary key,
    code                    text not null unique,
    name                    text not null,
    township                text not null,
    state                   text not null,
    households              integer,
    buildings               integer,
    counted_from            date,
    planned_at              timestamptz not null,
    construction_started_at timestamptz,
    accepted_at             timestamptz,
    inspector               text,
    operating_at            timestamptz,
    version                 integer not null,
    position                bigint not null
);
comment on column sites.households is 'As last counted, from the day counted_from on; its history is in site_households';

create table site_gates (
    site_id     uuid not null,
    code        text not null,
    name        text not null,
    mode        text not null,
    direction   text not null,
    credentials text[] not null,
    added_at    timestamptz not null,
    primary key (site_id, code)
);

create table site_measures (
    site_id      uuid not null,
    township     text not null,
    measure      text not null,
    gate         text,
    installed_at timestamptz not null,
    position     bigint primary key
);
comment on column site_measures.gate is 'None: it works for the whole site';
create index site_measures_of_site on site_measures (site_id, measure);

-- Every count of households there was.
create table site_households (
    site_id     uuid not null,
    township    text not null,
    counts_from date not null,
    counted_at  timestamptz not null,
    households  integer not null,
    buildings   integer,
    position    bigint not null,
    primary key (site_id, counts_from, position)
);
comment on column site_households.counted_at is 'When it was written down; counts_from is the day from which it is so';

grant select, insert, update, delete on sites, site_gates, site_measures, site_households to anju_app;
