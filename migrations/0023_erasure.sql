-- What `outbound erase` does as outbound_operator, which may change no entity and no event: one entity's data at a time, and never a version.

-- The one exception of the append-only outbox: the events of an entity that was erased, for outbox_forget() alone.
create or replace function outbox_refuse_change() returns trigger
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
begin
  if tg_op = 'DELETE' then
    if current_setting('outbound.forgets', true) = old.aggregatetype || ' ' || old.aggregateid
      and pg_has_role(current_user, (select relowner from pg_class where oid = 'public.outbox'::regclass), 'usage')
    then
      return old;
    end if;
  end if;
  raise exception 'the outbox is append-only: % is not possible', tg_op
    using errcode = 'restrict_violation', hint = 'Write another event. Old partitions are dropped by outbox_housekeeping().';
end
$$;

-- Deletes the events of an entity that are older than its version `below`, and says how many. Only when every reader of the log has confirmed `confirmed`, a
-- position behind them: what was not published has been promised. Until then it deletes nothing and says who is waited for. `below` has to be
-- a deletion that the outbox has, so that what is left of an entity says that it is gone.
create function outbox_forget(aggregate_type text, aggregate_id text, below bigint, confirmed pg_lsn, out forgotten bigint, out waits_for text)
  language plpgsql
  security definer
  set search_path = pg_catalog, public, pg_temp
as $$
begin
  forgotten := 0;
  waits_for := public.outbox_unconfirmed_slot(confirmed);
  if waits_for is not null then
    return;
  end if;
  if not exists (
    select from public.outbox o
    where o.aggregateid = aggregate_id and o.version = below and o.aggregatetype = aggregate_type and o.data_op = 'D'
  ) then
    raise exception 'the outbox has no deletion of % % with version %', aggregate_type, aggregate_id, below
      using errcode = 'object_not_in_prerequisite_state', hint = 'Erase the entity first: outbound erase.';
  end if;
  perform set_config('outbound.forgets', aggregate_type || ' ' || aggregate_id, true);
  delete from public.outbox o where o.aggregateid = aggregate_id and o.version < below and o.aggregatetype = aggregate_type;
  get diagnostics forgotten = row_count;
  perform set_config('outbound.forgets', '', true);
end
$$;

-- Deletes an entity's data, and the entity if it lives, as its next version: the caller emits that in the same transaction. What is left is what the purge of
-- deleted entities leaves (`purged` of the aggregate). Gives the version, or null if there is no such row.
create function product_erase(entity uuid) returns bigint
  language sql
  security definer
  set search_path = pg_catalog, pg_temp
as $$
  update public.product set
    sku = 'purged', name = 'purged', description = null, brand = null, category = null, price_amount = null, price_currency = null,
    attributes = '{}', status = 'DISCONTINUED',
    version = version + 1, updated_at = now(), deleted_at = coalesce(deleted_at, now()), purged_at = now()
  where id = entity
  returning version
$$;
create function category_erase(entity uuid) returns bigint
  language sql
  security definer
  set search_path = pg_catalog, pg_temp
as $$
  update public.category set
    code = 'purged', name = 'purged', description = null,
    version = version + 1, updated_at = now(), deleted_at = coalesce(deleted_at, now()), purged_at = now()
  where id = entity
  returning version
$$;

-- Answers that are kept for an Idempotency-Key and show the entity become the answer that a look at it gets now. Not forgotten: the same request would be
-- done once more, and bring the data back. The answer to a chunk of a batch (207) has ids and versions only.
create function idempotency_forget(entity uuid) returns bigint
  language sql
  security definer
  set search_path = pg_catalog, pg_temp
as $$
  with changed as (
    update public.idempotency_key set
      response_status = 404,
      response_headers = '{"content-type":"application/problem+json","cache-control":"no-store"}',
      response_body = '{"type":"/problems/not-found","title":"The resource does not exist","status":404,'
        || '"detail":"What this request made has been erased since.","instance":"urn:flow:erased","flow_id":"erased"}'
    where response_status <> 207 and position(entity::text in response_body) > 0
    returning 1
  )
  select count(*) from changed
$$;

-- The planner's statistics hold samples of values: they are taken anew.
create function erasure_analyze() returns void
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
  set lock_timeout = '5s'
as $$
begin
  analyze public.product, public.category, public.idempotency_key;
end
$$;

revoke execute on function outbox_forget(text, text, bigint, pg_lsn) from public;
revoke execute on function product_erase(uuid) from public;
revoke execute on function category_erase(uuid) from public;
revoke execute on function idempotency_forget(uuid) from public;
revoke execute on function erasure_analyze() from public;
grant execute on function outbox_forget(text, text, bigint, pg_lsn) to outbound_operator;
grant execute on function product_erase(uuid) to outbound_operator;
grant execute on function category_erase(uuid) to outbound_operator;
grant execute on function idempotency_forget(uuid) to outbound_operator;
grant execute on function erasure_analyze() to outbound_operator;
