import { ConsumerError } from '../errors.ts';

/** Where the inbox's tables are. */
export interface InboxTables {
  /** Schema of the two tables; it must exist. Defaults to `public`. */
  readonly schema?: string;
}

/**
 * The statements that make the inbox's tables, to be put into a migration of the consumer's database; run twice they change nothing.
 * `inbox_version` has a row for each entity that a consumer has seen, `inbox_event` one for each event without a version.
 *
 * **Tables of before**, which knew no `data_type`, get it: their rows keep an empty one, because nobody knows of which kind of entity they speak. Such a row says that the very event in
 * it (`eid`) was seen, and no more: an older event of the key may be another entity's, so it has its effect, perhaps for the second time, before the newer ones do. None is lost. Whoever
 * knows the kind says so, once and while no member runs: `update inbox_version set data_type = 'shop.order' where consumer = 'billing' and data_type = ''`.
 * **Order**: stop members of the older version before; they find no key to insert by, and fail without an effect. The primary keys are built anew under a lock, in seconds for millions of rows.
 */
export function inboxDdl(tables: InboxTables = {}): string {
  const { version, event } = inboxTableNames(tables);
  return `create table if not exists ${version} (
  consumer text not null,
  data_type text not null,
  key text not null,
  version bigint not null,
  eid text not null,
  seen_at timestamptz not null default now(),
  primary key (consumer, data_type, key)
);
${withDataType(version, 'key')}create index if not exists inbox_version_seen_at on ${version} (seen_at);
create table if not exists ${event} (
  consumer text not null,
  data_type text not null,
  eid text not null,
  seen_at timestamptz not null default now(),
  primary key (consumer, data_type, eid)
);
${withDataType(event, 'eid')}create index if not exists inbox_event_seen_at on ${event} (seen_at);
`;
}

/** Brings a table of before up to date; the column and the key come together or not at all. */
function withDataType(table: string, id: 'key' | 'eid'): string {
  return `do $$ begin
  if not exists (select from pg_attribute where attrelid = '${table}'::regclass and attname = 'data_type' and not attisdropped) then
    execute (select format('alter table %s drop constraint %I', conrelid::regclass, conname) from pg_constraint where conrelid = '${table}'::regclass and contype = 'p');
    alter table ${table} add column data_type text not null default '';
    alter table ${table} alter column data_type drop default;
    alter table ${table} add primary key (consumer, data_type, ${id});
  end if;
end $$;
`;
}

/** @throws ConsumerError SUBSCRIPTION_INVALID for a schema name that would have to be quoted: it is put into statements as it is. */
export function inboxTableNames({ schema = 'public' }: InboxTables): {
  version: string;
  event: string;
} {
  if (!/^[a-z_][a-z0-9_]{0,62}$/.test(schema))
    throw new ConsumerError(
      'SUBSCRIPTION_INVALID',
      `the inbox's schema "${schema}" must be of lower-case letters, digits and "_"`,
    );
  return { version: `${schema}.inbox_version`, event: `${schema}.inbox_event` };
}
