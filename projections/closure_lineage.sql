-- Each row is one fact that the count counts; ties keep those of one incident together, so that a page can begin after it.

-- name: of_cycles
with seen as (
    select c.*,
           case when :latest or c.unit is null then c.unit
                else (select d.unit from closure_dispatches d where d.incident_id = c.incident_id and d.dispatched_at < :until
                       order by d.number desc limit 1) end as unit_then,
           case when :latest or c.mechanism is null then c.mechanism
                else (select m.value from closure_marks m where m.incident_id = c.incident_id and m.mark = 'TAGGED' and m.at < :until
                       order by m.position desc limit 1) end as mechanism_then,
           case when :latest or c.first_left_at is null then c.left_as
                else (select m.value from closure_marks m where m.incident_id = c.incident_id and m.mark = 'LEFT' and m.at < :until
                       order by m.position desc limit 1) end as left_then,
           (select n.closed_position from closures n
             where n.incident_id = c.incident_id and n.closed_at < :until and coalesce(n.reopened_at, :until) >= :until) as closed_then,
           c.closed_at >= :start and c.closed_at < least(:end::timestamptz, :until::timestamptz) as closing,
           coalesce(c.reclosed_at < least(:end::timestamptz, :until::timestamptz), false) as again
      from closures c
     where c.began_at < least(:end::timestamptz, :until::timestamptz)
       and c.reported_position > :after
       and (:scope_township::text is null or c.township = :scope_township)
       and (:scope_site::uuid is null or c.site_id = :scope_site)
       and (:township::text is null or c.township = :township)
       and (:site_id::uuid is null or c.site_id = :site_id)
       and (:category::text is null or c.category = :category)
)
select c.incident_id, c.reported_position, 
       case when :count::text in ('received', 'cohort_closed', 'opening', 'backlog', 'reopened') then c.closed_then else c.closed_position end as closing_position
  from seen c
 where (:unit::text is null or c.unit_then = :unit)
   and (:mechanism::text is null or c.mechanism_then = :mechanism)
   and case :count::text
       when 'received' then c.cycle = 1 and c.began_at >= :start and c.left_then is null
       when 'rejected' then c.cycle = 1 and c.began_at >= :start and c.left_then = 'REJECTED'
       when 'merged' then c.cycle = 1 and c.began_at >= :start and c.left_then = 'MERGED'
       when 'cohort_closed' then c.cycle = 1 and c.began_at >= :start and c.closed_then is not null
       when 'opening' then c.began_at < :start and c.left_then is null
                           and coalesce(c.closed_at, :until) >= least(:start::timestamptz, :until::timestamptz)
       when 'backlog' then c.left_then is null and coalesce(c.closed_at, :until) >= least(:end::timestamptz, :until::timestamptz)
       when 'reopened' then c.cycle > 1 and c.began_at >= :start
       when 'closings' then c.closing
       when 'handled' then c.closing and c.feedback_at is not null
       when 'closed' then c.closing and not c.again
       when 'on_time' then c.closing and not c.again and c.on_time
       when 'late' then c.closing and not c.again and not c.on_time
       when 'ratings' then c.closing and c.rated_at < :until
       when 'satisfied' then c.closing and c.rated_at < :until and c.rating >= 4
       when 'closings_reopened' then c.closing and c.reopened_at < :until
       end
 order by c.reported_position
 fetch first (:first) rows with ties

-- name: of_dispatches
with facts as (
    select d.incident_id, d.site_id, d.township, d.category, d.reported_position, d.unit, fact.what, fact.at
      from closure_dispatches d
     cross join lateral (values ('dispatches', d.dispatched_at), ('signed', d.signed_at), ('extended', d.extended_at),
                                (case when d.returned then 'returned' else 'verifications' end, d.ended_at)) fact (what, at)
    union all
    select c.incident_id, c.site_id, c.township, c.category, c.reported_position, m.value, fact.what, m.at
      from closure_marks m join closures c on c.incident_id = m.incident_id and c.cycle = 1
     cross join (values ('verifications'), ('failed')) fact (what)
     where m.mark = 'FAILED'
)
select f.incident_id, f.reported_position,
       (select n.closed_position from closures n where n.incident_id = f.incident_id and n.closed_at < :until
                                                   and coalesce(n.reopened_at, :until) >= :until) as closing_position
  from facts f
 where f.what = :count and f.at >= :start and f.at < least(:end::timestamptz, :until::timestamptz)
   and f.reported_position > :after
   and (:scope_township::text is null or f.township = :scope_township)
   and (:scope_site::uuid is null or f.site_id = :scope_site)
   and (:township::text is null or f.township = :township)
   and (:site_id::uuid is null or f.site_id = :site_id)
   and (:category::text is null or f.category = :category)
   and (:unit::text is null or f.unit = :unit)
   and (:mechanism::text is null or :mechanism = (
        select m.value from closure_marks m where m.incident_id = f.incident_id and m.mark = 'TAGGED' and m.at < :until
         order by m.position desc limit 1))
 order by f.reported_position
 fetch first (:first) rows with ties

-- name: repeats
-- The others count whatever unit or mechanism they are of. On every row: how many there are in all.
with counted as (
    select c.*,
           case when :latest or c.unit is null then c.unit
                else (select d.unit from closure_dispatches d where d.incident_id = c.incident_id and d.dispatched_at < :until
                       order by d.number desc limit 1) end as unit_then,
           case when :latest or c.mechanism is null then c.mechanism
                else (select m.value from closure_marks m where m.incident_id = c.incident_id and m.mark = 'TAGGED' and m.at < :until
                       order by m.position desc limit 1) end as mechanism_then,
           case when :latest or c.first_left_at is null then c.left_as
                else (select m.value from closure_marks m where m.incident_id = c.incident_id and m.mark = 'LEFT' and m.at < :until
                       order by m.position desc limit 1) end as left_then
      from closures c
     where c.cycle = 1 and c.began_at >= :start::timestamptz - :within::interval
       and c.began_at < least(:end::timestamptz, :until::timestamptz)
       and (:scope_township::text is null or c.township = :scope_township)
       and (:scope_site::uuid is null or c.site_id = :scope_site)
       and (:township::text is null or c.township = :township)
       and (:site_id::uuid is null or c.site_id = :site_id)
       and (:category::text is null or c.category = :category)
), followed as (
    select incident_id, reported_position, began_at, unit_then, mechanism_then,
           max(began_at) over (partition by site_id, category order by began_at
                               range between unbounded preceding and interval '1 microsecond' preceding) as earlier
      from counted where left_then is null
)
select f.incident_id, f.reported_position,
       (select n.closed_position from closures n where n.incident_id = f.incident_id and n.closed_at < :until
                                                   and coalesce(n.reopened_at, :until) >= :until) as closing_position,
       count(*) over () as repeats
  from followed f
 where f.began_at >= :start and f.earlier >= f.began_at - :within::interval and f.reported_position > :after
   and (:unit::text is null or f.unit_then = :unit)
   and (:mechanism::text is null or f.mechanism_then = :mechanism)
 order by f.reported_position
 limit :first

-- name: overdue
select d.incident_id, d.reported_position, null::bigint as closing_position
  from closure_dispatches d
 where d.due_at < :cut and d.late_from < :done
   and (d.ended_at is null or d.late_from < d.ended_at and d.ended_at >= :done)
   and d.reported_position > :after
   and (:scope_township::text is null or d.township = :scope_township)
   and (:scope_site::uuid is null or d.site_id = :scope_site)
   and (:township::text is null or d.township = :township)
   and (:site_id::uuid is null or d.site_id = :site_id)
   and (:category::text is null or d.category = :category)
   and (:unit::text is null or :unit = (
        select n.unit from closure_dispatches n where n.incident_id = d.incident_id and n.dispatched_at < :until
         order by n.number desc limit 1))
   and (:mechanism::text is null or :mechanism = (
        select m.value from closure_marks m where m.incident_id = d.incident_id and m.mark = 'TAGGED' and m.at < :until
         order by m.position desc limit 1))
 order by d.reported_position
 fetch first (:first) rows with ties
