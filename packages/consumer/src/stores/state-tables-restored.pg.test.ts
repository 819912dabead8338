import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { startPostgres, type PostgresServer } from '@outbound/local-stack';
import pg from 'pg';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { openPostgresStore } from './postgres-store.ts';
import type { StateBatch } from './state-store.ts';

const run = promisify(execFile);
/** Of the same package as the server, which a dump has to be read with. */
const bin = '/usr/lib/postgresql/15/bin';

let postgres: PostgresServer;
let url: string;
let folder: string;
let databases = 0;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'dumps-'));
  postgres = await startPostgres({ major: 15 });
  url = await postgres.createDatabase('origin');
  await inDatabase(url, async (pool) => {
    const store = await openPostgresStore(pool, { table: 'state', topic: 'topic' });
    await store.positions();
    await store.applyBatch(batch('a', 7n));
    await store.confirm(1000);
  });
});
afterAll(async () => {
  await postgres.close();
  await rm(folder, { recursive: true });
});

const batch = (key: string, nextOffset: bigint): StateBatch => ({
  entries: [{ key, version: 1, value: Buffer.from('{}'), partition: 0, offset: 0n }],
  positions: [{ partition: 0, nextOffset, mark: 'm' }],
});
async function inDatabase(of: string, work: (pool: pg.Pool) => Promise<void>): Promise<void> {
  const pool = new pg.Pool({ connectionString: of });
  try {
    await work(pool);
  } finally {
    await pool.end();
  }
}

/** A database of its own with what a dump by these options holds. */
async function restored(...options: string[]): Promise<string> {
  const into = await postgres.createDatabase(`restored_${(databases += 1)}`);
  const file = join(folder, `${databases}.dump`);
  await run(`${bin}/pg_dump`, [...options, '--format=custom', '--file', file, '--dbname', url]);
  await run(`${bin}/pg_restore`, ['--exit-on-error', '--dbname', into, file]);
  return into;
}

it.each([[[]], [['--table=state', '--table=state_position']]])(
  'a store that came out of a dump is recognised, and goes on where it was: %j',
  async (options) => {
    await inDatabase(await restored(...options), async (pool) => {
      const store = await openPostgresStore(pool, { table: 'public.state', topic: 'topic' });
      const { partitions, currentAtMs } = await store.positions();
      expect([...partitions.values()]).toEqual(batch('', 7n).positions);
      expect(currentAtMs).toBe(1000);
      await store.applyBatch(batch('b', 8n));
      const { rows } = await pool.query('select key from public.state order by 1');
      expect(rows).toEqual([{ key: 'a' }, { key: 'b' }]);
    });
  },
);

it('a dump without rows is a store that has nothing', async () => {
  await inDatabase(await restored('--schema-only'), async (pool) => {
    const store = await openPostgresStore(pool, { table: 'public.state', topic: 'topic' });
    expect((await store.positions()).partitions.size).toBe(0);
  });
});

it.each([
  [['--no-comments'], 'public.state was not made by a rebuild'],
  [['--table=state'], 'public.state has no public.state_position beside it'],
  [['--table=state_position'], 'state_position is there and public.state is not'],
  [['--exclude-table-data=state_position'], 'public.state_position does not say how far they go'],
])('a dump by %j is refused by name, and left as it is: %s', async (options, why) => {
  await inDatabase(await restored(...options), async (pool) => {
    await expect(
      openPostgresStore(pool, { table: 'public.state', topic: 'topic' }),
    ).rejects.toMatchObject({
      code: 'STORE_UNUSABLE',
      message: expect.stringContaining(why) as string,
    });
  });
});
