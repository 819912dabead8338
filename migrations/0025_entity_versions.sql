-- The history of one entity for the API, which may only add to the outbox: what it had, newest first, from before version `below` (null: from the newest). As
-- many as `max_rows`, and none that begins beyond `max_bytes`, but one at the least. Where there is more, a last row without data says so. Of several events of one version (a snapshot, one that was written again) the change
-- itself counts. `data` is the text that was written. By the index over entity and version, in at most as many partitions as there are.
create function entity_versions(aggregate_type text, event_type text, entity uuid, below bigint, max_rows integer, max_bytes bigint)
  returns table (version bigint, data_op text, occurred_at text, data text)
  language plpgsql
  stable
  security definer
  set search_path = pg_catalog, pg_temp
as $$
declare
  event record;
  last_version bigint;
  read_count integer := 0;
  row_count integer := 0;
  byte_count bigint := 0;
begin
  for event in
    select o.version, o.data_op, o.payload from public.outbox o
    where o.aggregateid = entity::text and o.version < coalesce(below, 9223372036854775807)
      and o.aggregatetype = aggregate_type and o.type = event_type and o.headers ->> 'outbound_discard' is null
    order by o.version desc, o.data_op = 'S', o.created_at
    limit 4::bigint * max_rows + 4
  loop
    read_count := read_count + 1;
    continue when event.version = last_version;
    last_version := event.version;
    exit when row_count >= max_rows or (row_count > 0 and byte_count >= max_bytes);
    version := event.version;
    data_op := event.data_op;
    occurred_at := event.payload #>> '{metadata,occurred_at}';
    data := event.payload ->> 'data';
    row_count := row_count + 1;
    byte_count := byte_count + octet_length(data) + 100;
    return next;
  end loop;
  -- Left by the exit, or by the limit: there is more, or may be.
  if last_version <> version or read_count >= 4 * max_rows + 4 then
    data_op := null;
    occurred_at := null;
    data := null;
    return next;
  end if;
end
$$;

-- From when on the outbox has every event: the beginning of its oldest day. Null before housekeeping has run once.
create function outbox_kept_since() returns timestamptz
  language sql
  stable
  security definer
  set search_path = pg_catalog, public, pg_temp
as $$
  select min(lower_bound) from public.outbox_partition
$$;

revoke execute on function entity_versions(text, text, uuid, bigint, integer, bigint) from public;
revoke execute on function outbox_kept_since() from public;
grant execute on function entity_versions(text, text, uuid, bigint, integer, bigint) to outbound_api;
grant execute on function outbox_kept_since() to outbound_api;
