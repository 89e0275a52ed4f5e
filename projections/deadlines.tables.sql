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

grant select, insert, update, delete on deadlines to anju_app;
