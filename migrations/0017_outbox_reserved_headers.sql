-- Headers that mark a row as a dead letter are the pipeline's own: from anybody else the relay would leave the row out, since it is the turn of no letter.
-- So they are refused from whoever is neither the operator nor the owner of the outbox (which outbox_redrive runs as).
create function outbox_refuse_reserved_headers() returns trigger
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
begin
  if pg_has_role(current_user, 'outbound_operator', 'usage')
    or pg_has_role(current_user, (select relowner from pg_class where oid = 'public.outbox'::regclass), 'usage')
  then
    return new;
  end if;
  raise exception 'outbox event % has a header that is reserved for dead letters (outbound_redrive or outbound_discard)', new.id
    using errcode = 'check_violation', hint = 'Use another name for the header. Dead letters are written by outbox_redrive().';
end
$$;

create trigger outbox_reserved_headers before insert on outbox
  for each row when (new.headers ->> 'outbound_redrive' is not null or new.headers ->> 'outbound_discard' is not null)
  execute function outbox_refuse_reserved_headers();

-- A letter that goes again has its row's headers and the mark, so an event with the most that the check took could never go again.
-- Not validated here: that reads every row, while everybody waits for this lock.
alter table outbox
  drop constraint outbox_headers_check,
  add constraint outbox_headers_check check (
    json_typeof(headers) = 'object' and (
      octet_length(headers::text) <= 8192
      or (octet_length(headers::text) <= 8448 and headers ->> 'outbound_redrive' is not null)
    )
  ) not valid;
