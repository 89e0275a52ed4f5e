-- name: take
delete from devices where device_id = any(:ids::uuid[]) returning *

-- name: listed
select * from devices
 where (:scope_township::text is null or township = :scope_township)
   and (:scope_site::uuid is null or site_id = :scope_site)
   and (:township::text is null or township = :township)
   and (:site_id::uuid is null or site_id = :site_id)
   and (:state::text is null or state = :state)
   and (:kind::text is null or kind = :kind)
   and (:after_site::uuid is null or (site_id, code) > (:after_site, :after_code::text))
 order by site_id, code
 limit :first

-- name: one^
select * from devices
 where device_id = :id
   and (:scope_township::text is null or township = :scope_township)
   and (:scope_site::uuid is null or site_id = :scope_site)

-- name: placed
select device_id, site_id, township, code, kind, protocol, state, armed, registered_at, changed_at, last_seen_at, reason, due, due_at,
       version, position
  from devices
  join unnest(:sites::uuid[], :codes::text[]) as wanted (site_id, code) using (site_id, code)
 where (:scope_township::text is null or township = :scope_township)
   and (:scope_site::uuid is null or site_id = :scope_site)

-- name: health
select grouping(site_id) = 1 as total, site_id,
       count(*) filter (where state = 'ONLINE') as online,
       count(*) filter (where state = 'OFFLINE') as offline,
       count(*) filter (where state = 'REGISTERED') as never_seen,
       count(*) filter (where state = 'OUT_OF_SERVICE') as out_of_service,
       count(*) filter (where armed) as armed,
       max(last_seen_at) as last_seen_at
  from devices
 where state <> 'RETIRED'
   and (:scope_township::text is null or township = :scope_township)
   and (:scope_site::uuid is null or site_id = :scope_site)
   and (:township::text is null or township = :township)
   and (:site_id::uuid is null or site_id = :site_id)
 group by grouping sets ((), (site_id))
 order by site_id
