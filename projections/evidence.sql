-- name: insert!
insert into evidence select * from json_populate_recordset(null::evidence, :rows::json)

-- name: incidents_with
select incident_id as id, township, site_id, media_type, attached_by
  from evidence join incidents using (incident_id)
 where sha256 = :sha256
   and (:scope_township::text is null or township = :scope_township)
   and (:scope_site::uuid is null or site_id = :scope_site)
   and (not confidential or :confidential::boolean or legs ?| :units::text[])
 order by evidence.position

-- name: during
-- What was attached to incidents of the site, and seen in leads there; when something was attached is in the log alone.
select *
  from (select sha256, media_type, incident_id, null::uuid as lead_id, incident_id as named_by, site_id, attached.timestamp as at
          from incidents join evidence using (incident_id)
          join events on notification_id = evidence.position and events.category = 'incident'
         cross join lateral json_to_record(convert_from(events.state, 'UTF8')::json) as attached (timestamp timestamptz)
         where site_id = :site_id
           and (:scope_township::text is null or township = :scope_township)
           and (:scope_site::uuid is null or site_id = :scope_site)
           and (not confidential or :confidential::boolean or legs ?| :units::text[])
         union all
        select probe_sha256, 'image/jpeg', null, lead_id, lead_id, site_id, proposed_at
          from leads
         where site_id = :site_id
           and (:scope_township::text is null or township = :scope_township)
           and (:scope_site::uuid is null or site_id = :scope_site)) as image
 where at >= :since and at < :until
   and (:after_time::timestamptz is null or (at, named_by, sha256) > (:after_time, :after_id::uuid, :after_sha256::text))
 order by at, named_by, sha256
 limit :first

-- name: leads_with
select lead_id as id, township, site_id, 'image/jpeg' as media_type, null as attached_by
  from leads
 where (probe_sha256 = :sha256 or reference_sha256 = :sha256)
   and (:scope_township::text is null or township = :scope_township)
   and (:scope_site::uuid is null or site_id = :scope_site)
 order by position
