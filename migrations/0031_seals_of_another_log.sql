-- A seal notes a position of the log, after every commit of its partition's rows. In another log, or of another table of that name, the number says
-- nothing: a dump takes the seals along, and what it restores stands somewhere else in the log there. Behind the position: a slot that had yet to read the
-- rows seemed to have confirmed them, and the partition was dropped. Far before it: nothing was dropped for as long as that log was shorter.
--
-- So a seal says of which server's log and of which table it is. A partition whose seal is not of here is sealed anew, which costs nothing but that
-- its readers have to confirm the present position. (A copy of the data directory needs none of this: a seal is in the log behind the position that it notes.)
-- Asked once here: an owner who may not (by default everybody may) hears of it now, and not from a housekeeping that fails.
do $$ begin perform from pg_control_system(); end $$;
lock table outbox_seal in access exclusive mode;
delete from outbox_seal;
alter table outbox_seal
  add column system_identifier text not null,
  add column partition_oid oid not null;
comment on column outbox_seal.system_identifier is 'The server in whose log sealed_lsn is.';
comment on column outbox_seal.partition_oid is 'The table that was sealed; a restored one has another.';

-- Seals the partitions whose day is over and that nothing can be committed to any more.
--
-- A seal of a moment that has not come was made while the server's clock was ahead. Since it was set right, rows may have come behind the position that the
-- seal notes, so it is taken back; the partition is sealed anew when its day is really over. So is one of another server's log, of a table that is no more,
-- and one that is ahead of the log, however it came about.
create or replace function outbox_seal_ended(grace interval) returns outbox_action[]
  language plpgsql
  set search_path = pg_catalog, public, pg_temp
as $$
declare
  lines outbox_action[] := '{}';
  server text := (select c.system_identifier::text from pg_control_system() c);
  part record;
  fault text;
begin
  delete from outbox_seal s
    where s.sealed_at > now() or s.system_identifier <> server or s.sealed_lsn > pg_current_wal_insert_lsn()
      or s.partition_oid is distinct from to_regclass(format('public.%I', s.partition_name))::oid;
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
      insert into outbox_seal (partition_name, sealed_lsn, system_identifier, partition_oid)
        values (part.partition_name, pg_current_wal_insert_lsn(), server, format('public.%I', part.partition_name)::regclass::oid);
      lines := lines || ('sealed', part.partition_name, null)::outbox_action;
    else
      lines := lines || ('kept', part.partition_name, 'not sealed: ' || fault)::outbox_action;
    end if;
  end loop;
  return lines;
end
$$;
