-- Signed checkpoints, in the order of their size. They are copied off this machine: what is here alone proves nothing.

create table checkpoints (
    size     bigint primary key check (size > 0),
    note     text not null,
    subtrees bytea not null check (octet_length(subtrees) % 32 = 0),
    made_at  timestamptz not null default now()
);
comment on table checkpoints is 'Signed Merkle checkpoints of the log; append-only as the log is';
comment on column checkpoints.note is 'The signed note, byte for byte as it is exported; see domain/checkpoint.py';
comment on column checkpoints.subtrees is
    'The roots (32 bytes each) of the 16384-leaf subtrees that were completed since the checkpoint before';

create trigger checkpoints_are_immutable before update or delete on checkpoints
    for each row execute function refuse_change();
create trigger checkpoints_are_not_truncated before truncate on checkpoints
    for each statement execute function refuse_change();

grant select, insert on checkpoints to anju_app;
