-- Roles belong to the whole server, so another database of it may have made them already, even at this moment: hence the exception.
-- Without LOGIN: `migrate` gives them one with a password, if it is told to.
do $$
declare
  role_name text;
begin
  foreach role_name in array array['outbound_api', 'outbound_relay'] loop
    begin
      execute format('create role %I nologin', role_name);
    exception
      when duplicate_object or unique_violation then null;
    end;
  end loop;
end
$$;

-- PostgreSQL 15 and later grant nobody CREATE here; a database that was upgraded from an older one may still do.
revoke create on schema public from public;
grant usage on schema public to outbound_api, outbound_relay;
