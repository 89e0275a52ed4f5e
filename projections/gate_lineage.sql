-- name: lineage
-- What a gate decided is in the log alone: only the stretches in which passes of these hours and this place stand are read, in order,
-- and no further than the page. What a guard decided is in gate_held; as of a day before that, the pass is held.
-- On every row, and on the one there is if nothing was found: the first position that would have to be read and is archived.
with stretches as (
    select greatest(lower(stretch), :after::bigint + 1) as first, upper(stretch) as past
      from (select unnest(range_agg(int8range(first, last, '[]'))) as stretch
              from (select min(first_position) as first, max(last_position) as last
                      from gate_traffic
                     where hour > :start::timestamptz - interval '1 hour' and hour < :over and (:until::timestamptz is null or hour < :until)
                       and (:scope_township::text is null or township = :scope_township)
                       and (:scope_site::uuid is null or site_id = :scope_site)
                       and (:township::text is null or township = :township)
                       and (:site_id::uuid is null or site_id = :site_id)
                       and (:decision::text is null or decision = :decision and :decision not in ('HELD', 'REFUSED_BY_GUARD'))
                       and last_position > :after
                     group by hour) as of_hour) as merged
), by_gate as (
    select found.pass_id, found.position
      from (select first, past from stretches order by first) as stretch
     cross join lateral (
        select originator_id as pass_id, notification_id as position
          from events
         cross join lateral json_to_record(convert_from(state, 'UTF8')::json)
            as pass (timestamp timestamptz, site_id uuid, township text, decision text)
         where category = 'gate' and topic = 'gate.passed' and notification_id >= stretch.first and notification_id < stretch.past
           and pass.timestamp >= :start and pass.timestamp < :over and (:until::timestamptz is null or pass.timestamp < :until)
           and (:scope_township::text is null or pass.township = :scope_township)
           and (:scope_site::uuid is null or pass.site_id = :scope_site)
           and (:township::text is null or pass.township = :township)
           and (:site_id::uuid is null or pass.site_id = :site_id)
           and (:decision::text is null or pass.decision = :decision)
         order by notification_id limit :first) as found
     order by stretch.first, found.position limit :first
), by_guard as (
    select pass_id, latest.position
      from gate_held
     cross join lateral (select coalesce(decided_at < coalesce(:until::timestamptz, 'infinity'), false) as decided) as known
     cross join lateral (select case when decided then decision else 'HELD' end as decision,
                                case when decided then decided_position else position end as position) as latest
     where latest.decision = :decision and latest.position > :after
       and hour >= :start and hour < :over and (:until::timestamptz is null or hour < :until)
       and (:scope_township::text is null or township = :scope_township)
       and (:scope_site::uuid is null or site_id = :scope_site)
       and (:township::text is null or township = :township)
       and (:site_id::uuid is null or site_id = :site_id)
     order by latest.position limit :first
), page as (
    select * from by_gate union all select * from by_guard order by position limit :first
), reach as (
    select case when count(*) = :first then max(position) else 9223372036854775807 end as through from page
), gap as (
    select min(archived.first) as archived
      from reach
      join stretches on stretches.first <= through
     cross join lateral (select first from archived_stretches where last >= stretches.first order by last limit 1) as archived
     where archived.first < stretches.past and archived.first <= through
)
select archived, pass_id, position from gap left join page on true order by position
