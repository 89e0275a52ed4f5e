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

-- The passes that a gate held, and what a guard decided: as of a day before that, they are held.
create table gate_held (
    pass_id          uuid primary key,
    site_id          uuid not null,
    township         text not null,
    gate             text not null,
    hour             timestamptz not null,
    position         bigint not null,
    decision         text,
    decided_at       timestamptz,
    decided_position bigint
);
comment on column gate_held.decision is 'Null while it waits for a guard';
create index gate_held_hours on gate_held (hour, decided_at);

grant select, insert, update, delete on gate_traffic, gate_held to anju_app;
