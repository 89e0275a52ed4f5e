-- name: take
delete from alarms where alarm_id = any(:ids::uuid[]) returning *

-- name: listed
-- Priority 1: danger, or nobody came in time; 2: calls for somebody; 3: somebody is at it; 4: silenced; 5: over.
-- Planned for what is asked, each order is a plain one, and the newest come from an index.
with ranked as (
    select case when state = 'CLEARED' then 5
                when shelved or suppressed or out_of_service then 4
                when state = 'REAL' or state = 'TRIPPED' and level > 0 then 1
                when state = 'TRIPPED' then 2
                else 3 end as priority,
           alarms.*
      from alarms
     where (:alarm_id::uuid is null or alarm_id = :alarm_id)
       and (:scope_township::text is null or township = :scope_township)
       and (:scope_site::uuid is null or site_id = :scope_site)
       and (:township::text is null or township = :township)
       and (:site_id::uuid is null or site_id = :site_id)
       and (:sensor::text is null or sensor = :sensor)
       and (:state::text is null or state = :state)
       and (:tripped_from::timestamptz is null or tripped_at >= :tripped_from)
       and (:tripped_until::timestamptz is null or tripped_at < :tripped_until)
       and (:order::text = 'NEWEST' or state <> 'CLEARED')
)
select * from ranked
 where (:annunciated::boolean is null or :annunciated = (priority < 4))
   and (:after_id::uuid is null or case :order
        when 'NEWEST' then (tripped_at, alarm_id) < (:after_time::timestamptz, :after_id)
        else (priority, tripped_at, alarm_id) > (:after_priority::int, :after_time, :after_id) end)
 order by case :order when 'NEWEST' then null else priority end,
          case :order when 'NEWEST' then null else tripped_at end,
          case :order when 'NEWEST' then null else alarm_id end,
          case :order when 'NEWEST' then tripped_at end desc,
          case :order when 'NEWEST' then alarm_id end desc
 limit :first

-- name: figures
-- In all (total), and for each township, site or sensor when asked. What was done at or after `until` does not count.
with tripped as (
    select case :by::text when 'TOWNSHIP' then township when 'SITE' then site_id::text when 'SENSOR' then site_id || '/' || sensor end as part,
           case when verdict_at < cut.until then verdict end as verdict,
           case when acknowledged_at < cut.until then greatest(extract(epoch from acknowledged_at - tripped_at), 0) end as seconds
      from alarms, (select coalesce(:until::timestamptz, 'infinity') as until) as cut
     where tripped_at >= :start and tripped_at < :over and tripped_at < cut.until
       and (:scope_township::text is null or township = :scope_township)
       and (:scope_site::uuid is null or site_id = :scope_site)
       and (:township::text is null or township = :township)
       and (:site_id::uuid is null or site_id = :site_id)
)
select grouping(part) = 1 as total, part,
       count(*) as tripped,
       count(*) filter (where verdict = 'REAL') as real,
       count(*) filter (where verdict = 'FALSE') as false,
       count(*) filter (where verdict = 'TEST') as test,
       percentile_cont(0.5) within group (order by seconds)::float8 as median_seconds_to_acknowledge,
       percentile_cont(0.9) within group (order by seconds)::float8 as p90_seconds_to_acknowledge,
       coalesce((select position from projections where name = 'alarms'), 0) as position
  from tripped
 group by grouping sets ((), (part))
 order by part

-- name: lineage
select alarm_id, tripped_position,
       case when acknowledged_at < cut.until then acknowledged_position end as acknowledged_position,
       case when verdict_at < cut.until then verdict end as verdict,
       case when verdict_at < cut.until then verdict_position end as verdict_position
  from alarms, (select coalesce(:until::timestamptz, 'infinity') as until) as cut
 where tripped_at >= :start and tripped_at < :over and tripped_at < cut.until
   and (:scope_township::text is null or township = :scope_township)
   and (:scope_site::uuid is null or site_id = :scope_site)
   and (:township::text is null or township = :township)
   and (:site_id::uuid is null or site_id = :site_id)
   and tripped_position > :after
 order by tripped_position
 limit :first
