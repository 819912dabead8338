-- A product's category exists: where a live product comes to have one (created, changed, created again), a live category has that code. Here and not in the API, so
-- that it holds whoever writes, one product or thousands, and costs no round trip. Rows from before keep what they have until somebody changes it.
--
-- No foreign key: codes are unique among live categories alone, and no foreign key can point at that. And an advisory lock in the place of a row lock: a row lock that is shared
-- is written to the category's row and to the log for each product, and lets newcomers pass whoever wants to delete the category, for ever. This one is in memory, and
-- its queue is fair. In two integers, another space than that of idempotency keys (a bigint). Two codes with one hash merely wait for each other.
--
-- check_violation: an API from before answers it as what it is, a value that the database refuses.
create function product_refuse_category() returns trigger
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
begin
  -- First the lock, then the look, which sees what was committed while the lock was waited for (read committed).
  perform pg_advisory_xact_lock_shared(hashtext('category.code'), hashtext(new.category));
  if not exists (select from public.category c where c.code = new.category and c.deleted_at is null) then
    raise exception 'there is no category with the code of product %', new.id
      using errcode = 'check_violation', constraint = 'product_category_exists', table = 'product', column = 'category', schema = 'public';
  end if;
  return new;
end
$$;
revoke execute on function product_refuse_category() from public;

create trigger product_category_exists_insert before insert on product
  for each row when (new.category is not null and new.deleted_at is null) execute function product_refuse_category();
create trigger product_category_exists_update before update on product
  for each row when (
    new.category is not null and new.deleted_at is null and (new.category is distinct from old.category or old.deleted_at is not null)
  ) execute function product_refuse_category();

-- The other side: a category goes, or gets another code, when no live product refers to it. The message counts up to a thousand of them and names the first.
create function category_refuse_leaving() returns trigger
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  others bigint;
  first_id uuid;
begin
  perform pg_advisory_xact_lock(hashtext('category.code'), hashtext(old.code));
  select count(*), (array_agg(p.id))[1] into others, first_id from (
    select id from public.product where category = old.code and deleted_at is null order by id limit 1001
  ) p;
  if others > 0 then
    raise exception '% to it, the first is %',
        case when others = 1 then '1 product refers' when others > 1000 then 'More than 1000 products refer' else others || ' products refer' end, first_id
      using errcode = 'check_violation', constraint = 'category_referred', table = 'category', column = 'code', schema = 'public';
  end if;
  return new;
end
$$;
revoke execute on function category_refuse_leaving() from public;

create trigger category_referred before update on category
  for each row when (old.deleted_at is null and (new.deleted_at is not null or new.code <> old.code)) execute function category_refuse_leaving();
