-- Which incident names which evidence: who may read the one may see the other.
create table evidence (
    sha256      text not null,
    incident_id uuid not null,
    media_type  text not null,
    attached_by text not null,
    position    bigint not null,
    primary key (sha256, incident_id)
);

grant select, insert, update, delete on evidence to anju_app;
