-- name: count!
insert into gate_traffic as counted (site_id, gate, hour, decision, passes)
select * from unnest(:sites::uuid[], :gates::text[], :hours::timestamptz[], :decisions::text[], :passes::bigint[])
on conflict (site_id, hour, gate, decision) do update set passes = counted.passes + excluded.passes

-- name: traffic
select date_trunc(:unit, hour, 'Asia/Shanghai') as start, gate, decision, sum(passes)::bigint as passes
  from gate_traffic
 where site_id = :site_id and hour >= :start and hour < :end
 group by 1, 2, 3 order by 1, 2, 3
