-- name: take
delete from centres where centre_id = any(:ids::uuid[]) returning *

-- name: inspect!
insert into centre_items (centre_id, item, passed, inspected_at, inspector, position)
select * from unnest(:ids::uuid[], :items::text[], :passed::boolean[], :times::timestamptz[], :inspectors::text[], :positions::bigint[])
on conflict (centre_id, item) do update
   set passed = excluded.passed, inspected_at = excluded.inspected_at, inspector = excluded.inspector, position = excluded.position

-- name: listed
select centres.*,
       array(select item from centre_items as found where found.centre_id = centres.centre_id and passed order by item) as items_passed,
       array(select item from centre_items as found where found.centre_id = centres.centre_id and not passed order by item) as items_failed
  from centres
 where (:scope_township::text is null or township = :scope_township) and :scope_site::uuid is null
   and (:centre_id::uuid is null or centres.centre_id = :centre_id)
   and (:state::text is null or state = :state)
   and (:after::text is null or township > :after)
 order by township
 limit :first

-- name: checklist
select item, passed, inspected_at, inspector, centre_items.position
  from centre_items
  join centres using (centre_id)
 where township = :township
   and (:scope_township::text is null or township = :scope_township) and :scope_site::uuid is null
 order by item
