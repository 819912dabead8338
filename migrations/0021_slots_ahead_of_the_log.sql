-- Why some reader of the log may still need what was committed before `lsn`, or null.
--
-- A slot that has confirmed more than the log has (log and slots were restored apart) says nothing of what was committed since: a relay refuses
-- it, and the outbox is what recovery publishes from. It was taken for one that had confirmed everything.
create or replace function outbox_unconfirmed_slot(lsn pg_lsn) returns text
  language plpgsql
  set search_path = pg_catalog, public, pg_temp
as $$
declare
  slot record;
  missing text;
begin
  select s.slot_name, s.confirmed_flush_lsn, s.wal_status into slot from pg_replication_slots s
    where s.slot_type = 'logical' and s.plugin = 'pgoutput' and s.database = current_database()
      and (s.wal_status = 'lost' or s.confirmed_flush_lsn is null or s.confirmed_flush_lsn < lsn)
    limit 1;
  if found then
    return case when slot.wal_status = 'lost'
      then format('slot %s is lost; recover it first', slot.slot_name)
      else format('slot %s has confirmed %s, the partition needs %s', slot.slot_name, coalesce(slot.confirmed_flush_lsn::text, 'nothing'), lsn)
    end;
  end if;
  select s.slot_name, s.confirmed_flush_lsn into slot from pg_replication_slots s
    where s.slot_type = 'logical' and s.plugin = 'pgoutput' and s.database = current_database()
      and s.confirmed_flush_lsn > pg_current_wal_flush_lsn()
    limit 1;
  if found then
    return format('slot %s has confirmed %s, which the log does not have yet: they were restored apart; recover it first',
      slot.slot_name, slot.confirmed_flush_lsn);
  end if;
  if not exists (
    select from pg_replication_slots s
    where s.slot_type = 'logical' and s.plugin = 'pgoutput' and s.database = current_database()
  ) then
    return 'there is no slot, so nobody has confirmed anything';
  end if;
  select r.slot_name into missing from relay_slot r
    where not exists (
      select from pg_replication_slots s where s.slot_name = r.slot_name and s.database = current_database()
    )
    limit 1;
  if found then
    return format('slot %s is listed in relay_slot and is not there: recover it, or delete its row if no relay of this database reads by it', missing);
  end if;
  return null;
end
$$;
