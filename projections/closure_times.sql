-- name: to_close^
with seen as (
    select c.*, extract(epoch from c.closed_at - c.began_at)::float8 as close_wall,
           extract(epoch from c.feedback_at - c.dispatched_at)::float8 as handle_wall,
           case when :latest or c.unit is null then c.unit
                else (select d.unit from closure_dispatches d where d.incident_id = c.incident_id and d.dispatched_at < :until
                       order by d.number desc limit 1) end as unit_then,
           case when :latest or c.mechanism is null then c.mechanism
                else (select m.value from closure_marks m where m.incident_id = c.incident_id and m.mark = 'TAGGED' and m.at < :until
                       order by m.position desc limit 1) end as mechanism_then
      from closures c
     where c.closed_at >= :start and c.closed_at < least(:end::timestamptz, :until::timestamptz)
       and (:scope_township::text is null or c.township = :scope_township)
       and (:scope_site::uuid is null or c.site_id = :scope_site)
       and (:township::text is null or c.township = :township)
       and (:site_id::uuid is null or c.site_id = :site_id)
       and (:category::text is null or c.category = :category)
)
select count(close_wall) as closed,
       percentile_cont(array[0.5, 0.9]) within group (order by close_wall) as close_wall,
       percentile_cont(array[0.5, 0.9]) within group (order by close_working) as close_working,
       count(handle_wall) as handled,
       percentile_cont(array[0.5, 0.9]) within group (order by handle_wall) as handle_wall,
       percentile_cont(array[0.5, 0.9]) within group (order by handle_working) as handle_working,
       coalesce(sum(parked), 0) as parked
  from seen
 where (:unit::text is null or unit_then = :unit)
   and (:mechanism::text is null or mechanism_then = :mechanism)

-- name: to_sign^
select count(d.signed_at) as signed,
       percentile_cont(array[0.5, 0.9]) within group (order by extract(epoch from d.signed_at - d.dispatched_at)::float8) as sign_wall,
       percentile_cont(array[0.5, 0.9]) within group (order by d.sign_working) as sign_working
  from closure_dispatches d
 where d.signed_at >= :start and d.signed_at < least(:end::timestamptz, :until::timestamptz)
   and (:scope_township::text is null or d.township = :scope_township)
   and (:scope_site::uuid is null or d.site_id = :scope_site)
   and (:township::text is null or d.township = :township)
   and (:site_id::uuid is null or d.site_id = :site_id)
   and (:category::text is null or d.category = :category)
   and (:unit::text is null or d.unit = :unit)
   and (:mechanism::text is null or :mechanism = (
        select m.value from closure_marks m where m.incident_id = d.incident_id and m.mark = 'TAGGED' and m.at < :until
         order by m.position desc limit 1))
