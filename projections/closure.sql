-- name: cycles
select incident_id, site_id, township, category, reported_position, mechanism, first_left_at, left_as, last_at,
       cycle, began_at, began_position, closed_at, closed_position, on_time, dispatched_at, feedback_at, close_working, handle_working,
       parked_at, parked, rated_at, rating, reopened_at, reclosed_at
  from closures where incident_id = any(:ids::uuid[]) order by incident_id, cycle

-- name: dispatches
select incident_id,
       number, cycle, unit, dispatched_at, due_at, late_from, signed_at, sign_working, feedback_at, extended_at, ended_at, returned
  from closure_dispatches where incident_id = any(:ids::uuid[]) order by incident_id, number

-- name: marks
select incident_id, position, mark, at, value
  from closure_marks where incident_id = any(:ids::uuid[]) order by position

-- name: keep_cycles!
insert into closures (incident_id, site_id, township, category, reported_position, unit, mechanism, first_left_at, left_as, last_at,
                      cycle, began_at, began_position, closed_at, closed_position, on_time, dispatched_at, feedback_at, close_working,
                      handle_working, parked_at, parked, rated_at, rating, reopened_at, reclosed_at)
select * from unnest(:ids::uuid[], :sites::uuid[], :townships::text[], :categories::text[], :reported_positions::bigint[],
                     :units::text[], :mechanisms::text[], :first_left::timestamptz[], :left::text[], :last::timestamptz[],
                     :cycles::int[], :began::timestamptz[], :began_positions::bigint[], :closed::timestamptz[],
                     :closed_positions::bigint[], :on_time::boolean[], :dispatched::timestamptz[], :feedback::timestamptz[],
                     :close_working::float8[], :handle_working::float8[], :parked_at::timestamptz[], :parked::float8[],
                     :rated::timestamptz[], :ratings::int[], :reopened::timestamptz[], :reclosed::timestamptz[])
    on conflict (incident_id, cycle) do update
   set unit = excluded.unit, mechanism = excluded.mechanism, first_left_at = excluded.first_left_at, left_as = excluded.left_as,
       last_at = excluded.last_at, closed_at = excluded.closed_at, closed_position = excluded.closed_position,
       on_time = excluded.on_time, dispatched_at = excluded.dispatched_at, feedback_at = excluded.feedback_at,
       close_working = excluded.close_working, handle_working = excluded.handle_working, parked_at = excluded.parked_at,
       parked = excluded.parked, rated_at = excluded.rated_at, rating = excluded.rating, reopened_at = excluded.reopened_at,
       reclosed_at = excluded.reclosed_at

-- name: keep_dispatches!
insert into closure_dispatches (incident_id, site_id, township, category, reported_position, number, cycle, unit, dispatched_at, due_at,
                                late_from, signed_at, sign_working, feedback_at, extended_at, ended_at, returned)
select * from unnest(:ids::uuid[], :sites::uuid[], :townships::text[], :categories::text[], :reported_positions::bigint[],
                     :numbers::int[], :cycles::int[], :units::text[], :dispatched::timestamptz[], :due::timestamptz[],
                     :late::timestamptz[], :signed::timestamptz[], :sign_working::float8[], :feedback::timestamptz[],
                     :extended::timestamptz[], :ended::timestamptz[], :returned::boolean[])
    on conflict (incident_id, number) do update
   set due_at = excluded.due_at, late_from = excluded.late_from, signed_at = excluded.signed_at, sign_working = excluded.sign_working,
       feedback_at = excluded.feedback_at, extended_at = excluded.extended_at, ended_at = excluded.ended_at, returned = excluded.returned

-- name: keep_marks!
insert into closure_marks (incident_id, position, mark, at, value)
select * from unnest(:ids::uuid[], :positions::bigint[], :marks::text[], :times::timestamptz[], :values::text[])

-- name: add_days!
insert into closure_days
select * from unnest(:dimensions::text[], :values::text[], :days::date[], :townships::text[], :received::int[], :rejected::int[],
                     :merged::int[], :cohort_closed::int[], :closings::int[], :closings_on_time::int[], :closings_reopened::int[],
                     :reopened::int[], :ratings::int[], :satisfied::int[], :dispatches::int[], :returned::int[], :extended::int[],
                     :verifications::int[], :failed::int[], :fell_overdue::int[], :ended_overdue::int[])
    on conflict (dimension, value, township, day) do update
   set received = closure_days.received + excluded.received,
       rejected = closure_days.rejected + excluded.rejected,
       merged = closure_days.merged + excluded.merged,
       cohort_closed = closure_days.cohort_closed + excluded.cohort_closed,
       closings = closure_days.closings + excluded.closings,
       closings_on_time = closure_days.closings_on_time + excluded.closings_on_time,
       closings_reopened = closure_days.closings_reopened + excluded.closings_reopened,
       reopened = closure_days.reopened + excluded.reopened,
       ratings = closure_days.ratings + excluded.ratings,
       satisfied = closure_days.satisfied + excluded.satisfied,
       dispatches = closure_days.dispatches + excluded.dispatches,
       returned = closure_days.returned + excluded.returned,
       extended = closure_days.extended + excluded.extended,
       verifications = closure_days.verifications + excluded.verifications,
       failed = closure_days.failed + excluded.failed,
       fell_overdue = closure_days.fell_overdue + excluded.fell_overdue,
       ended_overdue = closure_days.ended_overdue + excluded.ended_overdue

-- name: drop_empty_days!
-- A row of nothing is no row, so that the table does not tell in which batches it was made.
delete from closure_days as counted
 using unnest(:dimensions::text[], :values::text[], :days::date[], :townships::text[]) as row (dimension, value, day, township)
 where (counted.dimension, counted.value, counted.day, counted.township) = (row.dimension, row.value, row.day, row.township)
   and 0 = all (array[received, rejected, merged, cohort_closed, closings, closings_on_time, closings_reopened, reopened, ratings,
                      satisfied, dispatches, returned, extended, verifications, failed, fell_overdue, ended_overdue])
