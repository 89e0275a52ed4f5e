-- name: recorded$
-- Of the latest event that is in no archive.
select recorded_at from events where notification_id <= :position order by notification_id desc limit 1

-- name: versions
select name, version from projections where name = any(:names::text[])

-- name: go_back!
select set_config('anju.at_position', :position::text, true), set_config('search_path', 'at_position, public', true)

-- name: archived_passes$
select at_position.archived_passes()
