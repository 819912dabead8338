-- Seals the partitions whose day is over and that nothing can be committed to any more.
--
-- A seal of a moment that has not come was made while the server's clock was ahead. Since it was set right, rows may have come behind the position that the
-- seal notes, so it is taken back; the partition is sealed anew when its day is really over.
create or replace function outbox_seal_ended(grace interval) returns outbox_action[]
  language plpgsql
  set search_path = pg_catalog, public, pg_temp
as $$
declare
  lines outbox_action[] := '{}';
  part record;
  fault text;
begin
  delete from outbox_seal s where s.sealed_at > now();
  -- In two steps: what is open is looked at first, the log position is taken afterwards.
  perform pg_stat_clear_snapshot();
  for part in
    select p.partition_name, p.upper_bound from outbox_partition p
    where p.upper_bound + grace <= now()
      and not exists (select from outbox_seal s where s.partition_name = p.partition_name)
    order by p.upper_bound
  loop
    fault := outbox_open_transaction(part.upper_bound);
    if fault is null then
      insert into outbox_seal (partition_name, sealed_lsn) values (part.partition_name, pg_current_wal_insert_lsn());
      lines := lines || ('sealed', part.partition_name, null)::outbox_action;
    else
      lines := lines || ('kept', part.partition_name, 'not sealed: ' || fault)::outbox_action;
    end if;
  end loop;
  return lines;
end
$$;
