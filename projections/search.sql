-- name: take
delete from search where incident_id = any(:ids::uuid[]) returning incident_id, reported_at, text

-- name: put!
insert into search (incident_id, reported_at, text, grams)
select id, at, text, array_to_tsvector(string_to_array(grams, ' '))
  from unnest(:ids::uuid[], :times::timestamptz[], :texts::text[], :grams::text[]) as row (id, at, text, grams)
