import type pg from 'pg';
import { ConsumerError } from '../errors.ts';
import type { StateBatch, StateStore } from './state-store.ts';

/** What the store needs of a pool of `pg`. */
export type StorePool = Pick<pg.Pool, 'connect' | 'query'>;

const tableName = /^[a-z_][a-z0-9_]{0,48}(\.[a-z_][a-z0-9_]{0,48})?$/;

/**
 * DDL of a state table and of its positions, for those who migrate themselves. `value` is `json`, so its bytes stay as they were published.
 * @throws ConsumerError STORE_UNUSABLE for a name that is no plain table name.
 */
export function stateTableDdl(table: string): string {
  if (!tableName.test(table))
    throw new ConsumerError(
      'STORE_UNUSABLE',
      `${table} is no table name: expected table or schema.table of [a-z0-9_], at most 49 each`,
    );
  return `
create table if not exists ${table} (
  key text primary key,
  version bigint,
  value json not null
);
create table if not exists ${table}_position (
  topic text not null,
  partition integer not null,
  next_offset bigint not null,
  current_at timestamptz not null,
  primary key (topic, partition)
);`;
}

/**
 * A state in a Postgres table, `table (key, version, value)`, with its positions in `table_position`, written in the same transaction. Makes both tables if they are
 * not there. Commits without waiting for the disk: after a crash of the server state and position are older together, and reading goes on from there.
 * A second writer is noticed by the position and refused.
 * @throws ConsumerError STORE_UNUSABLE if the table holds the state of another topic, or the name is no plain table name.
 */
export async function openPostgresStore(
  pool: StorePool,
  { table, topic }: { readonly table: string; readonly topic: string },
): Promise<StateStore> {
  await pool.query(stateTableDdl(table));
  const { rows: others } = await pool.query<{ topic: string }>(
    `select topic from ${table}_position where topic <> $1 limit 1`,
    [topic],
  );
  if (others[0])
    throw new ConsumerError(
      'STORE_UNUSABLE',
      `${table} holds the state of ${others[0].topic}: name another table for ${topic}`,
    );
  /** As we have written them: nobody else may. */
  const written = new Map<number, bigint>();
  let currentAtMs = Date.now();
  return {
    async positions() {
      const { rows } = await pool.query<{ partition: number; next: string; current: Date }>(
        `select partition, next_offset::text as next, current_at as current
         from ${table}_position where topic = $1`,
        [topic],
      );
      written.clear();
      for (const { partition, next } of rows) written.set(partition, BigInt(next));
      currentAtMs = Math.min(Date.now(), ...rows.map(({ current }) => current.getTime()));
      return { offsets: new Map(written), currentAtMs };
    },
    async applyBatch(batch) {
      await inTransaction(pool, async (client) => {
        await writeEntries(client, table, batch);
        await writePosition(client, {
          ...{ table, topic, batch, currentAtMs },
          before: written.get(batch.partition),
        });
      });
      written.set(batch.partition, batch.nextOffset);
    },
    async confirm(atMs) {
      await pool.query(`update ${table}_position set current_at = $2 where topic = $1`, [
        topic,
        new Date(atMs),
      ]);
      currentAtMs = atMs;
    },
    caughtUp: () => Promise.resolve(),
    async clear() {
      await inTransaction(pool, async (client) => {
        await client.query(`truncate ${table}, ${table}_position`);
      });
      written.clear();
      currentAtMs = Date.now();
    },
    close: () => Promise.resolve(),
  };
}

async function writeEntries(
  client: pg.PoolClient,
  table: string,
  { entries }: StateBatch,
): Promise<void> {
  const kept = entries.filter(({ value }) => value !== undefined);
  const gone = entries.filter(({ value }) => value === undefined);
  if (kept.length > 0)
    await client.query({
      name: `upsert ${table}`,
      text: `insert into ${table} as t (key, version, value)
        select key, version, value::json from unnest($1::text[], $2::bigint[], $3::text[]) as e (key, version, value)
        on conflict (key) do update set version = excluded.version, value = excluded.value
        where t.version is null or excluded.version is null or excluded.version >= t.version`,
      values: [
        kept.map(({ key }) => key),
        kept.map(({ version }) => version ?? null),
        kept.map(({ value }) => value?.toString()),
      ],
    });
  if (gone.length > 0)
    await client.query(
      `delete from ${table} as t using unnest($1::text[], $2::bigint[]) as e (key, version)
       where t.key = e.key and (t.version is null or e.version is null or e.version >= t.version)`,
      [gone.map(({ key }) => key), gone.map(({ version }) => version ?? null)],
    );
}

async function writePosition(
  client: pg.PoolClient,
  {
    table,
    topic,
    batch: { partition, nextOffset },
    before,
    currentAtMs,
  }: {
    table: string;
    topic: string;
    batch: StateBatch;
    before: bigint | undefined;
    currentAtMs: number;
  },
): Promise<void> {
  const parameters = [topic, partition, nextOffset.toString()];
  const { rowCount } =
    before === undefined
      ? await client.query(
          `insert into ${table}_position (topic, partition, next_offset, current_at) values ($1, $2, $3, $4) on conflict do nothing`,
          [...parameters, new Date(currentAtMs)],
        )
      : await client.query(
          `update ${table}_position set next_offset = $3 where topic = $1 and partition = $2 and next_offset = $4`,
          [...parameters, before.toString()],
        );
  if (rowCount !== 1)
    throw new ConsumerError(
      'STORE_UNUSABLE',
      `somebody else writes to ${table}: its position of partition ${partition} is no longer ours (${before ?? 'none'}); stop one of the two`,
    );
}

async function inTransaction(
  pool: StorePool,
  work: (client: pg.PoolClient) => Promise<void>,
): Promise<void> {
  const client = await pool.connect();
  let broken: Error | undefined;
  try {
    await client.query('begin; set local synchronous_commit = off');
    await work(client);
    await client.query('commit');
  } catch (thrown) {
    await client.query('rollback').catch((error: unknown) => {
      broken = error instanceof Error ? error : new Error(String(error));
    });
    throw thrown;
  } finally {
    client.release(broken);
  }
}
