-- name: take_held
delete from gate_held where pass_id = any(:ids::uuid[]) returning pass_id, site_id, township, gate, hour

-- name: hold!
insert into gate_held (pass_id, site_id, township, gate, hour)
select * from unnest(:ids::uuid[], :sites::uuid[], :townships::text[], :gates::text[], :hours::timestamptz[])

-- name: count!
insert into gate_traffic as counted (site_id, township, gate, hour, decision, passes, first_position, last_position)
select site, township, gate, hour, decision, sum(passes), min(position), max(position)
  from unnest(:sites::uuid[], :townships::text[], :gates::text[], :hours::timestamptz[], :decisions::text[], :passes::bigint[], :positions::bigint[])
    as row (site, township, gate, hour, decision, passes, position)
 group by site, township, gate, hour, decision
on conflict (site_id, hour, gate, decision) do update
   set passes = counted.passes + excluded.passes, last_position = excluded.last_position

-- name: traffic
select date_trunc(:unit, hour, 'Asia/Shanghai') as start, gate, decision, sum(passes)::bigint as passes
  from gate_traffic
 where site_id = :site_id and hour >= :start and hour < :end
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
select site_id, gate, decision, sum(passes)::bigint as passes, min(first_position) as first_position, max(last_position) as last_position
  from gate_traffic
 where hour >= :start and hour < :over and (:until::timestamptz is null or hour < :until)
   and (:scope_township::text is null or township = :scope_township)
   and (:scope_site::uuid is null or site_id = :scope_site)
   and (:township::text is null or township = :township)
   and (:site_id::uuid is null or site_id = :site_id)
 group by site_id, gate, decision
having sum(passes) > 0
 order by site_id, gate, decision
