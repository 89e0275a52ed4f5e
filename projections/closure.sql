-- name: insert_reported!
insert into closures (incident_id, site_id, township, category, reported_on, reported_position)
select * from unnest(:ids::uuid[], :sites::uuid[], :townships::text[], :categories::text[], :days::date[], :positions::bigint[])

-- name: settle$
with settled as (
    update closures set closed_on = row.day, closed_position = row.position, left_as = row.state
      from unnest(:ids::uuid[], :days::date[], :positions::bigint[], :left::text[]) as row (id, day, position, state)
     where incident_id = row.id
    returning 1
)
select count(*) from settled

-- name: closure_rate^
select count(*) as received, count(closed_position) as closed,
       coalesce((select position from projections where name = 'closure'), 0) as position
  from closures
 where reported_on between :start and :end and left_as is null
   and (:scope_township::text is null or township = :scope_township)
   and (:scope_site::uuid is null or site_id = :scope_site)
   and (:township::text is null or township = :township)
   and (:site_id::uuid is null or site_id = :site_id)
   and (:category::text is null or category = :category)

-- name: lineage
select incident_id, reported_position, closed_position
  from closures
 where reported_on between :start and :end and left_as is null
   and (:scope_township::text is null or township = :scope_township)
   and (:scope_site::uuid is null or site_id = :scope_site)
   and (:township::text is null or township = :township)
   and (:site_id::uuid is null or site_id = :site_id)
   and (:category::text is null or category = :category)
   and reported_position > :after
 order by reported_position
 limit :first
