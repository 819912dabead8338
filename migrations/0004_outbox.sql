-- Names follow Debezium's Outbox Event Router, so that it can read the table too. Never UNLOGGED: what is not in the write-ahead
-- log reaches nobody. `json`, not `jsonb`: the payload's bytes go to Kafka as they are.
create table outbox (
  id uuid not null,
  aggregatetype text not null,
  aggregateid text not null,
  type text not null,
  version bigint not null,
  data_op char(1) not null,
  payload json not null,
  headers json not null default '{}',
  created_at timestamptz not null default now(),
  constraint outbox_pkey primary key (created_at, id),
  constraint outbox_aggregatetype_check check (aggregatetype <> ''),
  constraint outbox_aggregateid_check check (aggregateid <> '' and octet_length(aggregateid) <= 255),
  constraint outbox_type_check check (type <> '' and octet_length(type) <= 255),
  constraint outbox_version_check check (version >= 1),
  constraint outbox_data_op_check check (data_op in ('C', 'U', 'D', 'S')),
  constraint outbox_payload_check check (
    json_typeof(payload) = 'object' and octet_length(payload::text) <= 921600
  ),
  constraint outbox_headers_check check (
    json_typeof(headers) = 'object' and octet_length(headers::text) <= 8192
  )
) partition by range (created_at);
comment on table outbox is
  'One row is one event, written in the transaction that made the change; the relay reads it from the write-ahead log.';

create index outbox_aggregate_idx on outbox (aggregateid, version);

-- Takes what no daily partition covers, so that a write never fails because housekeeping has not run.
create table outbox_default partition of outbox default;

-- An event that was written has been promised. The publication carries inserts only, so a changed row would differ from what was
-- published. TRUNCATE and DELETE are refused too: rows go with their partition.
create function outbox_refuse_change() returns trigger
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
begin
  raise exception 'the outbox is append-only: % is not possible', tg_op
    using errcode = 'restrict_violation', hint = 'Write another event. Old partitions are dropped by outbox_housekeeping().';
end
$$;

create trigger outbox_append_only before update or delete on outbox
  for each row execute function outbox_refuse_change();
create trigger outbox_append_only_truncate before truncate on outbox
  for each statement execute function outbox_refuse_change();
-- Partitions inherit row triggers only: each needs this one of its own, here and in outbox_housekeeping().
create trigger outbox_append_only_truncate before truncate on outbox_default
  for each statement execute function outbox_refuse_change();

-- Not created_at: it is the beginning of the transaction and nothing else, or a partition could still get rows after it was sealed.
grant insert (id, aggregatetype, aggregateid, type, version, data_op, payload, headers) on outbox to outbound_api;
