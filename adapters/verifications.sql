-- name: one_at_a_time$
select pg_try_advisory_lock(hashtext('anju verification'))

-- name: begin!
insert into verifications (id, first, last, started_by) values (:id, :first, :last, :started_by)

-- name: progress!
update verifications set checked = :checked, alive_at = clock_timestamp() where id = :id

-- name: end!
update verifications
   set checked = :checked, alive_at = clock_timestamp(), ended_at = clock_timestamp(),
       holds = :holds, position = :position, problem = :problem, hash = :hash
 where id = :id

-- name: newest
-- Of which process nothing was heard for a minute is gone.
select *, ended_at is null and alive_at > clock_timestamp() - interval '1 minute' as running
  from verifications
 where :id::uuid is null or id = :id
 order by started_at desc, id
 limit :first
