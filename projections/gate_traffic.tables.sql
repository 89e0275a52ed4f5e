-- Gate passes for each gate, hour and decision.
create table gate_traffic (
    site_id  uuid not null,
    gate     text not null,
    hour     timestamptz not null,
    decision text not null,
    passes   bigint not null,
    primary key (site_id, hour, gate, decision)
);

grant select, insert, update, delete on gate_traffic to anju_app;
