-- name: versions
select name, version from projections
