-- A row that goes takes its version with it: whoever creates the entity again would begin at 1, and every reader would take that for old. So the api deletes
-- softly, and may do nothing else.
revoke delete on product, category from outbound_api;

-- Readiness looks whether the schema is new enough for the code.
grant select on schema_migration to outbound_api;

-- The count itself is held here, whoever writes: consumers order by it, so a version that is not the next one is lost or overtakes (I3). Twice nothing is wrong with the same
-- version: a deleted row whose data is dropped. The conditions are the triggers', which cost far less than a function that is called for each row.
create function entity_refuse_version() returns trigger
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
begin
  if tg_op = 'INSERT' then
    raise exception 'a new % begins with version 1, and not with %', tg_table_name, new.version
      using errcode = 'restrict_violation', hint = 'To create a deleted one again, update its row: the count goes on.';
  end if;
  raise exception '% % has version %: the next one is that plus 1, and not %', tg_table_name, old.id, old.version, new.version
    using errcode = 'restrict_violation', hint = 'Lock the row, count under the lock, and keep the id.';
end
$$;
revoke execute on function entity_refuse_version() from public;

create trigger product_first_version before insert on product
  for each row when (new.version <> 1) execute function entity_refuse_version();
create trigger category_first_version before insert on category
  for each row when (new.version <> 1) execute function entity_refuse_version();
create trigger product_next_version before update on product
  for each row when (
    new.id <> old.id or (new.version <> old.version + 1
      and (new.version <> old.version or old.deleted_at is null or new.deleted_at is distinct from old.deleted_at))
  ) execute function entity_refuse_version();
create trigger category_next_version before update on category
  for each row when (
    new.id <> old.id or (new.version <> old.version + 1
      and (new.version <> old.version or old.deleted_at is null or new.deleted_at is distinct from old.deleted_at))
  ) execute function entity_refuse_version();
