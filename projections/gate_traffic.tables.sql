-- Gate passes for each gate, hour and decision: the latest one, of those that a gate held too. A row may have come to no passes.
create table gate_traffic (
    site_id        uuid not null,
    township       text not null,
    gate           text not null,
    hour           timestamptz not null,
    decision       text not null,
    passes         bigint not null,
    first_position bigint not null,
    last_position  bigint not null,
    primary key (site_id, hour, gate, decision)
);
comment on column gate_traffic.first_position is 'Of the events counted here, in the log, as is last_position';
create index gate_traffic_hours on gate_traffic (hour, township);

-- The passes that wait for a guard.
create table gate_held (
    pass_id  uuid primary key,
    site_id  uuid not null,
    township text not null,
    gate     text not null,
    hour     timestamptz not null
);

grant select, insert, update, delete on gate_traffic, gate_held to anju_app;
