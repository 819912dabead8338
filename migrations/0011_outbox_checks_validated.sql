-- Reads the rows while writers go on. Where an old row breaks a check, that one stays as it is: it holds for what is written from
-- now on, and old rows go with their partitions.
do $$
declare
  name text;
begin
  foreach name in array array['outbox_aggregatetype_length_check', 'outbox_headers_text_check', 'outbox_created_at_check']
  loop
    begin
      execute format('alter table outbox validate constraint %I', name);
    exception
      when check_violation or untranslatable_character then
        raise warning 'old rows of the outbox break %, which holds for new ones only', name;
    end;
  end loop;
end
$$;
