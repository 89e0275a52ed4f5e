-- What the read models of figures were when the log ended at a position: rows and columns as the events up to there made them. With this
-- schema first in the search path the statements of figures are asked of then, as they are; projections/at_position.py does that.
--
-- The body of a function is text: it reads the tables that are in `public` when it is run, so a rebuild can exchange them. PostgreSQL
-- puts the body in the place of the view, and computes only the columns that a statement uses.

set local check_function_bodies = off; -- tables of before the next rebuild lack columns

create schema at_position;
grant usage on schema at_position to anju_app;

-- `offset 0`: looked up once for a statement, not once for each row.
create view at_position.asked as
    select current_setting('anju.at_position')::bigint as position offset 0;

create function at_position.projections_then()
    returns table (name text, version integer, "position" bigint) language sql stable as $$
    select projection.name, projection.version, least(projection.position, asked.position)
      from public.projections as projection cross join at_position.asked
$$;
create view at_position.projections as select * from at_position.projections_then();

create function at_position.events_then()
    returns table (notification_id bigint, originator_id uuid, topic text, category text, state bytea) language sql stable as $$
    select notification_id, originator_id, topic, category, state
      from public.events where notification_id <= (select position from at_position.asked)
$$;
create view at_position.events as select * from at_position.events_then();

create function at_position.closures_then()
    returns table (
        incident_id uuid, cycle integer, site_id uuid, township text, category text, reported_position bigint, unit text, mechanism text,
        first_left_at timestamptz, left_as text, began_at timestamptz, began_position bigint, closed_at timestamptz, closed_position bigint,
        on_time boolean, dispatched_at timestamptz, feedback_at timestamptz, close_working float8, handle_working float8, parked float8,
        rated_at timestamptz, rating integer, reopened_at timestamptz, reclosed_at timestamptz
    ) language sql stable as $$
    select c.incident_id, c.cycle, c.site_id, c.township, c.category, c.reported_position,
           case when c.unit is not null
                then (select d.unit from public.closure_dispatches d
                       where d.incident_id = c.incident_id and d.dispatched_position <= asked.position
                       order by d.number desc limit 1) end,
           case when c.mechanism is not null
                then (select m.value from public.closure_marks m
                       where m.incident_id = c.incident_id and m.mark = 'TAGGED' and m.position <= asked.position
                       order by m.position desc limit 1) end,
           case when c.first_left_at is not null
                then (select m.at from public.closure_marks m
                       where m.incident_id = c.incident_id and m.mark = 'LEFT' and m.position <= asked.position
                       order by m.position limit 1) end,
           case when c.first_left_at is not null
                then (select m.value from public.closure_marks m
                       where m.incident_id = c.incident_id and m.mark = 'LEFT' and m.position <= asked.position
                       order by m.position desc limit 1) end,
           c.began_at, c.began_position,
           case when c.closed_position <= asked.position then c.closed_at end,
           case when c.closed_position <= asked.position then c.closed_position end,
           case when c.closed_position <= asked.position then c.on_time end,
           case when c.closed_position <= asked.position then c.dispatched_at end,
           case when c.closed_position <= asked.position then c.feedback_at end,
           case when c.closed_position <= asked.position then c.close_working end,
           case when c.closed_position <= asked.position then c.handle_working end,
           case when c.closed_position <= asked.position then c.parked else 0 end,
           case when c.rated_position <= asked.position then c.rated_at end,
           case when c.rated_position <= asked.position then c.rating end,
           case when c.reopened_position <= asked.position then c.reopened_at end,
           case when c.reclosed_position <= asked.position then c.reclosed_at end
      from public.closures c cross join at_position.asked
     where c.began_position <= asked.position
$$;
create view at_position.closures as select * from at_position.closures_then();
comment on view at_position.closures is 'Of a cycle that was open then there is nothing but its beginning: how long it was parked counts when it is closed';

create function at_position.closure_dispatches_then()
    returns table (
        incident_id uuid, number integer, cycle integer, site_id uuid, township text, category text, reported_position bigint, unit text,
        dispatched_at timestamptz, due_at timestamptz, late_from timestamptz, signed_at timestamptz, sign_working float8,
        extended_at timestamptz, ended_at timestamptz, returned boolean
    ) language sql stable as $$
    select d.incident_id, d.number, d.cycle, d.site_id, d.township, d.category, d.reported_position, d.unit, d.dispatched_at,
           case when d.due_position > asked.position
                then (select due.due_at from public.closure_dues due
                       where due.incident_id = d.incident_id and due.number = d.number and due.position > asked.position
                       order by due.position limit 1)
                else d.due_at end,
           case when d.due_position > asked.position
                then (select due.late_from from public.closure_dues due
                       where due.incident_id = d.incident_id and due.number = d.number and due.position > asked.position
                       order by due.position limit 1)
                else d.late_from end,
           case when d.signed_position <= asked.position then d.signed_at end,
           case when d.signed_position <= asked.position then d.sign_working end,
           case when d.extended_position <= asked.position then d.extended_at end,
           case when d.ended_position <= asked.position then d.ended_at end,
           d.returned and d.ended_position <= asked.position
      from public.closure_dispatches d cross join at_position.asked
     where d.dispatched_position <= asked.position
$$;
create view at_position.closure_dispatches as select * from at_position.closure_dispatches_then();

create function at_position.closure_marks_then()
    returns table ("position" bigint, incident_id uuid, mark text, at timestamptz, value text) language sql stable as $$
    select m.position, m.incident_id, m.mark, m.at, m.value
      from public.closure_marks m where m.position <= (select position from at_position.asked)
$$;
create view at_position.closure_marks as select * from at_position.closure_marks_then();

create function at_position.disputes_then()
    returns table (
        dispute_id uuid, township text, site_id uuid, category text, mechanism text, registered_at timestamptz, registered_position bigint,
        accepted_at timestamptz, accepted_position bigint, agreed_at timestamptz, agreed_position bigint,
        failed_at timestamptz, failed_position bigint, withdrawn_at timestamptz, confirmation_requested_at timestamptz,
        confirmed_at timestamptz, confirmation_refused_at timestamptz, performing_at timestamptz, breached_at timestamptz,
        fulfilled_at timestamptz, referred_at timestamptz
    ) language sql stable as $$
    select d.dispute_id, d.township, d.site_id, d.category, d.mechanism, d.registered_at, d.registered_position,
           case when d.accepted_position <= asked.position then d.accepted_at end,
           case when d.accepted_position <= asked.position then d.accepted_position end,
           case when d.agreed_position <= asked.position then d.agreed_at end,
           case when d.agreed_position <= asked.position then d.agreed_position end,
           case when d.failed_position <= asked.position then d.failed_at end,
           case when d.failed_position <= asked.position then d.failed_position end,
           case when d.withdrawn_position <= asked.position then d.withdrawn_at end,
           case when d.confirmation_requested_position <= asked.position then d.confirmation_requested_at end,
           case when d.confirmed_position <= asked.position then d.confirmed_at end,
           case when d.confirmation_refused_position <= asked.position then d.confirmation_refused_at end,
           case when d.performing_position <= asked.position then d.performing_at end,
           case when d.breached_position <= asked.position then d.breached_at end,
           case when d.fulfilled_position <= asked.position then d.fulfilled_at end,
           case when d.referred_position <= asked.position then d.referred_at end
      from public.disputes d cross join at_position.asked
     where d.registered_position <= asked.position
$$;
create view at_position.disputes as select * from at_position.disputes_then();

create function at_position.dispute_assignments_then()
    returns table (dispute_id uuid, "position" bigint, assigned_at timestamptz, mediator text, room text) language sql stable as $$
    select a.dispute_id, a.position, a.assigned_at, a.mediator, a.room
      from public.dispute_assignments a where a.position <= (select position from at_position.asked)
$$;
create view at_position.dispute_assignments as select * from at_position.dispute_assignments_then();

create function at_position.alarms_then()
    returns table (
        alarm_id uuid, site_id uuid, township text, sensor text, tripped_at timestamptz, tripped_position bigint,
        acknowledged_at timestamptz, acknowledged_position bigint, verdict text, verdict_at timestamptz, verdict_position bigint
    ) language sql stable as $$
    select a.alarm_id, a.site_id, a.township, a.sensor, a.tripped_at, a.tripped_position,
           case when a.acknowledged_position <= asked.position then a.acknowledged_at end,
           case when a.acknowledged_position <= asked.position then a.acknowledged_position end,
           case when a.verdict_position <= asked.position then a.verdict end,
           case when a.verdict_position <= asked.position then a.verdict_at end,
           case when a.verdict_position <= asked.position then a.verdict_position end
      from public.alarms a cross join at_position.asked
     where a.tripped_position <= asked.position
$$;
create view at_position.alarms as select * from at_position.alarms_then();

create function at_position.site_households_then()
    returns table (
        site_id uuid, township text, counts_from date, counted_at timestamptz, households integer, "position" bigint
    ) language sql stable as $$
    select h.site_id, h.township, h.counts_from, h.counted_at, h.households, h.position
      from public.site_households h where h.position <= (select position from at_position.asked)
$$;
create view at_position.site_households as select * from at_position.site_households_then();

create function at_position.gate_held_then()
    returns table (
        pass_id uuid, site_id uuid, township text, gate text, hour timestamptz, "position" bigint, decision text,
        decided_at timestamptz, decided_position bigint
    ) language sql stable as $$
    select h.pass_id, h.site_id, h.township, h.gate, h.hour, h.position,
           case when h.decided_position <= asked.position then h.decision end,
           case when h.decided_position <= asked.position then h.decided_at end,
           case when h.decided_position <= asked.position then h.decided_position end
      from public.gate_held h cross join at_position.asked
     where h.position <= asked.position
$$;
create view at_position.gate_held as select * from at_position.gate_held_then();

-- An hour of which all was known then is as it is. One that was being counted is counted again: what a gate decided from the log, in the
-- stretch that such hours take up; those it held from gate_held, added and taken away again as the fold does, which leaves the row of HELD
-- with the stretch in which they passed.
create function at_position.gate_traffic_then()
    returns table (
        site_id uuid, township text, gate text, hour timestamptz, decision text, passes bigint, first_position bigint, last_position bigint
    ) language sql stable as $$
    with cut as (
        select t.* from public.gate_traffic t cross join at_position.asked
         where t.first_position <= asked.position and t.last_position > asked.position
    ), passed as (
        select pass.site_id, pass.gate, date_trunc('hour', pass.timestamp, 'UTC') as hour, pass.decision, 1 as passes, notification_id as position
          from at_position.events
         cross join lateral json_to_record(convert_from(state, 'UTF8')::json)
            as pass (timestamp timestamptz, site_id uuid, gate text, decision text)
         where category = 'gate' and topic = 'gate.passed' and notification_id >= (select min(cut.first_position) from cut)
           and pass.decision <> 'HELD'
         union all
        select held.site_id, held.gate, held.hour, change.decision, change.passes, change.position
          from at_position.gate_held as held
         cross join lateral (values ('HELD', 1, held.position), ('HELD', -1, held.decided_position), (held.decision, 1, held.decided_position))
            as change (decision, passes, position)
         where change.position is not null
    )
    select t.site_id, t.township, t.gate, t.hour, t.decision, t.passes, t.first_position, t.last_position
      from public.gate_traffic t where t.last_position <= (select position from at_position.asked)
     union all
    select cut.site_id, cut.township, cut.gate, cut.hour, cut.decision, sum(passed.passes), min(passed.position), max(passed.position)
      from cut join passed using (site_id, gate, hour, decision)
     group by 1, 2, 3, 4, 5
$$;
create view at_position.gate_traffic as select * from at_position.gate_traffic_then();

-- Where an archive begins that would have to be read to count such an hour again; null: none.
create function at_position.archived_passes() returns bigint language sql stable as $$
    select min(archived.first)
      from public.gate_traffic t cross join at_position.asked
      join public.archived_stretches as archived on archived.last >= t.first_position and archived.first <= asked.position
     where t.first_position <= asked.position and t.last_position > asked.position
$$;

do $$
declare
    made text;
begin
    for made in select viewname from pg_views where schemaname = 'at_position' loop
        execute format('grant select on at_position.%I to anju_app', made);
    end loop;
end $$;
