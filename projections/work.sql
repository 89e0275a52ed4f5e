-- name: listed
select incident_id, site_id, township, unit, duty, assisting, due_at
  from work
 where unit = :unit
   and (:scope_township::text is null or township = :scope_township)
   and (:scope_site::uuid is null or site_id = :scope_site)
   and (:after_incident::uuid is null
        or (coalesce(due_at, 'infinity'), incident_id, duty)
         > (coalesce(:after_due::timestamptz, 'infinity'), :after_incident, :after_duty::text))
 order by coalesce(due_at, 'infinity'), incident_id, duty
 limit :first

-- name: loads
select unit, count(*) as open,
       count(*) filter (where due_at <= :at::timestamptz) as overdue,
       count(*) filter (where due_at > :at and due_at <= :soon::timestamptz) as soon
  from work
 where (:scope_township::text is null or township = :scope_township)
   and (:scope_site::uuid is null or site_id = :scope_site)
 group by unit order by unit
