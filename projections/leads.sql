-- name: take
delete from leads where lead_id = any(:ids::uuid[]) returning *

-- name: one^
select * from leads
 where lead_id = :id
   and (:scope_township::text is null or township = :scope_township)
   and (:scope_site::uuid is null or site_id = :scope_site)

-- name: to_review
select * from leads
 where state = 'PROPOSED'
   and (:reviewer::text is null or requested_by <> :reviewer)
   and (:scope_township::text is null or township = :scope_township)
   and (:scope_site::uuid is null or site_id = :scope_site)
   and (:township::text is null or township = :township)
   and (:site_id::uuid is null or site_id = :site_id)
   and (:case_number::text is null or case_number = :case_number)
   and (:after_time::timestamptz is null or (proposed_at, lead_id) > (:after_time, :after_id::uuid))
 order by proposed_at, lead_id
 limit :first

-- name: decided
select * from leads
 where state <> 'PROPOSED'
   and (:reviewer::text is null or reviewer = :reviewer)
   and (:outcome::text is null or state = :outcome)
   and (:scope_township::text is null or township = :scope_township)
   and (:scope_site::uuid is null or site_id = :scope_site)
   and (:township::text is null or township = :township)
   and (:site_id::uuid is null or site_id = :site_id)
   and (:case_number::text is null or case_number = :case_number)
   and (:after_time::timestamptz is null or (decided_at, lead_id) < (:after_time, :after_id::uuid))
 order by decided_at desc, lead_id desc
 limit :first
