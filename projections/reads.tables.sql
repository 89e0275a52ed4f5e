-- Who looked at what of persons or of the past, and by what right: an inquiry, a lead that had to be reviewed, or (without a ground) a
-- role. What was searched for is not here.
create table look_grounds (
    ground_id    uuid primary key,
    kind         text not null,
    township     text,
    site_id      uuid,
    case_number  text not null,
    purpose      text,
    requested_by text not null,
    requested_at timestamptz not null,
    expires_at   timestamptz not null,
    state        text not null,
    decided_by   text,
    position     bigint not null
);
comment on column look_grounds.purpose is 'Of an inquiry; a lead has the one of its watch entry';
create index look_grounds_newest on look_grounds (position desc);

create table looks (
    position   bigint primary key,
    ground_id  uuid,
    looked_by  text not null,
    looked_at  timestamptz not null,
    looked_on  date not null,
    records    text not null,
    township   text,
    site_id    uuid,
    since      timestamptz,
    until      timestamptz,
    searched   boolean not null,
    subjects   uuid[] not null,
    asked      text,
    fields     text[] not null,
    purpose    text,
    found      integer
);
comment on column looks.ground_id is 'Null: the role of the person was enough';
comment on column looks.township is 'Of a reading; of other looks it is the one of the ground';
comment on column looks.subjects is 'What a reading was of, by ids';
comment on column looks.asked is 'The question of a reading, where ids do not say what was shown';
comment on column looks.purpose is 'Of a reading; of other looks it is the one of the ground';
comment on column looks.found is 'Null: not known before it was shown';
comment on column looks.looked_on is 'Calendar day in Asia/Shanghai';
comment on column looks.searched is 'For one thing, such as a plate; otherwise all was shown';
create index looks_by_ground on looks (ground_id, position desc);
create index looks_by_person on looks (looked_by, position desc);
create index looks_by_day on looks (looked_on, position desc);
create index looks_by_subject on looks using gin (subjects);

grant select, insert, update, delete on look_grounds, looks to anju_app;
