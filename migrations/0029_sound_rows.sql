-- The checks of the tables that every write meets, as one function each. Postgres reads the stored tree of a CHECK anew for each statement, so those of a product and of its event, 18,000 characters,
-- were two fifths of what a create cost it; the calls are a fifth of them, and the function is read once for a session. One expression in place of many would save nothing.
--
-- Same verdicts (services/catalog-api/src/migrations/sound-rows.pg.test.ts), and a refusal names the rule by the name that its CHECK had. The rules are tried in the order of those names, as before; a rule that is
-- null refuses nothing, as a CHECK. For whoever changes them:
-- - `create or replace` looks at no row that is there: make a function of another name, a CHECK that is not valid, and validate that.
-- - Immutable: nothing but the arguments. Everybody may call them, since whoever inserts has to.
-- - No `set search_path`: it costs each call some 14 µs (bench/README.md). So every operator, function and type is called with its schema, and nobody's search_path gives it another meaning;
--   that is why there is no `between`, `in` or `is distinct from`.
create function product_is_sound(
  sku text, name text, description text, brand text, category text, price_amount numeric, price_currency text,
  attributes json, status text, version bigint
) returns boolean
  language plpgsql immutable parallel safe
as $$
declare
  refused constant pg_catalog.text := case
    when not (pg_catalog.json_typeof(attributes) operator(pg_catalog.=) 'object'
      and pg_catalog.octet_length(attributes::pg_catalog.text) operator(pg_catalog.<=) 65536) then 'product_attributes_check'
    when not (pg_catalog.char_length(brand) operator(pg_catalog.>=) 1 and pg_catalog.char_length(brand) operator(pg_catalog.<=) 100) then 'product_brand_check'
    when not (pg_catalog.char_length(category) operator(pg_catalog.>=) 1 and pg_catalog.char_length(category) operator(pg_catalog.<=) 64) then 'product_category_check'
    when not (pg_catalog.char_length(description) operator(pg_catalog.<=) 4000) then 'product_description_check'
    when not (pg_catalog.char_length(name) operator(pg_catalog.>=) 1 and pg_catalog.char_length(name) operator(pg_catalog.<=) 200) then 'product_name_check'
    when not (price_amount operator(pg_catalog.>=) 0) then 'product_price_amount_check'
    when not ((price_amount is null) operator(pg_catalog.=) (price_currency is null)) then 'product_price_check'
    when not (price_currency operator(pg_catalog.~) '^[A-Z]{3}$') then 'product_price_currency_check'
    when not (sku operator(pg_catalog.~) '^[A-Za-z0-9._-]{1,64}$') then 'product_sku_check'
    when not (status operator(pg_catalog.=) any ('{DRAFT,ACTIVE,DISCONTINUED}'::pg_catalog.text[])) then 'product_status_check'
    when not (version operator(pg_catalog.>=) 1) then 'product_version_check'
  end;
begin
  if refused is not null then
    raise exception 'new row for relation "product" violates check constraint "%"', refused
      using errcode = 'check_violation', constraint = refused, table = 'product', schema = 'public';
  end if;
  return true;
end
$$;

-- Times in seconds since 1970, which no session's settings read differently: the years 1 and 10000.
create function outbox_is_sound(
  aggregatetype text, aggregateid text, type text, version bigint, data_op character, payload json, headers json,
  created_at timestamptz
) returns boolean
  language plpgsql immutable parallel safe
as $$
declare
  refused constant pg_catalog.text := case
    when not (aggregateid operator(pg_catalog.<>) '' and pg_catalog.octet_length(aggregateid) operator(pg_catalog.<=) 255) then 'outbox_aggregateid_check'
    when not (aggregatetype operator(pg_catalog.<>) '') then 'outbox_aggregatetype_check'
    when not (pg_catalog.octet_length(aggregatetype) operator(pg_catalog.<=) 255) then 'outbox_aggregatetype_length_check'
    when not (created_at operator(pg_catalog.>=) pg_catalog.to_timestamp(-62135596800)
      and created_at operator(pg_catalog.<) pg_catalog.to_timestamp(253402300800)) then 'outbox_created_at_check'
    when not (data_op operator(pg_catalog.=) any ('{C,U,D,S}'::pg_catalog.bpchar[])) then 'outbox_data_op_check'
    when not (pg_catalog.json_typeof(headers) operator(pg_catalog.=) 'object' and (
      pg_catalog.octet_length(headers::pg_catalog.text) operator(pg_catalog.<=) 8192
      or (pg_catalog.octet_length(headers::pg_catalog.text) operator(pg_catalog.<=) 8448
        and (headers operator(pg_catalog.->>) 'outbound_redrive') is not null))) then 'outbox_headers_check'
    when pg_catalog.jsonb_path_exists(headers::pg_catalog.jsonb, 'strict $.* ? (@.type() <> "string")') then 'outbox_headers_text_check'
    when not (pg_catalog.json_typeof(payload) operator(pg_catalog.=) 'object'
      and pg_catalog.octet_length(payload::pg_catalog.text) operator(pg_catalog.<=) 921600) then 'outbox_payload_check'
    when not (type operator(pg_catalog.<>) '' and pg_catalog.octet_length(type) operator(pg_catalog.<=) 255) then 'outbox_type_check'
    when not (version operator(pg_catalog.>=) 1) then 'outbox_version_check'
  end;
begin
  if refused is not null then
    raise exception 'new row for relation "outbox" violates check constraint "%"', refused
      using errcode = 'check_violation', constraint = refused, table = 'outbox', schema = 'public';
  end if;
  return true;
end
$$;

create function idempotency_key_is_sound(key text, request_hash bytea, response_status integer) returns boolean
  language plpgsql immutable parallel safe
as $$
declare
  refused constant pg_catalog.text := case
    when not (pg_catalog.char_length(key) operator(pg_catalog.>=) 1 and pg_catalog.char_length(key) operator(pg_catalog.<=) 255) then 'idempotency_key_key_check'
    when not (pg_catalog.octet_length(request_hash) operator(pg_catalog.=) 32) then 'idempotency_key_request_hash_check'
    when not (response_status operator(pg_catalog.>=) 100 and response_status operator(pg_catalog.<=) 599) then 'idempotency_key_response_status_check'
  end;
begin
  if refused is not null then
    raise exception 'new row for relation "idempotency_key" violates check constraint "%"', refused
      using errcode = 'check_violation', constraint = refused, table = 'idempotency_key', schema = 'public';
  end if;
  return true;
end
$$;

-- Said, since a database may have taken it from functions to come by its default privileges.
grant execute on function product_is_sound(text, text, text, text, text, numeric, text, json, text, bigint),
  outbox_is_sound(text, text, text, bigint, character, json, json, timestamptz),
  idempotency_key_is_sound(text, bytea, integer) to public;

-- In the order of every writer. In another one each try would fail for as long as writers come: one that has the product already waits behind us for the outbox, and we for him.
lock table idempotency_key, product, outbox in access exclusive mode;

-- Not validated here: that reads every row, while everybody waits for these locks. One statement for each table, so there is no moment without the rules.
alter table outbox
  drop constraint outbox_aggregateid_check,
  drop constraint outbox_aggregatetype_check,
  drop constraint outbox_aggregatetype_length_check,
  drop constraint outbox_created_at_check,
  drop constraint outbox_data_op_check,
  drop constraint outbox_headers_check,
  drop constraint outbox_headers_text_check,
  drop constraint outbox_payload_check,
  drop constraint outbox_type_check,
  drop constraint outbox_version_check,
  add constraint outbox_sound_check check (
    public.outbox_is_sound(aggregatetype, aggregateid, type, version, data_op, payload, headers, created_at)
  ) not valid;
alter table product
  drop constraint product_attributes_check,
  drop constraint product_brand_check,
  drop constraint product_category_check,
  drop constraint product_description_check,
  drop constraint product_name_check,
  drop constraint product_price_amount_check,
  drop constraint product_price_check,
  drop constraint product_price_currency_check,
  drop constraint product_sku_check,
  drop constraint product_status_check,
  drop constraint product_version_check,
  add constraint product_sound_check check (
    public.product_is_sound(sku, name, description, brand, category, price_amount, price_currency, attributes, status, version)
  ) not valid;
alter table idempotency_key
  drop constraint idempotency_key_key_check,
  drop constraint idempotency_key_request_hash_check,
  drop constraint idempotency_key_response_status_check,
  add constraint idempotency_key_sound_check check (public.idempotency_key_is_sound(key, request_hash, response_status)) not valid;

-- As before (0024, 0026), without `set search_path`, for the same reason: they are called for each row.
create or replace function product_refuse_category() returns trigger
  language plpgsql
as $$
begin
  -- First the lock, then the look, which sees what was committed while the lock was waited for (read committed).
  perform pg_catalog.pg_advisory_xact_lock_shared(pg_catalog.hashtext('category.code'), pg_catalog.hashtext(new.category));
  if not exists (select from public.category c where c.code operator(pg_catalog.=) new.category and c.deleted_at is null) then
    raise exception 'there is no category with the code of product %', new.id
      using errcode = 'check_violation', constraint = 'product_category_exists', table = 'product', column = 'category', schema = 'public';
  end if;
  return new;
end
$$;
create or replace function entity_mark_change() returns trigger
  language plpgsql
as $$
begin
  new.changed_in := pg_catalog.pg_current_xact_id();
  return new;
end
$$;
