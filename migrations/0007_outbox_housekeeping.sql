-- Partitions that nothing can be committed to any more, with a log position after all of their rows.
create table outbox_seal (
  partition_name text not null,
  sealed_at timestamptz not null default now(),
  sealed_lsn pg_lsn not null,
  constraint outbox_seal_pkey primary key (partition_name)
);
comment on table outbox_seal is
  'Partitions of the outbox that get no further row, and a log position after all of their rows.';

-- Makes the partitions of the next days and drops those that nobody needs any more.
-- A partition is *sealed* once its day is over and no transaction that began before the day's end is still open (created_at is the
-- beginning of a transaction): from then on it gets no further row, and every row in it was committed before the position noted then.
-- It is dropped when it is older than the retention and every pgoutput slot of this database has confirmed that position; without
-- any such slot nothing is dropped, because then nobody can say what was read.
create function outbox_housekeeping(retention interval, days_ahead integer default 7)
returns table (action text, partition_name text)
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
set timezone = 'UTC'
as $$
#variable_conflict use_column
declare
  today timestamptz := date_trunc('day', now());
  day timestamptz;
  name text;
  part record;
  oldest_open timestamptz;
  confirmed pg_lsn;
begin
  if retention < interval '1 hour' then
    raise exception 'the retention is %, and must be one hour or more', retention using errcode = 'invalid_parameter_value';
  end if;
  -- Without this right the transactions of others look as if there were none, and a partition could be sealed too early.
  if not pg_has_role(current_user, 'pg_read_all_stats', 'usage') then
    raise exception 'the owner of outbox_housekeeping, %, cannot see the transactions of others', current_user
      using errcode = 'insufficient_privilege', hint = format('grant pg_read_all_stats to %I', current_user);
  end if;
  -- Two relays may ask at once; the second has nothing to do.
  if not pg_try_advisory_xact_lock(hashtext('outbound'), hashtext('outbox_housekeeping')) then
    return;
  end if;

  for offset_days in 0..days_ahead loop
    day := today + make_interval(days => offset_days);
    name := 'outbox_' || to_char(day, 'YYYYMMDD');
    continue when to_regclass('public.' || name) is not null;
    -- A row of that day in the default partition would make the new one impossible: it stays where it is.
    continue when exists (select from public.outbox_default d where d.created_at >= day and d.created_at < day + interval '1 day');
    execute format('create table public.%I partition of public.outbox for values from (%L) to (%L)', name, day, day + interval '1 day');
    action := 'created';
    partition_name := name;
    return next;
  end loop;

  select min(begun) into oldest_open
  from (
    select xact_start as begun from pg_stat_activity
    where xact_start is not null and pid <> pg_backend_pid() and datname = current_database()
    union all
    -- When it was prepared is known, when it began is not.
    select '-infinity' from pg_prepared_xacts where database = current_database()
  ) as open_transactions;

  for part in
    select c.relname as name, to_date(substring(c.relname from 8), 'YYYYMMDD')::timestamptz + interval '1 day' as upper_bound
    from pg_inherits i join pg_class c on c.oid = i.inhrelid
    where i.inhparent = 'public.outbox'::regclass and c.relname ~ '^outbox_[0-9]{8}$'
  loop
    continue when part.upper_bound > now() or oldest_open <= part.upper_bound;
    insert into public.outbox_seal (partition_name, sealed_lsn)
    values (part.name, pg_current_wal_insert_lsn())
    on conflict do nothing;
    if found then
      action := 'sealed';
      partition_name := part.name;
      return next;
    end if;
  end loop;

  select min(coalesce(confirmed_flush_lsn, '0/0'::pg_lsn)) into confirmed
  from pg_replication_slots
  where database = current_database() and plugin = 'pgoutput' and not temporary;

  for part in
    select s.partition_name as name from public.outbox_seal s
    where to_date(substring(s.partition_name from 8), 'YYYYMMDD')::timestamptz + interval '1 day' <= now() - retention
      and s.sealed_lsn <= confirmed
    order by 1
  loop
    execute format('drop table if exists public.%I', part.name);
    delete from public.outbox_seal s where s.partition_name = part.name;
    action := 'dropped';
    partition_name := part.name;
    return next;
  end loop;
end
$$;
revoke all on function outbox_housekeeping(interval, integer) from public;
grant execute on function outbox_housekeeping(interval, integer) to outbound_relay;

select outbox_housekeeping(interval '3 days');
