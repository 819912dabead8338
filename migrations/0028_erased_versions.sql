-- Which version of an entity its last erasure was. The outbox keeps the older events until every reader of the log has confirmed the deletion, and the row forgets
-- that it was erased when it is created again: then entity_versions() gave them to whoever asked.
create table erasure (
  aggregate_type text not null,
  entity uuid not null,
  version bigint not null,
  constraint erasure_pkey primary key (aggregate_type, entity)
);
comment on table erasure is 'Entities that were erased, and the version as which they were: nothing older of them is shown.';

create or replace function product_erase(entity uuid) returns bigint
  language sql
  security definer
  set search_path = pg_catalog, pg_temp
as $$
  delete from public.product_search where id = entity;
  with erased as (
    update public.product set
      sku = 'purged', name = 'purged', description = null, brand = null, category = null, price_amount = null, price_currency = null,
      attributes = '{}', status = 'DISCONTINUED',
      version = version + 1, updated_at = now(), deleted_at = coalesce(deleted_at, now()), purged_at = now()
    where id = product_erase.entity
    returning id, version
  ), noted as (
    insert into public.erasure (aggregate_type, entity, version) select 'catalog.product', id, version from erased
    on conflict on constraint erasure_pkey do update set version = excluded.version
  )
  select version from erased
$$;
create or replace function category_erase(entity uuid) returns bigint
  language sql
  security definer
  set search_path = pg_catalog, pg_temp
as $$
  with erased as (
    update public.category set
      code = 'purged', name = 'purged', description = null,
      version = version + 1, updated_at = now(), deleted_at = coalesce(deleted_at, now()), purged_at = now()
    where id = category_erase.entity
    returning id, version
  ), noted as (
    insert into public.erasure (aggregate_type, entity, version) select 'catalog.category', id, version from erased
    on conflict on constraint erasure_pkey do update set version = excluded.version
  )
  select version from erased
$$;

-- As before, and nothing from before the last erasure.
create or replace function entity_versions(aggregate_type text, event_type text, entity uuid, below bigint, max_rows integer, max_bytes bigint)
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
  erased_as constant bigint := coalesce((
    select e.version from public.erasure e where e.aggregate_type = entity_versions.aggregate_type and e.entity = entity_versions.entity
  ), 0);
begin
  for event in
    select o.version, o.data_op, o.payload from public.outbox o
    where o.aggregateid = entity::text and o.version < coalesce(below, 9223372036854775807) and o.version >= erased_as
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
