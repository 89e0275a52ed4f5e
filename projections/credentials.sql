-- name: take
delete from credentials where credential_id = any(:ids::uuid[]) returning *

-- name: during
select * from credentials
 where site_id = :site_id
   and valid_from < :until and coalesce(ended_at, valid_until) > :since
   and (:scope_township::text is null or township = :scope_township)
   and (:scope_site::uuid is null or site_id = :scope_site)
   and (:after_time::timestamptz is null or (valid_from, credential_id) > (:after_time, :after_id::uuid))
 order by valid_from, credential_id
 limit :first
