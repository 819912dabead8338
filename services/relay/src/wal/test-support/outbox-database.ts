import { randomUUID } from 'node:crypto';
import pg from 'pg';
import type { PostgresServer } from '@outbound/local-stack';
import { PostgresSource, type PostgresSourceOptions } from '../postgres-source.ts';

/** A database with an outbox, a publication and the table of slots, as the migrations make them; made here, so that a trap can vary one thing. */
export interface OutboxDatabase extends AsyncDisposable {
  readonly name: string;
  /** URL of the superuser. */
  readonly url: string;
  /** URL of a role that has LOGIN, REPLICATION and what it needs on `relay_slot`, no more. */
  readonly relayUrl: string;
  readonly admin: pg.Client;
  readonly slot: string;
  /** A source with short timings. */
  source(options?: Partial<PostgresSourceOptions>): PostgresSource;
  /** Inserts one row per id in one transaction; gives the ids. */
  insert(...ids: string[]): Promise<void>;
  confirmedFlushLsn(): Promise<string | undefined>;
  /** A further connection, closed with the database. */
  client(): Promise<pg.Client>;
}

export interface OutboxDatabaseOptions {
  readonly isPartitioned?: boolean;
  readonly publication?: string;
}

export const outboxColumnsSql = `id uuid not null, aggregatetype text not null, aggregateid text not null, type text not null,
  version bigint not null, data_op char(1) not null, payload json not null, headers json not null default '{}',
  created_at timestamptz not null default now()`;

export const insertSql = `insert into outbox (id, aggregatetype, aggregateid, type, version, data_op, payload)
  values ($1, 'catalog.product', $2, 'catalog.product-change', 1, 'C', $3)`;

export function eid(number: number): string {
  return `00000000-0000-7000-8000-${number.toString(16).padStart(12, '0')}`;
}

/** Creates all that in a database of its own on the server. */
export async function createOutboxDatabase(
  server: PostgresServer,
  { isPartitioned = false, publication = 'outbound' }: OutboxDatabaseOptions = {},
): Promise<OutboxDatabase> {
  const suffix = randomUUID().slice(0, 8);
  const name = `wal_${suffix}`;
  const role = `relay_${suffix}`;
  const url = await server.createDatabase(name);
  const clients: pg.Client[] = [];
  const client = async () => {
    const each = new pg.Client({ connectionString: url });
    each.on('error', () => undefined);
    await each.connect();
    clients.push(each);
    return each;
  };
  const admin = await client();
  await admin.query(`
    create role ${role} login replication password 'relay-secret';
    create table outbox (${outboxColumnsSql}) ${isPartitioned ? 'partition by range (created_at)' : ''};
    ${isPartitioned ? 'create table outbox_default partition of outbox default;' : ''}
    create table relay_slot (slot_name text primary key, system_identifier text not null, created_lsn pg_lsn not null, created_at timestamptz not null default now());
    grant select, insert on relay_slot to ${role};
    create table other (n int);
    create publication "${publication}" for table outbox with (publish = 'insert', publish_via_partition_root = true);
  `);
  const relayUrl = new URL(url);
  relayUrl.username = role;
  relayUrl.password = 'relay-secret';
  const slot = `slot_${suffix}`;
  return {
    name,
    url,
    relayUrl: relayUrl.href,
    admin,
    slot,
    client,
    source: (options) =>
      new PostgresSource({ databaseUrl: relayUrl.href, slot, publication, ...options }),
    insert: async (...ids) => {
      await admin.query('begin');
      for (const id of ids) await admin.query(insertSql, [id, `product-${id}`, '{"n":1}']);
      await admin.query('commit');
    },
    confirmedFlushLsn: async () => {
      const { rows } = await admin.query<{ lsn: string }>(
        'select confirmed_flush_lsn::text as lsn from pg_replication_slots where slot_name = $1',
        [slot],
      );
      return rows[0]?.lsn;
    },
    [Symbol.asyncDispose]: async () => {
      for (const each of clients) await each.end().catch(() => undefined);
    },
  };
}
