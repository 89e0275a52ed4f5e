-- name: decide
-- Of those held before, each once: no row, no pass that waits.
update gate_held
   set decision = decided.decision, decided_at = decided.at, decided_position = decided.position
  from unnest(:ids::uuid[], :decisions::text[], :times::timestamptz[], :positions::bigint[]) as decided (id, decision, at, position)
 where pass_id = decided.id and gate_held.decision is null
returning pass_id, site_id, township, gate, hour

-- name: hold!
insert into gate_held (pass_id, site_id, township, gate, hour, position, decision, decided_at, decided_position)
select * from unnest(:ids::uuid[], :sites::uuid[], :townships::text[], :gates::text[], :hours::timestamptz[], :held_positions::bigint[],
                     :decisions::text[], :times::timestamptz[], :positions::bigint[])

-- name: count!
insert into gate_traffic as counted (site_id, township, gate, hour, decision, passes, first_position, last_position)
select site, township, gate, hour, decision, sum(passes), min(position), max(position)
  from unnest(:sites::uuid[], :townships::text[], :gates::text[], :hours::timestamptz[], :decisions::text[], :passes::bigint[], :positions::bigint[])
    as row (site, township, gate, hour, decision, passes, position)
 group by site, township, gate, hour, decision
on conflict (site_id, hour, gate, decision) do update
   set passes = counted.passes + excluded.passes, last_position = excluded.last_position

-- name: traffic
-- What a guard decided at or after `until` is taken back: it is held.
with counted as (
    select site_id, gate, hour, decision, passes from gate_traffic
     union all
    select site_id, gate, hour, change.decision, change.passes
      from gate_held cross join lateral (values (gate_held.decision, -1), ('HELD', 1)) as change (decision, passes)
     where decided_at >= :until::timestamptz
)
select date_trunc(:unit, hour, 'Asia/Shanghai') as start, gate, decision, sum(passes)::bigint as passes
  from counted
 where site_id = :site_id and hour >= :start and hour < :end and (:until::timestamptz is null or hour < :until)
 group by 1, 2, 3
having sum(passes) > 0
 order by 1, 2, 3

-- name: passes$
select coalesce(sum(passes), 0)::bigint
  from gate_traffic
 where hour >= :start and hour < :over and (:until::timestamptz is null or hour < :until)
   and (:scope_township::text is null or township = :scope_township)
   and (:scope_site::uuid is null or site_id = :scope_site)
   and (:township::text is null or township = :township)
   and (:site_id::uuid is null or site_id = :site_id)

-- name: totals
-- The same as of `until`; a pass that was held stands in the stretch of its row of HELD in any case.
with counted as (
    select site_id, township, gate, hour, decision, passes, first_position, last_position from gate_traffic
     union all
    select site_id, township, gate, hour, change.decision, change.passes, null, null
      from gate_held cross join lateral (values (gate_held.decision, -1), ('HELD', 1)) as change (decision, passes)
     where decided_at >= :until::timestamptz
)
select site_id, gate, decision, sum(passes)::bigint as passes, min(first_position) as first_position, max(last_position) as last_position
  from counted
 where hour >= :start and hour < :over and (:until::timestamptz is null or hour < :until)
   and (:scope_township::text is null or township = :scope_township)
   and (:scope_site::uuid is null or site_id = :scope_site)
   and (:township::text is null or township = :township)
   and (:site_id::uuid is null or site_id = :site_id)
 group by site_id, gate, decision
having sum(passes) > 0
 order by site_id, gate, decision
