import { createHash } from 'node:crypto';
import { startPostgres, type PostgresServer } from '@outbound/local-stack';
import pg from 'pg';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { openPostgresStore } from './postgres-store.ts';
import type { StateEntry, StatePosition } from './state-store.ts';

let postgres: PostgresServer;
let url: string;
let pool: pg.Pool;
beforeAll(async () => {
  postgres = await startPostgres();
  url = await postgres.createDatabase('stores');
  pool = new pg.Pool({ connectionString: url });
});
afterAll(async () => {
  await pool.end();
  await postgres.close();
});

const put = (key: string, version: number, value: string): StateEntry => ({
  ...{ key, version, partition: 0, offset: 7n },
  value: Buffer.from(value),
});
const at = (nextOffset: bigint): StatePosition => ({ partition: 0, nextOffset, mark: 'm' });

it('keeps two tables apart on one connection whose long names begin alike', async () => {
  const one = new pg.Pool({ connectionString: url, max: 1 });
  await one.query('create schema customer_copies');
  try {
    const tables = ['a', 'b'].map((end) => `customer_copies.${'x'.repeat(47)}_${end}`);
    for (const table of tables) {
      const store = await openPostgresStore(one, { table, topic: 'topic' });
      await store.applyBatch({ positions: [at(1n)], entries: [put(table, 1, '1')] });
    }
    for (const table of tables)
      expect((await one.query(`select key from ${table}`)).rows).toEqual([{ key: table }]);
  } finally {
    await one.query('drop schema customer_copies cascade');
    await one.end();
  }
});

it('names the record whose key is too long for its index', async () => {
  const store = await openPostgresStore(pool, { table: 'state', topic: 'topic' });
  // Not to be compressed: of a key that can be, the index takes more.
  const key = Array.from({ length: 300 }, (_, n) =>
    createHash('sha256').update(`${n}`).digest('hex'),
  ).join('');
  await expect(
    store.applyBatch({
      positions: [at(1n)],
      entries: [put('a', 1, '1'), { ...put(key, 1, '1'), partition: 3, offset: 41n }],
    }),
  ).rejects.toMatchObject({
    code: 'STORE_FAILED',
    message: expect.stringContaining('the key of topic/3 offset 41 has 19200 bytes') as string,
  });
});
