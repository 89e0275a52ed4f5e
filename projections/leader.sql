-- name: standing
select name, version, position, error from projections

-- name: take
-- Those of :names that no other session has; they are ours until we give them back, or this connection ends.
select name from unnest(:names::text[]) as name
 where pg_try_advisory_lock(hashtextextended('anju projection ' || name, 0))

-- name: give_back!
select pg_advisory_unlock(hashtextextended('anju projection ' || :name, 0))
