-- Lets no transaction add to the outbox until the caller's ends, and comes back when none that has added is open: what is committed then is
-- visible, and what commits later comes later in the log. `outbound recover` puts a new slot and the events that are not in Kafka between the two.
-- A function, since whoever may only add to a table may not lock it. Within five seconds or not at all: writers queue behind whoever waits.
create function outbox_hold() returns void
  language plpgsql
  security definer
  set search_path = pg_catalog, public, pg_temp
  set lock_timeout = '5s'
as $$
begin
  lock table only public.outbox in share row exclusive mode;
end
$$;

revoke execute on function outbox_hold() from public;
grant execute on function outbox_hold() to outbound_operator;
