-- name: statuses
-- lag_seconds: how long the first event that it has not seen has been waiting. missing: null while it is not counted yet.
select name, version, projection.position, folded, error, digest, proved_position, updated_at,
       head.position as log_position,
       greatest(0, head.position - projection.position) as lag,
       greatest(0, coalesce(extract(epoch from now() - waiting.recorded_at), 0))::float8 as lag_seconds,
       case when projection.position - appended_through <= :window::bigint
            then appended + count_events(topics, appended_through, projection.position) - folded
       end as missing
  from projections as projection
 cross join (select position from log_head) as head
  left join events as waiting on waiting.notification_id = projection.position + 1
 order by name

-- name: reconcile$
-- Counts on what the log has, a window of positions at most; how far it is now.
with counted as (
    select name, appended_through as after, least(position, appended_through + :window::bigint) as through
      from projections where name = :name
), advanced as (
    update projections
       set appended = appended + count_events(topics, counted.after, counted.through), appended_through = counted.through
      from counted
     where projections.name = counted.name and appended_through = counted.after and counted.through > counted.after
    returning 1
)
select count(*) from advanced
