create table relay_slot (
  slot_name text not null,
  system_identifier text not null,
  created_at timestamptz not null default now(),
  created_lsn pg_lsn not null,
  constraint relay_slot_pkey primary key (slot_name)
);
comment on table relay_slot is
  'Slots that a relay created here. One that is listed and gone was dropped behind its back: a data gap.';

grant select, insert on relay_slot to outbound_relay;
