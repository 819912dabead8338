-- What was dropped of an entity after its days is not shown again when it is created again while the outbox still has its events: as after an erasure (0028). Noted when it comes back, since
-- until then nothing of it is shown; so there is a row for those alone that did.
create function entity_hide_purged_versions() returns trigger
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
as $$
begin
  insert into public.erasure (aggregate_type, entity, version) values (tg_argv[0], new.id, new.version)
  on conflict on constraint erasure_pkey do update set version = excluded.version;
  return null;
end
$$;
revoke execute on function entity_hide_purged_versions() from public;

create trigger product_hide_purged_versions after update on product
  for each row when (old.purged_at is not null and new.purged_at is null) execute function entity_hide_purged_versions('catalog.product');
create trigger category_hide_purged_versions after update on category
  for each row when (old.purged_at is not null and new.purged_at is null) execute function entity_hide_purged_versions('catalog.category');

comment on table erasure is 'Entities that were erased, or whose data was dropped and that were created again, and the version as which that was: nothing older of them is shown.';
