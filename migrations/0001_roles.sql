-- Group roles with the least that each service needs. They cannot log in: `migrate` gives LOGIN and a password to those it is told
-- to, or a person grants the roles to logins of their own.
do $$
begin
  if not exists (select from pg_roles where rolname = 'outbound_api') then
    create role outbound_api nologin;
  end if;
  if not exists (select from pg_roles where rolname = 'outbound_relay') then
    create role outbound_relay nologin replication;
  end if;
exception when duplicate_object or unique_violation then
  null; -- another database of this server is being migrated at the same moment: roles belong to the server
end
$$;
