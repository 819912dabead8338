-- The role of people at the command line (`outbound`). It reads what there is and emits snapshots of it; it changes no entity.
do $$
begin
  create role outbound_operator nologin;
exception
  when duplicate_object or unique_violation then null;
end
$$;
grant usage on schema public to outbound_operator;
-- To see how far the readers of the log are. Whoever may not grant it leaves this to an administrator; until then `outbound status` says unknown.
do $$
begin
  grant pg_read_all_stats to outbound_operator;
exception
  when insufficient_privilege then raise notice 'pg_read_all_stats was not granted to outbound_operator: let a superuser do it';
end
$$;
grant select on product, category, outbox, outbox_seal, outbox_partition, relay_slot, schema_migration to outbound_operator;
grant insert (id, aggregatetype, aggregateid, type, version, data_op, payload, headers) on outbox to outbound_operator;
-- A snapshot is emitted under the entity's row lock, and Postgres lets only those lock a row who may change a column of it.
grant update (updated_at) on product, category to outbound_operator;
-- Recovery records the slot that takes the lost one's place.
grant insert, delete on relay_slot to outbound_operator;

create table operation (
  id uuid not null,
  verb text not null,
  actor text not null,
  parameters json not null default '{}',
  progress json,
  outcome text,
  started_at timestamptz(3) not null default now(),
  ended_at timestamptz(3),
  constraint operation_pkey primary key (id),
  constraint operation_verb_check check (verb ~ '^[a-z][a-z-]{0,31}$'),
  constraint operation_actor_check check (char_length(actor) between 1 and 200),
  constraint operation_outcome_check check ((outcome is null) = (ended_at is null))
);
comment on table operation is
  'What people did to the pipeline: who, when, with which parameters, and how it ended. One without an end was killed, or runs.';

create index operation_started_at_idx on operation (started_at);

grant select, insert, update (progress, outcome, ended_at) on operation to outbound_operator;
