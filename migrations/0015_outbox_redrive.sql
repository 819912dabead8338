-- The relay writes dead letters into the outbox again, when it has learnt the event type that they waited for (outbound dead-letters redrive does the same as
-- outbound_operator, which may insert). A function, since the relay's role reads and writes no table: only rows that are marked as letters pass.
create function outbox_redrive(
  ids uuid[], aggregatetypes text[], aggregateids text[], types text[], versions bigint[], data_ops text[], payloads text[], all_headers text[]
) returns void
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
as $$
begin
  if exists (select from unnest(all_headers) as h where (h::jsonb ->> 'outbound_redrive') is null) then
    raise exception 'outbox_redrive takes dead letters only' using errcode = 'check_violation';
  end if;
  insert into public.outbox (id, aggregatetype, aggregateid, type, version, data_op, payload, headers)
  select id, aggregatetype, aggregateid, type, version, data_op, payload::json, headers::json
  from unnest(ids, aggregatetypes, aggregateids, types, versions, data_ops, payloads, all_headers)
    with ordinality as letter (id, aggregatetype, aggregateid, type, version, data_op, payload, headers, place)
  order by place;
end
$$;

revoke execute on function outbox_redrive(uuid[], text[], text[], text[], bigint[], text[], text[], text[]) from public;
grant execute on function outbox_redrive(uuid[], text[], text[], text[], bigint[], text[], text[], text[]) to outbound_relay;
