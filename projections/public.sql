-- name: incidents
-- Its plan must be made for what is asked: each order is then that of an index.
select incident_id, site.code as site, site.name as site_name, category, incident.state, round, lead_unit, reported_at, last_at, closed_at,
       (coalesce(missed ->> handling, running ->> handling))::timestamptz as expected_at,
       case when shown then description end as description,
       case when shown then details ->> 'media_url' end as media_url,
       round((details ->> 'latitude')::numeric, 4)::float8 as latitude,
       round((details ->> 'longitude')::numeric, 4)::float8 as longitude
  from incidents as incident
  left join sites as site using (site_id)
 cross join lateral (select 'handle:' || lead_unit as handling,
                           source = 'OPEN311' and incident.state not in ('REPORTED', 'REJECTED', 'MERGED') as shown,
                           case :by::text when 'CHANGE' then last_at else reported_at end as at) as way
 where not confidential
   and category = any(:categories::text[])
   and (:scope_township::text is null or incident.township = :scope_township)
   and (:scope_site::uuid is null or site_id = :scope_site)
   and (:ids::uuid[] is null or incident_id = any(:ids))
   and (:since::timestamptz is null or at >= :since)
   and (:until::timestamptz is null or at < :until)
   and (:opened::boolean is null or (incident.state = any(:states::text[])) = :opened)
 order by at desc, incident_id desc
 limit :first offset :skip

-- name: sites_named_in
select code
  from (select code, length(name) as length, max(length(name)) over () as longest
          from sites
         where strpos(:address, name) > 0
           and (:scope_township::text is null or township = :scope_township)
           and (:scope_site::uuid is null or site_id = :scope_site)) as named
 where length = longest
 order by code
 limit :first
