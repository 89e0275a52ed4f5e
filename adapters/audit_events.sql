-- name: page
-- The first :limit events that match, of the positions beyond :after up to :through. An aggregate's place stands in its first event;
-- one without is the city's, and a site's own id is not written down twice.
select notification_id as position, originator_id, originator_version as version, topic, recorded_at, request_id, metadata::text,
       state, hash
  from events as event
 where notification_id > :after and notification_id <= :through
   and (:category::text is null or category = :category)
   and (:topic::text is null or topic = :topic)
   and (:aggregate_id::uuid is null or originator_id = :aggregate_id)
   and (:actor::text is null or convert_from(state, 'UTF8')::json ->> 'actor' = :actor)
   and (:correlation::text is null or metadata ->> 'correlation' = :correlation or request_id::text = :correlation)
   and ((:scope_township::text is null and :scope_site::uuid is null) or exists (
        select from events as beginning
         where beginning.originator_id = event.originator_id and beginning.category = event.category
           and beginning.originator_version = 1
           and (:scope_township::text is null
                or convert_from(beginning.state, 'UTF8')::json ->> 'township' = :scope_township)
           and (:scope_site::uuid is null
                or convert_from(beginning.state, 'UTF8')::json ->> 'site_id' = :scope_site::text
                or beginning.category = 'site' and beginning.originator_id = :scope_site)))
 order by notification_id
 limit :limit

-- name: bounds^
-- The positions that :since (included) and :until (not included) leave of :after and :through.
select greatest(:after::bigint, case when :since::timestamptz is not null then position_before(:since) else 0 end) as after,
       least(coalesce(:through::bigint, position), position,
             case when :until::timestamptz is not null then position_before(:until) else position end) as through
  from log_head
