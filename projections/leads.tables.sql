-- One row for each lead: what a reviewer has to look at, and what was decided.
create table leads (
    lead_id          uuid primary key,
    entry_id         uuid not null,
    case_number      text not null,
    requested_by     text not null,
    pass_id          uuid not null,
    site_id          uuid not null,
    township         text not null,
    gate             text not null,
    reference_sha256 text,
    probe_sha256     text not null,
    score            double precision not null,
    model            text not null,
    model_sha256     text not null,
    state            text not null,
    proposed_at      timestamptz not null,
    reviewer         text,
    decided_at       timestamptz,
    linked           boolean not null,
    due              text,
    due_at           timestamptz,
    version          integer not null,
    position         bigint not null
);
comment on column leads.requested_by is 'Who asked for the entry, and so does not review what it finds';
comment on column leads.reviewer is 'None if it expired';
create index leads_to_review on leads (proposed_at, lead_id) where state = 'PROPOSED';
create index leads_decided on leads (decided_at desc, lead_id desc) where state <> 'PROPOSED';

grant select, insert, update, delete on leads to anju_app;
