-- The outbox. Its column names are those of Debezium's Outbox Event Router, so that it too can read the table.
-- Partitioned by day, so that old rows go by dropping a table: no bloat, and nothing of it in the log that we read.
create table outbox (
  id uuid not null,
  aggregatetype text not null,
  aggregateid text not null,
  type text not null,
  version bigint not null,
  data_op text not null,
  payload json not null,
  headers json not null default '{}',
  created_at timestamptz not null default now(),
  primary key (created_at, id),
  constraint outbox_aggregatetype_length check (length(aggregatetype) between 1 and 200),
  constraint outbox_aggregateid_length check (octet_length(aggregateid) between 1 and 512),
  constraint outbox_type_length check (length(type) between 1 and 200),
  constraint outbox_version_positive check (version >= 1),
  constraint outbox_data_op_known check (data_op in ('C', 'U', 'D', 'S')),
  -- An event that could never be published must not commit: Kafka takes records up to 1,048,588 bytes.
  constraint outbox_payload_size check (octet_length(payload::text) <= 921600),
  constraint outbox_headers_object check (json_typeof(headers) = 'object')
) partition by range (created_at);

-- Takes what no daily partition takes, so that a missing partition never fails a write.
create table outbox_default partition of outbox default;

-- Looking up the events of one entity (trace, recovery).
create index outbox_aggregate on outbox (aggregatetype, aggregateid, version);

-- INSERT and nothing else: an outbox row is never read, changed or removed by the API.
grant insert on outbox to outbound_api;

create function outbox_refuse_update() returns trigger
language plpgsql as $$
begin
  raise exception 'outbox rows are never changed: the relay reads their insert only' using errcode = 'feature_not_supported';
end
$$;
create trigger outbox_no_update before update on outbox for each row execute function outbox_refuse_update();
