-- name: forget!
delete from deadlines where aggregate_id = any(:ids::uuid[])

-- name: set_running!
insert into deadlines (aggregate_id, category, name, due_at, rule)
select * from unnest(:ids::uuid[], :categories::text[], :names::text[], :dues::timestamptz[], :rules::text[])

-- name: passed
select aggregate_id, category, name, due_at from deadlines
 where due_at <= :at
   and (:after_due::timestamptz is null
        or (due_at, aggregate_id, name) > (:after_due, :after_aggregate::uuid, :after_name::text))
 order by due_at, aggregate_id, name
 limit :first
