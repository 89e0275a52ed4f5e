-- name: take_cycles
with taken as (delete from closures where incident_id = any(:ids::uuid[]) returning *)
select incident_id, site_id, township, category, reported_position, mechanism, first_left_at, left_as, last_at,
       cycle, began_at, began_position, closed_at, closed_position, on_time, dispatched_at, feedback_at, close_working, handle_working,
       parked_at, parked, rated_at, rated_position, rating, reopened_at, reopened_position, reclosed_at, reclosed_position
  from taken order by incident_id, cycle

-- name: take_dispatches
with taken as (delete from closure_dispatches where incident_id = any(:ids::uuid[]) returning *)
select incident_id,
       number, cycle, unit, dispatched_at, dispatched_position, due_at, late_from, due_position, signed_at, signed_position, sign_working,
       feedback_at, extended_at, extended_position, ended_at, ended_position, returned
  from taken order by incident_id, number

-- name: marks
select incident_id, position, mark, at, value
  from closure_marks where incident_id = any(:ids::uuid[]) order by position

-- name: take_days
delete from closure_days as counted
 using unnest(:dimensions::text[], :values::text[], :days::date[], :townships::text[]) as row (dimension, value, day, township)
 where (counted.dimension, counted.value, counted.day, counted.township) = (row.dimension, row.value, row.day, row.township)
returning counted.*
