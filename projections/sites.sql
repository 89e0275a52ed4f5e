-- name: take
delete from sites where site_id = any(:ids::uuid[]) returning *

-- name: add_gates!
insert into site_gates (site_id, code, name, mode, direction, credentials, added_at)
select site, code, name, mode, direction, string_to_array(credentials, ' '), added
  from unnest(:sites::uuid[], :codes::text[], :names::text[], :modes::text[], :directions::text[], :credentials::text[], :times::timestamptz[])
    as row (site, code, name, mode, direction, credentials, added)

-- name: change_gates!
update site_gates set credentials = string_to_array(row.credentials, ' ')
  from unnest(:sites::uuid[], :codes::text[], :credentials::text[]) as row (site, code, credentials)
 where site_gates.site_id = row.site and site_gates.code = row.code

-- name: add_measures!
insert into site_measures (site_id, township, measure, gate, installed_at, position)
select site, township, measure, gate, installed, row.position
  from unnest(:sites::uuid[], :measures::text[], :gates::text[], :times::timestamptz[], :positions::bigint[])
    as row (site, measure, gate, installed, position)
  join sites on site_id = site

-- name: add_counts!
insert into site_households (site_id, township, counts_from, counted_at, households, buildings, position)
select site, township, day, counted, row.households, row.buildings, row.position
  from unnest(:sites::uuid[], :days::date[], :times::timestamptz[], :households::int[], :buildings::int[], :positions::bigint[])
    as row (site, day, counted, households, buildings, position)
  join sites on site_id = site

-- name: listed
select sites.*,
       array(select code from site_gates as gate where gate.site_id = sites.site_id order by code) as gates,
       array(select distinct measure from site_measures as installed where installed.site_id = sites.site_id order by measure) as measures
  from sites
 where (:scope_township::text is null or township = :scope_township)
   and (:scope_site::uuid is null or site_id = :scope_site)
   and (:township::text is null or township = :township)
   and (:state::text is null or state = :state)
   and (:measure::text is null
        or exists (select from site_measures as installed where installed.site_id = sites.site_id and measure = :measure))
   and (:after::text is null or code > :after)
 order by code
 limit :first

-- name: some
-- By name: tables that lack one are told while they are read.
select site_id, code, name, township, state, households, buildings, counted_from, planned_at, construction_started_at, accepted_at,
       inspector, operating_at, version, position
  from sites
 where site_id = any(:ids::uuid[])
   and (:scope_township::text is null or township = :scope_township)
   and (:scope_site::uuid is null or site_id = :scope_site)

-- name: installed
select site_id, measure, gate, installed_at
  from site_measures
 where site_id = any(:ids::uuid[])
   and (:scope_township::text is null or township = :scope_township)
   and (:scope_site::uuid is null or site_id = :scope_site)
 order by site_id, measure, gate nulls first

-- name: gates
select site_id, site_gates.code, site_gates.name, mode, direction, credentials, added_at
  from site_gates
  join sites using (site_id)
 where site_id = any(:ids::uuid[])
   and (:scope_township::text is null or township = :scope_township)
   and (:scope_site::uuid is null or site_id = :scope_site)
 order by site_id, site_gates.code

-- name: counts
select site_id, counts_from, counted_at, households, buildings, position
  from site_households
 where site_id = any(:ids::uuid[])
   and (:scope_township::text is null or township = :scope_township)
   and (:scope_site::uuid is null or site_id = :scope_site)
 order by site_id, counts_from, position

-- name: households
-- Of each site the last count for `day` or before; of two for the same day the one that was written down last.
select distinct on (site_id) site_id, counts_from, households, position
  from site_households
 where counts_from <= :day and (:until::timestamptz is null or counted_at < :until)
   and (:scope_township::text is null or township = :scope_township)
   and (:scope_site::uuid is null or site_id = :scope_site)
   and (:township::text is null or township = :township)
   and (:site_id::uuid is null or site_id = :site_id)
 order by site_id, counts_from desc, position desc

-- name: programme
-- A township is in the programme by a site or by its centre.
with planned as (
    select township,
           count(*) as sites,
           count(*) filter (where state = 'PLANNED') as planned,
           count(*) filter (where state = 'UNDER_CONSTRUCTION') as under_construction,
           count(*) filter (where state = 'ACCEPTED') as accepted,
           count(*) filter (where state = 'OPERATING') as operating,
           sum(households) as households,
           sum(buildings) as buildings,
           sum((select count(*) from site_gates as gate where gate.site_id = sites.site_id)) as gates
      from sites
     where (:scope_township::text is null or township = :scope_township)
       and (:scope_site::uuid is null or site_id = :scope_site)
     group by township
), founded as (
    select * from centres
     where (:scope_township::text is null or township = :scope_township) and :scope_site::uuid is null
)
select township,
       coalesce(sites, 0) as sites, coalesce(planned, 0) as planned, coalesce(under_construction, 0) as under_construction,
       coalesce(accepted, 0) as accepted, coalesce(operating, 0) as operating,
       households::bigint as households, buildings::bigint as buildings, coalesce(gates, 0)::bigint as gates,
       founded.state as centre
  from planned
  full join founded using (township)
 order by township

-- name: measures
select township, measure, count(distinct site_id) as sites, count(*) as places
  from site_measures
 where (:scope_township::text is null or township = :scope_township)
   and (:scope_site::uuid is null or site_id = :scope_site)
 group by township, measure
 order by township, measure
