-- name: take
delete from visitors where visitor_id = any(:ids::uuid[]) returning *

-- name: one^
select state = 'OVERSTAY' or state = 'ENTERED' and valid_until <= :now as overstaying, visitors.*
  from visitors
 where visitor_id = :id
   and (:scope_township::text is null or township = :scope_township)
   and (:scope_site::uuid is null or site_id = :scope_site)

-- name: on_site
select state = 'OVERSTAY' or valid_until <= :now as overstaying, visitors.*
  from visitors
 where state in ('ENTERED', 'OVERSTAY')
   and (:scope_township::text is null or township = :scope_township)
   and (:scope_site::uuid is null or site_id = :scope_site)
   and (:township::text is null or township = :township)
   and (:site_id::uuid is null or site_id = :site_id)
   and (:overstaying::boolean is null or :overstaying = (state = 'OVERSTAY' or valid_until <= :now))
   and (:after_time::timestamptz is null or (valid_until, visitor_id) > (:after_time, :after_id::uuid))
 order by valid_until, visitor_id
 limit :first

-- name: during
-- Those whose time was then, and those who were inside beyond their time.
select state = 'OVERSTAY' or state = 'ENTERED' and valid_until <= :now as overstaying, visitors.*
  from visitors
 where site_id = :site_id
   and valid_from < :until and (valid_until > :since or left_at > :since or state in ('ENTERED', 'OVERSTAY'))
   and (:scope_township::text is null or township = :scope_township)
   and (:scope_site::uuid is null or site_id = :scope_site)
   and (:after_time::timestamptz is null or (valid_from, visitor_id) > (:after_time, :after_id::uuid))
 order by valid_from, visitor_id
 limit :first

-- name: expected
select false as overstaying, visitors.* from visitors
 where (state in ('APPROVED', 'CHECKED') or state = 'LEFT' and entries < uses)
   and valid_from < :until and valid_until > :now
   and (:scope_township::text is null or township = :scope_township)
   and (:scope_site::uuid is null or site_id = :scope_site)
   and (:township::text is null or township = :township)
   and (:site_id::uuid is null or site_id = :site_id)
   and (:after_time::timestamptz is null or (valid_from, visitor_id) > (:after_time, :after_id::uuid))
 order by valid_from, visitor_id
 limit :first
