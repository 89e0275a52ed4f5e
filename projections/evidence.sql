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

-- name: leads_with
select lead_id as id, township, site_id, 'image/jpeg' as media_type, null as attached_by
  from leads
 where (probe_sha256 = :sha256 or reference_sha256 = :sha256)
   and (:scope_township::text is null or township = :scope_township)
   and (:scope_site::uuid is null or site_id = :scope_site)
 order by position
