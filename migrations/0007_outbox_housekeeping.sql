create table outbox_seal (
  partition_name text not null,
  sealed_at timestamptz not null default now(),
  sealed_lsn pg_lsn not null,
  constraint outbox_seal_pkey primary key (partition_name)
);
comment on table outbox_seal is
  'Partitions of the outbox that nothing can be committed to any more, and a log position after all of their rows.';

-- Seals past daily partitions (UTC), drops old ones that every reader of the log has confirmed, creates those of the days ahead.
-- One row for each thing done or put off: action is created, sealed, dropped, kept (with the reason) or skipped.
--
-- A partition is sealed once its upper bound is past and no transaction that began before the bound is open: created_at is the start of
-- the transaction, and the api cannot set it, so nothing can come any more; the log position noted then lies after every commit of its rows.
-- It is dropped when it is older than the retention and every pgoutput slot of this database has confirmed that position. Without a slot,
-- with a lost one, or with one that relay_slot lists and the server does not have, nothing is dropped: the rows are what recovery republishes.
--
-- Whoever waits for a lock here makes writers wait behind it; hence one second, and another try at the next run.
create function outbox_housekeeping(
  retention interval default interval '3 days',
  days_ahead integer default 7,
  grace interval default interval '5 minutes'
) returns table (action text, partition_name text, detail text)
  language plpgsql
  security definer
  set search_path = pg_catalog, public, pg_temp
  set timezone = 'UTC'
  set lock_timeout = '1s'
as $$
declare
  day_start timestamptz;
  name text;
  part record;
  fault text;
begin
  if retention is null or retention < interval '1 hour' or grace is null or grace < interval '0'
     or days_ahead is null or days_ahead not between 0 and 366 then
    raise exception 'outbox_housekeeping: retention % must be an hour or more, grace % not negative, days_ahead % from 0 to 366', retention, grace, days_ahead
      using errcode = 'invalid_parameter_value';
  end if;
  if not pg_try_advisory_xact_lock(hashtext('outbox_housekeeping')) then
    return query select 'skipped', null::text, 'another run is under way';
    return;
  end if;

  -- In two steps: what is open is looked at first, the log position is taken afterwards.
  perform pg_stat_clear_snapshot();
  for part in
    select p.partition_name, p.upper_bound from outbox_partition p
    where p.upper_bound + grace <= now() and not exists (select from outbox_seal s where s.partition_name = p.partition_name)
    order by p.upper_bound
  loop
    fault := outbox_open_transaction(part.upper_bound);
    if fault is null then
      insert into outbox_seal (partition_name, sealed_lsn) values (part.partition_name, pg_current_wal_insert_lsn());
      return query select 'sealed', part.partition_name, null::text;
    else
      return query select 'kept', part.partition_name, 'not sealed: ' || fault;
    end if;
  end loop;

  for part in
    select s.partition_name, s.sealed_lsn from outbox_seal s join outbox_partition p using (partition_name)
    where p.upper_bound <= now() - retention
    order by p.upper_bound
  loop
    fault := outbox_unconfirmed_slot(part.sealed_lsn);
    if fault is not null then
      return query select 'kept', part.partition_name, fault;
      continue;
    end if;
    begin
      execute format('drop table public.%I', part.partition_name);
      delete from outbox_seal s where s.partition_name = part.partition_name;
      return query select 'dropped', part.partition_name, null::text;
    exception
      when lock_not_available then
        return query select 'kept', part.partition_name, 'a lock was not to be had within a second';
    end;
  end loop;

  -- After the drops: those lock the outbox before its default partition, as every reader and writer does. The other way round, a reader
  -- that has the outbox and waits for the default partition would be in a deadlock with us.
  for day_start in
    select generate_series(date_trunc('day', now()), date_trunc('day', now()) + make_interval(days => days_ahead), interval '1 day')
  loop
    name := 'outbox_' || to_char(day_start, 'YYYYMMDD');
    continue when to_regclass('public.' || name) is not null;
    if exists (select from outbox_default d where d.created_at >= day_start and d.created_at < day_start + interval '1 day') then
      return query select 'skipped', name, 'the default partition already holds rows of this day; it keeps them';
      continue;
    end if;
    begin
      -- ATTACH leaves writers alone where CREATE … PARTITION OF would lock the whole outbox.
      execute format('create table public.%I (like public.outbox including defaults including constraints)', name);
      execute format('create trigger outbox_append_only_truncate before truncate on public.%I for each statement execute function public.outbox_refuse_change()', name);
      execute format('alter table public.outbox attach partition public.%I for values from (%L) to (%L)',
        name, day_start, day_start + interval '1 day');
      return query select 'created', name, null::text;
    exception
      when lock_not_available then
        return query select 'skipped', name, 'a lock was not to be had within a second';
        exit;
      when check_violation then
        return query select 'skipped', name, 'the default partition got rows of this day just now; it keeps them';
      when invalid_object_definition then
        return query select 'skipped', name, 'a partition of another name covers this day or a part of it';
    end;
  end loop;

  if exists (select from outbox_default) then
    return query select 'kept', 'outbox_default'::text,
      'it holds rows, which no run will drop: housekeeping had not run for longer than it creates partitions ahead';
  end if;
end
$$;

-- The daily partitions with their bounds, as the catalog has them.
create view outbox_partition as
select
  c.relname::text as partition_name,
  substring(pg_get_expr(c.relpartbound, c.oid) from 'FROM \(''([^'']+)''\)')::timestamptz as lower_bound,
  substring(pg_get_expr(c.relpartbound, c.oid) from 'TO \(''([^'']+)''\)')::timestamptz as upper_bound
from pg_inherits i
join pg_class c on c.oid = i.inhrelid
where i.inhparent = 'public.outbox'::regclass and pg_get_expr(c.relpartbound, c.oid) <> 'DEFAULT';

-- Why a transaction that began before `bound` may still commit, or null. What cannot be seen counts as open.
create function outbox_open_transaction(bound timestamptz) returns text
  language plpgsql
  set search_path = pg_catalog, public, pg_temp
as $$
declare
  open_pid integer;
begin
  -- Without this membership the start of others' transactions reads as null, which would look like "none".
  if not pg_has_role(current_user, 'pg_read_all_stats', 'usage') then
    return format('%s cannot see other sessions; grant pg_read_all_stats to it', quote_ident(current_user));
  end if;
  if current_setting('track_activities') <> 'on' then
    return 'track_activities is off, so open transactions cannot be seen';
  end if;
  select a.pid into open_pid from pg_stat_activity a
    where a.datname = current_database() and a.state = 'disabled' limit 1;
  if found then
    return format('process %s has track_activities off, so its transaction cannot be seen', open_pid);
  end if;
  select a.pid into open_pid from pg_stat_activity a
    where a.datname = current_database() and a.xact_start <= bound
      and a.backend_type not in ('autovacuum worker', 'walsender')
    order by a.xact_start limit 1;
  if found then
    return format('a transaction of process %s that began before its end is open', open_pid);
  end if;
  -- A prepared transaction does not tell when it began.
  if exists (select from pg_prepared_xacts x where x.database = current_database()) then
    return 'a prepared transaction is open';
  end if;
  return null;
end
$$;

-- Why some reader of the log may still need what was committed before `lsn`, or null.
create function outbox_unconfirmed_slot(lsn pg_lsn) returns text
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
  if not exists (
    select from pg_replication_slots s
    where s.slot_type = 'logical' and s.plugin = 'pgoutput' and s.database = current_database()
  ) then
    return 'there is no slot, so nobody has confirmed anything';
  end if;
  select r.slot_name into missing from relay_slot r
    where r.system_identifier = (select c.system_identifier::text from pg_control_system() c)
      and not exists (select from pg_replication_slots s where s.slot_name = r.slot_name)
    limit 1;
  if found then
    return format('slot %s was created here and is gone; recover, then delete its row from relay_slot', missing);
  end if;
  return null;
end
$$;

-- Only through housekeeping: a function is executable by everyone unless that is taken away.
revoke execute on function outbox_housekeeping(interval, integer, interval) from public;
revoke execute on function outbox_open_transaction(timestamptz) from public;
revoke execute on function outbox_unconfirmed_slot(pg_lsn) from public;
revoke execute on function outbox_refuse_change() from public;
grant execute on function outbox_housekeeping(interval, integer, interval) to outbound_relay;

select outbox_housekeeping();
