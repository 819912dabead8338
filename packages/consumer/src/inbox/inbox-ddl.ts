import { ConsumerError } from '../errors.ts';

/** Where the inbox's tables are. */
export interface InboxTables {
  /** Schema of the two tables; it must exist. Defaults to `public`. */
  readonly schema?: string;
}

/**
 * The statements that make the inbox's tables, to be put into a migration of the consumer's database; run twice they change nothing.
 * `inbox_version` has a row for each entity that a consumer has seen, `inbox_event` one for each event without a version.
 */
export function inboxDdl(tables: InboxTables = {}): string {
  const { version, event } = inboxTableNames(tables);
  return `create table if not exists ${version} (
  consumer text not null,
  key text not null,
  version bigint not null,
  eid text not null,
  seen_at timestamptz not null default now(),
  primary key (consumer, key)
);
create index if not exists inbox_version_seen_at on ${version} (seen_at);
create table if not exists ${event} (
  consumer text not null,
  eid text not null,
  seen_at timestamptz not null default now(),
  primary key (consumer, eid)
);
create index if not exists inbox_event_seen_at on ${event} (seen_at);
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
