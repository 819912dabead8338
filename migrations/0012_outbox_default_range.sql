-- What housekeeping in steps (the next file) needs: locks that keep nobody waiting, and a way out for rows that are in the
-- default partition.
--
-- Rows that no daily partition covered are in the default partition. While it has rows, Postgres reads all of them, under
-- a lock, for every partition that is attached. So they become a partition of their own first. No row is written again, since that
-- would publish it again: the table gets bounds, and an empty one takes its place. Postgres believes the bounds without
-- reading if a validated CHECK says the same. In three transactions:
--   bounded   the CHECK is put on, not yet validated: a moment of lock
--   checked   Postgres reads the rows, while writers go on
--   moved     the partitions are exchanged: a moment of lock
-- In between, a row beyond the bounds would be refused. So none is due for two days at the least, a CHECK that has come
-- within half a day of it is taken off again, and `outbound doctor` says that one is there.

create type outbox_action as (action text, partition_name text, detail text);
comment on type outbox_action is
  'What housekeeping did to a partition of the outbox, or why it did not: kept and skipped are the actions that change nothing.';

-- Up to when every moment from `moment` on has a partition; `moment` itself if it has none.
create function outbox_covered_until(moment timestamptz) returns timestamptz
  language plpgsql
  set search_path = pg_catalog, public, pg_temp
as $$
declare
  covered timestamptz := moment;
  next_end timestamptz;
begin
  loop
    select max(p.upper_bound) into next_end from outbox_partition p
      where p.lower_bound <= covered and p.upper_bound > covered;
    exit when next_end is null;
    covered := next_end;
  end loop;
  return covered;
end
$$;

revoke execute on function outbox_covered_until(timestamptz) from public;

-- The CHECK that is on the default partition while its rows become a partition of their own. `refuses_from`: from then on a row
-- has no place, since no other partition takes it either.
create view outbox_default_bound as
select lower_bound, upper_bound, outbox_covered_until(upper_bound) as refuses_from, is_checked
from (
  select
    substring(pg_get_constraintdef(c.oid) from '>= ''([^'']+)''')::timestamptz as lower_bound,
    substring(pg_get_constraintdef(c.oid) from '< ''([^'']+)''')::timestamptz as upper_bound,
    c.convalidated as is_checked
  from pg_constraint c
  -- By name: the table that has it now will have another one.
  where c.conrelid = to_regclass('public.outbox_default') and c.conname = 'outbox_default_bound'
) as bound;
grant select on outbox_default_bound to outbound_operator;
grant execute on function outbox_covered_until(timestamptz) to outbound_operator;

-- Who has had one of these tables for longer than a second, so that waiting a tenth of one is in vain; or null.
create function outbox_holder(variadic tables text[]) returns text
  language plpgsql
  set search_path = pg_catalog, public, pg_temp
as $$
declare
  holder record;
begin
  perform pg_stat_clear_snapshot();
  select l.relation::regclass as name, l.pid, a.application_name as application, a.xact_start as since into holder
    from pg_locks l left join pg_stat_activity a on a.pid = l.pid
    where l.locktype = 'relation' and l.granted and l.pid is distinct from pg_backend_pid()
      and l.database = (select d.oid from pg_database d where d.datname = current_database())
      and l.relation in (select format('public.%I', name)::regclass from unnest(tables) name)
      -- A prepared transaction has no process.
      and (l.pid is null or a.xact_start < clock_timestamp() - interval '1 second')
    order by a.xact_start nulls first limit 1;
  return case
    when not found then null
    when holder.pid is null then format('a prepared transaction has %s', holder.name)
    else format('process %s (%s) has %s in a transaction since %s',
      holder.pid, holder.application, holder.name, holder.since)
  end;
end
$$;

-- Takes the outbox in `outbox_mode` (null: leaves it alone) and then `partitions` for itself alone. Raises
-- lock_not_available with the reason. Who waits for a lock that nobody may share makes every writer wait behind it: so nobody
-- begins to wait who would wait in vain, and the caller sets lock_timeout.
--
-- In the order of every reader and writer, so that there is no deadlock. Only the first lock may be waited for: once we have
-- the outbox to ourselves, whoever has a partition got it by another way, and does not end for our sake.
create function outbox_lock(outbox_mode text, variadic partitions text[]) returns void
  language plpgsql
  set search_path = pg_catalog, public, pg_temp
as $$
declare
  is_alone boolean := coalesce(outbox_mode = 'access exclusive', false);
  holder text := outbox_holder(variadic case when is_alone then array_prepend('outbox', partitions) else partitions end);
begin
  if holder is not null then
    raise lock_not_available using message = holder, table = partitions[1];
  end if;
  if outbox_mode is not null then
    execute format('lock table only public.outbox in %s mode', outbox_mode);
  end if;
  execute format('lock table %s in access exclusive mode%s',
    (select string_agg(format('public.%I', name), ', ') from unnest(partitions) name),
    case when is_alone then ' nowait' end);
exception
  when lock_not_available then
    raise lock_not_available using
      message = coalesce(holder, 'a lock was not to be had at once'), table = partitions[1];
end
$$;

-- The bounds that a partition of the default partition's rows would have; nulls if there are none. `obstacle`: why that can not be now.
create function outbox_default_range(out range_start timestamptz, out range_end timestamptz, out obstacle text)
  language plpgsql
  set search_path = pg_catalog, public, pg_temp
as $$
declare
  first_row timestamptz;
  last_row timestamptz;
  between_name text;
begin
  -- Two looks into an index.
  select min(d.created_at), max(d.created_at) into first_row, last_row from outbox_default d;
  if first_row is null then
    return;
  end if;
  -- As far back as can be: a transaction that began before the first row may write yet.
  select max(p.upper_bound) into range_start from outbox_partition p where p.upper_bound <= first_row;
  range_start := coalesce(range_start, '-infinity');
  select min(p.lower_bound) into range_end from outbox_partition p where p.lower_bound > last_row;
  range_end := least(range_end, date_trunc('day', greatest(now(), last_row)) + interval '3 days');
  select p.partition_name into between_name from outbox_partition p
    where p.lower_bound < range_end and p.upper_bound > range_start
    order by p.lower_bound limit 1;
  if found then
    obstacle := format('%s lies between its rows; they become a partition when that one has been dropped', between_name);
  elsif outbox_covered_until(range_end) < now() + interval '1 day' then
    obstacle := format('the partitions after its rows end at %s, too soon to refuse what comes then',
      outbox_covered_until(range_end));
  end if;
end
$$;

-- One step towards an empty default partition; nothing if it is empty.
create function outbox_clear_default() returns outbox_action[]
  language plpgsql
  set search_path = pg_catalog, public, pg_temp
as $$
declare
  bound record;
  range record;
  holder text;
begin
  select * into bound from outbox_default_bound;
  if found then
    -- Left by a run that was broken off, and fit no longer.
    if bound.refuses_from < now() + interval '12 hours' or not exists (select from outbox_default)
       or exists (select from outbox_partition p
         where p.lower_bound < bound.upper_bound and p.upper_bound > bound.lower_bound) then
      perform outbox_lock(null, 'outbox_default');
      alter table public.outbox_default drop constraint outbox_default_bound;
      return array[('unbounded', 'outbox_default',
        format('it would have refused rows from %s on', bound.refuses_from))::outbox_action];
    elsif not bound.is_checked then
      alter table public.outbox_default validate constraint outbox_default_bound;
      return array[('checked', 'outbox_default', null)::outbox_action];
    end if;
    return array[('moved', outbox_exchange_default(), 'what was in the default partition')::outbox_action];
  end if;

  select r.range_start, r.range_end, r.obstacle into range from outbox_default_range() r;
  if range.range_start is null then
    return '{}';
  elsif range.obstacle is not null then
    return array[('kept', 'outbox_default', range.obstacle)::outbox_action];
  end if;
  -- Who has the outbox would be in the way of the exchange, and a CHECK is not to stand there until he is done.
  holder := outbox_holder('outbox');
  if holder is not null then
    raise lock_not_available using message = holder, table = 'outbox_default';
  end if;
  perform outbox_lock(null, 'outbox_default');
  execute format('alter table public.outbox_default add constraint outbox_default_bound '
    'check (created_at >= %L and created_at < %L) not valid', range.range_start, range.range_end);
  return array[('bounded', 'outbox_default',
    format('to rows from %s and before %s', range.range_start, range.range_end))::outbox_action];
end
$$;

-- Makes the default partition, whose CHECK is valid, one with these bounds, and puts an empty one in its place. Gives its new name.
create function outbox_exchange_default() returns text
  language plpgsql
  set search_path = pg_catalog, public, pg_temp
as $$
declare
  bound record;
  name text;
  index_name text;
begin
  select b.lower_bound, b.upper_bound into strict bound from outbox_default_bound b;
  select format('outbox_%s_to_%s', to_char(min(d.created_at), 'YYYYMMDD'), to_char(bound.upper_bound, 'YYYYMMDD'))
    into name from outbox_default d;
  -- Somebody set one of these days aside before.
  if to_regclass('public.' || name) is not null then
    name := name || to_char(now(), '_HH24MISSUS');
  end if;
  create table public.outbox_default_next (like public.outbox including defaults including constraints);
  create trigger outbox_append_only_truncate before truncate on public.outbox_default_next
    for each statement execute function public.outbox_refuse_change();

  perform outbox_lock('access exclusive', 'outbox_default');
  alter table public.outbox detach partition public.outbox_default;
  execute format('alter table public.outbox_default rename to %I', name);
  for index_name in
    select c.relname from pg_index i join pg_class c on c.oid = i.indexrelid
      where i.indrelid = format('public.%I', name)::regclass
        and to_regclass(format('public.%I', replace(c.relname, 'outbox_default', name))) is null
  loop
    execute format('alter index public.%I rename to %I', index_name, replace(index_name, 'outbox_default', name));
  end loop;
  execute format('alter table public.outbox attach partition public.%I for values from (%L) to (%L)',
    name, bound.lower_bound, bound.upper_bound);
  execute format('alter table public.%I drop constraint outbox_default_bound', name);
  alter table public.outbox_default_next rename to outbox_default;
  alter table public.outbox attach partition public.outbox_default default;
  return name;
end
$$;

-- Only through housekeeping.
revoke execute on function outbox_holder(text[]) from public;
revoke execute on function outbox_lock(text, text[]) from public;
revoke execute on function outbox_default_range() from public;
revoke execute on function outbox_clear_default() from public;
revoke execute on function outbox_exchange_default() from public;
