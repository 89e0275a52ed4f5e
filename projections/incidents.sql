-- name: insert_reported!
insert into incidents (incident_id, site_id, township, category, source, description, state, urgency, occurred_at, reported_at, version, position)
select id, site, township, category, source, description, state, urgency, occurred, reported, 1, position
  from unnest(:ids::uuid[], :sites::uuid[], :townships::text[], :categories::text[], :sources::text[], :descriptions::text[],
              :states::text[], :urgencies::text[], :occurred::timestamptz[], :reported::timestamptz[], :positions::bigint[])
    as row (id, site, township, category, source, description, state, urgency, occurred, reported, position)

-- name: move$
-- Many events move nothing (state is null). A unit is the incident's until it is returned or reopened; a closing counts until then too.
with moved as (
    update incidents as incident
       set state = coalesce(latest.state, incident.state),
           version = latest.version,
           position = latest.position,
           round = incident.round + latest.rounds,
           lead_unit = case when latest.dealt then latest.unit else incident.lead_unit end,
           dispatched_at = coalesce(latest.dispatched_at, incident.dispatched_at),
           closed_at = case when latest.settled then latest.closed_at else incident.closed_at end
      from (
        select id,
               (array_agg(state order by version desc) filter (where state is not null))[1] as state,
               max(version) as version,
               max(position) as position,
               sum(round) as rounds,
               count(*) filter (where unit is not null or state in ('ACCEPTED', 'REOPENED')) > 0 as dealt,
               (array_agg(unit order by version desc) filter (where unit is not null or state in ('ACCEPTED', 'REOPENED')))[1] as unit,
               (array_agg(at order by version desc) filter (where unit is not null))[1] as dispatched_at,
               count(*) filter (where state in ('CLOSED', 'REOPENED')) > 0 as settled,
               (array_agg(case when state = 'CLOSED' then at end order by version desc)
                   filter (where state in ('CLOSED', 'REOPENED')))[1] as closed_at
          from unnest(:ids::uuid[], :versions::int[], :states::text[], :times::timestamptz[], :units::text[], :rounds::int[],
                      :positions::bigint[]) as row (id, version, state, at, unit, round, position)
         group by id
      ) as latest
     where incident.incident_id = latest.id
    returning 1
)
select count(*) from moved

-- name: one^
select * from incidents
 where incident_id = :incident_id
   and (:scope_township::text is null or township = :scope_township)
   and (:scope_site::uuid is null or site_id = :scope_site)

-- name: listed
select * from incidents
 where (:scope_township::text is null or township = :scope_township)
   and (:scope_site::uuid is null or site_id = :scope_site)
   and (:state::text is null or state = :state)
   and (:site_id::uuid is null or site_id = :site_id)
   and (:township::text is null or township = :township)
   and (:category::text is null or category = :category)
   and (:reported_from::timestamptz is null or reported_at >= :reported_from)
   and (:reported_until::timestamptz is null or reported_at < :reported_until)
   and (:after_time::timestamptz is null or (reported_at, incident_id) < (:after_time, :after_id::uuid))
 order by reported_at desc, incident_id desc
 limit :first
