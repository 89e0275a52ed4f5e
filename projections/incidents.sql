-- name: take$
with taken as (delete from incidents where incident_id = any(:ids::uuid[]) returning *)
select coalesce(json_agg(taken), '[]')::text from taken

-- name: put!
insert into incidents select * from json_populate_recordset(null::incidents, :rows::json)

-- name: forget_work!
delete from work where incident_id = any(:ids::uuid[])

-- name: put_work!
insert into work select * from json_populate_recordset(null::work, :rows::json)

-- name: some
select case when may then to_jsonb(incidents) else to_jsonb(incidents) - '{description,details}'::text[] end::text as row
  from incidents
 cross join lateral (select not confidential or :confidential::boolean or legs ?| :units::text[] as may) as reader
 where incident_id = any(:ids::uuid[])
   and (:scope_township::text is null or township = :scope_township)
   and (:scope_site::uuid is null or site_id = :scope_site)

-- name: listed
-- Its plan must be made for what is asked: then conditions that are not asked for are gone, so is the join unless there are words to
-- look for, and each order is that of an index; with words, the newest are found in `search`.
select case when may then to_jsonb(incident) else to_jsonb(incident) - '{description,details}'::text[] end::text as row
  from (
select incidents as incident, may
  from incidents
  left join search using (incident_id)
 cross join lateral (select not confidential or :confidential::boolean or legs ?| :units::text[] as may) as reader
 cross join lateral (select case :by::text when 'URGENCY' then array_position(:urgencies::text[], urgency) end as rank,
                           case :by
                           when 'DUE_AT' then due_at
                           when 'CLOSED_AT' then closed_at
                           when 'LAST_AT' then last_at
                           else case when :grams::tsquery is null then incidents.reported_at else search.reported_at end end as at
                    ) as place
 where (:scope_township::text is null or township = :scope_township)
   and (:scope_site::uuid is null or site_id = :scope_site)
   and (:states::text[] is null or state = any(:states))
   and (:site_id::uuid is null or site_id = :site_id)
   and (:township::text is null or township = :township)
   and (:categories::text[] is null or category = any(:categories))
   and (:urgency::text is null or urgency = :urgency)
   and (:source::text is null or source = :source)
   and (:mechanism::text is null or mechanism = :mechanism)
   and (:lead_unit::text is null or lead_unit = :lead_unit)
   and (:unit::text is null or legs ? :unit)
   and (:level::integer is null or level >= :level)
   and (:supervised::boolean is null or supervised = :supervised)
   and (:parked::boolean is null or parked = :parked)
   and (:is_confidential::boolean is null or confidential = :is_confidential)
   and (:overdue::boolean is null or (overdue <> '{}') = :overdue)
   and (:returned::boolean is null or (returns > 0) = :returned)
   and (:extended::boolean is null or (extensions > 0) = :extended)
   and (:reopened::boolean is null or (reopenings > 0) = :reopened)
   and (:merged_into::uuid is null or merged_into = :merged_into)
   and (:with_duplicates::boolean is null or (duplicates > 0) = :with_duplicates)
   and (:with_evidence::boolean is null or (evidence > 0) = :with_evidence)
   and (:reported_from::timestamptz is null or incidents.reported_at >= :reported_from)
   and (:reported_until::timestamptz is null or incidents.reported_at < :reported_until)
   and (:due_from::timestamptz is null or due_at >= :due_from)
   and (:due_until::timestamptz is null or due_at < :due_until)
   and (:late_at::timestamptz is null or coalesce(due_at <= :late_at, false))
   and (:in_time_at::timestamptz is null or coalesce(due_at > :in_time_at, true))
   and (:closed_from::timestamptz is null or closed_at >= :closed_from)
   and (:closed_until::timestamptz is null or closed_at < :closed_until)
   and (:known_at::bigint is null or reported_position <= :known_at)
   and (:grams::tsquery is null or (may and grams @@ :grams))
   and (:patterns::text[] is null or text like all(:patterns))
   and (:by <> 'DUE_AT' or due_at is not null)
   and (:by <> 'CLOSED_AT' or closed_at is not null)
   and (:after_id::uuid is null or case
        when :by = 'URGENCY' and :descending then (rank, at, incident_id) < (:after_rank::integer, :after_at::timestamptz, :after_id)
        when :by = 'URGENCY' then (rank, at, incident_id) > (:after_rank, :after_at, :after_id)
        when :descending then (at, incident_id) < (:after_at, :after_id)
        else (at, incident_id) > (:after_at, :after_id) end)
 order by case when not :descending then rank end,
          case when not :descending then at end,
          case when not :descending then incident_id end,
          case when :descending then rank end desc,
          case when :descending then at end desc,
          case when :descending then incident_id end desc
 limit :first
       ) as page

-- name: counted
select state, count(*) as incidents
  from incidents
  left join search using (incident_id)
 cross join lateral (select not confidential or :confidential::boolean or legs ?| :units::text[] as may) as reader
 where (:scope_township::text is null or township = :scope_township)
   and (:scope_site::uuid is null or site_id = :scope_site)
   and (:states::text[] is null or state = any(:states))
   and (:site_id::uuid is null or site_id = :site_id)
   and (:township::text is null or township = :township)
   and (:categories::text[] is null or category = any(:categories))
   and (:urgency::text is null or urgency = :urgency)
   and (:source::text is null or source = :source)
   and (:mechanism::text is null or mechanism = :mechanism)
   and (:lead_unit::text is null or lead_unit = :lead_unit)
   and (:unit::text is null or legs ? :unit)
   and (:level::integer is null or level >= :level)
   and (:supervised::boolean is null or supervised = :supervised)
   and (:parked::boolean is null or parked = :parked)
   and (:is_confidential::boolean is null or confidential = :is_confidential)
   and (:overdue::boolean is null or (overdue <> '{}') = :overdue)
   and (:returned::boolean is null or (returns > 0) = :returned)
   and (:extended::boolean is null or (extensions > 0) = :extended)
   and (:reopened::boolean is null or (reopenings > 0) = :reopened)
   and (:merged_into::uuid is null or merged_into = :merged_into)
   and (:with_duplicates::boolean is null or (duplicates > 0) = :with_duplicates)
   and (:with_evidence::boolean is null or (evidence > 0) = :with_evidence)
   and (:reported_from::timestamptz is null or incidents.reported_at >= :reported_from)
   and (:reported_until::timestamptz is null or incidents.reported_at < :reported_until)
   and (:due_from::timestamptz is null or due_at >= :due_from)
   and (:due_until::timestamptz is null or due_at < :due_until)
   and (:late_at::timestamptz is null or coalesce(due_at <= :late_at, false))
   and (:in_time_at::timestamptz is null or coalesce(due_at > :in_time_at, true))
   and (:closed_from::timestamptz is null or closed_at >= :closed_from)
   and (:closed_until::timestamptz is null or closed_at < :closed_until)
   and (:known_at::bigint is null or reported_position <= :known_at)
   and (:grams::tsquery is null or (may and grams @@ :grams))
   and (:patterns::text[] is null or text like all(:patterns))
 group by state
