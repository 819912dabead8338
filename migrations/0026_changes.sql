-- Which transaction changed an entity last. Whoever follows the changes orders by it, and reads only what is below the oldest transaction that is still open (pg_snapshot_xmin): of those
-- below all have ended, so nothing can come in behind a reader, however long a transaction takes and whatever the clocks of the API's processes say. updated_at is the API's clock
-- before the commit, and cannot be that.
-- A default that is not volatile is kept once for all rows that are there: no row is written again.
alter table product add column changed_in xid8 not null default pg_current_xact_id();
alter table category add column changed_in xid8 not null default pg_current_xact_id();
comment on column product.changed_in is 'The transaction that changed it last. Of this server alone: what was copied in from another one has foreign numbers until its next change.';
comment on column category.changed_in is 'The transaction that changed it last. Of this server alone: what was copied in from another one has foreign numbers until its next change.';

create function entity_mark_change() returns trigger
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
begin
  new.changed_in := pg_current_xact_id();
  return new;
end
$$;
revoke execute on function entity_mark_change() from public;

-- An insert has it by default, and calls no function; whoever names all columns need not know this one.
create trigger product_mark_change before insert or update on product
  for each row when (new.changed_in is distinct from pg_current_xact_id()) execute function entity_mark_change();
create trigger category_mark_change before insert or update on category
  for each row when (new.changed_in is distinct from pg_current_xact_id()) execute function entity_mark_change();

-- What products are found by: the words of name and description, and of the attributes key and value. Apart from the products, because each change of a price would else index all
-- words anew, and filled behind the writers (services/catalog-api/src/catalog/search-index.ts), because it costs as much as the rest of a create.
create table product_search (
  id uuid not null,
  document tsvector not null,
  constraint product_search_pkey primary key (id)
);
comment on table product_search is 'Live products by their words and attributes; up to date but for the last second or two.';
-- A small list of what is to be merged: each search reads all of it.
create index product_search_document_idx on product_search using gin (document) with (gin_pending_list_limit = 512);

create table search_progress (
  entity text not null,
  system_identifier text not null,
  changed_in xid8 not null,
  id uuid not null,
  until xid8,
  constraint search_progress_pkey primary key (entity)
);
comment on table search_progress is 'Up to which change the search has read. While until is set, everything is read once, whatever its number.';

-- 'simple' has no language: products have names in many. An attribute is a word that begins with = and that no text has.
create function product_search_document(name text, description text, attributes json) returns tsvector
  language plpgsql stable parallel safe
  set search_path = pg_catalog, pg_temp
as $$
declare
  words constant tsvector := strip(to_tsvector('simple', name || ' ' || coalesce(description, '')));
begin
  return words || coalesce((
    select array_to_tsvector(array_agg('=' || key || '=' || (value #>> '{}')))
    from (select key, value from json_each(attributes) limit 100) member
    where json_typeof(value) in ('string', 'number', 'boolean')
      and char_length(key) <= 64 and char_length(value #>> '{}') <= 100
  ), '');
exception
  -- JSON that the API would not take, written past it, must not stop the search of everything behind it.
  when others then return words;
end
$$;

-- Never by a scan, whatever the planner takes for frequent: at most this index's lists of the words are read.
create function product_search_ids(query tsquery, most integer) returns setof uuid
  language sql stable
  set search_path = pg_catalog, public, pg_temp
  set enable_seqscan = off
  set enable_indexscan = off
  set enable_indexonlyscan = off
as $$
  select id from product_search where document @@ query limit most
$$;

revoke execute on function product_search_document(text, text, json), product_search_ids(tsquery, integer) from public;
grant execute on function product_search_document(text, text, json), product_search_ids(tsquery, integer) to outbound_api;
grant select, insert, update, delete on product_search, search_progress to outbound_api;

-- The words of an erased product go with it, and out of the planner's statistics.
create or replace function product_erase(entity uuid) returns bigint
  language sql
  security definer
  set search_path = pg_catalog, pg_temp
as $$
  delete from public.product_search where id = entity;
  update public.product set
    sku = 'purged', name = 'purged', description = null, brand = null, category = null, price_amount = null, price_currency = null,
    attributes = '{}', status = 'DISCONTINUED',
    version = version + 1, updated_at = now(), deleted_at = coalesce(deleted_at, now()), purged_at = now()
  where id = entity
  returning version
$$;
create or replace function erasure_analyze() returns void
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
  set lock_timeout = '5s'
as $$
begin
  analyze public.product, public.product_search, public.category, public.idempotency_key;
end
$$;
