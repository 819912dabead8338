-- Before any slot: a slot decodes with the catalog of the time it reads, and a publication that was made later is not there yet
-- (Postgres 15 stops for ever, 18 skips the rows with a warning). It is altered when it must change, and never dropped.
create publication outbound for table outbox with (publish = 'insert', publish_via_partition_root = true);

-- The slots that relays have made, so that a slot that is gone is recognised as a gap and not taken for a first start.
create table relay_slot (
  slot_name text primary key,
  system_identifier text not null,
  created_lsn pg_lsn not null,
  created_at timestamptz not null default now()
);
grant select, insert on relay_slot to outbound_relay;
