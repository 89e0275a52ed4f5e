-- name: figures
-- In all (total), and for each township, room, mediator or mechanism when asked. What was done at or after `until` does not count.
with accepted as (
    select case :by::text when 'TOWNSHIP' then township when 'ROOM' then assigned.room when 'MEDIATOR' then assigned.mediator
                          when 'MECHANISM' then mechanism end as part,
           accepted_at, cut.until,
           agreed_at < cut.until as agreed,
           case when agreed_at < cut.until then greatest(extract(epoch from agreed_at - accepted_at), 0) / 86400 end as days,
           failed_at, withdrawn_at, performing_at, breached_at, fulfilled_at, referred_at,
           confirmation_requested_at, confirmed_at, confirmation_refused_at
      from (select coalesce(:until::timestamptz, 'infinity') as until) as cut
      cross join disputes as dispute
      left join lateral (
        select mediator, room from dispute_assignments as assignment
         where assignment.dispute_id = dispute.dispute_id and assigned_at < cut.until
         order by assignment.position desc limit 1
      ) as assigned on true
     where accepted_at >= :start and accepted_at < :over and accepted_at < cut.until
       and (:scope_township::text is null or township = :scope_township)
       and (:scope_site::uuid is null or site_id = :scope_site)
       and (:township::text is null or township = :township)
       and (:site_id::uuid is null or site_id = :site_id)
)
select grouping(part) = 1 as total, part,
       count(*) as accepted,
       count(*) filter (where agreed) as agreed,
       count(*) filter (where failed_at < until) as failed,
       count(*) filter (where withdrawn_at < until) as withdrawn,
       count(*) filter (where referred_at < until) as referred,
       count(*) filter (where performing_at < until) as performing,
       count(*) filter (where breached_at < until) as breached,
       count(*) filter (where fulfilled_at < until) as fulfilled,
       count(*) filter (where confirmation_requested_at < until) as confirmations_requested,
       count(*) filter (where confirmed_at < until) as confirmed,
       count(*) filter (where confirmation_refused_at < until) as confirmations_refused,
       percentile_cont(0.5) within group (order by days)::float8 as median_days_to_agreement,
       coalesce((select position from projections where name = 'disputes'), 0) as position
  from accepted
 group by grouping sets ((), (part))
 order by part

-- name: lineage
select dispute_id, accepted_position,
       case when agreed_at < cut.until then agreed_position end as agreed_position,
       case when failed_at < cut.until then failed_position end as failed_position
  from disputes, (select coalesce(:until::timestamptz, 'infinity') as until) as cut
 where accepted_at >= :start and accepted_at < :over and accepted_at < cut.until
   and (:scope_township::text is null or township = :scope_township)
   and (:scope_site::uuid is null or site_id = :scope_site)
   and (:township::text is null or township = :township)
   and (:site_id::uuid is null or site_id = :site_id)
   and accepted_position > :after
 order by accepted_position
 limit :first
