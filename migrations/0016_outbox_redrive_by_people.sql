-- People write dead letters into the outbox by the same function as the relay, so there is one way: it takes letters that are given up
-- (outbound dead-letters discard), too, and nothing that is not marked as either.
create or replace function outbox_redrive(
  ids uuid[], aggregatetypes text[], aggregateids text[], types text[], versions bigint[], data_ops text[], payloads text[], all_headers text[]
) returns void
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
as $$
begin
  if exists (
    select from unnest(all_headers) as h
    where coalesce(h::jsonb ->> 'outbound_redrive', h::jsonb ->> 'outbound_discard') is null
  ) then
    raise exception 'outbox_redrive takes dead letters only' using errcode = 'check_violation';
  end if;
  insert into public.outbox (id, aggregatetype, aggregateid, type, version, data_op, payload, headers)
  select id, aggregatetype, aggregateid, type, version, data_op, payload::json, headers::json
  from unnest(ids, aggregatetypes, aggregateids, types, versions, data_ops, payloads, all_headers)
    with ordinality as letter (id, aggregatetype, aggregateid, type, version, data_op, payload, headers, place)
  order by place;
end
$$;

grant execute on function outbox_redrive(uuid[], text[], text[], text[], bigint[], text[], text[], text[]) to outbound_operator;
