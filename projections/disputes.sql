-- name: take
delete from disputes where dispute_id = any(:ids::uuid[]) returning *

-- name: assign!
insert into dispute_assignments (dispute_id, position, assigned_at, mediator, room)
select * from unnest(:ids::uuid[], :positions::bigint[], :times::timestamptz[], :mediators::text[], :rooms::text[])

-- name: one^
select * from disputes
 where dispute_id = :dispute_id
   and (:scope_township::text is null or township = :scope_township)
   and (:scope_site::uuid is null or site_id = :scope_site)

-- name: listed
-- Planned for what is asked, each order is a plain one, and the newest come from an index.
select * from disputes
 where (:scope_township::text is null or township = :scope_township)
   and (:scope_site::uuid is null or site_id = :scope_site)
   and (:township::text is null or township = :township)
   and (:site_id::uuid is null or site_id = :site_id)
   and (:state::text is null or state = :state)
   and (:category::text is null or category = :category)
   and (:mechanism::text is null or mechanism = :mechanism)
   and (:mediator::text is null or mediator = :mediator)
   and (:room::text is null or room = :room)
   and (:overdue::boolean is null or overdue = :overdue)
   and (:due_by::timestamptz is null or due_at <= :due_by)
   and (:order::text <> 'DUE' or due_at is not null)
   and (:after_id::uuid is null or case :order
        when 'DUE' then (due_at, dispute_id) > (:after_time::timestamptz, :after_id)
        else (registered_at, dispute_id) < (:after_time, :after_id) end)
 order by case :order when 'DUE' then due_at end,
          case :order when 'DUE' then dispute_id end,
          case :order when 'DUE' then null else registered_at end desc,
          case :order when 'DUE' then null else dispute_id end desc
 limit :first

-- name: registered
select dispute_id, registered_position
  from disputes
 where registered_at >= :start and registered_at < :over
   and (:until::timestamptz is null or registered_at < :until)
   and (:scope_township::text is null or township = :scope_township)
   and (:scope_site::uuid is null or site_id = :scope_site)
   and (:township::text is null or township = :township)
   and (:site_id::uuid is null or site_id = :site_id)
   and registered_position > :after
 order by registered_position
 limit :first

-- name: registrations$
select count(*)
  from disputes
 where registered_at >= :start and registered_at < :over
   and (:until::timestamptz is null or registered_at < :until)
   and (:scope_township::text is null or township = :scope_township)
   and (:scope_site::uuid is null or site_id = :scope_site)
   and (:township::text is null or township = :township)
   and (:site_id::uuid is null or site_id = :site_id)
