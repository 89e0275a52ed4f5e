-- name: insert_grounds!
insert into look_grounds select * from json_populate_recordset(null::look_grounds, :rows::json)

-- name: decide$
with decided as (
    update look_grounds as ground set state = row.state, decided_by = coalesce(row.decided_by, ground.decided_by)
      from unnest(:ids::uuid[], :states::text[], :deciders::text[]) as row (id, state, decided_by)
     where ground.ground_id = row.id
    returning 1
)
select count(*) from decided

-- name: insert_looks$
-- The review of a lead does not say where: at the site of the lead.
with inserted as (
    insert into looks
    select row.position, row.ground_id, row.looked_by, row.looked_at, row.looked_on, row.records, row.township,
           coalesce(row.site_id, case when ground.kind = 'LEAD' then ground.site_id end), row.since, row.until, row.searched, row.subjects, row.asked, row.fields,
           row.purpose, row.found
      from json_populate_recordset(null::looks, :rows::json) as row
      left join look_grounds as ground using (ground_id)
     where row.ground_id is null or ground.ground_id is not null
    returning 1
)
select count(*) from inserted

-- name: grounds
select ground.*, seen.looks, seen.found, seen.last_at
  from look_grounds as ground
 cross join lateral (select count(*) as looks, coalesce(sum(found), 0) as found, max(looked_at) as last_at
                       from looks where looks.ground_id = ground.ground_id) as seen
 where (:scope_township::text is null or township = :scope_township)
   and (:scope_site::uuid is null or site_id = :scope_site)
   and (:kind::text is null or kind = :kind)
   and (:state::text is null or state = :state)
   and (:requested_by::text is null or requested_by = :requested_by)
   and (:case_number::text is null or case_number = :case_number)
   and (:after::bigint is null or position < :after)
 order by position desc
 limit :first

-- name: looks
select look.position, ground_id, looked_by, looked_at, looked_on, records, look.township, look.site_id, since, until, searched,
       subjects, asked, fields, found, coalesce(kind, 'ROLE') as kind, case_number,
       coalesce(look.purpose, ground.purpose) as purpose, decided_by
  from looks as look left join look_grounds as ground using (ground_id)
 where (:scope_township::text is null
        or case when ground_id is null then look.township else ground.township end = :scope_township)
   and (:scope_site::uuid is null or case when ground_id is null then look.site_id else ground.site_id end = :scope_site)
   and (:ground_id::uuid is null or ground_id = :ground_id)
   and (:kind::text is null or coalesce(kind, 'ROLE') = :kind)
   and (:looked_by::text is null or looked_by = :looked_by)
   and (:records::text is null or records = :records)
   and (:subject::uuid is null or subjects @> array[:subject::uuid])
   and (:site_id::uuid is null or look.site_id = :site_id)
   and (:start::date is null or looked_on between :start and :end)
   and (:after::bigint is null or look.position < :after)
 order by look.position desc
 limit :first

-- name: counted
select case :by when 'GROUND' then coalesce(ground_id::text, 'ROLE') when 'PERSON' then looked_by else looked_on::text end as key,
       count(*) as looks, coalesce(sum(found), 0)::bigint as found
  from looks as look left join look_grounds as ground using (ground_id)
 where (:scope_township::text is null
        or case when ground_id is null then look.township else ground.township end = :scope_township)
   and (:scope_site::uuid is null or case when ground_id is null then look.site_id else ground.site_id end = :scope_site)
   and (:ground_id::uuid is null or ground_id = :ground_id)
   and (:kind::text is null or coalesce(kind, 'ROLE') = :kind)
   and (:looked_by::text is null or looked_by = :looked_by)
   and (:records::text is null or records = :records)
   and (:subject::uuid is null or subjects @> array[:subject::uuid])
   and (:site_id::uuid is null or look.site_id = :site_id)
   and (:start::date is null or looked_on between :start and :end)
 group by 1 order by 1
