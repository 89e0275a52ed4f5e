-- One row for each dispute, as it stands now, and when what was done.
create table disputes (
    dispute_id                      uuid primary key,
    township                        text not null,
    site_id                         uuid,
    category                        text not null,
    incident_id                     uuid,
    mechanism                       text,
    state                           text not null,
    parties                         integer not null,
    sessions                        integer not null,
    mediator                        text,
    room                            text,
    form                            text,
    route                           text,
    overdue                         boolean not null,
    satisfied                       boolean,
    registered_at                   timestamptz not null,
    registered_position             bigint not null,
    accepted_at                     timestamptz,
    accepted_position               bigint,
    agreed_at                       timestamptz,
    agreed_position                 bigint,
    failed_at                       timestamptz,
    failed_position                 bigint,
    withdrawn_at                    timestamptz,
    withdrawn_position              bigint,
    confirmation_requested_at       timestamptz,
    confirmation_requested_position bigint,
    confirmed_at                    timestamptz,
    confirmed_position              bigint,
    confirmation_refused_at         timestamptz,
    confirmation_refused_position   bigint,
    performing_at                   timestamptz,
    performing_position             bigint,
    breached_at                     timestamptz,
    breached_position               bigint,
    urged_at                        timestamptz,
    fulfilled_at                    timestamptz,
    fulfilled_position              bigint,
    referred_at                     timestamptz,
    referred_position               bigint,
    closed_at                       timestamptz,
    due                             text,
    due_at                          timestamptz,
    version                         integer not null,
    position                        bigint not null
);
comment on column disputes.parties is 'How many; who they are stands in the log alone';
comment on column disputes.overdue is 'A deadline of it has passed';
comment on column disputes.breached_at is 'The first time, as is urged_at';
create index disputes_newest on disputes (registered_at desc, dispute_id desc);
create index disputes_accepted on disputes (accepted_at);

-- Who was to mediate, from when on. A row without a mediator: the one before stepped aside.
create table dispute_assignments (
    dispute_id  uuid not null,
    position    bigint not null,
    assigned_at timestamptz not null,
    mediator    text,
    room        text,
    primary key (dispute_id, position)
);

grant select, insert, update, delete on disputes, dispute_assignments to anju_app;
