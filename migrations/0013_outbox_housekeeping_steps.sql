-- Housekeeping in steps: a call does one thing that needs a strong lock and says so, and whoever wants all done calls until a call
-- changes nothing (`call outbox_keep_house()`, or the relay). So a lock is given back before the next is asked for. It is waited
-- for a tenth of a second at the most, and the first that is not to be had ends the run: nobody who writes waits longer than
-- that and the moment of the change itself.

-- Seals the partitions whose day is over and that nothing can be committed to any more: no transaction that began before their upper bound
-- is open, and created_at is the start of the transaction, which the api cannot set. The log position noted then lies after every
-- commit of their rows.
create function outbox_seal_ended(grace interval) returns outbox_action[]
  language plpgsql
  set search_path = pg_catalog, public, pg_temp
as $$
declare
  lines outbox_action[] := '{}';
  part record;
  fault text;
begin
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

-- Makes the partition of the first day that has none; nothing if all have one.
create function outbox_make_day(days_ahead integer) returns outbox_action[]
  language plpgsql
  set search_path = pg_catalog, public, pg_temp
as $$
declare
  lines outbox_action[] := '{}';
  today timestamptz := date_trunc('day', now());
  day_start timestamptz;
  day_end timestamptz;
  name text;
begin
  for day_start in select generate_series(today, today + make_interval(days => days_ahead), interval '1 day')
  loop
    day_end := day_start + interval '1 day';
    name := 'outbox_' || to_char(day_start, 'YYYYMMDD');
    continue when outbox_covered_until(day_start) >= day_end;
    if exists (select from outbox_partition p where p.lower_bound < day_end and p.upper_bound > day_start) then
      lines := lines || ('skipped', name, 'another partition covers a part of this day')::outbox_action;
      continue;
    elsif to_regclass('public.' || name) is not null then
      lines := lines || ('skipped', name, 'a table of this name is not a partition of the outbox')::outbox_action;
      continue;
    elsif exists (select from outbox_default) then
      return lines || ('skipped', name, 'Postgres would read all rows of the default partition under a lock')::outbox_action;
    end if;
    begin
      -- ATTACH leaves writers alone where CREATE … PARTITION OF would lock the whole outbox.
      execute format('create table public.%I (like public.outbox including defaults including constraints)', name);
      execute format('create trigger outbox_append_only_truncate before truncate on public.%I '
        'for each statement execute function public.outbox_refuse_change()', name);
      perform outbox_lock('share update exclusive', 'outbox_default');
      execute format('alter table public.outbox attach partition public.%I for values from (%L) to (%L)',
        name, day_start, day_end);
      return lines || ('created', name, null)::outbox_action;
    exception
      when check_violation then
        return lines || ('skipped', name, 'the default partition got rows of this day just now')::outbox_action;
    end;
  end loop;
  return lines;
end
$$;

-- Drops the oldest partition that may be dropped.
create function outbox_drop_oldest(retention interval) returns outbox_action[]
  language plpgsql
  set search_path = pg_catalog, public, pg_temp
as $$
declare
  lines outbox_action[] := '{}';
  part record;
  fault text;
begin
  for part in
    select s.partition_name, s.sealed_lsn from outbox_seal s join outbox_partition p using (partition_name)
    where p.upper_bound <= now() - retention
    order by p.upper_bound
  loop
    fault := outbox_unconfirmed_slot(part.sealed_lsn);
    if fault is not null then
      lines := lines || ('kept', part.partition_name, fault)::outbox_action;
      continue;
    end if;
    -- What a DROP locks, in this order.
    perform outbox_lock('access exclusive', part.partition_name, 'outbox_default');
    execute format('drop table public.%I', part.partition_name);
    delete from outbox_seal s where s.partition_name = part.partition_name;
    return lines || ('dropped', part.partition_name, null)::outbox_action;
  end loop;
  return lines;
end
$$;

-- Does the first of these that there is to do: ended partitions sealed, a step to empty the default partition, the partition of a
-- day ahead, an old partition dropped (older than the retention, sealed, and confirmed by every reader of the log). One row for
-- each thing done or put off. After any action but `kept` and `skipped`, which change nothing, a further call may find more to do.
create or replace function outbox_housekeeping(
  retention interval default interval '3 days',
  days_ahead integer default 7,
  grace interval default interval '5 minutes'
) returns table (action text, partition_name text, detail text)
  language plpgsql
  security definer
  set search_path = pg_catalog, public, pg_temp
  set timezone = 'UTC'
  set datestyle = 'ISO'
  set lock_timeout = '100ms'
as $$
declare
  lines outbox_action[];
  locked_name text;
begin
  if retention is null or retention < interval '1 hour' or grace is null or grace < interval '0'
     or days_ahead is null or days_ahead not between 0 and 366 then
    raise exception 'outbox_housekeeping: retention % must be an hour or more, grace % not negative, days_ahead % from 0 to 366',
      retention, grace, days_ahead using errcode = 'invalid_parameter_value';
  end if;
  if not pg_try_advisory_xact_lock(hashtext('outbox_housekeeping')) then
    return query select 'skipped', null::text, 'another run is under way';
    return;
  end if;
  -- Locks are kept until the commit is done, and a standby that is slow to confirm it must not prolong that.
  perform set_config('synchronous_commit', 'local', true);

  begin
    for step in 1..4 loop
      lines := case step
        when 1 then outbox_seal_ended(grace)
        when 2 then outbox_clear_default()
        when 3 then outbox_make_day(days_ahead)
        else outbox_drop_oldest(retention)
      end;
      return query select l.action, l.partition_name, l.detail from unnest(lines) l;
      exit when exists (select from unnest(lines) l where l.action not in ('kept', 'skipped'));
    end loop;
  exception
    -- Leaving the block undoes the step and gives back what it locked. (A deadlock only with somebody who locks in another order.)
    when lock_not_available or deadlock_detected then
      get stacked diagnostics locked_name = table_name;
      return query select 'skipped', coalesce(nullif(locked_name, ''), 'outbox_default'),
        sqlerrm || '; the next run tries again';
  end;
end
$$;

-- All that there is to do, each step in a transaction of its own, for people and schedulers: `call outbox_keep_house()`. Notices say
-- what was done, and then what was not, and why.
create procedure outbox_keep_house(
  retention interval default interval '3 days',
  days_ahead integer default 7,
  grace interval default interval '5 minutes'
)
  language plpgsql
as $$
declare
  lines public.outbox_action[];
  line public.outbox_action;
  is_done boolean;
begin
  loop
    lines := array(
      select (h.action, h.partition_name, h.detail)::public.outbox_action
      from public.outbox_housekeeping(retention, days_ahead, grace) h
    );
    commit;
    is_done := not exists (select from unnest(lines) l where l.action not in ('kept', 'skipped'));
    foreach line in array lines loop
      -- What is not done is the same after each step, and is said once.
      continue when line.action in ('kept', 'skipped') and not is_done;
      raise notice '%', concat_ws(' ', line.action, line.partition_name, line.detail);
    end loop;
    exit when is_done;
  end loop;
end
$$;

revoke execute on function outbox_seal_ended(interval) from public;
revoke execute on function outbox_make_day(integer) from public;
revoke execute on function outbox_drop_oldest(interval) from public;
revoke execute on procedure outbox_keep_house(interval, integer, interval) from public;
grant execute on function outbox_housekeeping(interval, integer, interval) to outbound_operator;
grant execute on procedure outbox_keep_house(interval, integer, interval) to outbound_relay, outbound_operator;
