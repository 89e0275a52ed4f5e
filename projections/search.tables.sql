-- The texts of each incident, folded, to be searched. Nothing personal: that is sealed, in the log alone.
create table search (
    incident_id uuid primary key,
    reported_at timestamptz not null,
    text        text not null,
    grams       tsvector not null
);
comment on column search.grams is 'Every two characters that follow each other in a word, and its last one alone';
create index search_grams on search using gin (grams);
create index search_newest on search (reported_at desc, incident_id desc);

grant select, insert, update, delete on search to anju_app;
