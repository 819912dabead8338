import { startPostgres, type PostgresServer } from '@outbound/local-stack';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createMemoryParkedKeys, type ParkedKeys } from './parked-keys.ts';
import { createPgParkedKeys, parkedKeyDdl } from './pg-parked-keys.ts';

let server: PostgresServer;
let pool: pg.Pool;

beforeAll(async () => {
  server = await startPostgres({});
  pool = new pg.Pool({ connectionString: await server.createDatabase('parked') });
  await pool.query(parkedKeyDdl());
  await pool.query(parkedKeyDdl());
});
afterAll(async () => {
  await pool?.end();
  await server?.close();
});

describe.each<[string, () => ParkedKeys]>([
  ['in Postgres', () => createPgParkedKeys(pool)],
  ['in memory', () => createMemoryParkedKeys()],
])('parked keys %s', (_, create) => {
  it('are those of one group and topic, until they are released', async () => {
    const keys = create();
    const scope = { group: 'g', topic: 't' };
    await keys.park(scope, 'a', { eid: 'e1' });
    await keys.park(scope, 'a', { eid: 'e2' });
    await keys.park(scope, 'b', { eid: 'e3' });
    expect(await keys.list(scope)).toEqual(new Set(['a', 'b']));
    for (const other of [
      { group: 'h', topic: 't' },
      { group: 'g', topic: 'u' },
    ])
      expect(await keys.isParked(other, 'a')).toBe(false);
    expect(await keys.isParked(scope, 'a')).toBe(true);
    expect(await keys.release(scope, 'a')).toBe(true);
    expect(await keys.release(scope, 'a')).toBe(false);
    expect(await keys.list(scope)).toEqual(new Set(['b']));
  });
});

it('keeps which event was the first', async () => {
  const { rows } = await pool.query('select key, first_eid from parked_key');
  expect(rows).toEqual([{ key: 'b', first_eid: 'e3' }]);
});
