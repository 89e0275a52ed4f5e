-- Times of recording never go back: the position at a time is found by halving, without an index that every append would pay for.
create function position_before(moment timestamptz) returns bigint
    language plpgsql stable set search_path = public, pg_temp as $$
declare
    low    bigint := 0;
    high   bigint := (select position from log_head);
    middle bigint;
    found  record;
begin
    while low < high loop
        middle := (low + high + 1) / 2;
        select notification_id, recorded_at into found
          from events where notification_id <= middle order by notification_id desc limit 1;
        if found.recorded_at >= moment then
            high := found.notification_id - 1;
        else -- also where all before is archived
            low := middle;
        end if;
    end loop;
    return low;
end $$;
comment on function position_before is 'The last position that was recorded before the moment; 0 if none was';

create table verifications (
    id         uuid primary key,
    first      bigint not null,
    last       bigint not null,
    started_by text not null,
    started_at timestamptz not null default clock_timestamp(),
    checked    bigint not null default 0,
    alive_at   timestamptz not null default clock_timestamp(),
    ended_at   timestamptz,
    holds      boolean,
    position   bigint,
    problem    text,
    hash       bytea
);
comment on table verifications is 'Who had the log verified over the API, and what came of it. It proves nothing: run anju verify';
comment on column verifications.alive_at is 'When the process that verifies last said so';
comment on column verifications.holds is 'Null while it runs, and if it could not be brought to its end';
create index verifications_newest on verifications (started_at desc, id);
grant select, insert, update on verifications to anju_app;
