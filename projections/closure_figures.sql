-- :starts are where the buckets begin and :edges the same with the end of the last, as moments; bucket 0 is all that was before.
-- :until is the end of the as-of day, or later than everything; :latest says that there is no as-of.

-- name: of_days
select width_bucket(day, :starts::date[]) as bucket,
       case :grouping::text when 'TOWNSHIP' then township when 'VALUE' then value else '' end as value,
       sum(received) as received, sum(rejected) as rejected, sum(merged) as merged, sum(cohort_closed) as cohort_closed,
       sum(closings) as closings, sum(closings_on_time) as closings_on_time, sum(closings_reopened) as closings_reopened,
       sum(reopened) as reopened, sum(ratings) as ratings, sum(satisfied) as satisfied, sum(dispatches) as dispatches,
       sum(returned) as returned, sum(extended) as extended, sum(verifications) as verifications, sum(failed) as failed,
       sum(fell_overdue - ended_overdue) as overdue
  from closure_days
 where dimension = :dimension and (:value::text is null or value = :value) and day <= :last
   and (:place::text is null and township <> '' or township = :place)
   and (:scope_township::text is null or township = :scope_township)
 group by 1, 2

-- The sums of days know of some things that came after the as-of day. These four say of which, and how many; none asks for units or mechanisms.

-- name: left_later
-- What was rejected, merged or unmerged since: how it stood, less how it stands.
with later as (
    select distinct incident_id from closure_marks where mark = 'LEFT' and at >= :until
), seen as (
    select c.*, (select m.value from closure_marks m where m.incident_id = c.incident_id and m.mark = 'LEFT' and m.at < :until
                  order by m.position desc limit 1) as left_then
      from later join closures c using (incident_id)
     where c.cycle = 1 and c.began_at < least(:end::timestamptz, :until::timestamptz)
       and (:scope_township::text is null or c.township = :scope_township)
       and (:township::text is null or c.township = :township)
       and (:category::text is null or c.category = :category)
)
select width_bucket(began_at, :edges::timestamptz[]) as bucket,
       case :group::text when 'TOWNSHIP' then township when 'CATEGORY' then category else '' end as value,
       sum((left_then is null)::int - (left_as is null)::int) as received,
       sum((left_then is not distinct from 'REJECTED')::int - (left_as is not distinct from 'REJECTED')::int) as rejected,
       sum((left_then is not distinct from 'MERGED')::int - (left_as is not distinct from 'MERGED')::int) as merged
  from seen
 group by 1, 2

-- name: open_then
-- By the day of the report: what was open when the as-of day was over.
with unclosed as (
    select * from closures where closed_at >= :until and began_at < :until
    union all
    select * from closures where closed_at is null and began_at < :until
), seen as (
    select u.*, case when u.cycle = 1 then u.began_at
                     else (select f.began_at from closures f where f.incident_id = u.incident_id and f.cycle = 1) end as reported_at,
           case when u.first_left_at < :until
                then (select m.value from closure_marks m where m.incident_id = u.incident_id and m.mark = 'LEFT' and m.at < :until
                       order by m.position desc limit 1) end as left_then
      from unclosed u
     where (:scope_township::text is null or u.township = :scope_township)
       and (:township::text is null or u.township = :township)
       and (:category::text is null or u.category = :category)
)
select width_bucket(reported_at, :edges::timestamptz[]) as bucket,
       case :group::text when 'TOWNSHIP' then township when 'CATEGORY' then category else '' end as value,
       count(*) as open_then
  from seen
 where left_then is null and reported_at < :end
 group by 1, 2

-- name: rated_later
select width_bucket(closed_at, :edges::timestamptz[]) as bucket,
       case :group::text when 'TOWNSHIP' then township when 'CATEGORY' then category else '' end as value,
       -count(*) as ratings, -count(*) filter (where rating >= 4) as satisfied
  from closures
 where rated_at >= :until and closed_at < least(:end::timestamptz, :until::timestamptz)
   and (:scope_township::text is null or township = :scope_township)
   and (:township::text is null or township = :township)
   and (:category::text is null or category = :category)
 group by 1, 2

-- name: reopened_later
select width_bucket(closed_at, :edges::timestamptz[]) as bucket,
       case :group::text when 'TOWNSHIP' then township when 'CATEGORY' then category else '' end as value,
       -count(*) as closings_reopened
  from closures
 where reopened_at >= :until and closed_at < least(:end::timestamptz, :until::timestamptz)
   and (:scope_township::text is null or township = :scope_township)
   and (:township::text is null or township = :township)
   and (:category::text is null or category = :category)
 group by 1, 2

-- name: superseded
-- Closings after which the same incident was closed again in the same bucket.
select width_bucket(c.closed_at, :edges::timestamptz[]) as bucket,
       case :group::text when 'TOWNSHIP' then c.township when 'CATEGORY' then c.category when 'UNIT' then coalesce(c.unit, '')
            when 'MECHANISM' then coalesce(c.mechanism, '') else '' end as value,
       count(*) as superseded, count(*) filter (where c.on_time) as superseded_on_time
  from closures c
 where c.reclosed_at < :until and c.closed_at >= :start and c.closed_at < :end
   and width_bucket(c.closed_at, :edges::timestamptz[]) = width_bucket(c.reclosed_at, :edges::timestamptz[])
   and (:scope_township::text is null or c.township = :scope_township)
   and (:township::text is null or c.township = :township)
   and (:category::text is null or c.category = :category)
   and (:unit::text is null or c.unit = :unit)
   and (:mechanism::text is null or c.mechanism = :mechanism)
 group by 1, 2

-- name: of_beginnings
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
                       order by m.position desc limit 1) end as left_then
      from closures c
     where c.began_at < least(:end::timestamptz, :until::timestamptz)
       and (:scope_township::text is null or c.township = :scope_township)
       and (:scope_site::uuid is null or c.site_id = :scope_site)
       and (:township::text is null or c.township = :township)
       and (:site_id::uuid is null or c.site_id = :site_id)
       and (:category::text is null or c.category = :category)
)
select width_bucket(c.began_at, :edges::timestamptz[]) as bucket,
       case :group::text when 'TOWNSHIP' then c.township when 'SITE' then c.site_id::text when 'CATEGORY' then c.category
            when 'UNIT' then coalesce(c.unit_then, '') when 'MECHANISM' then coalesce(c.mechanism_then, '') else '' end as value,
       count(*) filter (where c.cycle = 1 and c.left_then is null) as received,
       count(*) filter (where c.cycle = 1 and c.left_then = 'REJECTED') as rejected,
       count(*) filter (where c.cycle = 1 and c.left_then = 'MERGED') as merged,
       count(*) filter (where c.cycle = 1 and c.closed_at < :until and (
           coalesce(c.reopened_at, :until) >= :until
           or exists (select from closures n where n.incident_id = c.incident_id and n.closed_at < :until
                                               and coalesce(n.reopened_at, :until) >= :until))) as cohort_closed,
       count(*) filter (where c.cycle > 1) as reopened
  from seen c
 where (:unit::text is null or c.unit_then = :unit)
   and (:mechanism::text is null or c.mechanism_then = :mechanism)
 group by 1, 2

-- name: of_closings
with seen as (
    select c.*, width_bucket(c.closed_at, :edges::timestamptz[]) as bucket,
           case when :latest or c.unit is null then c.unit
                else (select d.unit from closure_dispatches d where d.incident_id = c.incident_id and d.dispatched_at < :until
                       order by d.number desc limit 1) end as unit_then,
           case when :latest or c.mechanism is null then c.mechanism
                else (select m.value from closure_marks m where m.incident_id = c.incident_id and m.mark = 'TAGGED' and m.at < :until
                       order by m.position desc limit 1) end as mechanism_then,
           c.reclosed_at < least(:end::timestamptz, :until::timestamptz)
           and width_bucket(c.closed_at, :edges::timestamptz[]) = width_bucket(c.reclosed_at, :edges::timestamptz[]) as again
      from closures c
     where c.closed_at < least(:end::timestamptz, :until::timestamptz)
       and (:scope_township::text is null or c.township = :scope_township)
       and (:scope_site::uuid is null or c.site_id = :scope_site)
       and (:township::text is null or c.township = :township)
       and (:site_id::uuid is null or c.site_id = :site_id)
       and (:category::text is null or c.category = :category)
)
select c.bucket,
       case :group::text when 'TOWNSHIP' then c.township when 'SITE' then c.site_id::text when 'CATEGORY' then c.category
            when 'UNIT' then coalesce(c.unit_then, '') when 'MECHANISM' then coalesce(c.mechanism_then, '') else '' end as value,
       count(*) as closings,
       count(*) filter (where c.on_time) as closings_on_time,
       count(*) filter (where c.reopened_at < :until) as closings_reopened,
       count(*) filter (where c.rated_at < :until) as ratings,
       count(*) filter (where c.rated_at < :until and c.rating >= 4) as satisfied,
       count(*) filter (where c.again) as superseded,
       count(*) filter (where c.again and c.on_time) as superseded_on_time
  from seen c
 where (:unit::text is null or c.unit_then = :unit)
   and (:mechanism::text is null or c.mechanism_then = :mechanism)
 group by 1, 2

-- name: of_dispatches
with seen as (
    select d.*,
           case when (:group::text is distinct from 'MECHANISM' and :mechanism::text is null) then null
                else (select m.value from closure_marks m where m.incident_id = d.incident_id and m.mark = 'TAGGED' and m.at < :until
                       order by m.position desc limit 1) end as mechanism_then
      from closure_dispatches d
     where (:scope_township::text is null or d.township = :scope_township)
       and (:scope_site::uuid is null or d.site_id = :scope_site)
       and (:township::text is null or d.township = :township)
       and (:site_id::uuid is null or d.site_id = :site_id)
       and (:category::text is null or d.category = :category)
       and (:unit::text is null or d.unit = :unit)
)
select width_bucket(fact.at, :edges::timestamptz[]) as bucket,
       case :group::text when 'TOWNSHIP' then d.township when 'SITE' then d.site_id::text when 'CATEGORY' then d.category
            when 'UNIT' then d.unit when 'MECHANISM' then coalesce(d.mechanism_then, '') else '' end as value,
       count(*) filter (where fact.what = 'dispatched') as dispatches,
       count(*) filter (where fact.what = 'ended' and d.returned) as returned,
       count(*) filter (where fact.what = 'extended') as extended,
       count(*) filter (where fact.what = 'ended' and not d.returned) as verifications
  from seen d
 cross join lateral (values ('dispatched', d.dispatched_at), ('ended', d.ended_at), ('extended', d.extended_at)) fact (what, at)
 where fact.at >= :start and fact.at < least(:end::timestamptz, :until::timestamptz)
   and (:mechanism::text is null or d.mechanism_then = :mechanism)
 group by 1, 2

-- name: of_failures
-- A failed verification is of the unit whose work it judged.
with seen as (
    select c.*, f.at as failed_at, f.value as failed_unit,
           case when :latest or c.mechanism is null then c.mechanism
                else (select m.value from closure_marks m where m.incident_id = c.incident_id and m.mark = 'TAGGED' and m.at < :until
                       order by m.position desc limit 1) end as mechanism_then
      from closure_marks f join closures c on c.incident_id = f.incident_id and c.cycle = 1
     where f.mark = 'FAILED' and f.at >= :start and f.at < least(:end::timestamptz, :until::timestamptz)
       and (:scope_township::text is null or c.township = :scope_township)
       and (:scope_site::uuid is null or c.site_id = :scope_site)
       and (:township::text is null or c.township = :township)
       and (:site_id::uuid is null or c.site_id = :site_id)
       and (:category::text is null or c.category = :category)
       and (:unit::text is null or f.value = :unit)
)
select width_bucket(c.failed_at, :edges::timestamptz[]) as bucket,
       case :group::text when 'TOWNSHIP' then c.township when 'SITE' then c.site_id::text when 'CATEGORY' then c.category
            when 'UNIT' then c.failed_unit when 'MECHANISM' then coalesce(c.mechanism_then, '') else '' end as value,
       count(*) as verifications, count(*) as failed
  from seen c
 where (:mechanism::text is null or c.mechanism_then = :mechanism)
 group by 1, 2

-- name: overdue
-- Open when `done` was over, and past due at `cut`.
with seen as (
    select d.*, cut.bucket,
           (select n.unit from closure_dispatches n where n.incident_id = d.incident_id and n.dispatched_at < :until
             order by n.number desc limit 1) as unit_then,
           (select m.value from closure_marks m where m.incident_id = d.incident_id and m.mark = 'TAGGED' and m.at < :until
             order by m.position desc limit 1) as mechanism_then
      from unnest(:buckets::int[], :cuts::timestamptz[], :dones::timestamptz[]) as cut (bucket, at, done)
      join closure_dispatches d
        on d.due_at < cut.at and d.late_from < cut.done
       and (d.ended_at is null or d.late_from < d.ended_at and d.ended_at >= cut.done)
     where (:scope_township::text is null or d.township = :scope_township)
       and (:scope_site::uuid is null or d.site_id = :scope_site)
       and (:township::text is null or d.township = :township)
       and (:site_id::uuid is null or d.site_id = :site_id)
       and (:category::text is null or d.category = :category)
)
select d.bucket,
       case :group::text when 'TOWNSHIP' then d.township when 'SITE' then d.site_id::text when 'CATEGORY' then d.category
            when 'UNIT' then d.unit_then when 'MECHANISM' then coalesce(d.mechanism_then, '') else '' end as value,
       count(*) as overdue
  from seen d
 where (:unit::text is null or d.unit_then = :unit)
   and (:mechanism::text is null or d.mechanism_then = :mechanism)
 group by 1, 2

-- name: position$
select coalesce((select position from projections where name = 'closure'), 0)
